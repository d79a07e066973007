//! What is to be done, with every argument understood.

use std::path::PathBuf;

use chrono::NaiveDate;

use super::error::ConfigError;
use super::key::Key;
use super::layers::Layers;
use crate::cli::{Cli, Command, ProductsAction, QuarantineAction};
use crate::domain::draft::{Draft, Field};
use crate::domain::ids::SaleId;
use crate::domain::time::parse_day;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// The branch's screen, with the sync worker inside.
    Screen,
    /// The sync worker without a screen.
    Worker,
    /// Head office.
    Hq,
    /// Something that ends by itself.
    Errand(Errand),
}

/// A command that does one thing and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Enter a sale.
    Add(Draft),
    /// Change a sale.
    Edit {
        /// Which.
        id: SaleId,
        /// The fields that change, and what they become.
        changes: Vec<(Field, String)>,
    },
    /// Void a sale.
    Void(SaleId),
    /// Take in a file.
    Import(ImportTask),
    /// Take in the products that a scanner knows.
    ImportProducts(PathBuf),
    /// Write the sales out.
    Export(ExportTask),
    /// Say how the branch stands.
    Status {
        /// As JSON.
        json: bool,
    },
    /// Say what head office holds.
    Overview {
        /// As JSON.
        json: bool,
    },
    /// Copy a branch's database to this file.
    Backup(PathBuf),
    /// Copy head office's database to this file.
    BackupHq(PathBuf),
    /// Send acknowledged sales again.
    Resend(DayRange),
    /// Check the database and its surroundings.
    Doctor,
    /// Look after quarantined messages.
    Quarantine(QuarantineTask),
    /// Write a shell's completion script.
    Completions(clap_complete::Shell),
    /// Write the manual page.
    Man,
}

/// Which file is to be taken in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportTask {
    /// The file.
    pub file: PathBuf,
    /// Which column is which field.
    pub map: Vec<(Field, String)>,
    /// Whether a file that was imported before is taken all the same.
    pub again: bool,
}

/// Which sales are written out, how, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportTask {
    /// How.
    pub format: Format,
    /// Which days.
    pub days: DayRange,
    /// Where to; `None`: standard output.
    pub output: Option<PathBuf>,
}

/// How sales are written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Comma-separated values, safe for spreadsheets.
    #[default]
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Some business days; an open end has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayRange {
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub to: Option<NaiveDate>,
}

/// What to do with quarantined messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineTask {
    /// List them.
    List,
    /// Show one.
    Show(i64),
    /// Handle one again.
    Replay(i64),
    /// Throw one away.
    Discard(i64),
}

impl Task {
    /// Reads what is to be done.
    ///
    /// # Errors
    /// Names the argument that isn't allowed, its place, and what is.
    pub fn read(cli: &Cli, layers: &Layers<'_>) -> Result<Self, ConfigError> {
        match &cli.command {
            Some(command) => Errand::read(command, layers).map(Self::Errand),
            None => Ok(layers.read(Key::Headless, headless)?.unwrap_or(Self::Screen)),
        }
    }

    /// Whether it is head office's business rather than a branch's.
    #[must_use]
    pub const fn belongs_to_hq(&self) -> bool {
        matches!(
            self,
            Self::Hq | Self::Errand(Errand::Quarantine(_) | Errand::Overview { .. } | Errand::BackupHq(_))
        )
    }

    /// Whether it keeps a line to the broker open.
    #[must_use]
    pub const fn has_a_line(&self) -> bool {
        matches!(self, Self::Screen | Self::Worker | Self::Hq)
    }
}

