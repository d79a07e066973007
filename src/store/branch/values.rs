//! Values of the domain as columns hold them, and back: dates, money, ids and the words for what has variants.
//!
//! A column that holds something no value is made of is nonsense, and said to be.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use crate::domain::event::LinkTrouble;
use crate::domain::ids::{LedgerId, Revision, SaleId, StoreId};
use crate::domain::money::Money;
use crate::domain::read::LineState;
use crate::domain::sale::ContentProblem;
use crate::domain::sync_state::Refusal;
use crate::store::StoreError;

pub(super) use crate::store::dates::{DateRead, text as date_text};

pub(super) fn sale_id(number: i64) -> Result<SaleId, StoreError> {
    SaleId::new(number).ok_or_else(|| StoreError::nonsense(format!("a sale with the id {number}")))
}

pub(super) fn revision(number: i64) -> Result<Revision, StoreError> {
    u32::try_from(number)
        .ok()
        .and_then(Revision::new)
        .ok_or_else(|| StoreError::nonsense(format!("the revision {number}")))
}

pub(super) fn money(units: i64) -> Result<Money, StoreError> {
    Money::from_units(units).map_err(|_| StoreError::nonsense(format!("the sum of {units} ten-thousandths")))
}

pub(super) fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::nonsense(format!("the count {number}")))
}

pub(super) fn natural(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::nonsense(format!("the count {number}")))
}

/// A count as SQLite takes it. HQ's counts come from outside; none can honestly be that high.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn bytes<const N: usize>(blob: &[u8]) -> Result<[u8; N], StoreError> {
    blob.try_into()
        .map_err(|_| StoreError::nonsense(format!("an id of {} bytes", blob.len())))
}

pub(super) fn ledger_id(blob: &[u8]) -> Result<LedgerId, StoreError> {
    bytes(blob).map(LedgerId::from_bytes)
}

pub(super) fn store_id(blob: &[u8]) -> Result<StoreId, StoreError> {
    bytes(blob).map(StoreId::from_bytes)
}

/// A sale's date.
pub(super) fn date(read: DateRead) -> Result<NaiveDateTime, StoreError> {
    read.0.ok_or_else(|| StoreError::nonsense("a sale whose date is none"))
}

/// Reads `2026-11-22`.
pub(super) fn day(text: &str) -> Result<NaiveDate, StoreError> {
    crate::domain::time::parse_day(text)
        .ok_or_else(|| StoreError::nonsense(format!("the day `{}`", text.escape_default())))
}

/// Writes `2026-11-22`.
pub(super) fn day_text(day: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

const CONTENT_WORDS: [(ContentProblem, &str); 7] = [
    (ContentProblem::ProductMissing, "product-missing"),
    (ContentProblem::ProductTooLong, "product-too-long"),
    (ContentProblem::Unclean, "unclean"),
    (ContentProblem::RegionMissing, "region-missing"),
    (ContentProblem::RegionTooLong, "region-too-long"),
    (ContentProblem::QtyZero, "qty-zero"),
    (ContentProblem::AmountTooLarge, "amount-too-large"),
];

/// The word for a date that is too far ahead: the one refusal that passes with time.
pub(super) const DATE_AHEAD: &str = "date-ahead";

pub(super) fn refusal_word(refusal: &Refusal) -> (&'static str, Option<i64>) {
    match refusal {
        Refusal::DateAhead { days } => (DATE_AHEAD, Some(i64::from(*days))),
        Refusal::Content(problem) => (word_of(&CONTENT_WORDS, *problem), None),
        Refusal::Unreadable => ("unreadable", None),
        Refusal::Storage => ("storage", None),
    }
}

pub(super) fn refusal(word: &str, days: Option<i64>) -> Result<Refusal, StoreError> {
    Ok(match word {
        DATE_AHEAD => Refusal::DateAhead {
            days: count(days.unwrap_or_default())?,
        },
        "unreadable" => Refusal::Unreadable,
        "storage" => Refusal::Storage,
        _ => Refusal::Content(value_of(&CONTENT_WORDS, word)?),
    })
}

const LINE_WORDS: [(LineState, &str); 7] = [
    (LineState::Off, "off"),
    (LineState::Down, "down"),
    (LineState::Up, "up"),
    (LineState::Blocked, "blocked"),
    (LineState::Stranger, "stranger"),
    (LineState::Resting, "resting"),
    (LineState::OutOfHours, "out-of-hours"),
];

pub(super) fn line_word(line: LineState) -> &'static str {
    word_of(&LINE_WORDS, line)
}

pub(super) fn line(word: &str) -> Result<LineState, StoreError> {
    value_of(&LINE_WORDS, word)
}

const TROUBLE_WORDS: [(LinkTrouble, &str); 9] = [
    (LinkTrouble::Unreachable, "unreachable"),
    (LinkTrouble::NotABroker, "not-a-broker"),
    (LinkTrouble::LoginRefused, "login-refused"),
    (LinkTrouble::NotAllowed, "not-allowed"),
    (LinkTrouble::Certificate, "certificate"),
    (LinkTrouble::TimedOut, "timed-out"),
    (LinkTrouble::NoHeadOffice, "no-head-office"),
    (LinkTrouble::Lost, "lost"),
    (LinkTrouble::Closed, "closed"),
];

pub(super) fn trouble_word(trouble: LinkTrouble) -> &'static str {
    word_of(&TROUBLE_WORDS, trouble)
}

pub(super) fn trouble(word: &str) -> Result<LinkTrouble, StoreError> {
    value_of(&TROUBLE_WORDS, word)
}

pub(super) fn word_of<T: PartialEq + Copy>(words: &[(T, &'static str)], value: T) -> &'static str {
    let found = words.iter().find(|(known, _)| *known == value);
    found.map(|(_, word)| *word).expect("the table names every variant")
}

pub(super) fn value_of<T: Copy>(words: &[(T, &'static str)], word: &str) -> Result<T, StoreError> {
    let found = words.iter().find(|(_, known)| *known == word);
    found
        .map(|(value, _)| *value)
        .ok_or_else(|| StoreError::nonsense(format!("the word `{}`", word.escape_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_and_trouble_comes_back_from_its_word() {
        let contents = CONTENT_WORDS.map(|(problem, _)| Refusal::Content(problem));
        let others = [Refusal::DateAhead { days: 40 }, Refusal::Unreadable, Refusal::Storage];
        for reason in contents.into_iter().chain(others) {
            let (word, days) = refusal_word(&reason);
            assert_eq!(refusal(word, days).unwrap(), reason);
        }
        for reason in LinkTrouble::ALL {
            assert_eq!(trouble(trouble_word(reason)).unwrap(), reason);
        }
        for (state, word) in LINE_WORDS {
            assert_eq!((line(word).unwrap(), line_word(state)), (state, word));
        }
    }
}
