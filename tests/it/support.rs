//! What the tests have in common: a private broker, a line that can be made to fail, programs that can be killed, and waiting with a deadline instead of sleeping.

pub(crate) mod books;
pub(crate) mod broker;
pub(crate) mod luck;
pub(crate) mod place;
pub(crate) mod proxy;
pub(crate) mod session;
pub(crate) mod strace;
pub(crate) mod till;

use std::future::Future;
use std::time::Duration;

/// How long anything may take that is meant to happen: both sides' longest waits after a fault, and a slow machine on top.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// How often a condition is looked at that nobody announces.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits for something that is meant to happen.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Waits until a condition holds that nobody announces.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(GLANCE).await;
        }
    })
    .await;
}
