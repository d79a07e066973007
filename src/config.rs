//! What this run of the program is told: flags, environment and file laid over one another, checked, and turned into values.
//!
//! [`resolve`] is pure; [`load`] reads the environment and the files for it. Nothing is opened or made here: whether the database is there, and what
//! the broker answers, is found out by those who use the [`Settings`].

mod broker;
mod error;
mod file;
mod key;
mod layers;
mod places;
mod task;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use broker::Broker;
pub use error::{ConfigError, Source};
pub use file::{ConfigFile, write_initial};
pub use key::Key;
pub use layers::{Given, Layers};
pub use places::{Places, Shared};
pub use task::{DayRange, Errand, ExportTask, Format, ImportTask, QuarantineTask, Task, field_name};

use crate::cli::Cli;
use crate::domain::ids::{BranchCode, StoreId};
use crate::domain::line::Hours;
use crate::domain::money::TaxRate;
use crate::domain::sale::{MAX_REGION_CHARS, clean};
use crate::text::Text;

/// Everything that this run is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and no two belong together"
)]
pub struct Settings {
    /// What is to be done.
    pub task: Task,
    /// The branch, if anybody named it.
    pub branch: Option<BranchCode>,
    /// The database, as far as it can be known without asking.
    pub db: Option<PathBuf>,
    /// Whether to make the database if it isn't there.
    pub create: bool,
    /// The broker.
    pub broker: Broker,
    /// After how many milliseconds with nothing to do the line is closed.
    pub linger_ms: Option<u64>,
    /// The most bytes that the line may carry in a second.
    pub cap: Option<u64>,
    /// The hours of the day in which the line may be used.
    pub hours: Option<Hours>,
    /// HQ takes branches without a login of their own.
    pub trial: bool,
    /// The database that HQ's own replaces.
    pub replaces: Option<StoreId>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// The language of the screen: the one that was asked for, or the locale's.
    pub text: Text,
    /// Whether to draw with ASCII characters only.
    pub ascii: bool,
    /// The screen's colours.
    pub theme: Theme,
    /// Whether the screen listens to the mouse; `None`: where the terminal is near.
    pub mouse: Option<bool>,
    /// The key that the scanner sends before each code, if it sends one.
    pub scanner_prefix: Option<Given>,
    /// The keys of the screen that are not the usual ones: action to keys.
    pub keys: BTreeMap<String, String>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// Whether nothing may be changed.
    pub read_only: bool,
    /// The tax of sales that name none.
    pub tax_rate: TaxRate,
    /// What a person should be told before anything else.
    pub warnings: Vec<Warning>,
    /// The folders of this machine and user.
    pub places: Places,
    region: Option<String>,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For a person.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// The screen's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// Without colours.
    Mono,
}

/// Something that works and is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The password stands on the command line, where every user of the machine can read it.
    PasswordOnCommandLine,
    /// The line to the broker is not encrypted and leaves the machine.
    Overheard {
        /// Where it goes.
        broker: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PasswordOnCommandLine => f.write_str(
                "The broker password stands on the command line, where every user of this machine can read it: put the URL into a file \
                 that only you can read, or use --amqp-password-file.",
            ),
            Self::Overheard { broker } => write!(
                f,
                "The line to {broker} is not encrypted: sales and password can be read on the way. Use amqps://."
            ),
        }
    }
}

/// Reads environment and files, and resolves the settings.
///
/// # Errors
/// When a file can't be used or a value isn't allowed.
pub fn load(cli: &Cli) -> Result<Settings, ConfigError> {
    let environment = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
        .collect();
    let places = Places::of(&environment);
    load_from(cli, &environment, &places)
}

