//! Dates as columns hold them in both databases: `2026-11-22 14:07:31`. They are written and read a million times in a drain, so not by a format string.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// What stands between two numbers, and where.
const SEPARATORS: [(usize, u8); 5] = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];

/// Writes a date.
pub(super) fn text(date: NaiveDateTime) -> String {
    let mut text = String::with_capacity(19);
    let mut digits = |number: u32, from: u32| {
        let mut place = from;
        while place > 0 {
            text.push(char::from_digit(number / place % 10, 10).expect("a remainder of ten is a digit"));
            place /= 10;
        }
    };
    digits(date.year().unsigned_abs(), 1_000);
    let parts = [date.month(), date.day(), date.hour(), date.minute(), date.second()];
    for part in parts {
        digits(part, 10);
    }
    for (at, separator) in SEPARATORS {
        text.insert(at, char::from(separator));
    }
    text
}

/// Reads a date; `None` if the text is not as [`text`] writes it.
pub(super) fn read(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let is_separated = SEPARATORS
        .iter()
        .all(|(at, separator)| bytes.get(*at) == Some(separator));
    if bytes.len() != 19 || !is_separated {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    day.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{parse_wall, wall_text};

    #[test]
    fn dates_are_written_as_the_rest_of_the_program_writes_them_and_read_back() {
        for date in ["1900-01-01 00:00:00", "2026-11-22 14:07:31", "9999-12-31 23:59:59"] {
            let moment = parse_wall(date).unwrap();
            assert_eq!(text(moment), wall_text(moment));
            assert_eq!(read(date), Some(moment));
        }
    }

    #[test]
    fn nothing_else_is_a_date() {
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22T14:07:31",
            "2026-11-22 14:07:31.5",
            "2026-13-22 14:07:31",
            "2026-11-22 25:07:31",
            "2026-1x-22 14:07:31",
            "2026-+1-22 14:07:31",
            "2026-11-22 14:07:3",
            "2026-11-22 14:07:\u{e9}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
