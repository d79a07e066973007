//! The command line as a person types it: names, places and help, nothing decided.
//!
//! Values are kept as text here. What they mean, which layer wins (flag, environment, file, default) and what is allowed is said by
//! [`crate::config`], so that a bad value is refused in the same words wherever it comes from.

use std::path::PathBuf;

use clap::{Args, Command as ClapCommand, CommandFactory, Parser, Subcommand};

/// Sells at a branch, offline or not, and carries every sale to head office.
///
/// Without a command it opens the branch's screen, with the sync worker inside.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "branchline", version, max_term_width = 100, after_help = LAYERS)]
pub struct Cli {
    /// The options that every command takes.
    #[command(flatten)]
    pub options: Options,
    /// What to do; nothing: the screen, or what `--headless` says.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const LAYERS: &str = "Every option can also be set in the environment (--tax-rate as BRANCHLINE_TAX_RATE) and in a TOML file \
(as tax-rate). A flag wins over the environment, the environment over the file. The file is the one that --config names, or else \
branchline.toml in ~/.config/branchline, or else in /etc/branchline.";

/// The options that can stand before or after any command.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that a person types")]
#[command(next_help_heading = "Options for every command")]
pub struct Options {
    /// The branch's code, e.g. TUNIS-01
    #[arg(long, global = true, value_name = "CODE")]
    pub branch: Option<String>,
    /// The database
    #[arg(long, global = true, value_name = "FILE")]
    pub db: Option<String>,
    /// The broker, as `amqp://USER@HOST:PORT` or `amqps://…` [default: `amqp://127.0.0.1:5672`]
    #[arg(long, global = true, value_name = "URL")]
    pub amqp: Option<String>,
    /// Trust only this authority's certificates (PEM) on an amqps:// line
    #[arg(long, global = true, value_name = "FILE")]
    pub amqp_ca: Option<String>,
    /// Read the broker password from the first line of this file
    #[arg(long, global = true, value_name = "FILE")]
    pub amqp_password_file: Option<String>,
    /// Close the line after this long in step, e.g. 60s; it opens for the next sale, and for a word with head office once an hour [default: it stays open]
    #[arg(long, global = true, value_name = "TIME")]
    pub linger: Option<String>,
    /// The most that the line may carry, in kB (1,000 bytes) a second, both ways together
    #[arg(long, global = true, value_name = "KB")]
    pub cap: Option<String>,
    /// The times of day in which the line may be used, e.g. 12:30-13:15,22:00-06:00 [default: always]
    #[arg(long, global = true, value_name = "FROM-TO,...")]
    pub hours: Option<String>,
    /// Read this configuration file and no other
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run without a screen: the sync worker of a branch, or head office
    #[arg(long, global = true, value_name = "branch|hq")]
    pub headless: Option<String>,
    /// Make the database if it isn't there
    #[arg(long, global = true)]
    pub create: bool,
    /// Head office: take sales from branches that have no broker user of their own yet
    #[arg(long, global = true)]
    pub trial: bool,
    /// Head office: this database replaces the one with this store id
    #[arg(long, global = true, value_name = "STORE")]
    pub replaces: Option<String>,
    /// How logs are written [default: human]
    #[arg(long, global = true, value_name = "human|json")]
    pub log_format: Option<String>,
    /// The language of the screen, e.g. en or fr [default: the locale's]
    #[arg(long, global = true, value_name = "LANGUAGE")]
    pub lang: Option<String>,
    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// The screen's colours [default: dark, or mono where `NO_COLOR` is set]
    #[arg(long, global = true, value_name = "dark|light|mono")]
    pub theme: Option<String>,
    /// Whether the screen listens to the mouse [default: auto, which is off over SSH]
    #[arg(long, global = true, value_name = "on|off|auto")]
    pub mouse: Option<String>,
    /// The key that the scanner sends before each code, if it sends one, e.g. f12
    #[arg(long, global = true, value_name = "KEY")]
    pub scanner_prefix: Option<String>,
    /// Look, and change nothing
    #[arg(long, global = true)]
    pub read_only: bool,
    /// The region of sales that name none [default: the branch's code]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The tax, in percent, of sales that name none [default: 0]
    #[arg(long, global = true, value_name = "PERCENT")]
    pub tax_rate: Option<String>,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Enter a sale
    Add {
        /// The sale's fields.
        #[command(flatten)]
        sale: SaleFields,
    },
    /// Change a sale: only the fields that are given, and --region only where it is a flag
    Edit {
        /// The sale's number
        id: String,
        /// The fields to change.
        #[command(flatten)]
        sale: SaleFields,
    },
    /// Void a sale; the row stays, and head office learns of it
    Void {
        /// The sale's number
        id: String,
    },
    /// Take in the sales of a CSV file
    ///
    /// The same command goes on after an interruption. Lines that are no sales are written to `FILE.csv.refused.csv`, each with its number and the reason.
    Import {
        /// The file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Which column is which field: date=InvoiceDate,product=Description,...
        ///
        /// The fields are product, qty, cost, tax, date and region. A field that isn't named here is read from the column of its own name, if there is one.
        #[arg(long, value_name = "FIELD=COLUMN,...")]
        map: Option<String>,
        /// Import a file that was imported before: its sales will be there twice
        #[arg(long)]
        again: bool,
    },
    /// The products that a scanner knows by their codes
    Products {
        /// What to do with them.
        #[command(subcommand)]
        action: ProductsAction,
    },
    /// Write the sales out
    Export {
        /// How [default: csv]
        #[arg(long, value_name = "csv|jsonl")]
        format: Option<String>,
        /// Which days.
        #[command(flatten)]
        days: Days,
        /// Where to [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<String>,
    },
    /// Say how far ahead of head office the branch is: exit code 0 if all is there, 1 if not, 2 on an error
    ///
    /// With --headless hq: what head office holds, and 1 if something there wants attention.
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the database to a new file, as it is at one moment, while it is in use
    ///
    /// The copy is checked before it gets its name. With --headless hq: head office's database.
    Backup {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Send sales again that head office has acknowledged; this can do no harm
    Resend {
        /// Which days.
        #[command(flatten)]
        days: Days,
    },
    /// Check the branch's database and its surroundings, and say what to do
    Doctor,
    /// Look after what head office could not read or would not take
    Quarantine {
        /// What to do with it.
        #[command(subcommand)]
        action: QuarantineAction,
    },
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page
    Man,
}

/// A sale's fields, as text.
#[derive(Debug, Clone, Default, Args)]
pub struct SaleFields {
    /// What was sold
    #[arg(long, value_name = "NAME")]
    pub product: Option<String>,
    /// How many: a whole number from 1
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub qty: Option<String>,
    /// The price of one
    #[arg(long, value_name = "MONEY", allow_negative_numbers = true)]
    pub cost: Option<String>,
    /// The tax on all of them [default: from --tax-rate]
    #[arg(long, value_name = "MONEY", allow_negative_numbers = true)]
    pub tax: Option<String>,
    /// When: 2026-11-22 or "2026-11-22 14:07:31" [default: now]
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
}

/// A range of business days, both included.
#[derive(Debug, Clone, Default, Args)]
pub struct Days {
    /// The first day, e.g. 2026-11-22
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
}

/// What to do with the products that a scanner knows.
#[derive(Debug, Clone, Subcommand)]
pub enum ProductsAction {
    /// Take in a CSV file with the columns code, name and cost
    ///
    /// A code that is known already gets the new name and cost.
    Import {
        /// The file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
}

/// What to do with quarantined messages.
#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineAction {
    /// List them
    List,
    /// Show one, bytes and all
    Show {
        /// Its number in the list
        id: String,
    },
    /// Handle one again, as if it had just arrived
    Replay {
        /// Its number in the list
        id: String,
    },
    /// Throw one away
    Discard {
        /// Its number in the list
        id: String,
    },
}

impl Cli {
    /// The whole command line, for completions, the manual page and tests.
    #[must_use]
    pub fn definition() -> ClapCommand {
        Self::command()
    }

