//! How a language's file is read: lines of `key = sentence`, with slots that are filled in when the sentence is said.
//!
//! A slot is `{name}`; `{name:sale|sales}` chooses a word by a count, the first where the count is in the language's `language.singular`. A `~` is a
//! no-break space. A line that begins with `#` is a remark. What sentences there are is in [`super::keys`].

use std::collections::BTreeSet;

use super::keys::Key;

/// Why a language's file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCatalogue {
    /// A line is not `key = sentence`.
    #[error("line {line}: expected `key = sentence`")]
    NotAnEntry {
        /// Its number, from 1.
        line: usize,
    },
    /// No sentence has this key.
    #[error("line {line}: there is no sentence `{key}`")]
    UnknownKey {
        /// The line's number, from 1.
        line: usize,
        /// What stands there.
        key: String,
    },
    /// A key stands there twice.
    #[error("line {line}: `{key}` was given before")]
    Twice {
        /// The line's number, from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A brace is not closed.
    #[error("line {line}: a `{{` without its `}}`")]
    OpenBrace {
        /// The line's number, from 1.
        line: usize,
    },
}

/// What fills a slot.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A text, as it is.
    Text(&'a str),
    /// A count; it is written with the language's digits grouping, and chooses words.
    Count(u64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Value<'_> {
    fn from(count: u32) -> Self {
        Self::Count(u64::from(count))
    }
}

/// A sentence with its slots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Plain(String),
    Slot(String),
    Forms { slot: String, forms: Vec<String> },
}

impl Template {
    /// The sentence as the file has it: what a sentence without slots says.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The names of its slots.
    pub(super) fn slots(&self) -> BTreeSet<&str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Plain(_) => None,
                Part::Slot(slot) | Part::Forms { slot, .. } => Some(slot.as_str()),
            })
            .collect()
    }

    /// Fills the slots. A slot that nothing fills stays visible, as `{name}`.
    pub(super) fn fill(
        &self,
        values: &[(&str, Value<'_>)],
        singular: &[u64],
        write_count: impl Fn(u64) -> String,
    ) -> String {
        let value = |slot: &str| values.iter().find(|(name, _)| *name == slot).map(|(_, value)| *value);
        let mut said = String::with_capacity(self.source.len() + 16);
        for part in &self.parts {
            match part {
                Part::Plain(text) => said.push_str(text),
                Part::Slot(slot) => match value(slot) {
                    Some(Value::Text(text)) => said.push_str(text),
                    Some(Value::Count(count)) => said.push_str(&write_count(count)),
                    None => said.extend(["{", slot, "}"]),
                },
                Part::Forms { slot, forms } => {
                    let one = matches!(value(slot), Some(Value::Count(count)) if singular.contains(&count));
                    let form = if one { forms.first() } else { forms.last() };
                    said.push_str(form.map_or("", String::as_str));
                }
            }
        }
        said
    }
}

/// Reads a language's file: the sentences that it has, by key.
pub(super) fn read(file: &str) -> Result<Vec<Option<Template>>, BadCatalogue> {
    let mut sentences = vec![None; Key::ALL.len()];
    for (number, line) in file.lines().enumerate() {
        let number = number + 1;
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, sentence) = line.split_once('=').ok_or(BadCatalogue::NotAnEntry { line: number })?;
        let name = key.trim();
        let key = Key::named(name).ok_or_else(|| BadCatalogue::UnknownKey {
            line: number,
            key: name.to_owned(),
        })?;
        let place = &mut sentences[key as usize];
        if place.is_some() {
            return Err(BadCatalogue::Twice {
                line: number,
                key: name.to_owned(),
            });
        }
        *place = Some(template(sentence.trim_matches([' ', '\t']), number)?);
    }
    Ok(sentences)
}

fn template(sentence: &str, line: usize) -> Result<Template, BadCatalogue> {
    let source = sentence.replace('~', "\u{a0}");
    let mut parts = Vec::new();
    let mut rest = source.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, behind) = after.split_once('}').ok_or(BadCatalogue::OpenBrace { line })?;
        if !before.is_empty() {
            parts.push(Part::Plain(before.to_owned()));
        }
        parts.push(match slot.split_once(':') {
            Some((slot, forms)) => Part::Forms {
                slot: slot.to_owned(),
                forms: forms.split('|').map(str::to_owned).collect(),
            },
            None => Part::Slot(slot.to_owned()),
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Plain(rest.to_owned()));
    }
    Ok(Template { source, parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(sentence: &str, values: &[(&str, Value<'_>)]) -> String {
        template(sentence, 1).unwrap().fill(values, &[1], |n| n.to_string())
    }

    #[test]
    fn slots_take_texts_and_counts() {
        let values = [("n", Value::Count(2)), ("who", Value::Text("HQ"))];
        assert_eq!(fill("{n} {n:sale|sales} for {who}", &values), "2 sales for HQ");
        assert_eq!(fill("{n} {n:sale|sales}", &[("n", Value::Count(1))]), "1 sale");
        assert_eq!(fill("{gone}", &values), "{gone}");
        assert_eq!(fill("a~b", &[]), "a\u{a0}b");
    }

    #[test]
    fn a_bad_file_names_its_line() {
        assert_eq!(read("# x\n\nnonsense"), Err(BadCatalogue::NotAnEntry { line: 3 }));
        assert_eq!(
            read("no.such = x"),
            Err(BadCatalogue::UnknownKey {
                line: 1,
                key: "no.such".into()
            })
        );
        assert!(matches!(
            read("state.acked = a\nstate.acked = b"),
            Err(BadCatalogue::Twice { line: 2, .. })
        ));
        assert_eq!(read("state.acked = {n"), Err(BadCatalogue::OpenBrace { line: 1 }));
    }
}
