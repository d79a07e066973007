//! HQ's watch over its own clock: a wrong one would refuse sales for their date, or let those of the year after next through.
//!
//! Three witnesses are heard: this program, which was built before it runs; the database, which has received something before; and the branches, whose hellos say what
//! their clocks say. One branch's clock proves nothing; when most of several agree against HQ's, it is HQ's that is wrong.

use std::collections::BTreeMap;

use crate::domain::ids::BranchCode;
use crate::domain::time::{Tick, UtcMillis};

/// A clock that is set right by the network may go back this far, in milliseconds.
const SLACK_MS: u64 = 60_000;
/// So far apart are clocks that can't both be right, in milliseconds: more than any mistake about summer time, and more than a hello may lie in the broker.
const FAR_MS: u64 = 6 * 3_600_000;
/// How long a hello is a witness, in milliseconds: as long as three idle ones. If it was held up on its way and HQ stopped for nothing, it goes on after that.
const WITNESS_MS: u64 = 15 * 60_000;
/// Of so few branches nobody can say whose clock is wrong.
const FEWEST: usize = 3;

/// HQ's clock can't be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongClock {
    /// It is earlier than this program.
    #[error("head office's clock says {} UTC, but this program was built at {} UTC: nothing is taken until the clock is set right", shown(.now), shown(.built))]
    BeforeProgram {
        /// The clock.
        now: UtcMillis,
        /// When the program was built.
        built: UtcMillis,
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
    /// The clocks of most branches say something else altogether.
    #[error(
        "head office's clock says {} UTC, but those of most of the {heard} branches that were just heard say about {} UTC: nothing is taken until head \
         office's clock is set right",
        shown(.now),
        shown(.theirs)
    )]
    AgainstBranches {
        /// The clock.
        now: UtcMillis,
        /// The clock of the branch in the middle.
        theirs: UtcMillis,
        /// How many branches were heard.
        heard: usize,
    },
}

fn shown(moment: &UtcMillis) -> impl std::fmt::Display {
    moment.to_utc().format("%Y-%m-%d %H:%M:%S")
}

/// Whether the clock may be believed by a program that was built at `built`, when something was last received at `newest`.
pub(super) fn check(now: UtcMillis, built: UtcMillis, newest: UtcMillis) -> Result<(), WrongClock> {
    if now.plus(SLACK_MS) < built {
        Err(WrongClock::BeforeProgram { now, built })
    } else if now.plus(SLACK_MS) < newest {
        Err(WrongClock::BeforeNewest { now, newest })
    } else {
        Ok(())
    }
}

/// What the branches' clocks said, and when by a clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Witnesses(BTreeMap<BranchCode, (UtcMillis, Tick)>);

impl Witnesses {
    /// Hears a branch's clock.
    pub(super) fn hear(&mut self, branch: &BranchCode, clock: UtcMillis, at: Tick) {
        self.0.insert(branch.clone(), (clock, at));
    }

    /// Whether the clock may be believed. What was heard before it was set counts as well: the branches' clocks have gone on since.
    pub(super) fn check(&mut self, now: UtcMillis, at: Tick) -> Result<(), WrongClock> {
        self.0.retain(|_, (_, heard_at)| at.since(*heard_at) < WITNESS_MS);
        let clocks = self.0.values();
        let mut clocks: Vec<UtcMillis> = clocks
            .map(|(clock, heard_at)| clock.plus(at.since(*heard_at)))
            .collect();
        clocks.sort_unstable();
        let heard = clocks.len();
        if heard < FEWEST {
            return Ok(());
        }
        // The two in the middle are the same one if the number is odd; beyond both of them is more than half.
        let (lower, upper) = (clocks[(heard - 1) / 2], clocks[heard / 2]);
        if lower.since(now) > FAR_MS || now.since(upper) > FAR_MS {
            return Err(WrongClock::AgainstBranches {
                now,
                theirs: lower,
                heard,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::uplink::Limits;

    const NOW: UtcMillis = UtcMillis(1_795_356_451_000);

    #[test]
    fn only_a_clock_that_can_be_right_is_believed() {
        let (built, newest) = (UtcMillis(NOW.0 - 1_000_000), NOW);
        assert_eq!(check(NOW, built, newest), Ok(()));
        assert_eq!(check(UtcMillis(NOW.0 - 59_000), built, newest), Ok(()));
        let now = UtcMillis(NOW.0 - 61_000);
        assert_eq!(check(now, built, newest), Err(WrongClock::BeforeNewest { now, newest }));
        let now = UtcMillis(built.0 - 61_000);
        let wrong = check(now, built, UtcMillis(0)).unwrap_err();
        assert_eq!(wrong, WrongClock::BeforeProgram { now, built });
        assert!(
            wrong.to_string().contains("built at 2026-11-22 13:50:51 UTC"),
            "{wrong}"
        );
    }

    /// What HQ makes of its clock when these branches' clocks are so many hours before it.
    fn heard(hours: &[i64]) -> Result<(), WrongClock> {
        let mut witnesses = Witnesses::default();
        for (number, hours) in hours.iter().enumerate() {
            let branch = BranchCode::parse(&format!("B{number}")).unwrap();
            witnesses.hear(&branch, UtcMillis(NOW.0 - hours * 3_600_000), Tick(0));
        }
        witnesses.check(NOW, Tick(1_000))
    }

    #[test]
    fn most_of_several_branches_are_right_against_head_office() {
        for wrong in [&[7, 7, 7][..], &[-7, -7, 0], &[900, 30, 7, 0]] {
            assert!(heard(wrong).is_err(), "{wrong:?}");
        }
        for right in [
            &[][..],
            &[7, 7],
            &[5, 5, 5],
            &[7, 7, 0, 0],
            &[-7, 7, 0],
            &[900, 0, 1, 0, 1_000],
        ] {
            assert_eq!(heard(right), Ok(()), "{right:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_believed_at_once_and_one_that_was_not_only_for_want_of_witnesses() {
        let mut witnesses = Witnesses::default();
        for name in ["A", "B", "C"] {
            witnesses.hear(&BranchCode::parse(name).unwrap(), NOW, Tick(5_000));
        }
        let wrong = NOW.plus(7 * 3_600_000);
        assert!(witnesses.check(wrong.plus(60_000), Tick(65_000)).is_err());
        assert_eq!(witnesses.check(NOW.plus(60_000), Tick(65_000)), Ok(()));
        assert!(witnesses.check(wrong, Tick(4_999 + WITNESS_MS)).is_err());
        assert_eq!(witnesses.check(wrong, Tick(5_000 + WITNESS_MS)), Ok(()));
    }

    #[test]
    fn a_hello_that_lay_in_the_broker_is_no_witness_against_the_clock() {
        let longest = Limits::real(vec![1]).hello_cap_ms;
        assert!(longest + 3_600_000 < FAR_MS);
    }
}
