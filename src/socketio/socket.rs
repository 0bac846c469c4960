//! One client in one namespace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::ask::Asked;
use super::conversation::Talk;
use super::life::Life;
use super::recovery::{Identity, Log, Place, Trail};
use super::{Captures, Command, Outgoing, Target, legacy, packet};
use crate::engineio::{Handshake, Parcel, Protocol, Reason, Sent, Session, Transport, random_id};
use crate::json::Json;
use crate::telemetry::metrics;

/// One client in one namespace. Its id is public and is not the session's, except for clients 1.x and 2.x.
pub struct Socket {
    id: Arc<str>,
    namespace: Arc<str>,
    captures: Captures,
    auth: Json,
    pub(super) session: Arc<Session>,
    pub(super) talk: Arc<Talk>,
    pub(super) life: Mutex<Life>,
    state: Mutex<Map<String, Value>>,
    extensions: Mutex<http::Extensions>,
    rooms: Mutex<Membership>,
    acks: Mutex<Acks>,
    counted: Mutex<Option<Transport>>,
    open: AtomicBool,
    gate: Mutex<Gate>,
    recovered: bool,
    /// Whether somebody looks on.
    pub(super) followed: AtomicBool,
    /// Whether another node has told the rules of its end.
    pub(super) told: AtomicBool,
    /// None while recovery is off.
    pub(super) trail: Option<Box<Mutex<Trail>>>,
}

/// The rooms a socket is in. After `closed` they can be read and no longer changed.
#[derive(Debug, Default)]
struct Membership {
    rooms: Vec<Arc<str>>,
    closed: bool,
}

/// The acks a client owes.
#[derive(Debug, Default)]
struct Acks {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Vec<Json>>>,
}

/// What arrives between the joins of a connect rule and the CONNECT packet: what the rule itself
/// sends goes first.
#[derive(Debug, Default)]
struct Gate {
    own: Vec<Parcel>,
    others: Vec<Parcel>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The id of a client 1.x or 2.x is a credential and stays out of logs.
        f.debug_struct("Socket").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Socket {
    pub(super) fn new(
        talk: Arc<Talk>,
        session: Arc<Session>,
        namespace: Arc<str>,
        captures: Captures,
        auth: Json,
        who: Identity,
    ) -> Socket {
        let followed = talk.hub().followers().watch().into();
        Socket {
            id: who.id,
            namespace,
            captures,
            auth,
            session,
            talk,
            life: Mutex::default(),
            state: Mutex::new(who.state),
            extensions: Mutex::default(),
            rooms: Mutex::new(Membership { rooms: who.rooms, closed: false }),
            acks: Mutex::new(Acks { next: who.next_ack, ..Acks::default() }),
            counted: Mutex::default(),
            open: AtomicBool::new(false),
            gate: Mutex::default(),
            recovered: who.recovered,
            followed,
            told: AtomicBool::new(false),
            trail: who.trail,
        }
    }

    /// The same client in the same place, as somebody new.
    pub(super) fn stranger(&self) -> Socket {
        self.as_whom(self.talk.hub().recovery().stranger(random_id()))
    }

    /// The same client in the same place, as somebody else.
    pub(super) fn as_whom(&self, who: Identity) -> Socket {
        let (talk, session, namespace) = (self.talk.clone(), self.session.clone(), self.namespace.clone());
        Socket::new(talk, session, namespace, self.captures.clone(), self.auth.clone(), who)
    }

    /// 20 base64url characters. For clients 1.x and 2.x the session's id, which is a credential,
    /// after the namespace and `#` where that is not `/`.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The id, where it gives no access: that of clients 1.x and 2.x stays out of logs.
    pub fn public_id(&self) -> Option<&Arc<str>> {
        (self.session.protocol() == Protocol::V4).then_some(&self.id)
    }

    /// Name of the namespace.
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// What the namespace's pattern captured.
    pub fn captures(&self) -> &Captures {
        &self.captures
    }

    /// The request that opened the session.
    pub fn handshake(&self) -> &Handshake {
        self.session.handshake()
    }

    /// What carries the socket now.
    pub fn transport(&self) -> Transport {
        self.session.transport()
    }

    /// The CONNECT packet's payload, an object; `{}` where there was none. For clients 1.x and 2.x what
    /// their queries say.
    pub fn auth(&self) -> &Json {
        &self.auth
    }

    /// The rooms it is in, its own id first. After it has left: those it was in.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        std::iter::once(&self.id).chain(&lock(&self.rooms).rooms).cloned().collect()
    }

