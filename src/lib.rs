//! Branchline keeps the sales of many branch offices in step with one head office (HQ) over links that may be up for an hour a day.

pub mod app;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod domain;
pub mod hq;
pub mod protocol;
pub mod shutdown;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod text;
pub mod transport;
pub mod tui;
pub mod wire;
