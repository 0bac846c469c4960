//! Actions: the one vocabulary in which a backend says what is done to sockets. Rules, hook replies,
//! the response header `Frontroom-Actions`, taps and the admin API all end here.

mod calls;
mod emission;
mod names;
mod rejection;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::json::Json;
use crate::socketio::{Asking, Command, Socket, Target};

use super::fields::Fields;

pub use calls::{Call, Verb};
pub use emission::Emission;
pub use names::{Invalid, event_name, rooms};
pub(crate) use names::{Result, invalid, refused_name};
pub use rejection::Rejection;

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

/// Whom actions are about.
#[derive(Debug, Clone)]
pub struct Here {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The socket, where there is one.
    pub socket: Option<Arc<str>>,
    /// Where the answers to emits with `ack` go; without it none are asked for.
    pub asking: Option<Asking>,
}

/// What actions are done through.
pub(crate) trait Doer {
    /// Sets keys of the socket's state.
    fn state(&mut self, changes: Map<String, Value>);
    /// Does something to sockets.
    fn command(&mut self, command: Command);
}

impl Here {
    /// A socket in its namespace.
    pub fn of(socket: &Socket) -> Here {
        let (namespace, id) = (Arc::clone(socket.namespace()), Arc::clone(socket.id()));
        Here { namespace, socket: Some(id), asking: None }
    }

    /// A namespace, and no socket.
    pub fn namespace(name: Arc<str>) -> Here {
        Here { namespace: name, socket: None, asking: None }
    }

    /// The socket alone, as a target.
    fn alone(&self) -> Option<Target> {
        Some(Target::socket(Arc::clone(self.socket.as_ref()?)))
    }

    /// The socket joins rooms. `None` where there is nothing to do.
    pub fn join(&self, rooms: Vec<Arc<str>>) -> Option<Command> {
        if rooms.is_empty() {
            return None;
        }
        let target = self.alone()?;
        Some(Command::Join { namespace: Arc::clone(&self.namespace), target, rooms })
    }

    /// The socket leaves rooms. `None` where there is nothing to do.
    pub fn leave(&self, rooms: Vec<Arc<str>>) -> Option<Command> {
        if rooms.is_empty() {
            return None;
        }
        let target = self.alone()?;
        Some(Command::Leave { namespace: Arc::clone(&self.namespace), target, rooms })
    }

    /// The socket leaves the namespace.
    pub fn disconnect(&self) -> Option<Command> {
        let target = self.alone()?;
        Some(Command::Disconnect { namespace: Arc::clone(&self.namespace), target, close: false })
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

    /// Whether some of them are about a socket.
    pub(crate) fn needs_socket(&self) -> bool {
        let own = |emission: &Emission| emission.to.is_none() && !emission.everyone;
        let moves = !(self.state.is_empty() && self.leave.is_empty() && self.join.is_empty());
        moves || self.disconnect || self.emit.iter().any(own)
    }

    /// Does `state`, `leave`, `join` and `emit`, in this order. The others are for whoever waits for
    /// an answer.
    pub(crate) fn perform(self, here: &Here, doer: &mut dyn Doer) {
        if !self.state.is_empty() {
            doer.state(self.state);
        }
        let moves = [here.leave(self.leave), here.join(self.join)].into_iter().flatten();
        let events = self.emit.into_iter().filter_map(|emission| emission.command(here));
        moves.chain(events).for_each(|command| doer.command(command));
    }
}