fn load_from(cli: &Cli, environment: &BTreeMap<String, String>, places: &Places) -> Result<Settings, ConfigError> {
    let named = cli.options.config.clone();
    let named = named.or_else(|| {
        Some(
            environment
                .get("BRANCHLINE_CONFIG")
                .filter(|path| !path.is_empty())?
                .into(),
        )
    });
    let file = match named {
        Some(path) => Some(ConfigFile::read(&path)?.ok_or_else(|| ConfigError::Unreadable {
            source: std::io::ErrorKind::NotFound.into(),
            path,
        })?),
        None => places.config_file()?,
    };
    let shared = places.shared();
    resolve(cli, environment, file.as_ref(), places, &shared)
}

/// Lays flags, environment and file over one another and checks every value.
///
/// # Errors
/// Names the first value that isn't allowed, its place, and what is; or the file that shows a password to others.
pub fn resolve(
    cli: &Cli,
    environment: &BTreeMap<String, String>,
    file: Option<&ConfigFile>,
    places: &Places,
    shared: &Shared,
) -> Result<Settings, ConfigError> {
    let layers = Layers::new(cli.given(), environment, file);
    let task = Task::read(cli, &layers)?;
    let branch = layers.read(Key::Branch, |text| BranchCode::parse(text).ok())?;
    let db = match layers.read(Key::Db, database_file)? {
        Some(path) => Some(path),
        None => usual_database(&task, branch.as_ref(), places, shared),
    };
    let (broker, warnings) = read_broker(&layers, file, &task)?;
    let locale = Locale::of(environment);
    let ascii = match layers.get(Key::Ascii) {
        Some(_) => layers.is_on(Key::Ascii)?,
        None => !locale.is_utf8(),
    };
    let no_color = environment.get("NO_COLOR").is_some_and(|text| !text.is_empty());
    Ok(Settings {
        task,
        branch,
        db,
        create: layers.is_on(Key::Create)?,
        broker,
        linger_ms: layers.read(Key::Linger, time_span)?,
        cap: layers.read(Key::Cap, bytes_a_second)?,
        hours: layers.read(Key::Hours, Hours::parse)?,
        trial: layers.is_on(Key::Trial)?,
        replaces: layers.read(Key::Replaces, StoreId::from_hex)?,
        log_format: layers.read(Key::LogFormat, log_format)?.unwrap_or_default(),
        text: match layers.read(Key::Lang, |code| Text::named(code).ok())? {
            Some(text) => text,
            None => locale.text(),
        },
        ascii,
        theme: layers
            .read(Key::Theme, theme)?
            .unwrap_or(if no_color { Theme::Mono } else { Theme::Dark }),
        mouse: layers.read(Key::Mouse, mouse)?.flatten(),
        scanner_prefix: layers.get(Key::ScannerPrefix),
        keys: file.map(ConfigFile::screen_keys).unwrap_or_default(),
        file: file.map(|file| file.path().to_owned()),
        read_only: layers.is_on(Key::ReadOnly)?,
        tax_rate: layers
            .read(Key::TaxRate, |text| TaxRate::parse(text).ok())?
            .unwrap_or_default(),
        warnings,
        places: places.clone(),
        region: layers.read(Key::Region, region)?,
    })
}

impl Settings {
    /// The database.
    ///
    /// # Errors
    /// When neither a branch nor a file is named, or the user has no home folder.
    pub fn database(&self) -> Result<&Path, ConfigError> {
        match &self.db {
            Some(path) => Ok(path),
            None if self.branch.is_none() && !self.task.belongs_to_hq() => Err(self.no_branch()),
            None => Err(ConfigError::Homeless),
        }
    }

    /// Takes the branch that a person named when asked, and with it its usual database.
    pub fn take_branch(&mut self, branch: BranchCode) {
        self.db = usual_database(&self.task, Some(&branch), &self.places, &self.places.shared());
        self.branch = Some(branch);
    }

    /// Says that no branch is named, and where it could be.
    #[must_use]
    pub fn no_branch(&self) -> ConfigError {
        ConfigError::NoBranch {
            file: self.places.own_config_file(),
        }
    }

