//! An endpoint that cannot be reached for a while is not waited for by every request.

use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::now;

/// After so many milliseconds without a connection requests fail at once.
const PATIENCE: u64 = 3_000;

/// Then one request in so many milliseconds still tries.
const EVERY: u64 = 1_000;

/// Whether an endpoint can be reached. Only what takes time counts: names that do not resolve and
/// connects that time out. One that refuses says so at once, and is asked each time.
#[derive(Debug, Default)]
pub(super) struct Failfast {
    /// The millisecond of the first failure in a row; 0 while there is none.
    lost_since: AtomicU64,
    /// The millisecond of the last try since.
    tried: AtomicU64,
}

impl Failfast {
    /// Whether a request may try to connect.
    pub(super) fn admits(&self) -> bool {
        let since = self.lost_since.load(Ordering::Relaxed);
        since == 0 || self.admits_at(since, now())
    }

    fn admits_at(&self, since: u64, now: u64) -> bool {
        let tried = self.tried.load(Ordering::Relaxed);
        let due = now >= tried.saturating_add(EVERY);
        let claimed =
            || self.tried.compare_exchange(tried, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        now < since.saturating_add(PATIENCE) || (due && claimed())
    }

    /// Notes how a try went.
    pub(super) fn note(&self, reached: bool) {
        if reached {
            if self.lost_since.load(Ordering::Relaxed) != 0 {
                self.lost_since.store(0, Ordering::Relaxed);
            }
        } else {
            let _ = self.lost_since.compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_seconds_one_request_a_second_still_tries() {
        let reach = Failfast::default();
        assert!(reach.admits());
        assert!(reach.admits_at(10_000, 12_999));
        assert!(reach.admits_at(10_000, 13_000), "the first one");
        assert!(!reach.admits_at(10_000, 13_500));
        assert!(reach.admits_at(10_000, 14_000));
        assert!(!reach.admits_at(10_000, 14_001));
        reach.note(false);
        assert!(reach.admits());
        reach.note(true);
        assert_eq!(reach.lost_since.load(Ordering::Relaxed), 0);
    }
}
