//! How a language writes counts, money, dates and durations, and reads a date that was typed its way. What is exact about them is in [`crate::domain`].

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::{Key, Text};
use crate::domain::money::MoneySum;
use crate::domain::time::wall_text;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Text {
    /// A count, with its digits in groups: `42,113`.
    #[must_use]
    pub fn count(&self, count: u128) -> String {
        self.grouped(&count.to_string())
    }

    /// A sum of money, with its digits in groups; two decimals, more where they are not zero: `1,840.50`.
    #[must_use]
    pub fn money(&self, sum: impl Into<MoneySum>) -> String {
        let plain = sum.into().to_string();
        let (sign, digits) = plain
            .strip_prefix('-')
            .map_or(("", plain.as_str()), |digits| ("-", digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "00"));
        format!("{sign}{}{}{part}", self.grouped(whole), self.word(Key::NumberDecimal))
    }

    /// Bytes in millions, to one decimal, as telephone companies count them: `12.4 MB`.
    #[must_use]
    pub fn megabytes(&self, bytes: u64) -> String {
        let tenths = bytes / 100_000 + u64::from(bytes % 100_000 >= 50_000);
        let number = format!(
            "{}{}{}",
            self.count((tenths / 10).into()),
            self.word(Key::NumberDecimal),
            tenths % 10
        );
        self.say(Key::NumberMegabytes, &[("n", (&number).into())])
    }

    /// A sum of money as one types it: no groups, the language's decimal point.
    #[must_use]
    pub fn typed_money(&self, plain: &str) -> String {
        plain.replace('.', self.word(Key::NumberDecimal))
    }

    fn grouped(&self, digits: &str) -> String {
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push_str(self.word(Key::NumberGroup));
            }
            text.push(digit);
        }
        text
    }

    /// A day: `2026-11-22`.
    #[must_use]
    pub fn day(&self, day: NaiveDate) -> String {
        day.format(self.word(Key::FormatDay)).to_string()
    }

    /// A day without its year, for narrow places: `11-22`.
    #[must_use]
    pub fn day_short(&self, day: NaiveDate) -> String {
        day.format(self.word(Key::FormatDayShort)).to_string()
    }

    /// A day and a time to the minute.
    #[must_use]
    pub fn moment(&self, moment: NaiveDateTime) -> String {
        moment.format(self.word(Key::FormatMoment)).to_string()
    }

    /// A day and a time to the second.
    #[must_use]
    pub fn moment_seconds(&self, moment: NaiveDateTime) -> String {
        moment.format(self.word(Key::FormatMomentSeconds)).to_string()
    }

    /// A time of day to the minute: `14:07`.
    #[must_use]
    pub fn clock(&self, moment: NaiveDateTime) -> String {
        moment.format(self.word(Key::FormatClock)).to_string()
    }

    /// A time of day to the second: `14:07:31`.
    #[must_use]
    pub fn clock_seconds(&self, moment: NaiveDateTime) -> String {
        moment.format(self.word(Key::FormatClockSeconds)).to_string()
    }

    /// A date that was typed this language's way, as [`crate::domain::time::parse_wall`] reads it; any other text as it is.
    #[must_use]
    pub fn read_date(&self, typed: &str) -> String {
        let typed = typed.trim();
        let moment = [Key::FormatMomentSeconds, Key::FormatMoment]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(typed, self.word(*format)).ok());
        let day = || NaiveDate::parse_from_str(typed, self.word(Key::FormatDay)).ok();
        moment
            .or_else(|| day().map(|day| day.and_time(NaiveTime::MIN)))
            .map_or_else(|| typed.to_owned(), wall_text)
    }

    /// A duration in at most two units: `4 s`, `3 h 12 m`, `2 d 5 h`.
    #[must_use]
    pub fn duration(&self, millis: u64) -> String {
        let unit = |key, count: u64| self.say(key, &[("n", count.into())]);
        let two = |big, big_ms: u64, small, small_ms: u64| {
            let rest = millis % big_ms / small_ms;
            let first = unit(big, millis / big_ms);
            if rest == 0 {
                first
            } else {
                format!("{first} {}", unit(small, rest))
            }
        };
        if millis < MINUTE {
            unit(Key::UnitSeconds, millis / SECOND)
        } else if millis < HOUR {
            unit(Key::UnitMinutes, millis / MINUTE)
        } else if millis < DAY {
            two(Key::UnitHours, HOUR, Key::UnitMinutes, MINUTE)
        } else {
            two(Key::UnitDays, DAY, Key::UnitHours, HOUR)
        }
    }

    /// A short duration with a tenth of a second where that tells something: `0.3 s`.
    #[must_use]
    pub fn brief_duration(&self, millis: u64) -> String {
        if millis >= 10 * SECOND {
            return self.duration(millis);
        }
        let tenths = (millis + 50) / 100;
        let text = format!("{}{}{}", tenths / 10, self.word(Key::NumberDecimal), tenths % 10);
        self.say(Key::UnitSeconds, &[("n", (&text).into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_wall;

    #[test]
    fn numbers_follow_the_language() {
        let (en, fr) = (Text::english(), Text::named("fr").unwrap());
        assert_eq!(en.money(MoneySum(18_405_000)), "1,840.50");
        assert_eq!(fr.money(MoneySum(-18_405_000)), "-1\u{a0}840,50");
        assert_eq!(en.money(MoneySum(1_234)), "0.1234");
        assert_eq!(en.count(1_000_000), "1,000,000");
        assert_eq!(en.count(999), "999");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let en = Text::english();
        let shown = [0, 4_999, 60_000, 3_599_000, 11_520_000, 7_200_000, 190_800_000].map(|ms| en.duration(ms));
        assert_eq!(shown, ["0 s", "4 s", "1 m", "59 m", "3 h 12 m", "2 h", "2 d 5 h"]);
        assert_eq!(
            [40, 310, 9_949].map(|ms| en.brief_duration(ms)),
            ["0.0 s", "0.3 s", "9.9 s"]
        );
    }

    #[test]
    fn a_date_typed_the_languages_way_is_understood() {
        let fr = Text::named("fr").unwrap();
        let read = |typed| parse_wall(&fr.read_date(typed)).map(wall_text);
        assert_eq!(read("22/11/2026").as_deref(), Some("2026-11-22 00:00:00"));
        assert_eq!(read(" 22/11/2026 14:07 ").as_deref(), Some("2026-11-22 14:07:00"));
        assert_eq!(read("2026-11-22 14:07:31").as_deref(), Some("2026-11-22 14:07:31"));
        assert_eq!(read("demain"), None);
    }
}