    /// The region of sales that name none: the configured one, or else the branch's code.
    #[must_use]
    pub fn home_region(&self, branch: &BranchCode) -> String {
        self.region.clone().unwrap_or_else(|| branch.as_str().to_owned())
    }

    /// The log file of a run with a screen: in the user's own state folder, named after the database.
    #[must_use]
    pub fn log_file(&self) -> Option<PathBuf> {
        let name = self.db.as_ref()?.with_extension("log");
        Some(self.places.user_state.as_ref()?.join(name.file_name()?))
    }
}

fn read_broker(
    layers: &Layers<'_>,
    file: Option<&ConfigFile>,
    task: &Task,
) -> Result<(Broker, Vec<Warning>), ConfigError> {
    let path = |key| layers.get(key).map(|given| PathBuf::from(given.text));
    let broker = layers
        .read(Key::Amqp, Broker::parse)?
        .unwrap_or_else(|| Broker::parse(Broker::DEFAULT_URL).expect("the default is a broker's URL"))
        .with(path(Key::AmqpCa), path(Key::AmqpPasswordFile));
    let mut warnings = Vec::new();
    if broker.holds_secret() {
        match layers.get(Key::Amqp).map(|given| given.source) {
            Some(Source::CommandLine) => warnings.push(Warning::PasswordOnCommandLine),
            Some(Source::File { .. }) => file.map_or(Ok(()), ConfigFile::must_be_private)?,
            Some(Source::Environment) | None => {}
        }
    }
    if task.has_a_line() && broker.is_exposed() {
        warnings.push(Warning::Overheard {
            broker: broker.to_string(),
        });
    }
    Ok((broker, warnings))
}

fn usual_database(task: &Task, branch: Option<&BranchCode>, places: &Places, shared: &Shared) -> Option<PathBuf> {
    if task.belongs_to_hq() {
        return places.database(places::HQ_DATABASE, shared);
    }
    places.database(&places::database_name(branch?), shared)
}

fn database_file(text: &str) -> Option<PathBuf> {
    (!text.contains("://")).then(|| PathBuf::from(text))
}

fn region(text: &str) -> Option<String> {
    let region = clean(text);
    (1..=MAX_REGION_CHARS)
        .contains(&region.chars().count())
        .then_some(region)
}

/// Reads `60s`, `5m` or `24h`, in milliseconds.
fn time_span(text: &str) -> Option<u64> {
    const LONGEST_MS: u64 = 24 * 3_600_000;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let span = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    (1_000..=LONGEST_MS).contains(&span).then_some(span)
}

/// Reads a number of kB a second.
fn bytes_a_second(text: &str) -> Option<u64> {
    let kilobytes = text.parse::<u64>().ok()?;
    (1..=1_000_000).contains(&kilobytes).then(|| kilobytes * 1_000)
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn theme(text: &str) -> Option<Theme> {
    match text {
        "dark" => Some(Theme::Dark),
        "light" => Some(Theme::Light),
        "mono" => Some(Theme::Mono),
        _ => None,
    }
}

#[expect(
    clippy::option_option,
    reason = "a word that is none, and a word that leaves it open"
)]
fn mouse(text: &str) -> Option<Option<bool>> {
    match text {
        "on" => Some(Some(true)),
        "off" => Some(Some(false)),
        "auto" => Some(None),
        _ => None,
    }
}

/// What the environment says of language and characters.
struct Locale<'a> {
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Locale<'a> {
    const fn of(environment: &'a BTreeMap<String, String>) -> Self {
        Self { environment }
    }

    fn is_utf8(&self) -> bool {
        let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| self.variable(name));
        let characters = set
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        characters.contains("utf-8") || characters.contains("utf8")
    }

    fn text(&self) -> Text {
        let locales = ["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| self.variable(name));
        Text::choose(None, &locales).unwrap_or_else(|_| Text::english())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|text| !text.is_empty()).cloned()
    }
}

#[cfg(test)]
mod tests;
