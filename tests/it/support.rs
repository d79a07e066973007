//! What the tests have in common: a private broker, a line that can be made to fail, and waiting with a deadline instead of sleeping.

pub(crate) mod broker;
pub(crate) mod proxy;
pub(crate) mod session;

use std::future::Future;
use std::time::Duration;

/// How long anything may take that is meant to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that is meant to happen.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Waits until a condition holds that nobody announces.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The same for what a broker's return and the waits of both sides make slow.
pub(crate) async fn patiently(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(4 * PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {:?}", 4 * PATIENCE));
}
