//! Actions without a socket of their own: what the admin API is asked to do.

use std::sync::Arc;
use std::time::Duration;

use crate::config::value;
use crate::json::Json;
use crate::rules::fields::Fields;
use crate::rules::template::{elements, members};
use crate::socketio::{Command, Target};

use super::{Emission, Here, Result, invalid};

/// Longest that answers are waited for.
const MAX_ACK_TIMEOUT: Duration = Duration::from_secs(60);

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Sends an event.
    Emit,
    /// Puts sockets in rooms.
    Join,
    /// Takes sockets out of rooms.
    Leave,
    /// Disconnects sockets.
    Disconnect,
}

/// One thing to do to a selection of sockets.
#[derive(Debug, Clone)]
pub struct Call {
    /// What.
    pub command: Command,
    /// How long answers to an emit are waited for; `None` where none are asked for.
    pub ack_timeout: Option<Duration>,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 4] = [Verb::Emit, Verb::Join, Verb::Leave, Verb::Disconnect];

    /// Its name in a batch and in the API's paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Emit => "emit",
            Verb::Join => "join",
            Verb::Leave => "leave",
            Verb::Disconnect => "disconnect",
        }
    }
}

impl Call {
    /// Reads one: `field` is where it stands, empty where it stands alone.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or wrong.
    pub fn parse(verb: Verb, field: &str, json: &Json) -> Result<Call> {
        if field.is_empty() && members(json).is_none() {
            return invalid("body", "must be an object");
        }
        let mut fields = Fields::read(field, json)?;
        let call = match verb {
            Verb::Emit => Call::emit(&mut fields)?,
            Verb::Join | Verb::Leave => Call::movement(verb, &mut fields)?,
            Verb::Disconnect => Call::disconnect(&mut fields)?,
        };
        fields.finish()?;
        Ok(call)
    }

    /// Reads a list of them, each `{"emit": {..}}` or its like. What is wrong with one stands in its
    /// place.
    ///
    /// # Errors
    /// When it is no list.
    pub fn parse_all(json: &Json) -> Result<Vec<Result<Call>>> {
        match elements(json) {
            Some(list) => Ok(list.iter().map(Call::entry).collect()),
            None => invalid("batch", "must be a list of calls"),
        }
    }

    fn entry(json: &Json) -> Result<Call> {
        let entry = members(json).filter(|keys| keys.len() == 1).and_then(|mut keys| keys.pop());
        let verb = |name: &str| Verb::ALL.into_iter().find(|verb| verb.as_str() == name);
        match entry.and_then(|(name, body)| Some((verb(&name)?, body))) {
            Some((verb, body)) => Call::parse(verb, verb.as_str(), &body),
            None => invalid("call", "must be an object with one of `emit`, `join`, `leave` and `disconnect`"),
        }
    }

    fn emit(fields: &mut Fields<'_>) -> Result<Call> {
        let ack_timeout = ack_timeout(fields)?;
        let emission = Emission::take(fields)?;
        let nobody = fields.at("to");
        let Some(command) = emission.command(&Here::namespace("/".into())) else {
            return invalid(&nobody, "is missing; write the rooms, or `everyone: true`");
        };
        Ok(Call { command, ack_timeout })
    }

    fn movement(verb: Verb, fields: &mut Fields<'_>) -> Result<Call> {
        let to = fields.required("to")?;
        let target = Target {
            rooms: super::rooms(&fields.at("to"), &to)?,
            except: fields.except()?,
            ..Target::default()
        };
        let namespace = namespace(fields)?;
        let rooms = fields.required("rooms")?;
        let rooms = super::rooms(&fields.at("rooms"), &rooms)?;
        let command = match verb {
            Verb::Leave => Command::Leave { namespace, target, rooms },
            _ => Command::Join { namespace, target, rooms },
        };
        Ok(Call { command, ack_timeout: None })
    }

    fn disconnect(fields: &mut Fields<'_>) -> Result<Call> {
        let to = fields.take("to");
        let everyone = fields.flag("everyone")?;
        let rooms = match &to {
            Some(_) if everyone => return invalid(&fields.at("everyone"), "contradicts `to`"),
            Some(to) => super::rooms(&fields.at("to"), to)?,
            None if everyone => Vec::new(),
            None => return invalid(&fields.at("to"), "is missing; write the rooms, or `everyone: true`"),
        };
        let target = Target { rooms, except: fields.except()?, everyone, alone: false };
        let (namespace, close) = (namespace(fields)?, fields.flag("close")?);
        Ok(Call { command: Command::Disconnect { namespace, target, close }, ack_timeout: None })
    }
}

fn namespace(fields: &mut Fields<'_>) -> Result<Arc<str>> {
    Ok(fields.namespace()?.unwrap_or_else(|| "/".into()))
}

fn ack_timeout(fields: &mut Fields<'_>) -> Result<Option<Duration>> {
    let field = fields.at("ack_timeout");
    let Some(written) = fields.string("ack_timeout")? else { return Ok(None) };
    match written.parse::<value::Duration>() {
        Ok(time) if time.0.is_zero() || time.0 > MAX_ACK_TIMEOUT => {
            invalid(&field, "must be more than nothing and at most 60s")
        }
        Ok(time) => Ok(Some(time.0)),
        Err(_) => invalid(&field, "must be a duration such as 2s"),
    }
}
