//! The layers in which an option can be given: flag, environment, file; the first that has it wins.

use std::collections::BTreeMap;

use super::error::{ConfigError, Source};
use super::file::ConfigFile;
use super::key::Key;

/// What each layer says, as text.
#[derive(Debug, Clone)]
pub struct Layers<'a> {
    flags: BTreeMap<&'static str, String>,
    environment: &'a BTreeMap<String, String>,
    file: Option<&'a ConfigFile>,
}

/// An option's text, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub text: String,
    /// Where it comes from.
    pub source: Source,
}

impl<'a> Layers<'a> {
    /// Lays the layers over one another.
    pub fn new(
        flags: impl IntoIterator<Item = (&'static str, String)>,
        environment: &'a BTreeMap<String, String>,
        file: Option<&'a ConfigFile>,
    ) -> Self {
        Self {
            flags: flags.into_iter().collect(),
            environment,
            file,
        }
    }

    /// What a flag says.
    #[must_use]
    pub fn flag(&self, key: Key) -> Option<&str> {
        self.flags.get(key.name()).map(String::as_str)
    }

    /// What the highest layer says that says anything. A variable that is set but empty says nothing.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<Given> {
        let given = |text: &str, source| Given {
            text: text.to_owned(),
            source,
        };
        if let Some(text) = self.flag(key) {
            return Some(given(text, Source::CommandLine));
        }
        let variable = self.environment.get(&key.variable());
        if let Some(text) = variable.filter(|text| !text.is_empty()) {
            return Some(given(text, Source::Environment));
        }
        self.file?.get(key).map(|(text, source)| given(text, source))
    }

    /// An option's value, as `read` understands its text.
    ///
    /// # Errors
    /// When `read` doesn't understand it: names the value, its place and what is allowed.
    pub fn read<T>(&self, key: Key, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(given) = self.get(key) else { return Ok(None) };
        match read(&given.text) {
            Some(value) => Ok(Some(value)),
            None => Err(ConfigError::bad(key, &given.text, &given.source)),
        }
    }

    /// An option that is on or off; off if it isn't given.
    ///
    /// # Errors
    /// When it is neither `true` nor `false` (the environment may also say 1, 0, yes or no).
    pub fn is_on(&self, key: Key) -> Result<bool, ConfigError> {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        };
        Ok(self.read(key, read)?.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
        let file = ConfigFile::parse(Path::new("f.toml"), 0o600, "tax-rate = 1\nregion = 'F'\nbranch = 'F'").unwrap();
        let environment = [
            ("BRANCHLINE_TAX_RATE", "2"),
            ("BRANCHLINE_REGION", "E"),
            ("BRANCHLINE_BRANCH", ""),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
        let layers = Layers::new([("tax-rate", "3".to_owned())], &environment, Some(&file));
        let text = |key| layers.get(key).unwrap().text;
        assert_eq!(
            [text(Key::TaxRate), text(Key::Region), text(Key::Branch)],
            ["3", "E", "F"]
        );
        assert_eq!(layers.get(Key::Theme), None);
    }

    #[test]
    fn a_switch_in_the_environment_can_be_off() {
        let environment = [("BRANCHLINE_ASCII".to_owned(), "0".to_owned())].into();
        let file = ConfigFile::parse(Path::new("f.toml"), 0o600, "ascii = true\ntrial = 'maybe'").unwrap();
        let layers = Layers::new([], &environment, Some(&file));
        assert!(!layers.is_on(Key::Ascii).unwrap());
        assert!(
            layers
                .is_on(Key::Trial)
                .unwrap_err()
                .to_string()
                .contains("f.toml, line 2")
        );
    }
}
