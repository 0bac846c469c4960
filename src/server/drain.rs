//! The orderly end: no new connections, requests in flight finish, and who is still there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::crowd::{Place, Told};

/// A cheap handle on the orderly end of a listener's connections.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    begun: AtomicBool,
    begin: Notify,
    open: AtomicUsize,
    empty: Notify,
    next: AtomicU64,
    /// Tasks that serve requests. A lock is taken when a connection begins and ends, never for a request.
    serving: Mutex<HashMap<u64, Option<Waker>>>,
}

/// What is still open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Connections with a request in flight or about to close.
    pub serving: usize,
    /// Connections that were upgraded: WebSockets.
    pub upgraded: usize,
}

impl Left {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        *self == Left::default()
    }
}

impl Drain {
    /// Begins it: listeners stop accepting and close, idle connections close, others close after the
    /// response in flight. Upgraded connections are left to their owners.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
        self.0.begin.notify_waiters();
        let wakers: Vec<Waker> = self.0.serving().values_mut().filter_map(Option::take).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it has begun.
    pub fn is_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        let mut begin = std::pin::pin!(self.0.begin.notified());
        begin.as_mut().enable();
        if !self.is_begun() {
            begin.await;
        }
    }

    /// Open connections, upgraded ones among them.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open, at most `grace`; tells what is left.
    pub async fn wait(&self, grace: Duration) -> Left {
        let deadline = tokio::time::Instant::now() + grace;
        loop {
            let mut empty = std::pin::pin!(self.0.empty.notified());
            empty.as_mut().enable();
            let left = self.left();
            if left.is_empty() || tokio::time::timeout_at(deadline, empty).await.is_err() {
                return self.left();
            }
        }
    }

    /// What is still open.
    pub fn left(&self) -> Left {
        let serving = self.0.serving().len();
        Left { serving, upgraded: self.open().saturating_sub(serving) }
    }

    /// Counts an open socket until the guard is dropped.
    pub(super) fn enter(&self) -> Open {
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Open { inner: Arc::clone(&self.0), _place: None, _told: None }
    }

    /// Lists a task that serves requests until the guard is dropped.
    pub(super) fn serve(&self) -> Serving {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.serving().insert(id, None);
        Serving { inner: Arc::clone(&self.0), id, listed: false }
    }
}

impl Inner {
    fn serving(&self) -> MutexGuard<'_, HashMap<u64, Option<Waker>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open socket, counted until this is dropped, and what it is counted for.
#[derive(Debug)]
pub struct Open {
    inner: Arc<Inner>,
    _place: Option<Place>,
    _told: Option<Told>,
}

impl Open {
    /// It is one of its address.
    pub(super) fn hold(&mut self, place: Place) {
        self._place = Some(place);
    }

    /// It is beyond a bound.
    pub(super) fn tell(&mut self, told: Told) {
        self._told = Some(told);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.inner.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.inner.empty.notify_waiters();
        }
    }
}

/// A task that serves requests.
#[derive(Debug)]
pub(super) struct Serving {
    inner: Arc<Inner>,
    id: u64,
    listed: bool,
}

impl Serving {
    /// Whether the drain has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.inner.begun.load(Ordering::SeqCst)
    }

    /// Whether the drain has begun; if not, the task is woken when it does. A spawned task's waker
    /// stays the same, so it is noted once.
    pub(super) fn must_end(&mut self, cx: &Context<'_>) -> bool {
        if !self.listed {
            self.listed = true;
            self.inner.serving().insert(self.id, Some(cx.waker().clone()));
        }
        self.has_begun()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.inner.serving().remove(&self.id);
        // Its socket may have been closed before.
        if self.inner.open.load(Ordering::SeqCst) == 0 {
            self.inner.empty.notify_waiters();
        }
    }
}
