//! How much to send at once: batches that take a few seconds at most on a slow line, and enough of them to fill a fast one.

/// A first guess at a line that nobody has measured: some 10 kB, which are a second and a half of 64 kbit/s. Smaller ones would each need a dictionary of their own.
const FIRST_ROWS: u32 = 1_000;
/// No batch is made smaller than this for a line's sake: there is more around so few sales than they take themselves.
const LEAST_ROWS: u32 = 50;
/// A batch that the broker confirms within this many milliseconds could have been larger.
const QUICK_MS: u64 = 500;
/// So many times as large is the next batch on a line that could take more: even if it takes as many times as long, it isn't slow.
const GROWTH: u32 = 4;
/// A batch that takes longer than this many milliseconds should have been smaller.
const SLOW_MS: u64 = 4_000;
/// Batches that are out at once on a slow line, and on one that nobody has measured: so many go again when it is cut.
const SLOW_WINDOW: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pace {
    rows: u32,
    window: usize,
    max_rows: u32,
    max_window: usize,
}

impl Pace {
    pub(super) fn new(max_rows: u32, max_window: usize) -> Self {
        Self {
            rows: FIRST_ROWS.min(max_rows),
            window: max_window.min(SLOW_WINDOW),
            max_rows,
            max_window,
        }
    }

    pub(super) const fn batch_rows(&self) -> u32 {
        self.rows
    }

    pub(super) const fn window(&self) -> usize {
        self.window
    }

    /// The broker took this long, in milliseconds, to confirm a batch of this many rows.
    pub(super) fn confirmed(&mut self, rows: u32, millis: u64) {
        if millis <= QUICK_MS {
            if self.rows >= self.max_rows {
                self.window = (self.window * 2).min(self.max_window);
            } else if rows >= self.rows {
                // First larger batches, then more of them: large ones take fewer bytes a sale. A small batch on a quick line says nothing about large ones.
                self.rows = self.rows.saturating_mul(GROWTH).min(self.max_rows);
            }
        } else if millis > SLOW_MS {
            self.window = SLOW_WINDOW.min(self.max_window);
            self.halve();
        }
    }

    /// The line broke: what is known of it is worth half.
    pub(super) fn broken(&mut self) {
        self.halve();
        self.window = (self.window / 2).max(SLOW_WINDOW).min(self.max_window);
    }

    fn halve(&mut self) {
        self.rows = (self.rows / 2).max(LEAST_ROWS.min(self.max_rows / 5)).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_quick_line_batches_grow_first_and_then_their_number() {
        let mut pace = Pace::new(8_000, 16);
        let mut steps = Vec::new();
        while pace.window() < 16 {
            pace.confirmed(pace.batch_rows(), QUICK_MS);
            steps.push((pace.batch_rows(), pace.window()));
        }
        assert_eq!(steps, [(4_000, 2), (8_000, 2), (8_000, 4), (8_000, 8), (8_000, 16)]);
    }

    #[test]
    fn a_small_batch_says_nothing_about_large_ones() {
        let mut pace = Pace::new(4_000, 32);
        pace.confirmed(10, 1);
        assert_eq!((pace.batch_rows(), pace.window()), (1_000, 2));
    }

    #[test]
    fn a_batch_that_was_quick_is_not_slow_when_it_has_grown() {
        assert!(QUICK_MS * u64::from(GROWTH) <= SLOW_MS);
    }
}
