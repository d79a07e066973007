//! The signals that a program on a terminal must mind, as values on a channel.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How many signals may wait.
const MAX_SIGNALS: usize = 16;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Leave in an orderly way (SIGTERM, SIGINT).
    Leave,
    /// The terminal is gone: leave at once (SIGHUP).
    HangUp,
    /// Stop, as a shell's job (SIGTSTP).
    Suspend,
    /// The process goes on after a stop (SIGCONT).
    Continued,
    /// The terminal has another size (SIGWINCH).
    Resized,
}

/// Listens for signals, for as long as somebody holds the receiver.
///
/// # Errors
/// When the process may not listen for them.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(MAX_SIGNALS);
    let kinds = [
        (SignalKind::terminate(), Signal::Leave),
        (SignalKind::interrupt(), Signal::Leave),
        (SignalKind::hangup(), Signal::HangUp),
        (
            SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()),
            Signal::Suspend,
        ),
        (
            SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()),
            Signal::Continued,
        ),
        (SignalKind::window_change(), Signal::Resized),
    ];
    for (kind, meaning) in kinds {
        let mut stream = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    came = stream.recv() => {
                        // A full channel means that the same signals already wait to be seen.
                        if came.is_none() || matches!(sender.try_send(meaning), Err(mpsc::error::TrySendError::Closed(_))) {
                            return;
                        }
                    }
                    () = sender.closed() => return,
                }
            }
        });
    }
    Ok(receiver)
}
