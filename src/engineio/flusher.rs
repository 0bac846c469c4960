//! Writing after the turn: what one pass over a worker's ready tasks queues for its WebSockets is
//! written when they have all had their say, by one task. Events that follow one another closely
//! leave in one write, and another worker is woken once and not for each of its clients.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

use super::outlet::{Frames, Outlet, Written};
use super::session::{Session, State};

/// Sessions that are written before the worker looks for other work.
const TURN: usize = 256;

/// Frames whose room a worker keeps for the next session and the next turn.
const ROOM: usize = 256;

/// Bytes of frames moved from a queue at once.
pub(super) const BATCH: usize = 64 * 1024;

/// Who has to be told, with nothing locked, that a session has something to write.
#[derive(Debug)]
pub(super) enum Writer {
    /// Nobody, or somebody who knows.
    Nobody,
    /// A pending GET, or the WebSocket's task.
    Task(Waker),
    /// The WebSocket's flusher.
    Flusher,
}

/// Writes for the WebSockets of one worker thread.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    /// Sessions marked by other threads.
    inbox: Mutex<Vec<Arc<Session>>>,
    news: Notify,
    /// Its runtime has ended.
    over: AtomicBool,
}

/// A worker thread's notes of the sessions marked in this turn, by their flushers.
struct Desk {
    own: Arc<Flusher>,
    marked: Vec<(Arc<Flusher>, Vec<Arc<Session>>)>,
}

