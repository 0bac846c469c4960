//! An event to send.

use std::sync::Arc;

use crate::json::Json;
use crate::rules::fields::Fields;
use crate::socketio::{Command, EventName, Outgoing, Target};

use super::{Here, Result, event_name, invalid, rooms};

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

impl Emission {
    /// The command that sends it. `None` where it has no `to` and there is no socket. Where its
    /// answers are wanted, they go to `here`'s asking.
    pub fn command(self, here: &Here) -> Option<Command> {
        let target = match self.to {
            _ if self.everyone => Target { everyone: true, ..Target::default() },
            Some(rooms) => Target { rooms, ..Target::default() },
            None => here.alone()?,
        };
        let target = Target { except: self.except, ..target };
        let namespace = self.namespace.unwrap_or_else(|| Arc::clone(&here.namespace));
        let event = Outgoing { name: self.event, args: self.args, volatile: self.volatile };
        Some(match here.asking.as_ref().filter(|_| self.ack) {
            Some(asking) => Command::Ask { namespace, target, event, asking: asking.clone() },
            None => Command::Emit { namespace, target, event },
        })
    }

    /// Reads one, as in the actions' `emit`. `field` is where it stands.
    pub fn parse(field: &str, json: &Json) -> Result<Emission> {
        let mut fields = Fields::read(field, json)?;
        let emission = Emission { ack: fields.flag("ack")?, ..Emission::take(&mut fields)? };
        fields.finish()?;
        Ok(emission)
    }

    /// Reads all of one but `ack`.
    pub(super) fn take(fields: &mut Fields<'_>) -> Result<Emission> {
        let event = fields.required("event")?;
        let emission = Emission {
            event: event_name(&fields.at("event"), &event)?,
            args: fields.args()?.unwrap_or_default(),
            to: fields.take("to").map(|to| rooms(&fields.at("to"), &to)).transpose()?,
            except: fields.except()?,
            everyone: fields.flag("everyone")?,
            namespace: fields.namespace()?,
            volatile: fields.flag("volatile")?,
            ack: false,
        };
        if emission.everyone && emission.to.is_some() {
            return invalid(&fields.at("everyone"), "contradicts `to`");
        }
        Ok(emission)
    }
}
