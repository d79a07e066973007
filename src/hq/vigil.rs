//! HQ's watch over its own clock: a wrong one would refuse sales for their date, or let those of the year after next through.

use crate::domain::time::UtcMillis;

/// 1 January 2026: this program is younger, so a clock that says less is wrong (a computer that lost its clock's battery begins in 1970 or 2000).
const PROGRAM_BEGAN: UtcMillis = UtcMillis(1_767_225_600_000);

/// A clock that is set right by the network may go back this far, in milliseconds.
const SLACK_MS: u64 = 60_000;

/// HQ's clock can't be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongClock {
    /// It is earlier than this program.
    #[error("head office's clock says {} UTC, before this program was written: nothing is taken until the clock is set right", shown(.now))]
    BeforeProgram {
        /// The clock.
        now: UtcMillis,
    },
    /// It is earlier than what has been received.
    #[error(
        "head office's clock says {} UTC, but messages were received at {} UTC: nothing is taken until the clock is set right \
         (or newest_received_at in the table hq, if the clock was wrong then)",
        shown(.now),
        shown(.newest)
    )]
    BeforeNewest {
        /// The clock.
        now: UtcMillis,
        /// When something was last received.
        newest: UtcMillis,
    },
}

fn shown(moment: &UtcMillis) -> impl std::fmt::Display {
    moment.to_utc().format("%Y-%m-%d %H:%M:%S")
}

/// Whether the clock may be believed, when something was last received at `newest`.
pub(super) fn check(now: UtcMillis, newest: UtcMillis) -> Result<(), WrongClock> {
    if now < PROGRAM_BEGAN {
        Err(WrongClock::BeforeProgram { now })
    } else if now.plus(SLACK_MS) < newest {
        Err(WrongClock::BeforeNewest { now, newest })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_can_be_right_is_believed() {
        let newest = UtcMillis(1_795_356_451_000);
        assert_eq!(check(newest, newest), Ok(()));
        assert_eq!(check(UtcMillis(newest.0 - 59_000), newest), Ok(()));
        let now = UtcMillis(newest.0 - 61_000);
        assert_eq!(check(now, newest), Err(WrongClock::BeforeNewest { now, newest }));
        let now = UtcMillis(PROGRAM_BEGAN.0 - 1);
        assert_eq!(check(now, UtcMillis(0)), Err(WrongClock::BeforeProgram { now }));
        assert!(
            WrongClock::BeforeProgram { now }
                .to_string()
                .contains("2025-12-31 23:59:59 UTC")
        );
    }
}
