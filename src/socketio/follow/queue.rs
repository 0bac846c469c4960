//! What waits for a follower, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Moment, What, Whose};
use crate::telemetry::metrics;

/// What waits for a follower.
#[derive(Debug)]
pub(super) struct Queue {
    max: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    moments: VecDeque<(Moment, usize)>,
    bytes: usize,
    /// What did not fit since the last that did.
    lost: u64,
    closed: bool,
    reader: Option<Waker>,
}

impl Queue {
    pub(super) fn new(max: usize) -> Queue {
        Queue { max, waiting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what happened now, or counts it as lost where it does not fit. It is not even made where nothing fits.
    pub(super) fn push(&self, whose: &Whose, make: impl FnOnce() -> Option<What>) {
        if !self.has_room(size_of::<Moment>()) {
            return;
        }
        let Some(what) = make() else { return };
        if !self.has_room(what.size()) {
            return;
        }
        let reader = {
            let mut waiting = self.lock();
            waiting.add(Some(whose.clone()), what);
            waiting.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// Whether so many bytes fit; where they do not, what they would have been is lost.
    fn has_room(&self, bytes: usize) -> bool {
        let mut waiting = self.lock();
        let fits = waiting.bytes + bytes <= self.max;
        if !fits && !waiting.closed {
            waiting.lost += 1;
            metrics::follow_lost();
        }
        fits && !waiting.closed
    }

    /// Nothing happens after this; `last` always fits.
    pub(super) fn close(&self, last: Option<(Whose, What)>) {
        let reader = {
            let mut waiting = self.lock();
            if std::mem::replace(&mut waiting.closed, true) {
                return;
            }
            last.into_iter().for_each(|(whose, last)| waiting.add(Some(whose), last));
            waiting.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// The next that happened; `None` after the last.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Moment>> {
        let mut waiting = self.lock();
        if let Some((moment, size)) = waiting.moments.pop_front() {
            waiting.bytes -= size;
            return Poll::Ready(Some(moment));
        }
        if let Some(lost) = waiting.take_lost() {
            return Poll::Ready(Some(now(None, lost)));
        }
        if waiting.closed {
            return Poll::Ready(None);
        }
        waiting.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Waiting {
    /// Adds it behind what was lost before it.
    fn add(&mut self, whose: Option<Whose>, what: What) {
        let lost = self.take_lost().map(|lost| (None, lost));
        for (whose, what) in lost.into_iter().chain([(whose, what)]) {
            let size = what.size();
            self.bytes += size;
            self.moments.push_back((now(whose, what), size));
        }
    }

    fn take_lost(&mut self) -> Option<What> {
        let count = std::mem::take(&mut self.lost);
        (count > 0).then_some(What::Lost { count })
    }
}

fn now(whose: Option<Whose>, what: What) -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { time: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), whose, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(queue: &Queue) -> Option<String> {
        match queue.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(moment)) => Some(serde_json::to_string(&moment.what).unwrap()),
            Poll::Ready(None) => Some("end".into()),
            Poll::Pending => None,
        }
    }

    fn joined(room: &str) -> What {
        What::Joined { room: room.into() }
    }

    fn whose() -> Whose {
        Whose { socket: "s".into(), namespace: "/".into() }
    }

    fn push(queue: &Queue, room: &str) {
        queue.push(&whose(), || Some(joined(room)));
    }

    #[test]
    fn what_does_not_fit_is_counted_in_its_place() {
        let queue = Queue::new(2 * joined("a").size());
        ["a", "b", "c", "d"].iter().for_each(|room| push(&queue, room));
        assert_eq!(next(&queue).unwrap(), r#"{"type":"joined","room":"a"}"#);
        push(&queue, "e");
        assert_eq!(next(&queue).unwrap(), r#"{"type":"joined","room":"b"}"#);
        assert_eq!(next(&queue).unwrap(), r#"{"type":"lost","count":2}"#);
        assert_eq!(next(&queue).unwrap(), r#"{"type":"joined","room":"e"}"#);
        assert_eq!(next(&queue), None);
    }

    #[test]
    fn what_was_lost_last_is_told_before_the_end() {
        let queue = Queue::new(joined("a").size());
        ["a", "b"].iter().for_each(|room| push(&queue, room));
        let last = What::Disconnected { reason: "transport close", rooms: Vec::new() };
        queue.close(Some((whose(), last)));
        push(&queue, "c");
        assert_eq!(next(&queue).unwrap(), r#"{"type":"joined","room":"a"}"#);
        assert_eq!(next(&queue).unwrap(), r#"{"type":"lost","count":1}"#);
        assert_eq!(next(&queue).unwrap(), r#"{"type":"disconnected","reason":"transport close"}"#);
        assert_eq!(next(&queue).unwrap(), "end");
        assert_eq!(next(&queue).unwrap(), "end");
    }
}
