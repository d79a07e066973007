//! A beat that the long waits of all connections share. Each heartbeat and each look at a connection's health is a timer of its own; those of equal length end together, and
//! those of twice the length with every other of them, so that an idle machine is woken once for all. A heartbeat that traffic has put off first waits for the rest of its
//! time, which is off the beat; its next waits are on it again.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// Shorter waits are not on the beat: somebody may be waiting for their end.
const LONG: Duration = Duration::from_secs(1);

/// How much longer than what was asked for a beat is, as its fraction: what is done at one beat and then waits as long as before is in time for the next.
const SPARE: u32 = 10;

/// How long to sleep in order to sleep at least this long and wake on the beat: for a long wait not twice as long, and a tenth more.
pub(super) fn stretched(least: Duration) -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    to_beat(start.elapsed(), least)
}

fn to_beat(now: Duration, least: Duration) -> Duration {
    if least < LONG {
        return least;
    }
    let beat = (least + least / SPARE).as_millis();
    let end = (now + least).as_millis().div_ceil(beat) * beat;
    let sleep = end.saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(sleep).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(5);

    fn ends_after(now: Duration, least: Duration) -> Duration {
        now + to_beat(now, least)
    }

    #[test]
    fn waits_that_begin_at_different_times_end_together() {
        let ends = |from: u64| ends_after(Duration::from_millis(from), HEARTBEAT);
        assert_eq!(ends(100), ends(480));
        // What was done at a beat, even a little late, is done again at the very next one.
        let beat = ends(100);
        let next = ends_after(beat + Duration::from_millis(3), HEARTBEAT);
        assert_eq!(next, beat + Duration::from_millis(5_500));
        // Waits that are twice as long end at every other beat.
        let twice = ends_after(beat, 2 * HEARTBEAT);
        assert_eq!(twice.as_millis() % 11_000, 0);
    }

    #[test]
    fn a_long_wait_is_never_cut_short_and_bounded() {
        for from in (0..60_000).step_by(37) {
            let slept = to_beat(Duration::from_millis(from), HEARTBEAT);
            assert!((HEARTBEAT..HEARTBEAT * 21 / 10).contains(&slept), "{slept:?}");
        }
    }

    #[test]
    fn a_short_wait_is_left_as_it_is() {
        let short = Duration::from_millis(7);
        assert_eq!(to_beat(Duration::from_millis(1_234), short), short);
    }
}
