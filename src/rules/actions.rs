//! Actions: the one vocabulary in which a backend says what is done to sockets.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::json::Json;
use crate::socketio::{Command, EventName, Outgoing, Target};

use super::failure::{Failure, default_code};
use super::fields::Fields;
use super::template::{elements, room, string};

/// Names that Socket.IO keeps for itself.
const RESERVED: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Begins the names of events that are frontroom's own.
const OWN: &str = "frontroom:";

/// What is done to sockets.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    /// Keys to set in the socket's state.
    pub state: Map<String, Value>,
    /// Rooms to leave.
    pub leave: Vec<Arc<str>>,
    /// Rooms to join.
    pub join: Vec<Arc<str>>,
    /// Events to send.
    pub emit: Vec<Emission>,
    /// Arguments of the ack; without them none is sent.
    pub ack: Option<Vec<Json>>,
    /// Whether the socket is disconnected from its namespace in the end.
    pub disconnect: bool,
    /// Nothing is done, and the client is told why.
    pub error: Option<Rejection>,
}

/// Why a backend does not want an event or a connect.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Default 400.
    pub status: StatusCode,
    /// Default: a word for the status.
    pub code: Option<String>,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Json>,
}

/// An event to send.
#[derive(Debug, Clone)]
pub struct Emission {
    /// Name of the event.
    pub event: EventName,
    /// Its arguments.
    pub args: Vec<Json>,
    /// Rooms it goes to; `None` means the socket that the actions are about.
    pub to: Option<Vec<Arc<str>>>,
    /// Rooms and sockets left out.
    pub except: Vec<Arc<str>>,
    /// To the whole namespace.
    pub everyone: bool,
    /// Default: the socket's namespace.
    pub namespace: Option<Arc<str>>,
    /// Whether it may be dropped for a client that is not ready.
    pub volatile: bool,
    /// Whether the client's answer is wanted.
    pub ack: bool,
}

/// Whom actions are about.
#[derive(Debug, Clone)]
pub struct Here {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The socket, where there is one.
    pub socket: Option<Arc<str>>,
}

/// What is wrong with actions, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wrong}")]
pub struct Invalid {
    /// Dotted path of the field.
    pub field: String,
    /// What is wrong.
    pub wrong: String,
}

pub(super) type Result<T> = std::result::Result<T, Invalid>;

pub(super) fn invalid<T>(field: &str, wrong: impl Into<String>) -> Result<T> {
    Err(Invalid { field: field.to_owned(), wrong: wrong.into() })
}

impl Here {
    /// The socket alone, as a target.
    fn alone(&self) -> Option<Target> {
        let rooms = vec![Arc::clone(self.socket.as_ref()?)];
        Some(Target { rooms, ..Target::default() })
    }

    /// The socket joins rooms. `None` where there is nothing to do.
    pub fn join(&self, rooms: Vec<Arc<str>>) -> Option<Command> {
        let target = self.alone().filter(|_| !rooms.is_empty())?;
        Some(Command::Join { namespace: Arc::clone(&self.namespace), target, rooms })
    }

    /// The socket leaves rooms. `None` where there is nothing to do.
    pub fn leave(&self, rooms: Vec<Arc<str>>) -> Option<Command> {
        let target = self.alone().filter(|_| !rooms.is_empty())?;
        Some(Command::Leave { namespace: Arc::clone(&self.namespace), target, rooms })
    }

    /// The socket leaves the namespace.
    pub fn disconnect(&self) -> Option<Command> {
        let target = self.alone()?;
        Some(Command::Disconnect { namespace: Arc::clone(&self.namespace), target, close: false })
    }
}

