//! The sync protocol as pure values and functions: no clock, no randomness, no I/O, no async.
//!
//! Time comes in as [`Now`]; what must happen outside goes out as values. So a model checker and a seeded simulation run the very code that runs at
//! a counter.

pub mod backoff;
pub mod dictionary;
pub mod identity;
pub mod journal;
pub mod lineage;
pub mod message;
pub mod uplink;
pub mod verdict;

use crate::domain::time::{Tick, UtcMillis};

/// The moment at which something is handled, and the luck of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Now {
    /// The monotonic clock, for deadlines.
    pub tick: Tick,
    /// The wall clock, for what is written down.
    pub wall: UtcMillis,
    /// Fresh random bits, for ids and jitter; used once.
    pub luck: u128,
}
