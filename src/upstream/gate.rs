//! How many connections an upstream may have, and how many requests may wait for one.
//!
//! Nothing here is touched by a request that finds an idle connection, but one load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// The bounds of one upstream, over all its endpoints and all workers.
#[derive(Debug)]
pub(super) struct Gate {
    max_connections: usize,
    max_pending: usize,
    connections: AtomicUsize,
    pending: AtomicUsize,
    /// Those of the pending who wait for a connection to be given back.
    waiting: AtomicUsize,
    /// Held by the first of them: first come, first served.
    turn: Mutex<()>,
    freed: Notify,
}

/// Why a request got no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// `max_pending` wait already.
    #[error("max_pending requests wait already")]
    Pending,
    /// None was given back within `connect_timeout`.
    #[error("none was free within connect_timeout")]
    Late,
}

impl Gate {
    pub(super) fn new(max_connections: usize, max_pending: usize) -> Arc<Gate> {
        Arc::new(Gate {
            max_connections,
            max_pending,
            connections: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            turn: Mutex::new(()),
            freed: Notify::new(),
        })
    }

    /// Whether nobody waits for a connection, so that an idle one may be taken.
    pub(super) fn is_calm(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// The right to one more connection, if there may be one.
    pub(super) fn slot(self: &Arc<Gate>) -> Option<Slot> {
        let more = |open| (open < self.max_connections).then_some(open + 1);
        self.connections.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).ok()?;
        Some(Slot(Arc::clone(self)))
    }

    /// Counts a request that has to wait, until the guard is dropped.
    pub(super) fn enter(&self) -> Result<Pending<'_>, Full> {
        let more = |pending| (pending < self.max_pending).then_some(pending + 1);
        let entered = self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.map(|_| Pending(&self.pending)).map_err(|_| Full::Pending)
    }

    /// Asks `find` again and again, in turn with the others who wait, until it has found something.
    pub(super) async fn wait<T>(&self, limit: Duration, find: impl FnMut() -> Option<T>) -> Result<T, Full> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Pending(&self.waiting);
        timeout(limit, self.search(find)).await.map_err(|_| Full::Late)
    }

    async fn search<T>(&self, mut find: impl FnMut() -> Option<T>) -> T {
        let _turn = self.turn.lock().await;
        loop {
            fence(Ordering::SeqCst);
            match find() {
                Some(found) => return found,
                // A notice that came since is kept.
                None => self.freed.notified().await,
            }
        }
    }

    /// A connection, or room on one, was given back: to be called after others can find it.
    pub(super) fn freed(&self) {
        // Whoever waits either is seen here, or looks after what was given back.
        fence(Ordering::SeqCst);
        if !self.is_calm() {
            self.freed.notify_one();
        }
    }
}

/// Counts for as long as it lives.
#[derive(Debug)]
pub(super) struct Pending<'a>(&'a AtomicUsize);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to have one connection, for as long as it lives.
#[derive(Debug)]
pub(super) struct Slot(Arc<Gate>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
        self.0.freed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_those_who_wait_are_counted() {
        let gate = Gate::new(2, 1);
        let (one, two) = (gate.slot(), gate.slot());
        assert!(one.is_some() && two.is_some() && gate.slot().is_none());
        drop(one);
        assert!(gate.slot().is_some());
        let first = gate.enter();
        assert!(first.is_ok());
        assert_eq!(gate.enter().err(), Some(Full::Pending));
        drop(first);
        assert!(gate.enter().is_ok());
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_given_back_in_the_order_they_came() {
        let gate = Gate::new(1, 10);
        let held = gate.slot();
        let (told, mut order) = tokio::sync::mpsc::channel(10);
        for number in 0..5 {
            let (gate, told) = (Arc::clone(&gate), told.clone());
            tokio::spawn(async move {
                let slot = gate.wait(Duration::from_secs(10), || gate.slot()).await.unwrap();
                told.send(number).await.unwrap();
                drop(slot);
            });
            tokio::task::yield_now().await;
        }
        assert!(!gate.is_calm());
        drop(held);
        for number in 0..5 {
            assert_eq!(order.recv().await, Some(number));
        }
        tokio::task::yield_now().await;
        assert!(gate.is_calm() && gate.slot().is_some());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let gate = Gate::new(0, 10);
        let late = gate.wait(Duration::from_millis(20), || gate.slot()).await;
        assert_eq!(late.err(), Some(Full::Late));
        assert!(gate.is_calm());
    }
}