thread_local! {
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

impl Flusher {
    /// The flusher of this thread. None where tasks may move to other threads.
    pub(super) fn here() -> Option<Arc<Flusher>> {
        DESK.with_borrow_mut(|desk| {
            if let Some(desk) = desk.as_ref().filter(|desk| !desk.own.is_over()) {
                return Some(desk.own.clone());
            }
            let runtime = Handle::try_current().ok()?;
            if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
                return None;
            }
            let own = Arc::new(Flusher::default());
            runtime.spawn(Running(own.clone()).run());
            *desk = Some(Desk { own: own.clone(), marked: Vec::new() });
            Some(own)
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn inbox(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the session is written after this turn.
    fn mark(self: &Arc<Self>, session: &Arc<Session>) {
        DESK.with_borrow_mut(|desk| match desk.as_mut().filter(|desk| !desk.own.is_over()) {
            Some(desk) => desk.mark(self, session),
            None => self.post(&mut vec![session.clone()]),
        });
    }

    /// Hands over sessions that another thread has marked.
    fn post(&self, sessions: &mut Vec<Arc<Session>>) {
        {
            let mut inbox = self.inbox();
            if self.is_over() {
                return;
            }
            inbox.append(sessions);
        }
        self.news.notify_one();
    }
}

impl Desk {
    fn mark(&mut self, flusher: &Arc<Flusher>, session: &Arc<Session>) {
        if self.marked.iter().all(|(_, sessions)| sessions.is_empty()) {
            self.own.news.notify_one();
        }
        match self.marked.iter_mut().find(|(other, _)| Arc::ptr_eq(other, flusher)) {
            Some((_, sessions)) => sessions.push(session.clone()),
            None => self.marked.push((flusher.clone(), vec![session.clone()])),
        }
    }

    /// Ends the turn: others get theirs, so that they begin at once; `sessions` gets our own.
    fn settle(&mut self, sessions: &mut Vec<Arc<Session>>) {
        for (flusher, marked) in self.marked.iter_mut().filter(|(_, marked)| !marked.is_empty()) {
            if Arc::ptr_eq(flusher, &self.own) {
                sessions.append(marked);
            } else {
                flusher.post(marked);
            }
        }
        self.marked.retain(|(flusher, _)| !flusher.is_over());
    }
}

/// A flusher's task; tells of its end, also when its runtime ends it.
struct Running(Arc<Flusher>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
        // Not under the lock: a session's end may mark others.
        let left = std::mem::take(&mut *self.0.inbox());
        drop(left);
    }
}

impl Running {
    async fn run(self) {
        let (mut sessions, mut room) = (Vec::new(), Frames::default());
        loop {
            self.0.news.notified().await;
            DESK.with_borrow_mut(|desk| desk.iter_mut().for_each(|desk| desk.settle(&mut sessions)));
            sessions.append(&mut self.0.inbox());
            let mut left = sessions.drain(..);
            loop {
                left.by_ref().take(TURN).for_each(|session| session.flush(&mut room));
                if left.len() == 0 {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(left);
            sessions.shrink_to(TURN);
            room.shrink(ROOM);
        }
    }
}

impl State {
    /// Who has to be told that there is something to write.
    pub(super) fn writer(&mut self) -> Writer {
        match (&self.outlet, self.marked) {
            (None, _) => self.writer.take().map_or(Writer::Nobody, Writer::Task),
            (Some(_), true) => Writer::Nobody,
            (Some(_), false) => {
                self.marked = true;
                Writer::Flusher
            }
        }
    }

    /// Notes whom to wake for writing.
    pub(super) fn written_by(&mut self, cx: &Context<'_>) {
        if !self.writer.as_ref().is_some_and(|writer| writer.will_wake(cx.waker())) {
            self.writer = Some(cx.waker().clone());
        }
    }
}

impl Session {
    /// Tells whoever writes that there is something to write.
    pub(super) fn call(self: &Arc<Self>, writer: Writer) {
        match (writer, self.flusher.get()) {
            (Writer::Nobody, _) | (Writer::Flusher, None) => {}
            (Writer::Task(waker), _) => waker.wake(),
            (Writer::Flusher, Some(flusher)) => flusher.mark(self),
        }
    }

    /// Whether the flusher writes what the session has to write, and its task may rest; and then whether
    /// so much is being handled that nothing may be read.
    pub(super) fn leave_to_flusher(&self, cx: &Context<'_>) -> Option<bool> {
        let mut state = self.state();
        if state.outlet.is_none() || !(state.marked || state.queue.is_empty()) {
            return None;
        }
        state.written_by(cx);
        Some(state.is_deaf(self.options(), cx))
    }

    /// Writes what is queued, with `room` for its frames. Whatever hinders it is left to the session's own
    /// task.
    fn flush(&self, room: &mut Frames) {
        let outlet = {
            let mut state = self.state();
            state.marked = false;
            state.outlet.clone()
        };
        if let Some(outlet) = outlet
            && !self.write_to(&outlet, room)
        {
            let writer = {
                let mut state = self.state();
                state.outlet = None;
                state.writer.take()
            };
            writer.into_iter().for_each(Waker::wake);
        }
    }

    /// False where the session's own task has to go on.
    fn write_to(&self, outlet: &Outlet, room: &mut Frames) -> bool {
        let Some(mut frames) = outlet.try_frames() else { return false };
        if frames.is_empty() {
            std::mem::swap(&mut *frames, room);
        }
        loop {
            {
                let mut state = self.state();
                // Whoever ended it has woken its task, which sends what is left.
                if state.ended.is_some() {
                    return true;
                }
                state.queue.take(BATCH, |frame| self.dialect.websocket(frame, |bytes| frames.push(bytes)));
            }
            if !matches!(outlet.write(&mut frames), Ok(Written::All)) {
                return false;
            }
            let mut state = self.state();
            state.queue.written();
            if state.queue.is_empty() {
                std::mem::swap(&mut *frames, room);
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_one_flusher_for_each_runtime() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime();
        let (one, same) = first.block_on(async { (Flusher::here().unwrap(), Flusher::here().unwrap()) });
        assert!(Arc::ptr_eq(&one, &same));
        drop(first);
        assert!(one.is_over(), "its task ended with the runtime");
        let other = runtime().block_on(async { Flusher::here().unwrap() });
        assert!(!Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn sessions_whose_tasks_move_between_threads_have_none() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert!(runtime.block_on(async { Flusher::here().is_none() }));
        assert!(Flusher::here().is_none(), "nor does a thread without a runtime");
    }
}
