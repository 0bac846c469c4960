//! All namespaces, sockets and rooms of this node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use arc_swap::ArcSwap;

use super::ask::{self, Asked};
use super::conversation::{Handle, Talk};
use super::follow::Followers;
use super::life;
use super::namespace::Namespace;
use super::recovery::{self, Log, Origin, Place, Recovery};
use super::socket::lock;
use super::{Asking, Command, Events, Limits, Outgoing, Peers, Question, Socket, Target, packet};
use crate::engineio::{Application, Conversation, Parcel, Session};
use crate::headers::Said;
use crate::telemetry::metrics;

/// All namespaces, sockets and rooms of this node.
pub struct Hub {
    events: Arc<dyn Events>,
    namespaces: RwLock<HashMap<Arc<str>, Arc<Namespace>>>,
    limits: ArcSwap<Limits>,
    busy: AtomicUsize,
    recovery: Recovery,
    followers: Followers,
    peers: OnceLock<Arc<dyn Peers>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

/// Opens a conversation with the hub for every new session.
pub struct Door(pub Arc<Hub>);

impl Application for Door {
    fn open(&self, _: &Arc<Session>) -> Box<dyn Conversation> {
        Box::new(Handle(Arc::new(Talk::new(self.0.clone()))))
    }
}

impl Hub {
    /// A hub without sockets that asks `events` what to do.
    pub fn new(events: Arc<dyn Events>, limits: Limits) -> Hub {
        Hub {
            events,
            namespaces: RwLock::default(),
            limits: ArcSwap::from_pointee(limits),
            busy: AtomicUsize::new(0),
            recovery: Recovery::default(),
            followers: Followers::default(),
            peers: OnceLock::new(),
        }
    }

    /// Sets the bounds that hold from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Sets whether and for how long clients may come back.
    pub fn set_recovery(&self, options: &recovery::Options) {
        self.recovery.set_options(options);
    }

    pub(super) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(super) fn followers(&self) -> &Followers {
        &self.followers
    }

    /// The namespaces that somebody is in, and how many sockets are in each.
    pub fn count_sockets(&self) -> Vec<(Arc<str>, usize)> {
        let namespaces = self.namespaces_of(None).into_iter();
        namespaces.map(|(name, namespace)| (name, namespace.len())).collect()
    }

    /// Rooms that somebody is in, without those named by a socket's id.
    pub fn count_rooms(&self) -> usize {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.values().map(|namespace| namespace.count_rooms()).sum()
    }

    pub(super) fn limits(&self) -> arc_swap::Guard<Arc<Limits>> {
        self.limits.load()
    }

    /// Whether connects, events or disconnects are being handled.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }

