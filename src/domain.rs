//! The vocabulary of Branchline: plain values that every other module speaks in.
//!
//! Nothing here knows about databases, networks, terminals, clocks or serialisation; a value that exists is valid. What
//! people read about these values (sentences, labels) lives in [`crate::text`], and what travels lives in [`crate::wire`].

pub mod draft;
pub mod event;
pub mod ids;
pub mod line;
pub mod money;
pub mod read;
pub mod sale;
pub mod sync_state;
pub mod time;
pub mod trouble;
