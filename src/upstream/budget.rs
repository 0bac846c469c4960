//! How many requests may be tried again: a share of all of them, so that a backend in trouble does not
//! get twice the requests for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::pool::{SHARDS, shard};

/// What the share is counted over.
const WINDOW: Duration = Duration::from_secs(10);

/// Retries in a window beyond the share, so that an upstream with few requests has some.
const RESERVE: f64 = 3.0;

/// The retries of one upstream.
#[derive(Debug)]
pub(super) struct Budget {
    share: f64,
    /// Requests, counted by each thread on its own.
    requests: Vec<Count>,
    window: Mutex<Window>,
}

/// On a cache line of its own, so that threads do not disturb one another.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Count(AtomicU64);

/// A sliding window: what happened in the one before counts by how much of it is within ten seconds.
#[derive(Debug)]
struct Window {
    since: Instant,
    /// Requests of all time when it began.
    begun_at: u64,
    retries: u64,
    /// Requests and retries of the window before.
    before: (f64, f64),
}

impl Window {
    /// Requests and retries of the last ten seconds.
    fn look(&mut self, requests: u64, now: Instant) -> (f64, f64) {
        let mut passed = now.saturating_duration_since(self.since).as_secs_f64() / WINDOW.as_secs_f64();
        let mut new = requests.saturating_sub(self.begun_at) as f64;
        if passed >= 1.0 {
            let retries = if passed < 2.0 { self.retries as f64 } else { 0.0 };
            *self = Window { since: now, begun_at: requests, retries: 0, before: (new / passed, retries) };
            (passed, new) = (0.0, 0.0);
        }
        let left = 1.0 - passed;
        (self.before.0 * left + new, self.before.1 * left + self.retries as f64)
    }
}

impl Budget {
    /// Allows this share of the requests, from 0 to 1.
    pub(super) fn new(share: f64) -> Budget {
        let window = Window { since: Instant::now(), begun_at: 0, retries: 0, before: (0.0, 0.0) };
        Budget {
            share,
            requests: (0..SHARDS).map(|_| Count::default()).collect(),
            window: Mutex::new(window),
        }
    }

    /// Counts a request.
    pub(super) fn deposit(&self) {
        if let Some(count) = self.requests.get(shard()) {
            count.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether one more may be tried again.
    pub(super) fn withdraw(&self) -> bool {
        self.withdraw_at(Instant::now())
    }

    fn withdraw_at(&self, now: Instant) -> bool {
        let requests: u64 = self.requests.iter().map(|count| count.0.load(Ordering::Relaxed)).sum();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (requests, retries) = window.look(requests, now);
        if retries + 1.0 > RESERVE + (requests * self.share).ceil() {
            return false;
        }
        window.retries += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_and_three_more() {
        let (budget, now) = (Budget::new(0.2), Instant::now());
        let retried = (0..100).filter(|_| {
            budget.deposit();
            budget.withdraw_at(now)
        });
        assert_eq!(retried.count(), 23);
        assert!(!budget.withdraw_at(now));
        let later = now + WINDOW * 2;
        let granted = (0..20).filter(|_| budget.withdraw_at(later)).count();
        assert!(
            (12..=13).contains(&granted),
            "{granted}: half of the requests fall into the last ten seconds"
        );
        assert!(!budget.withdraw_at(later + WINDOW / 100));
        let granted = (0..20).filter(|_| budget.withdraw_at(later + WINDOW * 30)).count();
        assert_eq!(granted, 3, "old requests do not count");
        let none = Budget::new(0.0);
        (0..100).for_each(|_| none.deposit());
        assert_eq!((0..10).filter(|_| none.withdraw_at(now)).count(), 3);
    }
}
