//! What is to be known of a connected socket so that it can come back.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::sessions::Life;
use super::{Log, Offset, Place, Remains, Stays};
use crate::engineio::Parcel;

/// What is to be known of a connected socket so that it can come back. Its `pid` is a secret: nothing
/// here can be printed.
pub(in crate::socketio) struct Trail {
    pid: Arc<str>,
    life: Life,
    /// The client has everything that is not behind this.
    base: Offset,
    stays: Stays,
    /// What it has of other nodes beyond that.
    has: Vec<Offset>,
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
        Trail { pid, life, base, stays, has: Vec::new(), done, finished, previous: None, recovered: false }
    }

    /// That of a client that has come back and has everything up to `since`.
    pub(super) fn resume(pid: Arc<str>, life: Life, since: Offset, remains: &mut Remains) -> Trail {
        let (stays, has) = (std::mem::take(&mut remains.stays), std::mem::take(&mut remains.has));
        let previous = remains.finished.take();
        Trail { base: since, stays, has, previous, recovered: true, ..Trail::new(pid, life) }
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
            return log?.missed((namespace, id), &self.stays, self.base, &self.has);
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

    /// Whether the client has this event already, from another node.
    pub(in crate::socketio) fn has(&self, place: Place) -> bool {
        self.has.iter().any(|had| had.node == place.node && place.number <= had.own)
    }

    /// What is left of the socket, or would be if its connection ended now.
    pub(super) fn remains(&self, socket: Remains) -> Remains {
        Remains { stays: self.stays.clone(), base: self.base, has: self.has.clone(), ..socket }
    }

    /// Resolves when the last work of this life is done.
    pub(super) fn finished(&mut self) -> Option<oneshot::Receiver<()>> {
        self.finished.take()
    }
}
