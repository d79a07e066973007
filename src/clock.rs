//! The one place that reads the clocks and makes random bits; everything else is told.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chrono::{NaiveDateTime, Timelike};

use crate::domain::time::{Tick, UtcMillis};

/// When this program was built, by the clock of the computer that built it.
pub const BUILT: UtcMillis = match i64::from_str_radix(env!("BRANCHLINE_BUILT_MS"), 10) {
    Ok(millis) => UtcMillis(millis),
    Err(_) => panic!("build.rs writes a whole number"),
};

/// The wall clock in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn wall() -> UtcMillis {
    let now = SystemTime::now();
    let millis = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    };
    UtcMillis(millis)
}

/// The monotonic clock, in milliseconds since this process first asked.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn tick() -> Tick {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    Tick(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// The wall clock of the place where this program runs, to the second.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn local() -> NaiveDateTime {
    let now = chrono::Local::now().naive_local();
    now.with_nanosecond(0).unwrap_or(now)
}

/// Fresh random bits from the operating system.
///
/// # Panics
/// When the system has no randomness to give: without it no id would be unique.
#[must_use]
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    u128::from_be_bytes(bytes)
}

/// A moment as the wall clock of this place shows it, to the second.
#[must_use]
pub fn local_of(moment: UtcMillis) -> NaiveDateTime {
    let local = moment.to_utc().with_timezone(&chrono::Local).naive_local();
    local.with_nanosecond(0).unwrap_or(local)
}