impl Errand {
    fn read(command: &Command, layers: &Layers<'_>) -> Result<Self, ConfigError> {
        Ok(match command {
            Command::Add { .. } => Self::Add(draft(layers)),
            Command::Edit { id, .. } => Self::Edit {
                id: sale_id(id)?,
                changes: changes(layers),
            },
            Command::Void { id } => Self::Void(sale_id(id)?),
            Command::Import { file, .. } => Self::Import(ImportTask {
                file: file.clone(),
                map: layers.read(Key::Map, column_map)?.unwrap_or_default(),
                again: layers.is_on(Key::Again)?,
            }),
            Command::Products {
                action: ProductsAction::Import { file },
            } => Self::ImportProducts(file.clone()),
            Command::Export { .. } => Self::Export(ExportTask {
                format: layers.read(Key::Format, format)?.unwrap_or_default(),
                days: days(layers)?,
                output: layers.get(Key::Output).map(|given| given.text.into()),
            }),
            Command::Status { .. } => {
                let json = layers.is_on(Key::Json)?;
                match layers.read(Key::Headless, headless)? {
                    Some(Task::Hq) => Self::Overview { json },
                    _ => Self::Status { json },
                }
            }
            Command::Backup { file } => match layers.read(Key::Headless, headless)? {
                Some(Task::Hq) => Self::BackupHq(file.clone()),
                _ => Self::Backup(file.clone()),
            },
            Command::Resend { .. } => Self::Resend(days(layers)?),
            Command::Doctor => Self::Doctor,
            Command::Quarantine { action } => Self::Quarantine(quarantine(action)?),
            Command::Completions { shell } => Self::Completions(*shell),
            Command::Man => Self::Man,
        })
    }
}

fn headless(text: &str) -> Option<Task> {
    match text {
        "branch" => Some(Task::Worker),
        "hq" => Some(Task::Hq),
        _ => None,
    }
}

fn format(text: &str) -> Option<Format> {
    match text {
        "csv" => Some(Format::Csv),
        "jsonl" => Some(Format::JsonLines),
        _ => None,
    }
}

const fn key_of(field: Field) -> Key {
    match field {
        Field::Product => Key::Product,
        Field::Qty => Key::Qty,
        Field::Cost => Key::Cost,
        Field::Tax => Key::Tax,
        Field::Date => Key::Date,
        Field::Region => Key::Region,
    }
}

fn draft(layers: &Layers<'_>) -> Draft {
    let mut draft = Draft::default();
    for field in Field::ALL {
        *draft.field_mut(field) = layers.get(key_of(field)).map(|given| given.text).unwrap_or_default();
    }
    draft
}

fn changes(layers: &Layers<'_>) -> Vec<(Field, String)> {
    let given = |field| {
        let key = key_of(field);
        // The region that the configuration names is the branch's, not a wish to move this sale.
        let text = match field {
            Field::Region => layers.flag(key).map(str::to_owned),
            Field::Product | Field::Qty | Field::Cost | Field::Tax | Field::Date => {
                layers.get(key).map(|given| given.text)
            }
        };
        Some((field, text?))
    };
    Field::ALL.into_iter().filter_map(given).collect()
}

/// The name of a field on the command line and in a file's header.
#[must_use]
pub const fn field_name(field: Field) -> &'static str {
    key_of(field).name()
}

fn column_map(text: &str) -> Option<Vec<(Field, String)>> {
    let mut map: Vec<(Field, String)> = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, column) = pair.split_once('=')?;
        let field = Field::ALL.into_iter().find(|field| field_name(*field) == name.trim())?;
        let column = column.trim();
        if column.is_empty() || map.iter().any(|(known, _)| *known == field) {
            return None;
        }
        map.push((field, column.to_owned()));
    }
    Some(map)
}

fn days(layers: &Layers<'_>) -> Result<DayRange, ConfigError> {
    let from = layers.read(Key::From, parse_day)?;
    let not_before = |text: &str| parse_day(text).filter(|to| from.is_none_or(|from| from <= *to));
    let to = layers.read(Key::To, not_before)?;
    Ok(DayRange { from, to })
}

fn sale_id(text: &str) -> Result<SaleId, ConfigError> {
    let number = text.trim().trim_start_matches('#').parse().ok().and_then(SaleId::new);
    number.ok_or_else(|| bad_number(text, "a sale's number, as the screen and `branchline export` show it"))
}

