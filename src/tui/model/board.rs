//! How the branch stands: what the header shows. Computed from rows, never from the state of a connection.

use std::collections::VecDeque;

use crate::domain::read::BranchStatus;
use crate::domain::time::Tick;
use crate::tui::desk::WorkerPlace;

/// How far back acks are looked at to tell how fast they come, in milliseconds.
const FORECAST_WINDOW_MS: u64 = 30_000;
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
    /// How many bytes went over the line.
    pub data_used: Option<u64>,
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
        if waiting == 0 || acked == 0 || took == 0 {
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
