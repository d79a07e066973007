//! Why a line could not be opened, or broke: one word for the person at the counter, one sentence for the log.

use std::future::Future;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::domain::event::LinkTrouble;
use crate::transport::HqTrouble;

/// What ended a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(super) struct Failure {
    pub(super) trouble: LinkTrouble,
    detail: String,
}

/// How far the line had come when an error appeared: the same error means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the broker has let us in.
    Opening,
    /// After it.
    Open,
}

impl Failure {
    pub(super) fn new(trouble: LinkTrouble, detail: impl Into<String>) -> Self {
        Self {
            trouble,
            detail: detail.into(),
        }
    }

    /// The failure that an error of the client library stands for, met while doing `what`.
    pub(super) fn of(stage: Stage, what: &str, error: &lapin::Error) -> Self {
        Self::new(trouble(stage, error.kind()), format!("{what}: {error}"))
    }

    /// A step that took longer than it may.
    pub(super) fn timed_out(what: &str, limit: Duration) -> Self {
        let seconds = limit.as_secs();
        Self::new(LinkTrouble::TimedOut, format!("{what}: no answer within {seconds} s"))
    }
}

impl From<Failure> for HqTrouble {
    fn from(failure: Failure) -> Self {
        Self::Line(failure.detail)
    }
}

/// Waits for a step of an open line, but no longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    step: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, step).await {
        Ok(done) => done.map_err(|error| Failure::of(Stage::Open, what, &error)),
        Err(_) => Err(Failure::timed_out(what, limit)),
    }
}

/// The broker's refusal in an error, if that is what it is.
pub(super) fn refusal(error: &lapin::Error) -> Option<&AMQPErrorKind> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.kind()),
        _ => None,
    }
}

/// Whether the broker says that there is no such thing.
pub(super) fn is_missing(error: &lapin::Error) -> bool {
    refusal(error) == Some(&AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}

/// Whether the broker says that somebody else holds it.
pub(super) fn is_locked(error: &lapin::Error) -> bool {
    refusal(error) == Some(&AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED))
}

fn trouble(stage: Stage, kind: &ErrorKind) -> LinkTrouble {
    match (stage, kind) {
        (_, ErrorKind::ProtocolError(error)) => refused(stage, error.kind()),
        (Stage::Opening, ErrorKind::AuthProviderError(_)) => LinkTrouble::LoginRefused,
        (Stage::Opening, ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_)) => LinkTrouble::NotABroker,
        // Somebody took the connection and hung up without a word.
        (Stage::Opening, ErrorKind::IOError(_)) => LinkTrouble::Unreachable,
        _ => LinkTrouble::Lost,
    }
}

fn refused(stage: Stage, kind: &AMQPErrorKind) -> LinkTrouble {
    match kind {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) if stage == Stage::Opening => LinkTrouble::LoginRefused,
        // 530: no such virtual host, or not for this user. 406: the user of a message is not who is logged in.
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
        | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => LinkTrouble::NotAllowed,
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND | AMQPSoftError::NOROUTE) => LinkTrouble::NoHeadOffice,
        _ => LinkTrouble::Lost,
    }
}
