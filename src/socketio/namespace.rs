//! One namespace: its sockets and their rooms.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexSet;

use super::recovery::Log;
use super::{Socket, Target};

/// One namespace.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    members: RwLock<Members>,
}

#[derive(Debug, Default)]
struct Members {
    sockets: HashMap<Arc<str>, Arc<Socket>>,
    /// The room named by a socket's own id is not kept: `sockets` is all those rooms.
    rooms: HashMap<Arc<str>, IndexSet<Member>>,
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
    fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Members> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read().sockets.is_empty()
    }

    /// Adds a socket, in the rooms that it brings along.
    pub(super) fn insert(&self, socket: &Arc<Socket>) {
        let mut members = self.write();
        members.sockets.insert(socket.id().clone(), socket.clone());
        for room in socket.rooms().into_iter().skip(1) {
            members.rooms.entry(room).or_default().insert(Member(socket.clone()));
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

    /// The sockets meant, each once. A copy, so that nothing is locked while they are sent to.
    pub(super) fn select(&self, target: &Target) -> Vec<Arc<Socket>> {
        let members = self.read();
        let except: HashSet<*const Socket> =
            target.except.iter().flat_map(|room| members.room(room)).map(Arc::as_ptr).collect();
        let keep = |socket: &&Arc<Socket>| except.is_empty() || !except.contains(&Arc::as_ptr(socket));
        if target.everyone {
            return members.sockets.values().filter(keep).cloned().collect();
        }
        if let [room] = target.rooms.as_slice() {
            return members.room_once(room).filter(keep).cloned().collect();
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
                members.rooms.entry(room.clone()).or_default().insert(Member(socket.clone()));
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
    fn room(&self, name: &str) -> impl Iterator<Item = &Arc<Socket>> {
        let own = self.sockets.get(name);
        own.into_iter().chain(self.rooms.get(name).into_iter().flatten().map(|member| &member.0))
    }

    /// The room's sockets, each once even if somebody else joined a room named by a socket's id.
    fn room_once(&self, name: &str) -> impl Iterator<Item = &Arc<Socket>> {
        let own = self.sockets.get(name);
        let others = self.rooms.get(name).into_iter().flatten().map(|member| &member.0);
        own.into_iter().chain(others.filter(move |socket| !own.is_some_and(|own| Arc::ptr_eq(own, socket))))
    }

    fn leave(&mut self, socket: &Arc<Socket>, room: &Arc<str>) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.swap_remove(&Member(socket.clone()));
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }
}
