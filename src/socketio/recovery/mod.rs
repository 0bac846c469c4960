//! Connection state recovery (Socket.IO 4.6): a client that comes back within its time finds its id,
//! its rooms and its state, and gets the events it missed, each once and in order.
//!
//! [`Log`] has the events, [`Sessions`] who may come back, a socket's [`Trail`] what is to be known of
//! it for that. While recovery is on, an event's place in the log and its delivery to all queues are
//! one step, and so are joins and leaves: every client gets events in the order of their offsets.
//!
//! With other nodes, every node's log holds the events of all of them, and an [`Origin`] says which is which; a [`Past`] is
//! what another node is to know of a client.
//!
//! Order of locks: log, then a socket's own, then sessions, then a trail. What runs under the log's
//! lock asks nobody outside.

#[cfg(test)]
mod among;
mod confirmed;
mod elsewhere;
mod key;
mod log;
mod offset;
mod options;
mod origin;
mod past;
mod sessions;
mod stays;
mod trail;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::Notify;

pub(super) use confirmed::Confirmed;
pub(super) use key::Key;
pub(super) use log::Log;
pub(super) use offset::Offset;
pub use options::Options;
pub use origin::{Origin, Place};
pub use past::Past;
use past::Remains;
pub use sessions::Asker;
use sessions::{Found, Life, Sessions};
use stays::Stays;
pub(super) use trail::Trail;

use super::Socket;
use super::socket::lock;
use crate::engineio::{Reason, random_id};
use crate::json::Json;
use crate::telemetry::metrics;

/// What a hub has for clients that come back. Costs one look at a flag while it is off.
pub(super) struct Recovery {
    enabled: AtomicBool,
    /// This node's tag; 0 for one without others.
    node: AtomicU64,
    log: Mutex<Log>,
    /// More of other nodes is in the log.
    advanced: Notify,
    sessions: Mutex<Sessions>,
}

/// Who a new socket is: somebody new, or somebody who comes back.
#[derive(Default)]
pub(super) struct Identity {
    pub(super) id: Arc<str>,
    /// None while recovery is off.
    pub(super) trail: Option<Box<Mutex<Trail>>>,
    pub(super) rooms: Vec<Arc<str>>,
    pub(super) state: Map<String, Value>,
    pub(super) next_ack: u64,
    pub(super) recovered: bool,
}

/// Whether a client may come back after this. Whoever left on purpose or broke the protocol begins anew; whoever was told
/// that the server ends too, unless there are `others`.
fn is_recoverable(reason: Reason, others: bool) -> bool {
    match reason {
        Reason::TransportClose
        | Reason::TransportError
        | Reason::PingTimeout
        | Reason::SlowConsumer
        | Reason::ForcedClose
        | Reason::ForcedServerClose => true,
        Reason::ParseError
        | Reason::ClientNamespaceDisconnect
        | Reason::ServerNamespaceDisconnect
        | Reason::NodeLost => false,
        Reason::ServerShuttingDown => others,
    }
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery {
            enabled: AtomicBool::new(false),
            node: AtomicU64::new(0),
            advanced: Notify::new(),
            log: Mutex::new(Log::new(0, std::time::Duration::ZERO)),
            sessions: Mutex::new(Sessions::new(0, std::time::Duration::ZERO)),
        }
    }
}

impl Recovery {
    /// Sets the bounds, and whether anybody may come back at all.
    pub(super) fn set_options(&self, options: &Options) {
        let mut log = lock(&self.log);
        log.set_bounds(options.max_bytes, options.max_age);
        lock(&self.sessions).set_bounds(options.max_sessions, options.max_disconnection);
        self.enabled.store(options.enabled, Ordering::Relaxed);
        if !options.enabled {
            *log = Log::new(0, std::time::Duration::ZERO);
            log.set_node(self.node.load(Ordering::Relaxed));
            lock(&self.sessions).clear();
        }
    }

    /// This node is one of several from now on; `node` is its number.
    pub(super) fn join(&self, node: u64) {
        let node = offset::tag(node);
        self.node.store(node, Ordering::Relaxed);
        lock(&self.log).set_node(node);
    }

    fn is_on(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// The log, while recovery is on. Whoever sends, joins or leaves holds it until that is done.
    pub(super) fn log(&self) -> Option<MutexGuard<'_, Log>> {
        self.is_on().then(|| lock(&self.log))
    }

    /// The last offset: everything up to it is in the queues of those it went to. Lets go of what is
    /// too old on the way, so that it goes even where nothing is sent any more.
    pub(super) fn settled(&self) -> Option<Offset> {
        let mut log = self.log()?;
        let now = Instant::now();
        log.trim(now);
        lock(&self.sessions).expire(now);
        Some(log.last())
    }

    /// Takes what a client says of its past out of a CONNECT's payload.
    pub(super) fn split(&self, auth: Json) -> (Json, Option<Key>) {
        if self.is_on() { key::split(auth) } else { (auth, None) }
    }

