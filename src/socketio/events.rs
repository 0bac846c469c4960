//! What socketio asks of whoever decides: the [`Events`] trait and its vocabulary.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use indexmap::IndexMap;

use serde_json::Value;

use crate::engineio::{Reason, Session};
use crate::headers::Said;
use crate::json::Json;

use super::{Asking, Command, Hub, Socket, packet};

/// What a namespace pattern such as `/org-{id}` captured, by name.
pub type Captures = IndexMap<String, String>;

/// Decides about connects and handles events.
pub trait Events: Send + Sync + 'static {
    /// The captures of a namespace, or `None` if there is no such namespace.
    fn namespace(&self, name: &str) -> Option<Captures>;

    /// A client asked for a namespace that is not there, and is refused.
    fn no_namespace(&self, _session: &Session, _name: &str) {}

    /// Whether a client may join. The commands of an admission are run so that what they send to
    /// the socket itself arrives right after its CONNECT packet and before anything else.
    fn connect(
        &self,
        hub: &Arc<Hub>,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, Result<Vec<Command>, Refusal>>;

    /// Told of every socket that is connected now, when what its admission said was done.
    fn connected(&self, _hub: &Arc<Hub>, _socket: &Arc<Socket>) {}

    /// Whether events that find no room with a client of this namespace are dropped instead of its being
    /// disconnected. They are not kept for clients that come back either.
    fn may_lose(&self, _namespace: &str) -> bool {
        false
    }

    /// Handles one event, or as much of it as need not wait; the rest of it is given back. Events of one
    /// socket are handled one after another.
    fn event(&self, hub: &Arc<Hub>, socket: Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>>;

    /// Told once for every socket whose `connect` was admitted, after its last event was handled.
    /// The socket's rooms can still be read.
    fn disconnect(&self, hub: &Arc<Hub>, socket: Arc<Socket>, reason: Reason) -> BoxFuture<'static, ()>;

    /// Another node has told of the end of a socket of this one: it is let go without a word.
    fn let_go(&self, _socket: &Arc<Socket>) {}

    /// Whether anybody is told of the ends of a namespace's sockets.
    fn is_told_of_ends(&self, _namespace: &str) -> bool {
        false
    }

    /// What is held for a socket in its extensions, so that another node can tell of its end.
    fn held(&self, _socket: &Socket) -> Value {
        Value::Null
    }

    /// Holds what another node held for a socket.
    fn hold(&self, _socket: &Socket, _held: &Value) {}

    /// Does what a response said in `Frontroom-Actions`; `socket` is whom its request named, where it is here.
    fn heed(&self, _hub: &Arc<Hub>, _socket: Option<Arc<Socket>>, _said: &Said) {}

    /// What becomes of the answers to an event that another node asks.
    fn asking(&self, _hub: &Arc<Hub>, _place: &str) -> Option<Asking> {
        None
    }
}

/// Why a client may not join: goes out as CONNECT_ERROR.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Becomes `err.message` at the client.
    pub message: String,
    /// Becomes `err.data`.
    pub data: Option<Json>,
}

/// Name of an event. The protocol allows numbers beside strings; they stay numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventName {
    /// A string, unescaped.
    Text(Arc<str>),
    /// A number, spelled as the client did.
    Number(Json),
}

impl EventName {
    /// The name as text, which is what rules are matched by.
    pub fn as_text(&self) -> &str {
        match self {
            EventName::Text(name) => name,
            EventName::Number(number) => number.as_str(),
        }
    }
}

/// An event from a client.
#[derive(Debug)]
pub struct Event {
    /// Its name.
    pub name: EventName,
    /// Its arguments; binary stands in them as `{"$binary":"base64"}`, and an object of the
    /// client's own that looks like it as `{"$$binary":..}`.
    pub args: Vec<Json>,
    /// Answers the client, where it asked for an ack.
    pub ack: Option<Acknowledge>,
}

/// Answers an event once.
#[derive(Debug)]
pub struct Acknowledge {
    pub(super) socket: Arc<Socket>,
    /// The ack id's digits as the client wrote them.
    pub(super) id: Box<str>,
}

impl Acknowledge {
    /// Sends the ack with these arguments.
    pub fn send(self, args: &[Json]) {
        self.socket.deliver(&packet::ack_parcel(self.socket.namespace(), &self.id, args), false);
    }
}
