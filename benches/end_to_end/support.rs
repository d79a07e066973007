//! What the benchmark has in common with the integration tests: their private broker, their luck, and their line that can be made to fail.

#[expect(dead_code, reason = "the tests do more with it")]
#[path = "../../tests/it/support/broker.rs"]
pub(crate) mod broker;
#[expect(dead_code, reason = "the tests do more with it")]
#[path = "../../tests/it/support/luck.rs"]
pub(crate) mod luck;
#[expect(dead_code, reason = "the tests do more with it")]
#[path = "../../tests/it/support/proxy.rs"]
pub(crate) mod proxy;

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take that is meant to happen; the backlog of ten million on a slow disk, too.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Waits for something that is meant to happen.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Waits until a condition holds that nobody announces.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The same on a thread that may block; returns how long it took, to a few milliseconds.
pub(crate) fn wait(what: &str, holds: impl FnMut() -> bool) -> Duration {
    wait_looking(Duration::from_millis(5), what, holds)
}

/// Waits for the end of what takes seconds: looks are so rare that they take nothing from what is measured.
pub(crate) fn wait_long(what: &str, holds: impl FnMut() -> bool) -> Duration {
    wait_looking(Duration::from_millis(20), what, holds)
}

fn wait_looking(every: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(every);
    }
    began.elapsed()
}