    pub(super) fn begin_work(&self) {
        self.busy.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end_work(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn events(&self) -> &Arc<dyn Events> {
        &self.events
    }

    /// Makes this node one of several, once; `node` is its number.
    pub fn join_peers(&self, node: u64, peers: Arc<dyn Peers>) {
        self.recovery.join(node);
        let _ = self.peers.set(peers);
    }

    pub(super) fn peers(&self) -> Option<&Arc<dyn Peers>> {
        self.peers.get()
    }

    /// Does one thing to a selection of sockets, on other nodes as well; answers how many it was done to here (for
    /// an emit: queued for).
    pub fn run(&self, command: &Command) -> usize {
        self.run_and(command, |place| self.pass_on(command, place)).0
    }

    /// The same, by whoever passes it on itself: it is told what names an event that is kept for clients that come
    /// back. What is passed on is in the order in which it was done here.
    pub fn run_and<T>(&self, command: &Command, pass_on: impl FnOnce(Option<Place>) -> T) -> (usize, T) {
        let mut log = self.recovery.log();
        let (count, place) = self.act(command, None, log.as_deref_mut(), Origin::Here);
        (count, pass_on(place))
    }

    /// The same on this node alone: the others have it from where this one has it.
    pub fn run_here(&self, command: &Command) -> usize {
        self.run_as(command, Origin::Each)
    }

    pub(super) fn run_as(&self, command: &Command, origin: Origin) -> usize {
        self.act(command, None, self.recovery.log().as_deref_mut(), origin).0
    }

    /// The same as [`Hub::run`] for a command of `socket`'s connect rule, by whoever has the log.
    pub(super) fn run_for(&self, command: &Command, socket: &Arc<Socket>, log: Option<&mut Log>) {
        let (_, place) = self.act(command, Some(socket), log, Origin::Here);
        self.pass_on(command, place);
    }

    /// Lets the other nodes do it too, unless it is for one socket that is here and nobody else is to know of it.
    fn pass_on(&self, command: &Command, place: Option<Place>) {
        let Some(peers) = self.peers() else { return };
        let here = |id: &Arc<str>| self.socket(command.namespace(), id).is_some();
        if place.is_some() || !command.target().only().is_some_and(here) {
            peers.pass_on(command, place);
        }
    }

    /// Does what a response said of the socket that its request named, on whichever node that is.
    pub fn heed(self: &Arc<Self>, named: Option<&str>, said: &Said) {
        let socket = named.and_then(|id| self.anywhere(id));
        match (named, self.peers()) {
            (Some(id), Some(peers)) if socket.is_none() => peers.heed(id, said),
            _ => self.events.heed(self, socket, said),
        }
    }

    /// The same where the socket is here; false where it is not.
    pub fn heed_here(self: &Arc<Self>, id: &str, said: &Said) -> bool {
        let socket = self.anywhere(id);
        let is_here = socket.is_some();
        if is_here {
            self.events.heed(self, socket, said);
        }
        is_here
    }

    /// The same without the socket.
    pub fn heed_alone(self: &Arc<Self>, said: &Said) {
        self.events.heed(self, None, said);
    }

    /// Notes that a socket is connected, or that its rooms or state are others than before.
    pub fn note_change(&self, socket: &Arc<Socket>) {
        if let Some(peers) = self.peers() {
            peers.changed(socket);
            if let Some(trail) = &socket.trail {
                peers.session_changed(&lock(trail).pid());
            }
        }
    }

    /// Notes that a socket's state is another than before.
    pub fn note_state(&self, socket: &Arc<Socket>) {
        self.note_change(socket);
        socket.show_state();
    }

    /// What becomes of the answers to an event that another node asks.
    pub fn asking(self: &Arc<Self>, place: &str) -> Option<Asking> {
        self.events.asking(self, place)
    }

    /// Whether anybody is told of the ends of a namespace's sockets.
    pub fn is_told_of_ends(&self, namespace: &str) -> bool {
        self.events.is_told_of_ends(namespace)
    }

    /// Every socket of this node.
    pub fn everybody(&self) -> Vec<Arc<Socket>> {
        let target = Target { everyone: true, ..Target::default() };
        let all = self.namespaces_of(None).into_iter();
        all.flat_map(|(_, namespace)| namespace.select(&target).to_vec()).collect()
    }

    /// The socket with this id.
    pub fn socket(&self, namespace: &str, id: &str) -> Option<Arc<Socket>> {
        self.find(namespace)?.get(id)
    }

    fn act(
        &self,
        command: &Command,
        opener: Option<&Arc<Socket>>,
        mut log: Option<&mut Log>,
        origin: Origin,
    ) -> (usize, Option<Place>) {
        let (name, target) = (command.namespace(), command.target());
        // An event is kept also where nobody is left to send it to now.
        // Those who may lose events miss nothing, but another node's must have their place.
        let keeps = !self.events.may_lose(name) || matches!(origin, Origin::There(..));
        let (kept, place) = match (command, log.as_deref_mut()) {
            (Command::Emit { event, .. }, Some(log)) if keeps => {
                let (parcel, place) = keep(log, origin, (name, target), event);
                (Some(parcel), place)
            }
            _ => (None, None),
        };
        let Some(namespace) = self.find(name) else { return (0, place) };
        let sockets = namespace.select(target);
        if sockets.is_empty() {
            return (0, place);
        }
        let log = log.as_deref();
        let own = |socket: &Arc<Socket>| opener.is_some_and(|opener| Arc::ptr_eq(opener, socket));
        match command {
            Command::Emit { event, .. } => {
                let parcel = kept.unwrap_or_else(|| packet::event_parcel(name, event, None));
                let parcel = if namespace.may_lose { parcel.spare() } else { parcel };
                let had = match (origin, log) {
                    (Origin::There(place, _), Some(log)) if log.may_be_had(place) => Some(place),
                    _ => None,
                };
                let sockets = sockets.iter().filter(|socket| !had.is_some_and(|place| socket.has(place)));
                let count = sockets.filter(|socket| socket.deliver(&parcel, own(socket))).count();
                metrics::deliveries(count as u64);
                return (count, place);
            }
            Command::Ask { event, asking, .. } => {
                let asked: Vec<Asked> = sockets.iter().map(|socket| socket.ask(event, own(socket))).collect();
                let count = asked.iter().filter(|asked| asked.is_sent()).count();
                metrics::deliveries(count as u64);
                if let Some(hub) = sockets.first().map(|socket| socket.talk.hub()) {
                    life::spawn(hub, ask::hand_on(asked, asking.clone()));
                }
                return (count, None);
            }
            Command::Join { rooms, .. } => sockets.iter().for_each(|socket| {
                namespace.join(socket, rooms, log);
                self.note_change(socket);
            }),
            Command::Leave { rooms, .. } => sockets.iter().for_each(|socket| {
                namespace.leave(socket, rooms, log);
                self.note_change(socket);
            }),
            Command::Disconnect { close, .. } => sockets.iter().for_each(|socket| socket.disconnect(*close)),
        }
        (sockets.len(), None)
    }

    /// Sends a question; whoever asks waits for the answers.
    pub(super) fn question(&self, question: &Question) -> Vec<Asked> {
        let Some(namespace) = self.find(&question.namespace) else { return Vec::new() };
        let sockets = namespace.select(&question.target);
        let asked: Vec<Asked> = sockets.iter().map(|socket| socket.ask(&question.event, false)).collect();
        metrics::deliveries(asked.iter().filter(|asked| asked.is_sent()).count() as u64);
        asked
    }

    /// The socket with this id, in whichever namespace.
    pub fn anywhere(&self, id: &str) -> Option<Arc<Socket>> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.values().find_map(|namespace| namespace.get(id))
    }

    /// The namespace of that name, or all of them.
    pub(super) fn namespaces_of(&self, name: Option<&str>) -> Vec<(Arc<str>, Arc<Namespace>)> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let meant = namespaces.iter().filter(|(key, _)| name.is_none_or(|name| name == &***key));
        meant.map(|(key, namespace)| (key.clone(), namespace.clone())).collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Namespace>> {
        self.namespaces.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Puts an admitted socket in its namespace, which is made if there is none.
    pub(super) fn enter(&self, socket: &Arc<Socket>) {
        let name = socket.namespace();
        {
            let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(namespace) = namespaces.get(name) {
                return namespace.insert(socket);
            }
        }
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Namespace::new(self.events.may_lose(name)));
        namespaces.entry(name.clone()).or_insert_with(new).insert(socket);
    }

    /// Takes a socket out, and its namespace with it if it was the last: clients choose the names
    /// of dynamic ones.
    pub(super) fn exit(&self, socket: &Arc<Socket>) {
        let Some(namespace) = self.find(socket.namespace()) else { return };
        namespace.remove(socket);
        if namespace.is_empty() {
            let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
            // Nobody can enter while the map is locked.
            if namespaces.get(socket.namespace()).is_some_and(|namespace| namespace.is_empty()) {
                namespaces.remove(socket.namespace());
            }
        }
    }
}

/// Gives an event its place in the log, and writes it down with its offset.
fn keep(
    log: &mut Log,
    origin: Origin,
    (namespace, target): (&Arc<str>, &Target),
    event: &Outgoing,
) -> (Parcel, Option<Place>) {
    log.append(Instant::now(), origin, (namespace, target), |offset| {
        packet::event_parcel_at(namespace, event, offset)
    })
}
