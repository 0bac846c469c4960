//! Time in milliseconds, for what several threads note without a lock.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Milliseconds of this process's life; never 0.
pub(super) fn now() -> u64 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(EPOCH.elapsed()) + 1
}

/// A length of time in milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}
