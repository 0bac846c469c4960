//! What another node is to know of a client so that it can come back there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::sessions::Life;
use super::{Log, Offset, Stays};

/// Nodes that a client was on last, of which it may have more than the node that it comes to.
const MAX_AHEAD: usize = 8;

/// What is left of a socket whose connection ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::socketio) struct Remains {
    pub(in crate::socketio) id: Arc<str>,
    pub(in crate::socketio) stays: Stays,
    pub(in crate::socketio) state: Map<String, Value>,
    /// The next ack id, so that a late ack from before is not taken for another.
    pub(in crate::socketio) next_ack: u64,
    /// The client has what is not behind this: by its own word, or because it is new.
    pub(in crate::socketio) base: Offset,
    /// It has what is not behind this, because it answered a ping that was sent later.
    pub(in crate::socketio) confirmed: Offset,
    /// The tag of the node that the connection was on.
    pub(in crate::socketio) node: u64,
    /// Where the client was when it came back: it has what is not behind these either.
    pub(in crate::socketio) has: Vec<Offset>,
    /// Resolves when the last work of the connection that ended is done.
    #[serde(skip)]
    pub(in crate::socketio) finished: Option<oneshot::Receiver<()>>,
}

impl Remains {
    /// From where on the client is to be told what it missed; `None` when the log does not reach back.
    ///
    /// The client's offset counts where it is one. Without one it has received no event at all, or
    /// none since before `base`. One that is not ours, or too old, gives way to what is known.
    pub(super) fn since(&self, log: &Log, offset: Option<&str>) -> Option<Offset> {
        let reaches = |offset: Offset| log.reaches(offset) && offset >= self.stays.known_after();
        let given = match offset.map(Offset::parse) {
            None => self.base,
            Some(Some(offset)) if log.knows(offset) && offset.node == self.node => {
                if self.base.node == offset.node { offset.max(self.base) } else { offset }
            }
            Some(Some(offset)) if offset == self.base => offset,
            Some(_) => self.confirmed.max(self.base),
        };
        let since = if reaches(given) { given } else { given.max(self.confirmed) };
        reaches(since).then_some(since)
    }

    /// The same for somebody else to read.
    pub(super) fn copy(&self) -> Remains {
        let Remains { id, stays, state, next_ack, base, confirmed, node, has, finished: _ } = self;
        let (id, stays, state, has) = (id.clone(), stays.clone(), state.clone(), has.clone());
        let (next_ack, base, confirmed, node) = (*next_ack, *base, *confirmed, *node);
        Remains { id, stays, state, next_ack, base, confirmed, node, has, finished: None }
    }

    /// Notes what the client, who is at `since`, has whatever its later offsets say: they are places in other nodes'
    /// logs, where it may come later.
    pub(super) fn note_ahead(&mut self, log: &mut Log, since: Offset) {
        match self.has.iter_mut().find(|had| had.node == since.node) {
            Some(had) => *had = since.max(*had),
            None => self.has.push(since),
        }
        let surplus = self.has.len().saturating_sub(MAX_AHEAD);
        self.has.drain(..surplus);
        self.has.iter().for_each(|had| log.note_ahead(had.node, had.own));
    }
}

/// What another node is to know of a client so that it can come back there. It holds what rules remember of it,
/// and no credentials.
#[derive(Debug, Serialize, Deserialize)]
pub struct Past {
    pub(in crate::socketio) namespace: Arc<str>,
    pub(in crate::socketio) life: Life,
    #[serde(flatten)]
    pub(in crate::socketio) remains: Remains,
    #[serde(skip)]
    pub(in crate::socketio) connected: bool,
}

impl Past {
    /// Counts the lives of the client: what is of an earlier one counts for nothing.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// Whether its connection is believed to be alive.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Namespace and id of its socket.
    pub fn socket(&self) -> (&str, &str) {
        (&self.namespace, &self.remains.id)
    }
}