    /// What was given as flags: the option's name without its dashes, and its text. A flag without a value is `true`.
    #[must_use]
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let mut given = self.options.given();
        match &self.command {
            Some(Command::Add { sale } | Command::Edit { sale, .. }) => given.extend([
                ("product", sale.product.clone()),
                ("qty", sale.qty.clone()),
                ("cost", sale.cost.clone()),
                ("tax", sale.tax.clone()),
                ("date", sale.date.clone()),
            ]),
            Some(Command::Import { map, again, .. }) => given.extend([("map", map.clone()), ("again", flag(*again))]),
            Some(Command::Export { format, days, output }) => {
                given.extend([("format", format.clone()), ("output", output.clone())]);
                given.extend(days.given());
            }
            Some(Command::Resend { days }) => given.extend(days.given()),
            Some(Command::Status { json }) => given.push(("json", flag(*json))),
            Some(
                Command::Void { .. }
                | Command::Backup { .. }
                | Command::Products { .. }
                | Command::Doctor
                | Command::Quarantine { .. }
                | Command::Completions { .. }
                | Command::Man,
            )
            | None => {}
        }
        given
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }
}

impl Options {
    fn given(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("branch", self.branch.clone()),
            ("db", self.db.clone()),
            ("amqp", self.amqp.clone()),
            ("amqp-ca", self.amqp_ca.clone()),
            ("amqp-password-file", self.amqp_password_file.clone()),
            ("linger", self.linger.clone()),
            ("cap", self.cap.clone()),
            ("hours", self.hours.clone()),
            ("headless", self.headless.clone()),
            ("create", flag(self.create)),
            ("trial", flag(self.trial)),
            ("replaces", self.replaces.clone()),
            ("log-format", self.log_format.clone()),
            ("lang", self.lang.clone()),
            ("ascii", flag(self.ascii)),
            ("theme", self.theme.clone()),
            ("mouse", self.mouse.clone()),
            ("scanner-prefix", self.scanner_prefix.clone()),
            ("read-only", flag(self.read_only)),
            ("region", self.region.clone()),
            ("tax-rate", self.tax_rate.clone()),
        ]
    }
}

impl Days {
    fn given(&self) -> [(&'static str, Option<String>); 2] {
        [("from", self.from.clone()), ("to", self.to.clone())]
    }
}

fn flag(is_set: bool) -> Option<String> {
    is_set.then(|| "true".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::definition().debug_assert();
    }

    #[test]
    fn options_for_every_command_stand_before_or_after_it() {
        for line in [
            ["branchline", "--branch", "A", "status"],
            ["branchline", "status", "--branch", "A"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.given(), [("branch", "A".to_owned())]);
        }
    }

    #[test]
    fn a_negative_number_reaches_the_check_that_explains_it() {
        let cli = Cli::try_parse_from(["branchline", "add", "--qty", "-3", "--cost", "-1.5"]).unwrap();
        assert_eq!(cli.given(), [("qty", "-3".to_owned()), ("cost", "-1.5".to_owned())]);
    }
}
