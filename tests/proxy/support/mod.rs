//! Raw clients, misbehaving backends and a gateway in process, for the tests of the proxy.

pub(crate) mod backend;
pub(crate) mod gateway;
pub(crate) mod wire;

use std::future::Future;
use std::time::Duration;

pub(crate) use backend::Backend;
pub(crate) use gateway::{Gateway, Setup};
pub(crate) use wire::Wire;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a future that must end.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}
