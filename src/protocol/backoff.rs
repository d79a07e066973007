//! How long to wait before the next try.

/// A doubling wait with jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The wait before the second try, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in milliseconds.
    pub cap_ms: u64,
}

impl Backoff {
    /// The wait after this many failures (1: the first), between half and the whole of the doubled wait.
    #[must_use]
    pub const fn after(self, failures: u32, luck: u128) -> u64 {
        let doublings = if failures > 20 { 20 } else { failures.saturating_sub(1) };
        let whole = self.first_ms << doublings;
        let whole = if whole > self.cap_ms { self.cap_ms } else { whole };
        let half = whole / 2;
        // The low 64 bits of luck are as random as all of it.
        #[expect(clippy::cast_possible_truncation, reason = "any 64 of the random bits will do")]
        let jitter = (luck as u64) % (whole - half + 1);
        half + jitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_its_cap() {
        let backoff = Backoff {
            first_ms: 1_000,
            cap_ms: 60_000,
        };
        for (failures, whole) in [(1, 1_000), (2, 2_000), (5, 16_000), (7, 60_000), (1_000_000, 60_000)] {
            assert_eq!(backoff.after(failures, 0), whole / 2);
            for luck in [1, 77, u128::MAX] {
                assert!((whole / 2..=whole).contains(&backoff.after(failures, luck)));
            }
        }
    }
}
