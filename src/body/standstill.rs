//! The bound on how long a body may stand still.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::Timer;

/// Finds out that nothing has come for too long while somebody waits. Costs nothing where all comes at once.
#[derive(Debug)]
pub struct Standstill {
    limit: Duration,
    timer: Timer,
}

impl Standstill {
    /// Nothing may stand still for longer than `limit`.
    pub fn new(limit: Duration) -> Standstill {
        Standstill { limit, timer: Timer::default() }
    }

    /// Notes that something came.
    pub fn moved(&mut self) {
        self.timer.set(None);
    }

    /// Nothing came: ready when that has lasted for the limit.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.timer.is_set() {
            self.timer.set(Instant::now().checked_add(self.limit));
        }
        self.timer.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(60);

    #[tokio::test]
    async fn a_wait_ends_at_the_limit_and_not_before() {
        let mut standstill = Standstill::new(LIMIT);
        let begun = Instant::now();
        poll_fn(|cx| standstill.poll(cx)).await;
        assert!(begun.elapsed() >= LIMIT);
    }

    #[tokio::test]
    async fn what_comes_begins_a_new_wait() {
        let mut standstill = Standstill::new(LIMIT);
        for _ in 0..4 {
            let waited = tokio::time::timeout(LIMIT / 2, poll_fn(|cx| standstill.poll(cx))).await;
            assert!(waited.is_err(), "it ended early");
            standstill.moved();
        }
        let begun = Instant::now();
        poll_fn(|cx| standstill.poll(cx)).await;
        assert!(begun.elapsed() >= LIMIT);
    }

    #[tokio::test]
    async fn a_limit_beyond_time_is_none() {
        let mut standstill = Standstill::new(Duration::MAX);
        let first = poll_fn(|cx| Poll::Ready(standstill.poll(cx).is_pending())).await;
        assert!(first);
    }
}
