//! Where a client connection stands, and since when: what its timeouts are judged by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Options;

/// Phases, in the two low bits of [`Clock::phase`].
const HEAD: u64 = 0;
const BUSY: u64 = 1;
const IDLE: u64 = 2;

/// Requests that a client may cancel before their response, in [`RESETS_IN`], while they are more than
/// half of all: what a browser cancels when its page is left stays below (CVE-2023-44487).
const MAX_RESETS: u32 = 100;
const RESETS_IN: u64 = 10_000;

/// Notes of a connection's socket, its requests and its responses. The connection's one timer looks
/// at them now and then; nothing is armed for a single request.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Whether requests come beside one another: HTTP/2. Bytes then say nothing of a head.
    multiplexed: bool,
    /// Milliseconds since the start, and which phase began then.
    phase: AtomicU64,
    /// Milliseconds since the start, plus one, since the socket takes no bytes; 0 while it does.
    blocked: AtomicU64,
    /// Requests whose responses are not over.
    turns: AtomicU32,
    resets: Resets,
}

/// Requests since `since` (milliseconds), and those among them that were cancelled before their response.
#[derive(Debug, Default)]
struct Resets {
    since: AtomicU64,
    requests: AtomicU32,
    cancelled: AtomicU32,
    flooded: AtomicBool,
}

impl Clock {
    /// A new HTTP/1 connection, accepted at `start`: its first head is awaited.
    pub(super) fn start(start: Instant) -> Clock {
        Clock {
            start,
            multiplexed: false,
            phase: AtomicU64::new(HEAD),
            blocked: AtomicU64::new(0),
            turns: AtomicU32::new(0),
            resets: Resets::default(),
        }
    }

    /// A new HTTP/2 connection: once its client has said anything it is idle until the first request.
    pub(super) fn start_multiplexed(start: Instant) -> Clock {
        Clock { multiplexed: true, ..Clock::start(start) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }

    /// Bytes came. A client of HTTP/2 that has said anything is idle.
    pub(super) fn read(&self) {
        if self.multiplexed && self.phase.load(Ordering::Relaxed) & 3 == HEAD {
            self.phase.store(self.now() << 2 | IDLE, Ordering::Relaxed);
        }
    }

    /// A head has begun and is not complete: its time runs. Most come whole, and need none.
    pub(super) fn begin_head(&self) {
        if self.phase.load(Ordering::Relaxed) & 3 == IDLE {
            self.phase.store(self.now() << 2 | HEAD, Ordering::Relaxed);
        }
    }

    /// Notes whether the socket took bytes. A response that is over may still be on its way out.
    pub(super) fn wrote(&self, taken: bool) {
        let blocked = self.blocked.load(Ordering::Relaxed) != 0;
        if blocked != taken {
            return;
        }
        self.blocked.store(if taken { 0 } else { self.now() + 1 }, Ordering::Relaxed);
        if taken && self.phase.load(Ordering::Relaxed) & 3 == IDLE {
            self.phase.store(self.now() << 2 | IDLE, Ordering::Relaxed);
        }
    }

    /// A head is complete. The request's turn lasts until its response is over.
    pub(super) fn request(self: &Arc<Clock>) -> Turn {
        self.phase.store(BUSY, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.note_reset(false);
        Turn { clock: Arc::clone(self), answered: false }
    }

    /// Counts a request, or one that was cancelled. A flood is noted and never taken back.
    fn note_reset(&self, cancelled: bool) {
        if !self.multiplexed {
            return;
        }
        let (resets, now) = (&self.resets, self.now());
        if now.saturating_sub(resets.since.load(Ordering::Relaxed)) > RESETS_IN {
            resets.since.store(now, Ordering::Relaxed);
            resets.requests.store(0, Ordering::Relaxed);
            resets.cancelled.store(0, Ordering::Relaxed);
        }
        if !cancelled {
            resets.requests.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let count = resets.cancelled.fetch_add(1, Ordering::Relaxed) + 1;
        if count > MAX_RESETS && count > resets.requests.load(Ordering::Relaxed) / 2 {
            resets.flooded.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the client cancels requests only to make work (rapid reset).
    pub(super) fn is_flooded(&self) -> bool {
        self.resets.flooded.load(Ordering::Relaxed)
    }

    /// How long the connection may go on before it is looked at again; none if its time is over.
    /// Never longer than the timeouts of what may begin meanwhile, so that it is judged in time.
    pub(super) fn left(&self, options: &Options) -> Option<Duration> {
        let phase = self.phase.load(Ordering::Relaxed);
        let since = phase >> 2;
        let left = match (self.blocked.load(Ordering::Relaxed), phase & 3) {
            (0, HEAD) => self.remains(since, options.header_timeout)?,
            (0, IDLE) => self.remains(since, options.idle_timeout)?,
            (0, _) => options.header_timeout,
            (blocked, _) => self.remains(blocked - 1, options.body_timeout)?,
        };
        Some(left.min(options.header_timeout).min(options.body_timeout))
    }

    fn remains(&self, since: u64, limit: Duration) -> Option<Duration> {
        let passed = Duration::from_millis(self.now().saturating_sub(since));
        limit.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

/// A request, from its head to the end of its response.
#[derive(Debug)]
pub(super) struct Turn {
    clock: Arc<Clock>,
    answered: bool,
}

impl Turn {
    /// The response's head is there.
    pub(super) fn answered(mut self) -> Turn {
        self.answered = true;
        self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.answered {
            self.clock.note_reset(true);
        }
        if self.clock.turns.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.clock.phase.store(self.clock.now() << 2 | IDLE, Ordering::Relaxed);
        }
    }
}
