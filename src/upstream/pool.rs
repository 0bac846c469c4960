//! Idle connections of an endpoint, a shard for each thread.
//!
//! A connection is used again by the thread that opened it, whose reactor it is known to. The lock
//! of a shard is therefore nearly never contended.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::http1::Connection;

/// Shards of a pool. More than worker threads; threads beyond share shards.
pub(super) const SHARDS: usize = 64;

/// Idle connections kept for an endpoint.
const MAX_IDLE: usize = 1024;

/// How often idle connections are looked at, at least.
const SWEEP: Duration = Duration::from_secs(1);

/// Idle connections of one endpoint.
#[derive(Debug)]
pub(super) struct Pool {
    shards: Vec<Arc<Shard>>,
    count: Arc<AtomicUsize>,
}

/// On a cache line of its own, so that threads do not disturb one another.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    connections: VecDeque<Box<Connection>>,
    /// Whether a task closes what is over.
    swept: bool,
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Index of the current thread's shard.
pub(super) fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    SHARD.with(|shard| *shard)
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool { shards: (0..SHARDS).map(|_| Arc::default()).collect(), count: Arc::default() }
    }

    /// The connection of this thread that was used last, if it still lives.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        self.take_from(self.shards.get(shard())?)
    }

    /// The same, or any other thread's.
    pub(super) fn take_any(&self) -> Option<Box<Connection>> {
        self.take().or_else(|| self.shards.iter().find_map(|shard| self.take_from(shard)))
    }

    fn take_from(&self, shard: &Shard) -> Option<Box<Connection>> {
        loop {
            let mut connection = shard.lock().connections.pop_back()?;
            self.count.fetch_sub(1, Ordering::Relaxed);
            if connection.wake() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for `timeout`; beyond the bound, and where there is no runtime, it is closed.
    pub(super) fn put(&self, mut connection: Box<Connection>, timeout: Duration) {
        let (Some(shard), Ok(runtime)) = (self.shards.get(connection.shard), Handle::try_current()) else {
            return;
        };
        if self.count.fetch_add(1, Ordering::Relaxed) >= MAX_IDLE {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        connection.rest(timeout);
        let mut idle = shard.lock();
        idle.connections.push_back(connection);
        if !idle.swept {
            idle.swept = true;
            runtime.spawn(sweep(Arc::downgrade(shard), Arc::clone(&self.count), timeout.min(SWEEP)));
        }
    }
}

/// Closes the connections of a shard whose time is over, and those that their upstream closed, until
/// none is left.
async fn sweep(shard: Weak<Shard>, count: Arc<AtomicUsize>, interval: Duration) {
    let mut tick = pin!(sleep(interval));
    poll_fn(|cx| {
        let Some(shard) = shard.upgrade() else { return Poll::Ready(()) };
        let now = Instant::now();
        let mut next = now + interval;
        let mut idle = shard.lock();
        let before = idle.connections.len();
        idle.connections.retain_mut(|connection| {
            next = next.min(connection.idle_until());
            !connection.is_over(now, cx)
        });
        count.fetch_sub(before - idle.connections.len(), Ordering::Relaxed);
        if idle.connections.is_empty() {
            idle.swept = false;
            return Poll::Ready(());
        }
        arm(tick.as_mut(), next, cx);
        Poll::Pending
    })
    .await;
}

/// Wakes the task of `cx` at `time`, which is to come.
fn arm(mut tick: std::pin::Pin<&mut tokio::time::Sleep>, time: Instant, cx: &mut Context<'_>) {
    tick.as_mut().reset(time);
    if tick.poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}