fn quarantine(action: &QuarantineAction) -> Result<QuarantineTask, ConfigError> {
    let number = |text: &str| {
        let number = text.trim().parse().ok().filter(|number: &i64| *number > 0);
        number.ok_or_else(|| bad_number(text, "a number that `branchline quarantine list` shows"))
    };
    Ok(match action {
        QuarantineAction::List => QuarantineTask::List,
        QuarantineAction::Show { id } => QuarantineTask::Show(number(id)?),
        QuarantineAction::Replay { id } => QuarantineTask::Replay(number(id)?),
        QuarantineAction::Discard { id } => QuarantineTask::Discard(number(id)?),
    })
}

fn bad_number(text: &str, allowed: &'static str) -> ConfigError {
    ConfigError::Bad {
        place: format!("`{}`", text.escape_debug()),
        allowed,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use clap::Parser;

    use super::super::file::ConfigFile;
    use super::*;

    fn read(line: &[&str], file: &str) -> Result<Task, ConfigError> {
        let cli = Cli::try_parse_from([&["branchline"], line].concat()).unwrap();
        let environment = BTreeMap::new();
        let file = ConfigFile::parse(Path::new("f.toml"), 0o600, file).unwrap();
        Task::read(&cli, &Layers::new(cli.given(), &environment, Some(&file)))
    }

    #[test]
    fn the_default_task_is_the_screen_and_a_command_wins_over_headless() {
        assert_eq!(read(&[], "").unwrap(), Task::Screen);
        assert_eq!(read(&[], "headless = 'hq'").unwrap(), Task::Hq);
        assert_eq!(
            read(&["--headless", "branch"], "headless = 'hq'").unwrap(),
            Task::Worker
        );
        assert_eq!(
            read(&["doctor"], "headless = 'hq'").unwrap(),
            Task::Errand(Errand::Doctor)
        );
    }

    #[test]
    fn the_status_of_head_office_is_an_overview() {
        let json = true;
        assert_eq!(
            read(&["status", "--json"], "headless = 'hq'").unwrap(),
            Task::Errand(Errand::Overview { json })
        );
        assert_eq!(
            read(&["status", "--json"], "headless = 'branch'").unwrap(),
            Task::Errand(Errand::Status { json })
        );
    }

    #[test]
    fn a_configured_region_fills_a_new_sale_but_never_changes_an_old_one() {
        let Task::Errand(Errand::Add(draft)) = read(&["add", "--qty", "3"], "region = 'East'").unwrap() else {
            panic!("not an add");
        };
        assert_eq!((draft.qty.as_str(), draft.region.as_str()), ("3", "East"));
        let edit = |line: &[&str]| match read(line, "region = 'East'").unwrap() {
            Task::Errand(Errand::Edit { changes, .. }) => changes,
            other => panic!("{other:?}"),
        };
        assert_eq!(edit(&["edit", "7", "--qty", "3"]), [(Field::Qty, "3".to_owned())]);
        assert_eq!(
            edit(&["edit", "#7", "--region", "West"]),
            [(Field::Region, "West".to_owned())]
        );
    }

    #[test]
    fn a_column_map_names_each_field_once() {
        let map = column_map("date=InvoiceDate, product = Description,").unwrap();
        assert_eq!(
            map,
            [
                (Field::Date, "InvoiceDate".to_owned()),
                (Field::Product, "Description".to_owned())
            ]
        );
        for bad in ["date", "day=InvoiceDate", "date=", "date=A,date=B"] {
            assert_eq!(column_map(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_range_of_days_does_not_run_backwards() {
        let Task::Errand(Errand::Resend(days)) = read(&["resend", "--from", "2010-12-01"], "").unwrap() else {
            panic!("not a resend");
        };
        assert_eq!((days.from, days.to), (parse_day("2010-12-01"), None));
        let says = read(&["resend", "--from", "2010-12-02", "--to", "2010-12-01"], "")
            .unwrap_err()
            .to_string();
        assert_eq!(
            says,
            "--to 2010-12-01 is not allowed: use a day such as 2026-11-22, not before --from"
        );
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let says = read(&["void", "seven"], "").unwrap_err().to_string();
        assert!(
            says.starts_with("`seven` is not allowed: use a sale's number"),
            "{says}"
        );
    }
}
