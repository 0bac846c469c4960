//! The work of taps: done in the order in which answers were complete, and never before the answer
//! itself has gone on to its client.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers to requests of one path are in one lane and keep their order; lanes do not wait for one
/// another.
const LANES: usize = 16;

/// Something to do later.
type Work = Box<dyn FnOnce() + Send>;

/// What is to be done, and by whom.
#[derive(Debug)]
pub(super) struct Line {
    lanes: [Mutex<Lane>; LANES],
    /// Bytes of the bodies that wait, and most that may.
    bytes: AtomicUsize,
    max: usize,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<(usize, Work)>,
    /// Whether a task is at work for it.
    working: bool,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

/// More waits than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Line {
    /// One that lets `max` bytes of bodies wait.
    pub(super) fn new(max: usize) -> Line {
        Line { lanes: Default::default(), bytes: AtomicUsize::new(0), max }
    }

    /// Does `work` behind what waits for the same `path`. `bytes` are the bodies that it holds.
    pub(super) fn add(self: &Arc<Self>, path: &str, bytes: usize, work: Work) -> Result<(), Full> {
        // One alone is always let in: a tap may look at more than may wait.
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) > self.max.saturating_sub(bytes.min(self.max)) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        }
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        let idle = {
            let mut lane = self.lane(place);
            lane.waiting.push_back((bytes, work));
            !std::mem::replace(&mut lane.working, true)
        };
        if idle {
            tokio::spawn(Shift { line: Arc::clone(self), place }.work());
        }
        Ok(())
    }

    #[expect(clippy::indexing_slicing, reason = "places are below LANES")]
    fn lane(&self, place: usize) -> MutexGuard<'_, Lane> {
        self.lanes[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of one lane, to its end.
struct Shift {
    line: Arc<Line>,
    place: usize,
}

impl Shift {
    async fn work(self) {
        while let Some((bytes, work)) = self.next() {
            self.line.bytes.fetch_sub(bytes, Ordering::Relaxed);
            work();
            // Others of this thread come first: a crowd of answers is no reason to let them wait.
            tokio::task::yield_now().await;
        }
    }

    fn next(&self) -> Option<(usize, Work)> {
        let mut lane = self.line.lane(self.place);
        let next = lane.waiting.pop_front();
        lane.working = next.is_some();
        next
    }
}

impl Drop for Shift {
    /// Work that panics ends the shift; the next one that comes begins another.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.line.lane(self.place).working = false;
        }
    }
}
