//! The distinct texts of a column: products, regions.

use std::borrow::Cow;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use super::super::capped::Capped;
use super::super::{EncodeError, Flaw, MAX_ROWS};

const END: char = '\n';

/// Distinct texts in the order in which they first appear.
///
/// No text of a sound sale has a line feed, so it ends a text; that packs better than a list of lengths. What is not sound must travel too, so that HQ can refuse it
/// by its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Texts<'a> {
    /// Each text and a line feed.
    Lines(#[serde(borrow)] Cow<'a, str>),
    /// The length of each text in bytes; then all of them.
    Cut(Capped<u16, MAX_ROWS>, #[serde(borrow)] Cow<'a, str>),
}

impl<'a> Texts<'a> {
    /// Writes distinct texts, each of at most `max_bytes`.
    pub(super) fn pack(texts: &[&str], max_bytes: usize) -> Result<Self, EncodeError> {
        if let Some(long) = texts.iter().find(|text| text.len() > max_bytes) {
            return Err(EncodeError::Text(long.len()));
        }
        if texts.iter().any(|text| text.contains(END)) {
            let length = |text: &&str| u16::try_from(text.len()).map_err(|_| EncodeError::Text(text.len()));
            let lengths = texts.iter().map(length).collect::<Result<_, _>>()?;
            return Ok(Self::Cut(Capped(lengths), texts.concat().into()));
        }
        let mut lines = String::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
        for text in texts {
            lines.push_str(text);
            lines.push(END);
        }
        Ok(Self::Lines(lines.into()))
    }

    /// The texts, each of at most `max_bytes`.
    pub(super) fn unpack(&'a self, max_bytes: usize) -> Result<Vec<&'a str>, Flaw> {
        let texts = match self {
            Self::Lines(lines) => {
                let mut texts = Vec::new();
                let mut rest: &str = lines;
                while let Some((text, after)) = rest.split_once(END) {
                    if texts.len() == MAX_ROWS {
                        return Err(Flaw::Rows);
                    }
                    texts.push(text);
                    rest = after;
                }
                if !rest.is_empty() {
                    return Err(Flaw::Text);
                }
                texts
            }
            Self::Cut(lengths, all) => cut(&lengths.0, all)?,
        };
        if texts.iter().any(|text| text.len() > max_bytes) {
            return Err(Flaw::Text);
        }
        Ok(texts)
    }
}

fn cut<'a>(lengths: &[u16], all: &'a str) -> Result<Vec<&'a str>, Flaw> {
    let mut rest = all;
    let mut texts = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (text, after) = rest.split_at_checked(usize::from(*length)).ok_or(Flaw::Text)?;
        texts.push(text);
        rest = after;
    }
    if rest.is_empty() {
        Ok(texts)
    } else {
        Err(Flaw::Trailing)
    }
}

/// Numbers distinct texts as they first appear, from zero.
#[derive(Debug, Default)]
pub(super) struct Distinct<'a> {
    numbers: HashMap<&'a str, usize>,
    /// The texts in the order of their numbers.
    pub(super) texts: Vec<&'a str>,
}

impl<'a> Distinct<'a> {
    /// The number of a text; the next free one if it is new.
    pub(super) fn number(&mut self, text: &'a str) -> usize {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_texts_read_back() {
        for texts in [&[][..], &[""], &["PENS", "", "CAFÉ"], &["a\nb", "", "É"]] {
            assert_eq!(Texts::pack(texts, 9).unwrap().unpack(9).unwrap(), texts);
        }
    }

    #[test]
    fn texts_over_their_limit_are_refused_on_both_sides() {
        assert_eq!(Texts::pack(&["1234"], 3), Err(EncodeError::Text(4)));
        assert_eq!(Texts::Lines("1234\n".into()).unpack(3), Err(Flaw::Text));
        assert_eq!(Texts::Lines("no end".into()).unpack(9), Err(Flaw::Text));
        assert_eq!(
            Texts::Lines("\n".repeat(MAX_ROWS + 1).into()).unpack(9),
            Err(Flaw::Rows)
        );
        assert_eq!(Texts::Cut(Capped(vec![1]), "É".into()).unpack(9), Err(Flaw::Text));
        assert_eq!(Texts::Cut(Capped(vec![1]), "ab".into()).unpack(9), Err(Flaw::Trailing));
    }
}
