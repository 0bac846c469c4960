//! One namespace: its sockets and their rooms.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexSet;

use super::recovery::Log;
use super::{Socket, Target};

/// One namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    /// Whether events that find no room with a client are dropped.
    pub(super) may_lose: bool,
    members: RwLock<Members>,
}

#[derive(Debug, Default)]
struct Members {
    sockets: HashMap<Arc<str>, Arc<Socket>>,
    /// The room named by a socket's own id is not kept: `sockets` is all those rooms.
    rooms: HashMap<Arc<str>, Room>,
}

/// The sockets of a room, and the list that broadcasts share until somebody joins or leaves: a
/// room that is quiet costs a broadcast one reference, not one for each socket.
#[derive(Debug, Default)]
struct Room {
    members: IndexSet<Member>,
    list: OnceLock<Selection>,
}

/// Sockets that are meant, each once.
pub(super) type Selection = Arc<[Arc<Socket>]>;

impl Room {
    fn insert(&mut self, socket: &Arc<Socket>) {
        self.members.insert(Member(socket.clone()));
        self.list.take();
    }

    fn remove(&mut self, socket: &Arc<Socket>) {
        self.members.swap_remove(&Member(socket.clone()));
        self.list.take();
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<Socket>> {
        self.members.iter().map(|member| &member.0)
    }

    fn list(&self) -> Selection {
        self.list.get_or_init(|| self.iter().cloned().collect()).clone()
    }
}

/// A socket, told apart by its address: cheaper than by its id.
#[derive(Debug, Clone)]
struct Member(Arc<Socket>);

impl PartialEq for Member {
    fn eq(&self, other: &Member) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Member {}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Namespace {
    pub(super) fn new(may_lose: bool) -> Namespace {
        Namespace { may_lose, ..Namespace::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Members> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.read().sockets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read().sockets.is_empty()
    }

    /// Adds a socket, in the rooms that it brings along.
    pub(super) fn insert(&self, socket: &Arc<Socket>) {
        let mut members = self.write();
        members.sockets.insert(socket.id().clone(), socket.clone());
        for room in socket.rooms().into_iter().skip(1) {
            members.rooms.entry(room).or_default().insert(socket);
        }
    }

    /// Takes the socket out of every room. It still remembers which they were.
    pub(super) fn remove(&self, socket: &Arc<Socket>) {
        let mut members = self.write();
        // Its client may be back by now, as another socket under the same id.
        if members.sockets.get(socket.id()).is_some_and(|other| Arc::ptr_eq(other, socket)) {
            members.sockets.remove(socket.id());
        }
        for room in socket.close_rooms() {
            members.leave(socket, &room);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Socket>> {
        self.read().sockets.get(id).cloned()
    }

    /// Every room with how many are in it.
    pub(super) fn rooms(&self) -> Vec<(Arc<str>, usize)> {
        let members = self.read();
        members.rooms.iter().map(|(name, room)| (name.clone(), room.members.len())).collect()
    }

    pub(super) fn count_rooms(&self) -> usize {
        self.read().rooms.len()
    }

    /// The sockets meant, each once. A list of its own, so that nothing is locked while they are
    /// sent to.
    pub(super) fn select(&self, target: &Target) -> Selection {
        let members = self.read();
        if let Some(id) = target.only() {
            let left_out = |socket: &&Arc<Socket>| {
                target
                    .except
                    .iter()
                    .flat_map(|room| members.room(room))
                    .any(|other| Arc::ptr_eq(other, socket))
            };
            return members.sockets.get(id).filter(|socket| !left_out(socket)).into_iter().cloned().collect();
        }
        if let ([room], [], false) = (target.rooms.as_slice(), target.except.as_slice(), target.everyone) {
            return members.room_alone(room);
        }
        let except: HashSet<*const Socket> =
            target.except.iter().flat_map(|room| members.room(room)).map(Arc::as_ptr).collect();
        let keep = |socket: &&Arc<Socket>| except.is_empty() || !except.contains(&Arc::as_ptr(socket));
        if target.everyone {
            return members.sockets.values().filter(keep).cloned().collect();
        }
        let mut seen = HashSet::new();
        let sockets = target.rooms.iter().flat_map(|room| members.room(room));
        sockets.filter(keep).filter(|socket| seen.insert(Arc::as_ptr(socket))).cloned().collect()
    }

    /// Puts the socket in rooms; does nothing once it has left.
    pub(super) fn join(&self, socket: &Arc<Socket>, rooms: &[Arc<str>], log: Option<&Log>) {
        let mut members = self.write();
        for room in rooms {
            if socket.note_joined(room, log) {
                members.rooms.entry(room.clone()).or_default().insert(socket);
            }
        }
    }

    /// Takes the socket out of rooms; it cannot leave the one named by its own id.
    pub(super) fn leave(&self, socket: &Arc<Socket>, rooms: &[Arc<str>], log: Option<&Log>) {
        let mut members = self.write();
        for room in rooms {
            if socket.note_left(room, log) {
                members.leave(socket, room);
            }
        }
    }
}

impl Members {
    /// A room's sockets, that of the id it is named by first.
    fn room(&self, name: &str) -> impl Iterator<Item = &Arc<Socket>> {
        let own = self.sockets.get(name);
        own.into_iter().chain(self.rooms.get(name).into_iter().flat_map(Room::iter))
    }

    fn room_alone(&self, name: &str) -> Selection {
        match (self.sockets.get(name), self.rooms.get(name)) {
            (None, Some(room)) => room.list(),
            (Some(own), None) => Arc::from([own.clone()]),
            (None, None) => Arc::from([]),
            // Somebody joined the room named by a socket's id.
            (Some(own), Some(room)) => {
                let others = room.iter().filter(|socket| !Arc::ptr_eq(own, socket));
                std::iter::once(own).chain(others).cloned().collect()
            }
        }
    }

    fn leave(&mut self, socket: &Arc<Socket>, room: &Arc<str>) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(socket);
            if members.members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}