    /// What the rules remember about the socket.
    pub fn state(&self) -> MutexGuard<'_, Map<String, Value>> {
        lock(&self.state)
    }

    /// Where the rules keep what they compute once for each socket (its token, its rate limits).
    pub fn extensions(&self) -> MutexGuard<'_, http::Extensions> {
        lock(&self.extensions)
    }

    /// Whether its client came back to what it was before: its id, rooms and state.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// Whether it has ended, or was so before it was connected.
    pub fn has_left(&self) -> bool {
        lock(&self.life).has_ended()
    }

    /// Another node has told the rules of its end.
    pub fn was_told(&self) {
        self.told.store(true, Ordering::Release);
    }

    /// The same: the connection is closed, and its client may come back.
    pub fn part(&self) {
        self.was_told();
        self.session.close(Reason::ForcedServerClose);
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        lock(&self.life).is_connected()
    }

    /// Whether its client has had this event from another node.
    pub(super) fn has(&self, place: Place) -> bool {
        self.trail.as_ref().is_some_and(|trail| lock(trail).has(place))
    }

    /// Sends it an event. False when it is gone or, for a volatile event, not ready.
    pub fn emit(&self, event: &Outgoing) -> bool {
        if self.trail.is_none() {
            return self.deliver(&packet::event_parcel(self.namespace(), event, None), false);
        }
        let target = Target::socket(self.id.clone());
        let (namespace, event) = (self.namespace.clone(), event.clone());
        self.talk.hub().run(&Command::Emit { namespace, target, event }) > 0
    }

    /// Sends it an event beside its queue's bound: whoever sends it has bounded it.
    pub fn hand_over(&self, event: &Outgoing) {
        if self.session.replay(&[packet::event_parcel(self.namespace(), event, None)]) == Sent::Queued {
            metrics::deliveries(1);
        }
    }

    /// Sends it an event that its client is to answer; `own` while the connect rule's own commands
    /// run. One that owes too many answers is not asked.
    pub(super) fn ask(self: &Arc<Self>, event: &Outgoing, own: bool) -> Asked {
        let asked = |waiting| Asked { socket: self.clone(), event: event.name.clone(), waiting };
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut acks = lock(&self.acks);
            if acks.waiting.len() >= self.talk.hub().limits().pending_acks {
                metrics::refused("socketio.max_pending_acks");
                return asked(None);
            }
            let id = acks.next;
            acks.next += 1;
            acks.waiting.insert(id, sender);
            id
        };
        if !self.deliver(&packet::event_parcel(self.namespace(), event, Some(id)), own) {
            self.forget_ack(id);
            return asked(None);
        }
        asked(Some((id, receiver)))
    }

    /// Nobody waits for this ack any more.
    pub(super) fn forget_ack(&self, id: u64) {
        lock(&self.acks).waiting.remove(&id);
    }

    pub(super) fn next_ack(&self) -> u64 {
        lock(&self.acks).next
    }

    /// Hands the client's ack to whoever waits; one that nobody waits for is ignored.
    pub(super) fn acknowledge(&self, id: &str, args: Vec<Json>) {
        let waiting = id.parse().ok().and_then(|id: u64| lock(&self.acks).waiting.remove(&id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(args);
        }
    }

    /// Nobody will answer any more.
    pub(super) fn fail_acks(&self) {
        lock(&self.acks).waiting.clear();
    }

    /// Queues a parcel; `own` while the connect rule's own commands run. True when it was queued.
    pub(super) fn deliver(&self, parcel: &Parcel, own: bool) -> bool {
        if !self.open.load(Ordering::Acquire) {
            let mut gate = lock(&self.gate);
            // The gate may have opened before the lock was had.
            if !self.open.load(Ordering::Acquire) {
                let waiting = if own { &mut gate.own } else { &mut gate.others };
                waiting.push(parcel.clone());
                return true;
            }
        }
        self.transmit(parcel)
    }

    /// Queues a parcel for the client. True when it was queued.
    fn transmit(&self, parcel: &Parcel) -> bool {
        let sent = self.session.send(parcel);
        self.show_sent(parcel, sent);
        sent == Sent::Queued
    }

    /// Sends what its client missed, CONNECT, what the connect rule sent, what came meanwhile; then
    /// lets everything through.
    pub(super) fn open(&self, mut missed: Vec<Parcel>) {
        let mut gate = lock(&self.gate);
        let Gate { own, others } = std::mem::take(&mut *gate);
        let pid = self.trail.as_ref().map(|trail| lock(trail).pid());
        let connect = match self.session.protocol() {
            Protocol::V4 => packet::connect_parcel(self.namespace(), &self.id, pid.as_deref()),
            Protocol::V3 => legacy::connect_parcel(self.namespace()),
        };
        if missed.is_empty() {
            self.session.send(&connect);
        } else {
            metrics::deliveries(missed.len() as u64);
            missed.push(connect);
            self.session.replay(&missed);
        }
        for parcel in own.iter().chain(&others) {
            self.transmit(parcel);
        }
        self.open.store(true, Ordering::Release);
    }

    /// Notes a room; false when it was in it, or may no longer join.
    pub(super) fn note_joined(&self, room: &Arc<str>, log: Option<&Log>) -> bool {
        let mut membership = lock(&self.rooms);
        if membership.closed || *room == self.id || membership.rooms.contains(room) {
            return false;
        }
        if membership.rooms.len() >= self.talk.hub().limits().rooms {
            metrics::refused("socketio.max_rooms");
            // No id: that of a client 1.x or 2.x is a credential.
            tracing::warn!(
                namespace = &*self.namespace,
                "a socket is in as many rooms as it may be: one more is not joined"
            );
            return false;
        }
        membership.rooms.push(room.clone());
        if let (Some(trail), Some(log)) = (&self.trail, log) {
            lock(trail).join(room, log);
        }
        self.show_joined(room);
        true
    }

    /// Forgets a room; false when it was not in it.
    pub(super) fn note_left(&self, room: &Arc<str>, log: Option<&Log>) -> bool {
        let mut membership = lock(&self.rooms);
        let place = membership.rooms.iter().position(|other| other == room);
        match place {
            Some(place) if !membership.closed => {
                membership.rooms.swap_remove(place);
                if let (Some(trail), Some(log)) = (&self.trail, log) {
                    lock(trail).leave(room, log);
                }
                self.show_left(room);
                true
            }
            _ => false,
        }
    }

    /// No room can be joined or left from now on; answers those it was in.
    pub(super) fn close_rooms(&self) -> Vec<Arc<str>> {
        let mut membership = lock(&self.rooms);
        membership.closed = true;
        membership.rooms.clone()
    }

    /// Counts the socket under its transport, or no longer.
    pub(super) fn count(&self, transport: Option<Transport>) {
        // A name out of a pattern would be a label without bounds.
        let namespace = if self.captures.is_empty() { self.namespace().as_ref() } else { "dynamic" };
        let before = std::mem::replace(&mut *lock(&self.counted), transport);
        if let Some(transport) = before {
            metrics::sockets(namespace, transport.as_str(), -1.0);
        }
        if let Some(transport) = transport {
            metrics::sockets(namespace, transport.as_str(), 1.0);
        }
    }
}
