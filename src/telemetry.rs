//! Structured records of what the program does: to stderr where there is no screen, to a bounded file where there is one.
//!
//! Only this program's own records are kept: its libraries print connection strings with their passwords. The sentences for staff are not these
//! records; they are in the database's log.

mod rotate;

use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

pub use rotate::RotatingFile;

/// The records to keep: ours, from `info` upwards.
fn ours() -> Targets {
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::INFO)
}

/// Writes records to stderr from now on, for a person to read.
///
/// # Errors
/// When records already go somewhere.
pub fn to_stderr() -> Result<(), TryInitError> {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry()
        .with(layer.with_ansi(false).with_target(false).with_filter(ours()))
        .try_init()
}

/// Writes records to stderr from now on, as JSON, one object a line.
///
/// # Errors
/// When records already go somewhere.
pub fn to_stderr_as_json() -> Result<(), TryInitError> {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry()
        .with(layer.json().flatten_event(true).with_filter(ours()))
        .try_init()
}

/// Why a log file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// It can't be opened.
    #[error("the log file {path} can't be opened")]
    Unopened {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Records already go somewhere.
    #[error(transparent)]
    Taken(#[from] TryInitError),
}

/// Writes records to a file from now on, as JSON, one object a line; see [`RotatingFile`] for its bounds.
///
/// # Errors
/// When the file can't be opened, or records already go somewhere.
pub fn to_file(path: &Path) -> Result<(), LogFileError> {
    let file = RotatingFile::open(path).map_err(|source| LogFileError::Unopened {
        path: path.display().to_string(),
        source,
    })?;
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
    tracing_subscriber::registry()
        .with(layer.with_writer(Mutex::new(file)).with_filter(ours()))
        .try_init()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn our_records_are_kept_and_those_of_libraries_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("branch.log");
        let file = Mutex::new(RotatingFile::open(&path).unwrap());
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(file).with_filter(ours()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(batch_rows = 500, "batch sent");
            tracing::debug!("too fine");
            tracing::error!(target: "lapin::connection", "amqp://me:hunter2@host");
        });
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("\"batch_rows\":500"), "{text}");
    }
}
