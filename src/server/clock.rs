//! Where a client connection stands, and since when: what its timeouts are judged by.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Options;

/// Phases, in the two low bits of [`Clock::phase`].
const HEAD: u64 = 0;
const BUSY: u64 = 1;
const IDLE: u64 = 2;

/// Notes of a connection's socket, its requests and its responses. The connection's one timer looks
/// at them now and then; nothing is armed for a single request.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Milliseconds since the start, and which phase began then.
    phase: AtomicU64,
    /// Milliseconds since the start, plus one, since the socket takes no bytes; 0 while it does.
    blocked: AtomicU64,
    /// Whether a request's body was left before its end.
    unread: AtomicBool,
}

impl Clock {
    /// A new connection: its first head is awaited.
    pub(super) fn start() -> Clock {
        Clock {
            start: Instant::now(),
            phase: AtomicU64::new(HEAD),
            blocked: AtomicU64::new(0),
            unread: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2)
    }

    /// Bytes came. On an idle connection they begin the next head.
    pub(super) fn read(&self) {
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
            self.answered();
        }
    }

    /// A head is complete, so whatever was left of the body before it has been read.
    pub(super) fn request(&self) {
        self.unread.store(false, Ordering::Relaxed);
        self.phase.store(BUSY, Ordering::Relaxed);
    }

    /// A response's body is over.
    pub(super) fn answered(&self) {
        self.phase.store(self.now() << 2 | IDLE, Ordering::Relaxed);
    }

    /// A request's body was left before its end.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
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