impl Emission {
    /// What is sent.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing { name: self.event.clone(), args: self.args.clone(), volatile: self.volatile }
    }

    /// The command that sends it. `None` where it has no `to` and there is no socket.
    pub fn command(self, here: &Here) -> Option<Command> {
        let rooms = match self.to {
            _ if self.everyone => Vec::new(),
            Some(rooms) => rooms,
            None => vec![Arc::clone(here.socket.as_ref()?)],
        };
        let target = Target { rooms, except: self.except, everyone: self.everyone };
        let namespace = self.namespace.unwrap_or_else(|| Arc::clone(&here.namespace));
        let event = Outgoing { name: self.event, args: self.args, volatile: self.volatile };
        Some(Command::Emit { namespace, target, event })
    }

    /// Reads one, as in the actions' `emit`. `field` is where it stands.
    pub fn parse(field: &str, json: &Json) -> Result<Emission> {
        let mut fields = Fields::read(field, json)?;
        let event = fields.required("event")?;
        let emission = Emission {
            event: event_name(&fields.at("event"), &event)?,
            args: fields.args()?.unwrap_or_default(),
            to: fields.take("to").map(|to| rooms(&fields.at("to"), &to)).transpose()?,
            except: fields.rooms("except")?,
            everyone: fields.flag("everyone")?,
            namespace: fields.namespace()?,
            volatile: fields.flag("volatile")?,
            ack: fields.flag("ack")?,
        };
        if emission.everyone && emission.to.is_some() {
            return invalid(&fields.at("everyone"), "contradicts `to`");
        }
        fields.finish()?;
        Ok(emission)
    }
}

impl Rejection {
    /// What the client is told.
    pub(crate) fn failure(self) -> Failure {
        let code = self.code.map_or_else(|| default_code(self.status).into(), Into::into);
        Failure { status: self.status.as_u16(), code, message: self.message, body: self.data }
    }

    fn parse(field: &str, json: &Json) -> Result<Rejection> {
        let mut fields = Fields::read(field, json)?;
        let status = match fields.take("status") {
            Some(status) => status
                .as_str()
                .parse()
                .ok()
                .filter(|status| (400..600).contains(status))
                .and_then(|status: u16| StatusCode::from_u16(status).ok())
                .map_or_else(|| invalid(&fields.at("status"), "must be a status from 400 to 599"), Ok)?,
            None => StatusCode::BAD_REQUEST,
        };
        let rejection = Rejection {
            status,
            code: fields.string("code")?,
            message: fields.string("message")?.unwrap_or_else(|| super::failure::reason(status)),
            data: fields.take("data"),
        };
        fields.finish()?;
        Ok(rejection)
    }
}

impl Actions {
    /// Reads actions. Unknown keys and wrong types are errors that name the field.
    pub fn parse(json: &Json) -> Result<Actions> {
        let mut fields = Fields::read("", json)?;
        let mut actions = Actions {
            state: fields.object("state")?,
            leave: fields.rooms("leave")?,
            join: fields.rooms("join")?,
            ack: fields.list("ack")?,
            disconnect: fields.flag("disconnect")?,
            error: fields.take("error").map(|error| Rejection::parse("error", &error)).transpose()?,
            ..Actions::default()
        };
        for (index, emission) in fields.list("emit")?.unwrap_or_default().iter().enumerate() {
            actions.emit.push(Emission::parse(&format!("emit[{index}]"), emission)?);
        }
        fields.finish()?;
        Ok(actions)
    }
}

/// Reads an event's name. Socket.IO's own names and frontroom's are refused.
pub fn event_name(field: &str, json: &Json) -> Result<EventName> {
    let Some(name) = string(json) else {
        return match json.as_str().as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(EventName::Number(json.clone())),
            _ => invalid(field, "must be a string or a number"),
        };
    };
    match refused_name(&name) {
        Some(wrong) => invalid(field, wrong),
        None => Ok(EventName::Text(name.into())),
    }
}

/// Why an event may not have this name.
pub(crate) fn refused_name(name: &str) -> Option<String> {
    match name {
        "" => Some("is empty".to_owned()),
        name if RESERVED.contains(&name) => Some(format!("`{name}` is reserved by Socket.IO")),
        name if name.starts_with(OWN) => Some(format!("names that begin with `{OWN}` are frontroom's own")),
        _ => None,
    }
}

/// Reads one or several rooms.
pub fn rooms(field: &str, json: &Json) -> Result<Vec<Arc<str>>> {
    let read = |field: &str, json: &Json| {
        room(json).or_else(|error| invalid(field, format!("must be a room's name: {error}")))
    };
    match elements(json) {
        Some(list) => {
            list.iter().enumerate().map(|(index, item)| read(&format!("{field}[{index}]"), item)).collect()
        }
        None => Ok(vec![read(field, json)?]),
    }
}
