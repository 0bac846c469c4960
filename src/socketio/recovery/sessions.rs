//! Who may come back: sockets that are connected, and what is left of those that were.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Remains;
use crate::socketio::Socket;
use crate::telemetry::metrics;

/// One connection's worth of a socket's life: who comes back under the same `pid` begins another.
pub(in crate::socketio) type Life = u64;

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
    /// Another node has it by now: it is kept for that one to ask for.
    taken: bool,
}

enum Place {
    Connected(Weak<Socket>),
    Gone(Instant, Box<Remains>),
}

/// Who wants what is left of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The client itself, back on this node.
    Client,
    /// The node that it has come back to.
    Node,
}

/// What a `pid` stands for.
pub(super) enum Found {
    Nobody,
    /// Its connection is believed to be alive.
    Connected(Life, Weak<Socket>),
    Gone(Life, Box<Remains>),
}

/// What is seen of one without taking it.
pub(super) enum Seen<T> {
    Nobody,
    Connected(Weak<Socket>),
    Gone(T),
}

impl Sessions {
    /// Nobody.
    pub(super) fn new(max: usize, time: Duration) -> Sessions {
        Sessions { max, time, lives: 0, entries: HashMap::new(), gone: BTreeMap::new() }
    }

    pub(super) fn set_bounds(&mut self, max: usize, time: Duration) {
        (self.max, self.time) = (max, time);
    }

    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// A number for a new connection.
    pub(super) fn begin(&mut self) -> Life {
        self.begin_after(0)
    }

    /// The same for one whose client had that life before, perhaps on another node.
    pub(super) fn begin_after(&mut self, life: Life) -> Life {
        self.lives = self.lives.max(life) + 1;
        self.lives
    }

    /// Everybody who may come back.
    pub(super) fn all(&self) -> Vec<Arc<str>> {
        self.entries.keys().cloned().collect()
    }

    /// What is known of somebody who is gone, or the socket of somebody who is not.
    pub(super) fn see<T>(&self, pid: &str, gone: impl FnOnce(&Arc<str>, Life, &Remains) -> T) -> Seen<T> {
        match self.entries.get(pid) {
            None => Seen::Nobody,
            Some(Entry { place: Place::Connected(socket), .. }) => Seen::Connected(socket.clone()),
            Some(Entry { place: Place::Gone(_, remains), namespace, life, .. }) => {
                Seen::Gone(gone(namespace, *life, remains))
            }
        }
    }

    /// The socket is connected.
    pub(super) fn connected(
        &mut self,
        pid: &Arc<str>,
        life: Life,
        namespace: &Arc<str>,
        socket: Weak<Socket>,
    ) {
        let entry =
            Entry { life, namespace: namespace.clone(), place: Place::Connected(socket), taken: false };
        self.entries.insert(pid.clone(), entry);
    }

    /// The socket's connection ended and it may come back. Does nothing if somebody else has taken
    /// its place meanwhile. Answers who is forgotten for that.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        pid: &Arc<str>,
        life: Life,
        remains: impl FnOnce() -> Remains,
    ) -> Vec<Arc<str>> {
        let mut forgotten = Vec::new();
        self.expire(now);
        let Some(entry) = self.entries.get_mut(pid).filter(|entry| entry.life == life) else {
            return forgotten;
        };
        if matches!(entry.place, Place::Gone(..)) {
            return forgotten;
        }
        let until = now + self.time;
        entry.place = Place::Gone(until, Box::new(remains()));
        self.gone.insert((until, life), pid.clone());
        while self.gone.len() > self.max
            && let Some((_, pid)) = self.gone.pop_first()
        {
            metrics::refused("socketio.recovery.max_sessions");
            self.entries.remove(&pid);
            forgotten.push(pid);
        }
        self.count();
        forgotten
    }

    /// Takes what there is of a client that comes back: at most once for each connection it had.
    /// What another node has taken is for that one alone.
    pub(super) fn take(&mut self, now: Instant, (namespace, pid): (&str, &str), asker: Asker) -> Found {
        self.expire(now);
        let may = |entry: &Entry| asker == Asker::Node || !entry.taken;
        let fits = |entry: &&Entry| *entry.namespace == *namespace && may(entry);
        let Some(entry) = self.entries.get(pid).filter(fits) else {
            return Found::Nobody;
        };
        let life = entry.life;
        match self.remove(pid, life) {
            Some(Place::Connected(socket)) => Found::Connected(life, socket),
            Some(Place::Gone(_, remains)) => Found::Gone(life, remains),
            None => Found::Nobody,
        }
    }

    /// Another node has taken who had this life.
    pub(super) fn note_taken(&mut self, pid: &str, life: Life) {
        if let Some(entry) = self.entries.get_mut(pid).filter(|entry| entry.life == life) {
            entry.taken = true;
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
