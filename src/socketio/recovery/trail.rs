//! What is to be known of a connected socket so that it can come back.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::sessions::{Life, Remains};
use super::{Log, Offset, Stays};
use crate::engineio::Parcel;

/// What is to be known of a connected socket so that it can come back. Its `pid` is a secret: nothing
/// here can be printed.
pub(in crate::socketio) struct Trail {
    pid: Arc<str>,
    life: Life,
    /// The client has everything that is not behind this.
    base: Offset,
    stays: Stays,
    /// Dropped when the last work of this life is done.
    done: Option<oneshot::Sender<()>>,
    finished: Option<oneshot::Receiver<()>>,
    /// Resolves when the last work of the life before is done.
    previous: Option<oneshot::Receiver<()>>,
    recovered: bool,
}

impl Trail {
    /// That of a client that is new.
    pub(super) fn new(pid: Arc<str>, life: Life) -> Trail {
        let (done, finished) = oneshot::channel();
        let (done, finished) = (Some(done), Some(finished));
        let (base, stays) = (Offset::default(), Stays::default());
        Trail { pid, life, base, stays, done, finished, previous: None, recovered: false }
    }

    /// That of a client that has come back and has everything up to `since`.
    pub(super) fn resume(
        pid: Arc<str>,
        life: Life,
        since: Offset,
        stays: Stays,
        previous: Option<oneshot::Receiver<()>>,
    ) -> Trail {
        Trail { base: since, stays, previous, recovered: true, ..Trail::new(pid, life) }
    }

    pub(in crate::socketio) fn pid(&self) -> Arc<str> {
        self.pid.clone()
    }

    pub(super) fn name(&self) -> (Arc<str>, Life) {
        (self.pid.clone(), self.life)
    }

    pub(in crate::socketio) fn join(&mut self, room: &Arc<str>, log: &Log) {
        self.stays.join(room, log.last());
    }

    pub(in crate::socketio) fn leave(&mut self, room: &str, log: &Log) {
        self.stays.leave(room, log.last(), log.floor());
    }

    /// The socket connects now: what it is to be sent before its CONNECT packet. `None` when that is
    /// not all there any more.
    pub(in crate::socketio) fn enter(
        &mut self,
        namespace: &str,
        id: &str,
        log: Option<&Log>,
    ) -> Option<Vec<Parcel>> {
        if self.recovered {
            return log?.missed(namespace, id, &self.stays, self.base);
        }
        self.base = log.map(Log::last).unwrap_or_default();
        Some(Vec::new())
    }

    /// What the work of the life before is to be waited for by.
    pub(in crate::socketio) fn previous(&mut self) -> Option<oneshot::Receiver<()>> {
        self.previous.take()
    }

    /// The last work of this life is done.
    pub(in crate::socketio) fn finish(&mut self) {
        self.done = None;
    }

    pub(super) fn leave_behind(
        &mut self,
        id: Arc<str>,
        state: Map<String, Value>,
        next_ack: u64,
        confirmed: Offset,
    ) -> Remains {
        let (stays, finished) = (std::mem::take(&mut self.stays), self.finished.take());
        Remains { id, stays, state, next_ack, base: self.base, confirmed, finished }
    }
}
