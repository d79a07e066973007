//! The branch's sync shell: wake-ups, link events and deadlines go in, the machine's actions come out.
//!
//! [`worker`] runs the machine against a journal, step by step, without a thread or a socket of its own, so that a simulation drives it as a real line
//! does. [`service`] is what drives it at a branch: it owns the session, the timers and the election of one worker for each database.

pub mod line;
pub mod service;
pub mod worker;