    /// Who a client is that nobody knows.
    pub(super) fn stranger(&self, id: Arc<str>) -> Identity {
        let trail = || Box::new(Mutex::new(Trail::new(random_id(), lock(&self.sessions).begin())));
        Identity { id, trail: self.is_on().then(trail), ..Identity::default() }
    }

    /// Who a client of a node without others is that says it was here before; none if it is not known, or
    /// cannot be told all it missed. If its old connection is believed to be alive, that ends: it is the same client.
    pub(super) fn recognize(&self, namespace: &str, key: &Key) -> Option<Identity> {
        let Some((life, remains)) = self.take((namespace, &key.pid), Asker::Client) else {
            metrics::recovery("unknown");
            return None;
        };
        self.revive(key, life, remains)
    }

    /// Takes what is left of a client, by its namespace and `pid`.
    fn take(&self, whom: (&str, &str), asker: Asker) -> Option<(Life, Remains)> {
        let found = lock(&self.sessions).take(Instant::now(), whom, asker);
        match found {
            Found::Nobody => None,
            Found::Gone(life, remains) => Some((life, *remains)),
            Found::Connected(life, socket) => {
                let remains = take_over(&socket.upgrade()?, self.has_others())?;
                Some((life, remains))
            }
        }
    }

    /// A client in its next life; none if it cannot be told all it missed.
    fn revive(&self, key: &Key, before: Life, mut remains: Remains) -> Option<Identity> {
        let since = {
            let mut log = self.log()?;
            let since = remains.since(&log, key.offset.as_deref());
            if let Some(since) = since {
                remains.note_ahead(&mut log, since);
            }
            since
        };
        let Some(since) = since else {
            metrics::recovery("too_old");
            return None;
        };
        let life = lock(&self.sessions).begin_after(before);
        let rooms = remains.stays.rooms();
        let trail = Trail::resume(key.pid.as_str().into(), life, since, &mut remains);
        Some(Identity {
            id: remains.id,
            trail: Some(Box::new(Mutex::new(trail))),
            rooms,
            state: remains.state,
            next_ack: remains.next_ack,
            recovered: true,
        })
    }

    fn has_others(&self) -> bool {
        self.node.load(Ordering::Relaxed) != 0
    }

    /// The socket can be found by its `pid` from now on.
    pub(super) fn connected(&self, socket: &Arc<Socket>) {
        let Some(trail) = &socket.trail else { return };
        let (pid, life) = lock(trail).name();
        lock(&self.sessions).connected(&pid, life, socket.namespace(), Arc::downgrade(socket));
        tell_change(socket, &pid);
    }

    /// The socket's connection ended.
    pub(super) fn ended(&self, socket: &Socket, reason: Reason) {
        let Some(trail) = &socket.trail else { return };
        let (pid, life) = lock(trail).name();
        if is_recoverable(reason, self.has_others()) && self.is_on() {
            let keep = || left(socket, trail);
            let forgotten = lock(&self.sessions).keep(Instant::now(), &pid, life, keep);
            forgotten.iter().for_each(|pid| tell_change(socket, pid));
        } else {
            lock(&self.sessions).forget(&pid, life);
        }
        tell_change(socket, &pid);
    }

    /// The socket was refused, or begins anew: nobody comes back as it, nor waits for it.
    pub(super) fn forget(&self, socket: &Socket) {
        let Some(trail) = &socket.trail else { return };
        let (pid, life) = lock(trail).name();
        lock(&self.sessions).forget(&pid, life);
        lock(trail).finish();
        tell_change(socket, &pid);
    }
}

/// Other nodes are to know something else of a client.
fn tell_change(socket: &Socket, pid: &Arc<str>) {
    if let Some(peers) = socket.talk.hub().peers() {
        peers.session_changed(pid);
    }
}

/// Ends a connection whose client is back on another one. None if it may not come back: it ended
/// for another reason at this very moment.
fn take_over(socket: &Arc<Socket>, others: bool) -> Option<Remains> {
    socket.session.abandon(Reason::TransportClose);
    // Somebody else may be ending it at this moment. By either, it is in no room after this.
    socket.end(Reason::TransportClose);
    socket.talk.hub().exit(socket);
    let trail = socket.trail.as_ref()?;
    is_recoverable(socket.ended_by()?, others).then(|| left(socket, trail))
}

/// What is left of a socket that has ended.
fn left(socket: &Socket, trail: &Mutex<Trail>) -> Remains {
    let finished = lock(trail).finished();
    Remains { finished, ..remains(socket, trail) }
}

/// What would be left of a socket if it ended now.
fn remains(socket: &Socket, trail: &Mutex<Trail>) -> Remains {
    let socket = Remains {
        id: socket.id().clone(),
        state: socket.state().clone(),
        next_ack: socket.next_ack(),
        confirmed: socket.talk.confirmed.get(),
        node: socket.talk.hub().recovery().node.load(Ordering::Relaxed),
        ..Remains::default()
    };
    lock(trail).remains(socket)
}

#[cfg(test)]
mod tests;
