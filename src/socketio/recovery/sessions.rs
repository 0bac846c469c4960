//! Who may come back: sockets that are connected, and what is left of those that were.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{Log, Offset, Stays};
use crate::socketio::Socket;
use crate::telemetry::metrics;

/// One connection's worth of a socket's life: who comes back under the same `pid` begins another.
pub(in crate::socketio) type Life = u64;

/// What is left of a socket whose connection ended.
#[derive(Default)]
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
    /// Resolves when the last work of the connection that ended is done.
    pub(in crate::socketio) finished: Option<oneshot::Receiver<()>>,
}

impl Remains {
    /// From where on the client is to be told what it missed; `None` when the log does not reach back.
    ///
    /// The client's offset counts where it is one. Without one it has received no event at all, or
    /// none since before `base`. One that is not ours, or too old, gives way to what is known.
    pub(super) fn since(&self, log: &Log, offset: Option<&str>) -> Option<Offset> {
        let reach = log.floor().max(self.stays.known_after());
        let given = match offset.map(Offset::parse) {
            None => self.base,
            Some(Some(offset)) if offset <= log.last() => offset.max(self.base),
            Some(_) => self.confirmed.max(self.base),
        };
        let since = if given < reach { given.max(self.confirmed) } else { given };
        (since >= reach).then_some(since)
    }
}

/// Who may come back, by `pid`, which is a secret: nothing here can be printed. Those that are gone are bounded in number and in time; the connected
/// ones are as many as there are sockets.
pub(in crate::socketio) struct Sessions {
    max: usize,
    time: Duration,
    lives: Life,
    entries: HashMap<Arc<str>, Entry>,
    /// Those that are gone, by the end of their time.
    gone: BTreeMap<(Instant, Life), Arc<str>>,
}

struct Entry {
    life: Life,
    namespace: Arc<str>,
    place: Place,
}

enum Place {
    Connected(Weak<Socket>),
    Gone(Instant, Box<Remains>),
}

/// What a `pid` stands for.
pub(super) enum Found {
    Nobody,
    /// Its connection is believed to be alive.
    Connected(Weak<Socket>),
    Gone(Box<Remains>),
}

impl Sessions {
    /// Nobody.
    pub(super) fn new(max: usize, time: Duration) -> Sessions {
        Sessions { max, time, lives: 0, entries: HashMap::new(), gone: BTreeMap::new() }
    }

    pub(super) fn set_bounds(&mut self, max: usize, time: Duration) {
        (self.max, self.time) = (max, time);
    }

    /// A number for a new connection.
    pub(super) fn begin(&mut self) -> Life {
        self.lives += 1;
        self.lives
    }

    /// The socket is connected.
    pub(super) fn connected(
        &mut self,
        pid: &Arc<str>,
        life: Life,
        namespace: &Arc<str>,
        socket: Weak<Socket>,
    ) {
        let entry = Entry { life, namespace: namespace.clone(), place: Place::Connected(socket) };
        self.entries.insert(pid.clone(), entry);
    }

    /// The socket's connection ended and it may come back. Does nothing if somebody else has taken
    /// its place meanwhile.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        pid: &Arc<str>,
        life: Life,
        remains: impl FnOnce() -> Remains,
    ) {
        self.expire(now);
        let Some(entry) = self.entries.get_mut(pid).filter(|entry| entry.life == life) else { return };
        if matches!(entry.place, Place::Gone(..)) {
            return;
        }
        let until = now + self.time;
        entry.place = Place::Gone(until, Box::new(remains()));
        self.gone.insert((until, life), pid.clone());
        while self.gone.len() > self.max
            && let Some((_, pid)) = self.gone.pop_first()
        {
            metrics::refused("socketio.recovery.max_sessions");
            self.entries.remove(&pid);
        }
        self.count();
    }

    /// Takes what there is of a client that comes back: at most once for each connection it had.
    pub(super) fn take(&mut self, now: Instant, pid: &str, namespace: &str) -> Found {
        self.expire(now);
        let Some(entry) = self.entries.get(pid).filter(|entry| *entry.namespace == *namespace) else {
            return Found::Nobody;
        };
        let life = entry.life;
        match self.remove(pid, life) {
            Some(Place::Connected(socket)) => Found::Connected(socket),
            Some(Place::Gone(_, remains)) => Found::Gone(remains),
            None => Found::Nobody,
        }
    }

    /// The socket may not come back.
    pub(super) fn forget(&mut self, pid: &str, life: Life) {
        self.remove(pid, life);
    }

    fn remove(&mut self, pid: &str, life: Life) -> Option<Place> {
        self.entries.get(pid).filter(|entry| entry.life == life)?;
        let place = self.entries.remove(pid)?.place;
        if let Place::Gone(until, _) = &place {
            self.gone.remove(&(*until, life));
            self.count();
        }
        Some(place)
    }

    /// Forgets those whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let mut any = false;
        while let Some(first) = self.gone.first_entry().filter(|first| first.key().0 <= now) {
            self.entries.remove(&first.remove());
            any = true;
        }
        if any {
            self.count();
        }
    }

    /// Forgets everybody.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.gone.clear();
        self.count();
    }

    fn count(&self) {
        metrics::recovery_sessions(self.gone.len() as f64);
    }
}
