//! A configuration file: reading it, and writing the first one.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Source};
use super::key::Key;
use crate::domain::ids::BranchCode;

/// The table of the keys that do something on the screen.
pub(super) const SCREEN_KEYS: &str = "keys";
/// How many of the lowest bits of a mode are about anybody but the owner.
const OTHERS_BITS: u32 = 6;

/// A configuration file that has been read: every key is known, every value is still text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    mode: u32,
    values: BTreeMap<Key, (String, usize)>,
    screen_keys: BTreeMap<String, String>,
}

impl ConfigFile {
    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    /// When the file can't be read, is not TOML, or has a key that means nothing.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
        Self::parse(path, mode, &text).map(Some)
    }

    /// Takes the text of a file whose permissions are `mode`.
    ///
    /// # Errors
    /// When the text is not TOML or has a key that means nothing.
    pub fn parse(path: &Path, mode: u32, text: &str) -> Result<Self, ConfigError> {
        let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        // The parser's own message would show the line, and with it perhaps a password.
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(span.start)),
            message: error.message().to_owned(),
        })?;
        let mut values = BTreeMap::new();
        let mut screen_keys = BTreeMap::new();
        for (name, value) in table.get_ref() {
            let line = line_of(name.span().start);
            if let (SCREEN_KEYS, DeValue::Table(table)) = (name.get_ref().as_ref(), value.get_ref()) {
                screen_keys = read_screen_keys(path, table, line_of)?;
                continue;
            }
            let key = Key::named(name.get_ref()).ok_or_else(|| ConfigError::UnknownKey {
                path: path.to_owned(),
                line,
                key: name.get_ref().to_string(),
            })?;
            let source = Source::File {
                path: path.to_owned(),
                line,
            };
            let plain =
                plain(value.get_ref()).ok_or_else(|| ConfigError::bad(key, value.get_ref().type_str(), &source))?;
            values.insert(key, (plain, line));
        }
        Ok(Self {
            path: path.to_owned(),
            mode,
            values,
            screen_keys,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of a value, and where it stands.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<(&str, Source)> {
        let (text, line) = self.values.get(&key)?;
        let source = Source::File {
            path: self.path.clone(),
            line: *line,
        };
        Some((text, source))
    }

    /// What the table of the screen's keys says: action to keys.
    #[must_use]
    pub fn screen_keys(&self) -> BTreeMap<String, String> {
        self.screen_keys.clone()
    }

    /// Refuses a file that holds a password if anybody but its owner can read it.
    ///
    /// # Errors
    /// Names the file, its mode and the remedy.
    pub fn must_be_private(&self) -> Result<(), ConfigError> {
        if self.mode.trailing_zeros() >= OTHERS_BITS {
            return Ok(());
        }
        Err(ConfigError::Exposed {
            path: self.path.clone(),
            mode: self.mode,
            shared: false,
        })
    }
}

/// Reads action to keys; `"table.edit" = "e"` and `edit = "e"` in a table `keys.table` say the same.
fn read_screen_keys(
    path: &Path,
    table: &DeTable<'_>,
    line_of: impl Fn(usize) -> usize + Copy,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut read = BTreeMap::new();
    for (action, keys) in table {
        let (name, line) = (action.get_ref(), line_of(action.span().start));
        let place = |name: &str| format!("{}, line {line}: {SCREEN_KEYS}.{name}", path.display());
        let given = match keys.get_ref() {
            DeValue::String(keys) => vec![(name.to_string(), keys.to_string())],
            // The names of actions have one point, so deeper tables are mistakes of their own.
            DeValue::Table(of_context) if !name.contains('.') => read_screen_keys(path, of_context, line_of)?
                .into_iter()
                .map(|(action, keys)| (format!("{name}.{action}"), keys))
                .collect(),
            _ => {
                return Err(ConfigError::Bad {
                    place: place(name),
                    allowed: "keys as text with spaces between them, e.g. \"n f2\"",
                });
            }
        };
        for (action, keys) in given {
            if read.insert(action.clone(), keys).is_some() {
                return Err(ConfigError::Bad {
                    place: place(&action),
                    allowed: "each action once",
                });
            }
        }
    }
    Ok(read)
}

/// A value as text, exactly as it was written; `None` for dates, lists and tables.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(is_true) => Some(is_true.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Writes down which branch this is, in a file that only its owner reads. What the file already says is kept.
///
/// # Errors
/// When the file can't be written.
pub fn write_initial(path: &Path, branch: &BranchCode) -> Result<(), ConfigError> {
    replace(path, branch).map_err(|source| ConfigError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, branch: &BranchCode) -> io::Result<()> {
    let (old, mode) = match fs::read_to_string(path) {
        Ok(old) => (old, fs::metadata(path)?.permissions().mode() & 0o777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), 0o600),
        Err(error) => return Err(error),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("toml.new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    let written = write!(file, "branch = \"{branch}\"\n{old}")
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Best effort: what matters is the first error.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        ConfigFile::parse(Path::new("/etc/branchline/branchline.toml"), 0o644, text)
    }

    #[test]
    fn numbers_and_truths_are_kept_as_they_were_written() {
        let file = parse("branch = 'A'\ntax-rate = 5.50\nascii = true\nqty = 7").unwrap();
        let text = |key| file.get(key).unwrap().0.to_owned();
        assert_eq!(
            [text(Key::Branch), text(Key::TaxRate), text(Key::Ascii), text(Key::Qty)],
            ["A", "5.50", "true", "7"]
        );
    }

    #[test]
    fn an_unknown_key_names_file_line_key_and_what_is_allowed() {
        let says = parse("branch = 'A'\nbrnach = 'B'").unwrap_err().to_string();
        assert!(
            says.starts_with("/etc/branchline/branchline.toml, line 2: there is no key `brnach` (is `branch` meant?)"),
            "{says}"
        );
        assert!(says.contains("tax-rate"), "{says}");
    }

    #[test]
    fn a_table_where_a_value_belongs_is_refused() {
        let says = parse("\n[branch]\ncode = 1").unwrap_err().to_string();
        assert!(says.contains("line 2: branch = \"table\" is not allowed"), "{says}");
    }

    #[test]
    fn keys_of_the_screen_stand_in_a_table_of_their_own() {
        let file = parse("branch = 'A'\n[keys]\nnew-sale = 'n f2'").unwrap();
        assert_eq!(file.screen_keys(), [("new-sale".to_owned(), "n f2".to_owned())].into());
        let says = parse("[keys]\n\nnew-sale = 3").unwrap_err().to_string();
        assert!(
            says.contains("line 3: keys.new-sale is not allowed: use keys as text"),
            "{says}"
        );
    }

    #[test]
    fn keys_of_the_screen_may_stand_in_a_table_for_each_place() {
        let flat = parse("[keys]\n'table.edit' = 'e f4'\n'log.levels' = 'w'").unwrap();
        for nested in [
            "[keys.table]\nedit = 'e f4'\n[keys.log]\nlevels = 'w'",
            "[keys]\ntable.edit = 'e f4'\nlog = { levels = 'w' }",
        ] {
            assert_eq!(parse(nested).unwrap().screen_keys(), flat.screen_keys());
        }
        let says = parse("[keys]\n'table.edit' = 'e'\n[keys.table]\nedit = 'w'")
            .unwrap_err()
            .to_string();
        assert!(
            says.contains("keys.table.edit is not allowed: use each action once"),
            "{says}"
        );
    }

    #[test]
    fn a_syntax_error_does_not_show_the_line_with_the_password() {
        let says = parse("branch = 'A'\namqp = \"amqp://me:hunter2@host")
            .unwrap_err()
            .to_string();
        assert!(says.starts_with("/etc/branchline/branchline.toml, line 2: "), "{says}");
        assert!(!says.contains("hunter2"), "{says}");
    }

    #[test]
    fn the_first_file_is_its_owners_alone_and_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/branchline.toml");
        write_initial(&path, &BranchCode::parse("TUNIS-01").unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "branch = \"TUNIS-01\"\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(&path, "theme = \"mono\"\n").unwrap();
        write_initial(&path, &BranchCode::parse("SFAX").unwrap()).unwrap();
        let file = ConfigFile::read(&path).unwrap().unwrap();
        assert_eq!(file.get(Key::Branch).unwrap().0, "SFAX");
        assert_eq!(file.get(Key::Theme).unwrap().0, "mono");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
