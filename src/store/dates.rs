//! Dates as columns hold them in both databases: `2026-11-22 14:07:31`. They are written and read a million times in a drain, so not by a format string.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};

/// What stands between two numbers, and where.
const SEPARATORS: [(usize, u8); 5] = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];

/// A date as its column takes it, without memory of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateText([u8; 19]);

impl DateText {
    pub(super) fn of(date: NaiveDateTime) -> Self {
        let mut text = *b"0000-00-00 00:00:00";
        let mut write = |number: u32, last: usize, digits: usize| {
            let mut rest = number;
            for at in (last + 1 - digits..=last).rev() {
                text[at] = b'0' + u8::try_from(rest % 10).expect("a remainder of ten is a digit");
                rest /= 10;
            }
        };
        write(date.year().unsigned_abs(), 3, 4);
        write(date.month(), 6, 2);
        write(date.day(), 9, 2);
        write(date.hour(), 12, 2);
        write(date.minute(), 15, 2);
        write(date.second(), 18, 2);
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and separators are text")
    }
}

/// A date as it comes out of its column, without a copy of the text; `None` if the text is not as [`text`] writes it.
#[derive(Debug, Clone, Copy, FromSqlRow)]
#[diesel(sql_type = Text)]
pub(super) struct DateRead(pub(super) Option<NaiveDateTime>);

impl FromSql<Text, Sqlite> for DateRead {
    fn from_sql(mut column: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(read(column.read_text())))
    }
}

/// Writes a date.
pub(super) fn text(date: NaiveDateTime) -> String {
    DateText::of(date).as_str().to_owned()
}

/// Reads a date; `None` if the text is not as [`text`] writes it.
fn read(text: &str) -> Option<NaiveDateTime> {
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
