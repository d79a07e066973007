//! The line's costs as values: bytes both ways, and the hours in which it may be used.

use chrono::{NaiveTime, Timelike};

/// Bytes on a line, as its sockets carry them: encryption and heartbeats included, TCP/IP's own not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traffic {
    /// From here.
    pub up: u64,
    /// To here.
    pub down: u64,
}

impl Traffic {
    /// Both ways.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.up.saturating_add(self.down)
    }

    /// What has come since `earlier`, a reading of the same meter.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            up: self.up.saturating_sub(earlier.up),
            down: self.down.saturating_sub(earlier.down),
        }
    }
}

/// What a branch's line has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DataUsed {
    /// Today, by this place's calendar.
    pub today: Traffic,
    /// This calendar month, today included.
    pub month: Traffic,
}

const DAY_MINUTES: u32 = 24 * 60;

/// The hours of each day in which the worker may use the line: windows of whole minutes, each from its first minute up to, not including, its last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hours(Vec<(u32, u32)>);

impl Hours {
    /// Reads windows such as `12:30-13:15,22:00-06:00`; one that ends before it begins goes over midnight, `24:00` is the end of a day.
    /// `None` if the text is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let window = |window: &str| {
            let (from, to) = window.split_once('-')?;
            let (from, to) = (minute_of(from)?, minute_of(to)?);
            (from != to && from < DAY_MINUTES).then_some((from, to))
        };
        text.split(',').map(window).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether the line may be used at this time of day.
    #[must_use]
    pub fn are_open(&self, at: NaiveTime) -> bool {
        let minute = at.hour() * 60 + at.minute();
        self.0.iter().any(|&(from, to)| {
            if from < to {
                (from..to).contains(&minute)
            } else {
                minute >= from || minute < to
            }
        })
    }

    /// When the next window begins, seen from this time of day.
    #[must_use]
    pub fn next_opening(&self, at: NaiveTime) -> Option<NaiveTime> {
        let minute = at.hour() * 60 + at.minute();
        let wait = |from: u32| (from + DAY_MINUTES - minute) % DAY_MINUTES;
        let next = self.0.iter().map(|&(from, _)| from).min_by_key(|&from| wait(from))?;
        NaiveTime::from_hms_opt(next / 60, next % 60, 0)
    }
}

fn minute_of(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day <= DAY_MINUTES).then_some(of_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32, minute: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hour, minute, 59).unwrap()
    }

    #[test]
    fn a_window_holds_from_its_first_minute_up_to_its_last() {
        let hours = Hours::parse("06:30-07:00, 22:00-24:00").unwrap();
        let open = [(6, 30), (6, 59), (22, 0), (23, 59)];
        let shut = [(6, 29), (7, 0), (21, 59), (0, 0)];
        assert!(open.iter().all(|&(hour, minute)| hours.are_open(at(hour, minute))));
        assert!(!shut.iter().any(|&(hour, minute)| hours.are_open(at(hour, minute))));
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let hours = Hours::parse("22:00-06:00").unwrap();
        assert!(hours.are_open(at(23, 0)) && hours.are_open(at(5, 59)));
        assert!(!hours.are_open(at(6, 0)) && !hours.are_open(at(21, 59)));
    }

    #[test]
    fn the_next_opening_is_today_or_tomorrow() {
        let hours = Hours::parse("06:30-07:00,12:15-13:00").unwrap();
        assert_eq!(hours.next_opening(at(7, 0)), NaiveTime::from_hms_opt(12, 15, 0));
        assert_eq!(hours.next_opening(at(13, 0)), NaiveTime::from_hms_opt(6, 30, 0));
    }

    #[test]
    fn what_is_no_window_is_not_read() {
        for bad in [
            "",
            "6:30-7:00",
            "06:30",
            "06:30-06:30",
            "06:60-07:00",
            "24:00-06:00",
            "06:00-24:01",
            "06:00-07:00,",
        ] {
            assert_eq!(Hours::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reading_tells_what_came_since_the_one_before() {
        let (early, late) = (Traffic { up: 10, down: 5 }, Traffic { up: 17, down: 5 });
        assert_eq!(late.since(early), Traffic { up: 7, down: 0 });
        assert_eq!(late.total(), 22);
    }
}
