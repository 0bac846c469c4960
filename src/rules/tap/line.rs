//! The work of taps: done in the order in which answers were complete, and never before the answer
//! itself has gone on to its client.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something to do later.
type Work = Box<dyn FnOnce() + Send>;

/// What is to be done, one after the other: who was answered and asks for something else must find done
/// what the first answer meant, whatever the paths.
#[derive(Debug)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    /// Bytes of the bodies that wait, and most that may.
    bytes: AtomicUsize,
    max: usize,
}

#[derive(Default)]
struct Waiting {
    works: VecDeque<(usize, Work)>,
    /// Whether a task is at work.
    working: bool,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("works", &self.works.len()).finish_non_exhaustive()
    }
}

/// More waits than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Line {
    /// One that lets `max` bytes of bodies wait.
    pub(super) fn new(max: usize) -> Line {
        Line { waiting: Mutex::default(), bytes: AtomicUsize::new(0), max }
    }

    /// Does `work` behind what waits. `bytes` are the bodies that it holds.
    pub(super) fn add(self: &Arc<Self>, bytes: usize, work: Work) -> Result<(), Full> {
        // One alone is always let in: a tap may look at more than may wait.
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) > self.max.saturating_sub(bytes.min(self.max)) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        }
        let idle = {
            let mut waiting = self.waiting();
            waiting.works.push_back((bytes, work));
            !std::mem::replace(&mut waiting.working, true)
        };
        if idle {
            tokio::spawn(Shift(Arc::clone(self)).work());
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work that waits, to its end.
struct Shift(Arc<Line>);

impl Shift {
    async fn work(self) {
        while let Some((bytes, work)) = self.next() {
            self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
            work();
            // Others of this thread come first: a crowd of answers is no reason to let them wait.
            tokio::task::yield_now().await;
        }
    }

    fn next(&self) -> Option<(usize, Work)> {
        let mut waiting = self.0.waiting();
        let next = waiting.works.pop_front();
        waiting.working = next.is_some();
        next
    }
}

impl Drop for Shift {
    /// Work that panics ends the shift; the next one that comes begins another.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.waiting().working = false;
        }
    }
}
