//! What can go wrong between a branch and head office, done to the real programs and a real broker: each fault once, alone, and then both sides' books are compared
//! row by row.
//!
//! Rights and identities on the broker are in `amqp_rights`, what one session leaves behind in `amqp_leaks`; all possible orders of events are the model's and the simulation's.

mod broker;
mod disk;
mod identity;
mod kills;
mod line;
mod scene;
mod several;
mod soak;
mod supervision;
