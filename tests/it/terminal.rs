//! The real program in a real pseudo-terminal: what a person at the counter sees, whatever the keyboard, the line and the signals do.
//!
//! What each key does, how each screen looks and how few bytes a frame takes is tested without a terminal, in `src/tui/tests`; here is what only a terminal shows.

mod counter;
mod first_hour;
mod manners;
mod panics;
mod typing;
