//! Every sentence that a person reads, by language, and how dates, money and counts are written there.
//!
//! A [`Text`] is one language, ready to speak: functions turn typed values (a log event, a refusal, a field's problem) into sentences. The sentences themselves are in
//! `src/text/*.lang`; a language is added by adding its file. What is said when, and where it stands on a screen, is decided elsewhere; what
//! engineers read (errors of the command line, the log file) is not here either.

mod catalogue;
mod events;
mod fields;
mod keys;
mod numbers;

pub use catalogue::{BadCatalogue, Value};
pub use events::NOTABLE_SKEW_MS;
pub use keys::Key;

use std::sync::Arc;

use catalogue::Template;

/// The languages that this program carries: code and file.
const LANGUAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/languages.rs"));
/// The language whose sentences stand in for those that another one lacks.
const REFERENCE: &str = "en";

/// One language.
///
/// A clone is cheap: all clones share the sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Arc<Language>);

#[derive(Debug, PartialEq, Eq)]
struct Language {
    code: String,
    sentences: Vec<Template>,
    singular: Vec<u64>,
}

/// No language has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no language `{wanted}`; there are {}", languages().collect::<Vec<_>>().join(", "))]
pub struct UnknownLanguage {
    /// What was asked for.
    pub wanted: String,
}

/// The codes of all languages: `en`, `fr`, …
pub fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(|(code, _)| *code)
}

impl Text {
    /// Speaks English.
    ///
    /// # Panics
    /// Never: a test reads every language that is built in.
    #[must_use]
    pub fn english() -> Self {
        Self::named(REFERENCE).expect("the reference language is built in")
    }

    /// Speaks a language by its code.
    ///
    /// # Errors
    /// When there is no such language; the error names those that there are.
    ///
    /// # Panics
    /// Never: a test reads every language that is built in.
    pub fn named(code: &str) -> Result<Self, UnknownLanguage> {
        let wanted = code.to_ascii_lowercase();
        let file = |wanted: &str| {
            LANGUAGES
                .iter()
                .find(|(code, _)| *code == wanted)
                .map(|(_, file)| *file)
        };
        let (Some(own), Some(reference)) = (file(&wanted), file(REFERENCE)) else {
            return Err(UnknownLanguage {
                wanted: code.to_owned(),
            });
        };
        let own = catalogue::read(own).expect("a test reads every language that is built in");
        let reference = catalogue::read(reference).expect("a test reads every language that is built in");
        Ok(Self::of(wanted, own, reference))
    }

    /// Chooses the language: the one asked for, else that of the first locale which is set (`LC_ALL`, `LC_MESSAGES` and `LANG`, in this order), else English.
    ///
    /// # Errors
    /// When there is no language by the name that was asked for. A locale in an unknown language speaks English.
    pub fn choose(wanted: Option<&str>, locales: &[Option<String>]) -> Result<Self, UnknownLanguage> {
        if let Some(wanted) = wanted {
            return Self::named(wanted);
        }
        let locale = locales.iter().flatten().find(|locale| !locale.is_empty());
        let code = locale.and_then(|locale| locale.split(['_', '.', '@']).next());
        Ok(code
            .and_then(|code| Self::named(code).ok())
            .unwrap_or_else(Self::english))
    }

    fn of(code: String, own: Vec<Option<Template>>, reference: Vec<Option<Template>>) -> Self {
        // A sentence with other slots than the reference's would say nonsense: the reference's own is better.
        let sentences: Vec<_> = own
            .into_iter()
            .zip(reference)
            .map(|(own, reference)| {
                let reference = reference.unwrap_or_default();
                own.filter(|own| own.slots() == reference.slots()).unwrap_or(reference)
            })
            .collect();
        let singular = sentences[Key::LanguageSingular as usize].source();
        let singular = singular
            .split_whitespace()
            .filter_map(|count| count.parse().ok())
            .collect();
        Self(Arc::new(Language {
            code,
            sentences,
            singular,
        }))
    }

    /// The language's code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// A word or sentence without slots.
    #[must_use]
    pub fn word(&self, key: Key) -> &str {
        self.0.sentences[key as usize].source()
    }

    /// A sentence with its slots filled.
    #[must_use]
    pub fn say(&self, key: Key, values: &[(&str, Value<'_>)]) -> String {
        self.0.sentences[key as usize].fill(values, &self.0.singular, |count| self.count(count.into()))
    }
}

impl Text {
    /// A sentence with its slots filled by texts, none of which is a count.
    #[must_use]
    pub fn fill<const N: usize>(&self, key: Key, values: [(&str, &str); N]) -> String {
        self.say(key, &values.map(|(slot, value)| (slot, value.into())))
    }

    /// Two things that belong together: `Qty: 6`.
    #[must_use]
    pub fn pair(&self, a: &str, b: &str) -> String {
        self.fill(Key::Pair, [("a", a), ("b", b)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_sentence_with_the_same_slots() {
        let reference = catalogue::read(LANGUAGES.iter().find(|(code, _)| *code == REFERENCE).unwrap().1).unwrap();
        assert!(LANGUAGES.len() >= 2, "English and French are shipped");
        for (code, file) in LANGUAGES {
            let sentences = catalogue::read(file).unwrap_or_else(|problem| panic!("{code}.lang: {problem}"));
            for (key, (own, reference)) in Key::ALL.iter().zip(sentences.iter().zip(&reference)) {
                let own = own
                    .as_ref()
                    .unwrap_or_else(|| panic!("{code}.lang lacks {}", key.name()));
                let reference = reference
                    .as_ref()
                    .unwrap_or_else(|| panic!("{REFERENCE}.lang lacks {}", key.name()));
                assert_eq!(own.slots(), reference.slots(), "{code}.lang: {}", key.name());
            }
        }
    }

    #[test]
    fn every_sentence_is_said_somewhere() {
        let mut sources = String::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    sources.push_str(&std::fs::read_to_string(path).unwrap());
                }
            }
        }
        let is_said = |key: &&Key| !sources.contains(&format!("Key::{key:?}"));
        let unsaid: Vec<_> = Key::ALL.iter().filter(is_said).map(|key| key.name()).collect();
        assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
    }

    #[test]
    fn the_flag_goes_before_the_locale_and_an_unknown_locale_is_english() {
        let locale = |text: &str| vec![None, Some(String::new()), Some(text.to_owned())];
        assert_eq!(Text::choose(None, &locale("fr_TN.UTF-8")).unwrap().code(), "fr");
        assert_eq!(Text::choose(Some("EN"), &locale("fr_TN.UTF-8")).unwrap().code(), "en");
        assert_eq!(Text::choose(None, &locale("C.UTF-8")).unwrap().code(), "en");
        let unknown = Text::choose(Some("xx"), &[]).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no language `xx`; there are en, fr");
    }
}
