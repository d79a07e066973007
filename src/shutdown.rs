//! The request to stop, as a value that every task can wait for. What stopping means is each task's own business.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Asks everybody who holds the matching [`Shutdown`] to stop; dropping it asks too.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Tells whether the program has been asked to stop. Clones hear the same request.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Makes a request that has not been made yet, and the means to hear it.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Asks everybody to stop; asking again changes nothing.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits until the program is asked to stop.
    pub async fn wait(&self) {
        // An error means that the trigger is gone: nobody is left to ask, so this is the end as well.
        let _ = self.0.clone().wait_for(|requested| *requested).await;
    }

    /// Whether the program has been asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

/// Waits for SIGTERM or SIGINT, whichever comes first, and returns its name.
///
/// # Errors
/// When the system lets no handler be installed.
pub async fn signalled() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_holder_hears_one_request() {
        let (trigger, shutdown) = channel();
        let other = shutdown.clone();
        assert!(!shutdown.is_requested());
        trigger.request();
        shutdown.wait().await;
        other.wait().await;
        assert!(other.is_requested());
    }

    #[tokio::test]
    async fn a_lost_trigger_stops_everybody() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        shutdown.wait().await;
        assert!(shutdown.is_requested());
    }
}
