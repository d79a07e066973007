//! How the branch stands: what the header shows. Computed from rows, never from the state of a connection.

use std::collections::VecDeque;

use crate::domain::line::DataUsed;
use crate::domain::read::BranchStatus;
use crate::domain::time::Tick;
use crate::tui::desk::WorkerPlace;

/// How far back acks are looked at to tell how fast they come, in milliseconds.
const FORECAST_WINDOW_MS: u64 = 30_000;
/// For how long acks must have come before they tell how fast they come, in milliseconds.
const FORECAST_FROM_MS: u64 = 2_000;
/// The most samples that are kept.
const MAX_SAMPLES: usize = 64;
/// A forecast beyond this is no use to anyone, in milliseconds.
const MAX_FORECAST_MS: u64 = 24 * 3_600_000;

/// Whether a question is under way, so that each is asked once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asking {
    /// Nothing is under way.
    #[default]
    Idle,
    /// It is under way.
    Asked,
    /// It is under way, and the answer will already be old.
    AskedAgain,
}

impl Asking {
    /// Wants an answer; tells whether to ask now.
    pub fn want(&mut self) -> bool {
        let ask = *self == Self::Idle;
        *self = if ask { Self::Asked } else { Self::AskedAgain };
        ask
    }

    /// Takes note of an answer; tells whether to ask once more.
    pub fn answered(&mut self) -> bool {
        let again = *self == Self::AskedAgain;
        *self = if again { Self::Asked } else { Self::Idle };
        again
    }
}

/// How the branch stands.
#[derive(Debug, Default)]
pub struct Board {
    /// The status, once it is known.
    pub status: Option<BranchStatus>,
    /// Why the status could not be read the last time.
    pub trouble: Option<String>,
    /// Where the sync worker runs.
    pub worker: Option<WorkerPlace>,
    /// What the line has carried.
    pub data_used: DataUsed,
    /// Whether the status is being asked for.
    pub asking: Asking,
    samples: VecDeque<(Tick, u64)>,
}

impl Board {
    /// Takes a new status.
    pub fn take(&mut self, now: Tick, status: BranchStatus) {
        let falls = self.samples.back().is_some_and(|(_, acked)| *acked > status.acked);
        if falls {
            self.samples.clear();
        }
        self.samples.push_back((now, status.acked));
        while self.samples.len() > MAX_SAMPLES
            || self
                .samples
                .front()
                .is_some_and(|(at, _)| now.since(*at) > FORECAST_WINDOW_MS)
        {
            self.samples.pop_front();
        }
        self.trouble = None;
        self.status = Some(status);
    }

    /// In how many milliseconds HQ will have all that is under way or waiting, if acks go on as they come now.
    #[must_use]
    pub fn clears_in_ms(&self) -> Option<u64> {
        let status = self.status.as_ref()?;
        let waiting = status.pending + status.sent;
        let ((first, had), (last, has)) = (self.samples.front()?, self.samples.back()?);
        let (took, acked) = (last.since(*first), has - had);
        if waiting == 0 || acked == 0 || took < FORECAST_FROM_MS || self.samples.len() < 3 {
            return None;
        }
        let forecast = u128::from(waiting) * u128::from(took) / u128::from(acked);
        u64::try_from(forecast)
            .ok()
            .filter(|forecast| *forecast <= MAX_FORECAST_MS)
    }

    /// Whether HQ is known to hold every row: the one thing that is shown green.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.trouble.is_none() && self.status.as_ref().is_some_and(BranchStatus::in_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BranchCode, LedgerId};
    use crate::domain::money::MoneySum;

    fn status(acked: u64, pending: u64) -> BranchStatus {
        BranchStatus {
            branch: BranchCode::parse("A").unwrap(),
            ledger: LedgerId::from_random(1),
            rows: acked + pending,
            sales: acked + pending,
            acked,
            pending,
            sent: 0,
            rejected: 0,
            conflicts: 0,
            recalled: 0,
            ahead_amount: MoneySum::ZERO,
            oldest_ahead: None,
            highest_id: 0,
            store: None,
            last_receipt_at: None,
            last_heard_at: None,
            skew_ms: 0,
            worker: None,
        }
    }

    #[test]
    fn the_forecast_follows_how_fast_acks_come() {
        let mut board = Board::default();
        for second in 0..=4_u64 {
            board.take(Tick(second * 1_000), status(second * 100, 1_000 - second * 100));
        }
        assert_eq!(board.clears_in_ms(), Some(6_000));
        board.take(Tick(60_000), status(400, 600));
        assert_eq!(board.clears_in_ms(), None, "what was long ago tells nothing");
    }

    #[test]
    fn one_ack_makes_no_forecast_and_what_is_not_acked_is_never_in_step() {
        let mut board = Board::default();
        board.take(Tick(0), status(0, 2));
        board.take(Tick(5_000), status(1, 1));
        assert_eq!((board.clears_in_ms(), board.is_in_step()), (None, false));
        board.take(Tick(6_000), status(2, 0));
        assert!(board.is_in_step());
        board.trouble = Some("gone".into());
        assert!(!board.is_in_step(), "what can't be read is not known to be well");
    }

    #[test]
    fn a_question_is_asked_once_at_a_time_and_once_more_if_it_was_wanted_meanwhile() {
        let mut asking = Asking::default();
        assert!(asking.want() && !asking.want() && !asking.want());
        assert!(asking.answered() && !asking.answered());
        assert!(asking.want());
    }
}
