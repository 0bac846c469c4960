//! What happens to a socket, as its followers are shown it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::Json;
use crate::socketio::{Member, Socket};

/// Longest name that is shown, in bytes.
const MAX_NAME: usize = 200;

/// Longest arguments that are shown, in bytes.
const MAX_CONTENT: usize = 16_384;

/// What happened to a socket, and when.
#[derive(Debug, Serialize)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub time: u64,
    /// To whom; `None` where it is the follower that something happened to. Not written: who follows one socket
    /// knows it.
    #[serde(skip)]
    pub whose: Option<Whose>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// The socket that something happened to.
#[derive(Debug, Clone)]
pub struct Whose {
    /// Its id.
    pub socket: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
}

impl Whose {
    pub(super) fn of(socket: &Socket) -> Whose {
        Whose { socket: socket.id().clone(), namespace: socket.namespace().clone() }
    }
}

/// What happened to a socket. `bytes` are those of the packet and its attachments; `args` is the list of
/// arguments, where contents are shown and are not too long.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The following began.
    Following {
        /// Its id.
        socket: Arc<str>,
        /// Its namespace.
        namespace: Arc<str>,
        /// The rooms it is in.
        rooms: Vec<Arc<str>>,
    },
    /// It is connected. As the next two, this is shown to who follows everybody.
    Connected {
        /// All there is to know of it.
        socket: Box<Member>,
    },
    /// Another transport carries it.
    Upgraded {
        /// Its name.
        transport: &'static str,
    },
    /// What the rules remember about it has changed.
    Changed {
        /// All of it.
        state: Map<String, Value>,
    },
    /// The client sent an event.
    Received {
        /// Its name.
        event: String,
        /// The id of the ack that the client asks for.
        #[serde(skip_serializing_if = "Option::is_none")]
        ack: Option<String>,
        /// Its size.
        bytes: usize,
        /// Its arguments.
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Json>,
    },
    /// An event was queued for the client.
    Sent {
        /// Its name.
        event: String,
        /// The id of the ack that the client owes.
        #[serde(skip_serializing_if = "Option::is_none")]
        ack: Option<String>,
        /// Its size.
        bytes: usize,
        /// Its arguments; binary ones are placeholders.
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Json>,
    },
    /// A volatile event was not sent, as the client was not ready.
    Dropped {
        /// Its name.
        event: String,
        /// Its size.
        bytes: usize,
    },
    /// The client answered an event.
    AckReceived {
        /// The ack's id.
        ack: String,
        /// Its size.
        bytes: usize,
        /// Its arguments.
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Json>,
    },
    /// The client's event was answered.
    AckSent {
        /// The ack's id.
        ack: String,
        /// Its size.
        bytes: usize,
        /// Its arguments; binary ones are placeholders.
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Json>,
    },
    /// It joined a room.
    Joined {
        /// The room.
        room: Arc<str>,
    },
    /// It left a room.
    Left {
        /// The room.
        room: Arc<str>,
    },
    /// The follower was too slow for what happened here.
    Lost {
        /// How much that was.
        count: u64,
    },
    /// It left the namespace, or its connection ended. Nothing comes after it.
    Disconnected {
        /// Why, in Node's words.
        reason: &'static str,
        /// The rooms it was in, for who follows everybody.
        #[serde(skip)]
        rooms: Vec<Arc<str>>,
    },
}

impl What {
    /// Bytes it takes in a queue, roughly.
    pub(super) fn size(&self) -> usize {
        let own = size_of::<Moment>();
        let text = |args: &Option<Json>| args.as_ref().map_or(0, |args| args.bytes().len());
        own + match self {
            What::Received { event, args, .. } | What::Sent { event, args, .. } => event.len() + text(args),
            What::AckReceived { args, .. } | What::AckSent { args, .. } => text(args),
            What::Dropped { event, .. } => event.len(),
            What::Following { rooms, .. } | What::Disconnected { rooms, .. } => text_of(rooms),
            What::Connected { socket } => size_of_member(socket),
            What::Changed { state } => size_of_state(state),
            What::Joined { room } | What::Left { room } => room.len(),
            What::Lost { .. } | What::Upgraded { .. } => 0,
        }
    }
}

fn text_of(rooms: &[Arc<str>]) -> usize {
    rooms.iter().map(|room| 16 + room.len()).sum()
}

fn size_of_state(state: &Map<String, Value>) -> usize {
    state.iter().map(|(name, value)| 64 + name.len() + value.to_string().len()).sum()
}

fn size_of_member(member: &Member) -> usize {
    let pair = |(name, value): (&String, &String)| 64 + name.len() + value.len();
    let luggage = member.handshake.as_ref().map_or(0, |luggage| {
        luggage.path.len() + luggage.headers.iter().chain(&luggage.query).map(pair).sum::<usize>()
    });
    size_of::<Member>() + text_of(&member.rooms) + size_of_state(&member.state) + luggage
}

/// A name, cut where it is too long.
pub(super) fn short(name: &str) -> String {
    let end = (0..=MAX_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

/// Arguments as a list, where they are to be shown; a text instead of them where they are too long.
pub(super) fn content<'a>(shown: bool, args: impl Iterator<Item = &'a str>) -> Option<Json> {
    if !shown {
        return None;
    }
    let mut list = String::from("[");
    for arg in args {
        if list.len() + arg.len() > MAX_CONTENT {
            return Some(Json::from_static(r#""more than 16 KiB""#));
        }
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(arg);
    }
    list.push(']');
    Some(Json::from_written(list))
}
