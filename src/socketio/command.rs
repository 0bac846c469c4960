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

impl Command {
    /// Namespace of the sockets.
    pub fn namespace(&self) -> &Arc<str> {
        self.selection().0
    }

    /// Which sockets.
    pub fn target(&self) -> &Target {
        self.selection().1
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
