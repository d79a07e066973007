//! The line over RabbitMQ, for a branch ([`BranchAmqp`]) and for HQ ([`HqAmqp`]).
//!
//! The client library is used for one connection at a time and for nothing that it promises beyond that: its recovery stays off, every wait has a limit
//! of ours, each confirm is awaited by itself, and a session that shows any error is thrown away whole. The socket is ours, too: we open it, and we can cut
//! it, so a peer that has fallen silent holds no thread of ours. What to send, and when, is decided elsewhere.

mod address;
mod beat;
mod branch;
mod dial;
mod failure;
mod hq;
mod meter;
mod unconfirmed;

pub use address::{Address, BadAddress};
pub use branch::BranchAmqp;
pub use hq::{HqAmqp, HqAmqpLink};
