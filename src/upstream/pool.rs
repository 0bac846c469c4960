//! Idle connections of an endpoint, a shard for each thread.
//!
//! A connection is used again by the thread that opened it: its driver lives there, and waking it
//! costs no other thread. The lock of a shard is therefore nearly never contended.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;

/// Shards of a pool. More than worker threads; threads beyond share shards.
const SHARDS: usize = 64;

/// Idle connections kept for an endpoint.
const MAX_IDLE: usize = 256;

/// Idle connections of one endpoint.
#[derive(Debug)]
pub(super) struct Pool {
    shards: Vec<Shard>,
    idle: AtomicUsize,
}

/// On a cache line of its own, so that threads do not disturb one another.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<VecDeque<Connection>>);

impl Shard {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Connection>> {
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
        Pool { shards: (0..SHARDS).map(|_| Shard::default()).collect(), idle: AtomicUsize::new(0) }
    }

    /// The connection of this thread that was used last, if it still lives.
    pub(super) fn take(&self) -> Option<Connection> {
        let shard = self.shards.get(shard())?;
        loop {
            let connection = shard.lock().pop_back()?;
            self.idle.fetch_sub(1, Ordering::Relaxed);
            if connection.wake() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for `timeout`; beyond the bound it is closed.
    pub(super) fn put(&self, mut connection: Connection, timeout: Duration) {
        let Some(shard) = self.shards.get(connection.shard) else { return };
        let mut idle = shard.lock();
        // What idled longest dies first, at the front.
        while idle.front().is_some_and(Connection::is_closed) {
            idle.pop_front();
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
        if self.idle.fetch_add(1, Ordering::Relaxed) >= MAX_IDLE {
            self.idle.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        connection.rest(timeout);
        idle.push_back(connection);
    }
}
