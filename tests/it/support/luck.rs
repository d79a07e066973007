//! Random numbers that are the same for the same seed (`SplitMix64`, Steele, Lea and Flood 2014), for several tasks at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence of numbers that its seed decides.
#[derive(Debug)]
pub(crate) struct Luck(AtomicU64);

impl Luck {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let mut z = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A place in a list of this length; zero for an empty one.
    pub(crate) fn index(&self, length: usize) -> usize {
        let length = u64::try_from(length.max(1)).expect("a list is short");
        usize::try_from(self.below(length)).expect("it is below a length")
    }

    /// One of some things.
    pub(crate) fn pick<'a, T>(&self, things: &'a [T]) -> &'a T {
        &things[self.index(things.len())]
    }

    /// Whether something that happens in `percent` of all cases happens now.
    pub(crate) fn percent(&self, percent: usize) -> bool {
        self.index(100) < percent
    }

    pub(crate) fn bits(&self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}
