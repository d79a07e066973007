//! How many sales one transaction takes, and how long to wait after it, so that a till on the same database hardly notices.

use std::time::Duration;

/// How long a transaction may hold the write lock, in milliseconds; it aims at half of this.
const MAX_HOLD_MS: u64 = 100;
/// The fewest and the most sales in a transaction. Below the fewest it is the disk that takes the time, and smaller transactions would only ask more of it.
const ROWS: std::ops::RangeInclusive<usize> = 500..=16_000;
/// The number of sales in the first transaction, before anything has been measured.
const FIRST_ROWS: usize = 500;
/// The shortest pause, in milliseconds: a waiting program looks for the lock more often than this.
const MIN_PAUSE_MS: u64 = 5;

/// The measured pace of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    rows: usize,
}

impl Pace {
    /// A careful start.
    pub(super) const fn start() -> Self {
        Self { rows: FIRST_ROWS }
    }

    /// How many sales the next transaction takes.
    pub(super) const fn rows(self) -> usize {
        self.rows
    }

    /// Learns from a transaction of `rows` sales that took `took_ms`, and says how long to leave the lock to others: a quarter of the time that it was held.
    pub(super) fn took(&mut self, rows: usize, took_ms: u64) -> Duration {
        let aim = MAX_HOLD_MS / 2;
        let fitting = usize::try_from(rows as u64 * aim / took_ms.max(1)).unwrap_or(usize::MAX);
        let next = if took_ms > aim {
            fitting
        } else if rows < self.rows {
            // It was short because there was little to take.
            self.rows
        } else {
            fitting.min(self.rows * 2)
        };
        self.rows = next.clamp(*ROWS.start(), *ROWS.end());
        Duration::from_millis((took_ms / 4).clamp(MIN_PAUSE_MS, MAX_HOLD_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_disk_gets_larger_transactions_step_by_step_and_never_too_large() {
        let mut pace = Pace::start();
        for _ in 0..10 {
            let before = pace.rows();
            pace.took(before, 1);
            assert!(pace.rows() <= before * 2);
        }
        assert_eq!(pace.rows(), 16_000);
    }

    #[test]
    fn a_slow_transaction_shrinks_the_next_at_once() {
        let mut pace = Pace { rows: 4_000 };
        assert_eq!(pace.took(4_000, 400), Duration::from_millis(100));
        assert_eq!(pace.rows(), 500);
        pace.took(500, 5_000);
        assert_eq!(pace.rows(), 500);
    }

    #[test]
    fn a_transaction_that_was_not_full_does_not_shrink_the_next() {
        let mut pace = Pace { rows: 1_000 };
        pace.took(10, 2);
        assert_eq!(pace.rows(), 1_000);
        pace.took(0, 1);
        assert_eq!(pace.rows(), 1_000);
    }
}
