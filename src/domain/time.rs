//! Times as values: who reads the clock is [`crate::clock`].

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike, Utc};

/// A moment in UTC, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// Milliseconds from `earlier` to this moment; zero if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        let millis = self.0.saturating_sub(earlier.0);
        if millis > 0 { millis.unsigned_abs() } else { 0 }
    }

    /// The moment this many milliseconds later.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add_unsigned(millis))
    }

    /// The same moment as a calendar value; the first or last one if it is beyond the calendar.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }
}

/// A moment of a monotonic clock, in milliseconds since some start: for deadlines and waits, never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// The moment this many milliseconds later.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; zero if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The first business day that a sale may have.
pub const FIRST_YEAR: i32 = 1900;
/// The last year that a sale may have.
pub const LAST_YEAR: i32 = 9999;

/// Reads a branch's wall-clock time: `2026-11-22`, `2026-11-22 14:07` or `2026-11-22 14:07:31`, with a space or a `T`.
/// A date alone means its midnight. `None` if the text is anything else or the year is out of range.
#[must_use]
pub fn parse_wall(text: &str) -> Option<NaiveDateTime> {
    use chrono::Datelike;
    let text = text.trim();
    let moment = [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| parse_day(text).and_then(|day| day.and_hms_opt(0, 0, 0)))?;
    let whole = moment.with_nanosecond(0)?;
    (FIRST_YEAR..=LAST_YEAR).contains(&whole.year()).then_some(whole)
}

/// Reads a day: `2026-11-22`.
#[must_use]
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()
}

/// Writes a wall-clock time as it is read: `2026-11-22 14:07:31`.
#[must_use]
pub fn wall_text(moment: NaiveDateTime) -> String {
    moment.format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_reads_what_it_writes() {
        for text in [
            "2010-12-01 08:26:00",
            "2010-12-01T08:26:00",
            "2010-12-01 08:26",
            " 2010-12-01T08:26 ",
        ] {
            assert_eq!(wall_text(parse_wall(text).unwrap()), "2010-12-01 08:26:00");
        }
        assert_eq!(wall_text(parse_wall("2010-12-01").unwrap()), "2010-12-01 00:00:00");
        for bad in [
            "",
            "12/1/2010 8:26",
            "2010-13-01",
            "1899-12-31",
            "2010-12-01 25:00",
            "+12010-01-01",
        ] {
            assert_eq!(parse_wall(bad), None, "{bad}");
        }
    }
}
