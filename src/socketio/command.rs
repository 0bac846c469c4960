//! What can be done to sockets, whoever asks: a rule, a tap, a hook, the admin API.

use std::sync::Arc;

use crate::json::Json;

use super::{Asking, EventName};

/// A selection of sockets of one namespace: the union of `rooms` without the union of `except`,
/// each socket once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Rooms whose sockets are meant; every socket is in the room named by its id.
    pub rooms: Vec<Arc<str>>,
    /// Rooms whose sockets are left out.
    pub except: Vec<Arc<str>>,
    /// Every socket of the namespace, whatever `rooms` says.
    pub everyone: bool,
    /// `rooms` is the id of one socket, which is meant alone: not who else joined a room of that name.
    pub alone: bool,
}

/// An event on its way to clients.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its name.
    pub name: EventName,
    /// Its arguments; binary stands in them as `{"$binary":"base64"}`.
    pub args: Vec<Json>,
    /// Whether it may be dropped for a client that is not ready.
    pub volatile: bool,
}

/// One thing to do to a selection of sockets.
#[derive(Debug, Clone)]
pub enum Command {
    /// Send an event.
    Emit {
        /// Namespace of the sockets.
        namespace: Arc<str>,
        /// Which sockets.
        target: Target,
        /// What is sent.
        event: Outgoing,
    },
    /// Send an event that every socket meant is to answer. It is not kept for clients that come back.
    Ask {
        /// Namespace of the sockets.
        namespace: Arc<str>,
        /// Which sockets.
        target: Target,
        /// What is sent.
        event: Outgoing,
        /// What becomes of the answers.
        asking: Asking,
    },
    /// Join rooms.
    Join {
        /// Namespace of the sockets.
        namespace: Arc<str>,
        /// Which sockets.
        target: Target,
        /// The rooms joined.
        rooms: Vec<Arc<str>>,
    },
    /// Leave rooms.
    Leave {
        /// Namespace of the sockets.
        namespace: Arc<str>,
        /// Which sockets.
        target: Target,
        /// The rooms left.
        rooms: Vec<Arc<str>>,
    },
    /// Disconnect.
    Disconnect {
        /// Namespace of the sockets.
        namespace: Arc<str>,
        /// Which sockets.
        target: Target,
        /// Whether the whole connection is closed, not only the namespace left.
        close: bool,
    },
}

impl Target {
    /// One socket and nobody else.
    pub fn socket(id: Arc<str>) -> Target {
        Target { rooms: vec![id], alone: true, ..Target::default() }
    }

    /// The id of the one socket that is meant.
    pub fn only(&self) -> Option<&Arc<str>> {
        self.rooms.first().filter(|_| self.alone)
    }
}

impl Command {
    /// Namespace of the sockets.
    pub fn namespace(&self) -> &Arc<str> {
        self.selection().0
    }

    /// Which sockets.
    pub fn target(&self) -> &Target {
        self.selection().1
    }

    /// The event that it sends.
    pub fn event(&self) -> Option<&Outgoing> {
        match self {
            Command::Emit { event, .. } | Command::Ask { event, .. } => Some(event),
            Command::Join { .. } | Command::Leave { .. } | Command::Disconnect { .. } => None,
        }
    }

    fn selection(&self) -> (&Arc<str>, &Target) {
        match self {
            Command::Emit { namespace, target, .. }
            | Command::Ask { namespace, target, .. }
            | Command::Join { namespace, target, .. }
            | Command::Leave { namespace, target, .. }
            | Command::Disconnect { namespace, target, .. } => (namespace, target),
        }
    }
}
