//! How many sockets a user has on this node: `socketio.max_sockets_per_user`.

use std::sync::{Arc, Weak};

use dashmap::DashMap;

use crate::socketio::Socket;

/// The sockets of each user, by the claim `sub`. Who has left counts no more at once, whatever ended it; what
/// is left of a user goes with the last of its sockets.
#[derive(Debug, Default)]
pub(crate) struct Seats(DashMap<Box<str>, Vec<Weak<Socket>>>);

impl Seats {
    /// Gives a socket a seat, or none where the user has `most` already. A socket that has one keeps it.
    pub(crate) fn take(&self, user: &str, socket: &Arc<Socket>, most: usize) -> bool {
        let mut sockets = self.0.entry(user.into()).or_default();
        sockets.retain(|other| other.upgrade().is_some_and(|other| !other.has_left()));
        if sockets.iter().any(|other| is(other, socket)) {
            return true;
        }
        let free = sockets.len() < most;
        if free {
            sockets.push(Arc::downgrade(socket));
        }
        free
    }

    /// Takes a socket's seat away, if it has one.
    pub(crate) fn free(&self, user: &str, socket: &Arc<Socket>) {
        if let Some(mut sockets) = self.0.get_mut(user) {
            sockets.retain(|other| !is(other, socket));
        }
        self.0.remove_if(user, |_, sockets| sockets.is_empty());
    }
}

fn is(weak: &Weak<Socket>, socket: &Arc<Socket>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(socket))
}
