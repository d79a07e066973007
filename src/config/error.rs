//! What can be wrong with a configuration, in sentences that name the place, the value and the remedy.

use std::io;
use std::path::PathBuf;

use super::file::SCREEN_KEYS;
use super::key::Key;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag or an argument on the command line.
    CommandLine,
    /// The environment.
    Environment,
    /// A configuration file.
    File {
        /// Which.
        path: PathBuf,
        /// In which line.
        line: usize,
    },
}

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("the file {} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("the file {} can't be written", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// In which line.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A file has a key that means nothing.
    #[error("{}, line {line}: there is no key `{key}`{}; the keys are {}, and the table [{SCREEN_KEYS}]", path.display(), did_you_mean(key), all_keys())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// In which line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A value isn't allowed.
    #[error("{place} is not allowed: use {allowed}")]
    Bad {
        /// The value and where it stands.
        place: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A file holds a password and is open to others.
    #[error("{} holds a password, and others can read it (mode {mode:o}); {}", path.display(), remedy(*shared, path))]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whether its group may read it.
        shared: bool,
    },
    /// A password file has no password in it.
    #[error("{} has no password in its first line", path.display())]
    NoPassword {
        /// Which.
        path: PathBuf,
    },
    /// There is no telling which branch is meant.
    #[error(
        "no branch is named: use --branch CODE, BRANCHLINE_BRANCH in the environment, or `branch = \"CODE\"` in {}",
        file.display()
    )]
    NoBranch {
        /// The file in which it could stand.
        file: PathBuf,
    },
    /// There is no home folder, so no place for files.
    #[error("HOME is not set, so there is no place for the database: name it with --db FILE")]
    Homeless,
}

impl ConfigError {
    /// A value that isn't allowed.
    #[must_use]
    pub fn bad(key: Key, text: &str, source: &Source) -> Self {
        let shown = if key.is_secret() {
            "…".into()
        } else {
            text.escape_debug().to_string()
        };
        let place = match source {
            Source::CommandLine => format!("--{} {shown}", key.name()),
            Source::Environment => format!("{}={shown} in the environment", key.variable()),
            Source::File { path, line } => {
                format!("{}, line {line}: {} = \"{shown}\"", path.display(), key.name())
            }
        };
        Self::Bad {
            place,
            allowed: key.allowed(),
        }
    }
}

fn all_keys() -> String {
    Key::ALL.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(key: &str) -> String {
    Key::ALL
        .iter()
        .map(|known| (distance(key, known.name()), known.name()))
        .min()
        .filter(|(edits, name)| *edits <= 2 && *edits < name.len())
        .map_or_else(String::new, |(_, name)| format!(" (is `{name}` meant?)"))
}

/// How many letters must be put in, taken out or changed to make one text of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

fn remedy(shared: bool, path: &std::path::Path) -> String {
    let mode = if shared { "o=" } else { "600" };
    format!("close it with: chmod {mode} '{}'", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(did_you_mean("brnach"), " (is `branch` meant?)");
        assert_eq!(did_you_mean("tax_rate"), " (is `tax-rate` meant?)");
        assert_eq!(did_you_mean("colour"), "");
    }

    #[test]
    fn a_bad_value_is_named_with_its_place() {
        let from_file = Source::File {
            path: "/etc/branchline/branchline.toml".into(),
            line: 3,
        };
        let says = |source| ConfigError::bad(Key::TaxRate, "150", source).to_string();
        assert!(
            says(&Source::CommandLine).starts_with("--tax-rate 150 is not allowed: use a percentage from 0 to 100")
        );
        assert!(says(&Source::Environment).starts_with("BRANCHLINE_TAX_RATE=150 in the environment is not allowed"));
        assert!(says(&from_file).starts_with("/etc/branchline/branchline.toml, line 3: tax-rate = \"150\" is not"));
    }

    #[test]
    fn a_bad_url_is_not_repeated_because_it_may_hold_a_password() {
        let says = ConfigError::bad(Key::Amqp, "amqp:/me:hunter2@host", &Source::CommandLine).to_string();
        assert!(!says.contains("hunter2"), "{says}");
    }
}
