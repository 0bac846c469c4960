//! What `@socket.io/redis-emitter` 5.x and its ports publish, as `@socket.io/redis-adapter` reads it.
//!
//! Events: channel `KEY#NAMESPACE#` or `KEY#NAMESPACE#ROOM#`, a list of the sender, the packet and its
//! options in MessagePack or JSON. Requests: channel `KEY-request#NAMESPACE#`, JSON.

use std::sync::Arc;

use serde_json::Value;

use super::{Unreadable, msgpack};
use crate::json::Json;
use crate::socketio::{Command, EventName, Outgoing, Target, escape};

/// Type of an event's packet, without and with binary (socket.io-protocol v5).
const EVENTS: [u64; 2] = [2, 5];

/// Reads a message. `None` where it is meant for other nodes' eyes.
pub(super) fn read(key: &str, channel: &str, bytes: &[u8]) -> Result<Option<Command>, Unreadable> {
    let rest = channel.strip_prefix(key).ok_or(Unreadable)?;
    if let Some(namespace) = rest.strip_prefix("-request#").and_then(|rest| rest.strip_suffix('#')) {
        return request(namespace, bytes);
    }
    // A room may hold a `#`, a namespace does not.
    let (namespace, room) = rest.strip_prefix('#').ok_or(Unreadable)?.split_once('#').unwrap_or_default();
    let room = room.strip_suffix('#');
    let message = match bytes.first() {
        Some(b'[') => serde_json::from_slice(bytes).map_err(|_| Unreadable)?,
        _ => msgpack::tree(&msgpack::read(bytes)?),
    };
    let from_json = bytes.first() == Some(&b'[');
    event(namespace, room, message, from_json).map(Some)
}

fn event(
    namespace: &str,
    room: Option<&str>,
    message: Value,
    from_json: bool,
) -> Result<Command, Unreadable> {
    let Value::Array(mut parts) = message else { return Err(Unreadable) };
    // Older ones do not say who they are.
    if parts.first().is_some_and(Value::is_string) {
        parts.remove(0);
    }
    let (packet, options) = (parts.first().ok_or(Unreadable)?, parts.get(1).unwrap_or(&Value::Null));
    let kind = packet.get("type").and_then(Value::as_u64).ok_or(Unreadable)?;
    let said = packet.get("nsp").and_then(Value::as_str).unwrap_or("/");
    if !EVENTS.contains(&kind) || (!namespace.is_empty() && said != namespace) {
        return Err(Unreadable);
    }
    let data = packet.get("data").and_then(Value::as_array).ok_or(Unreadable)?;
    let (name, args) = data.split_first().ok_or(Unreadable)?;
    let args: Vec<Json> = args.iter().map(Json::from_value).collect();
    // What came as MessagePack has its binary in our words already.
    let args = if from_json { escape(args).map_err(|_| Unreadable)? } else { args };
    let rooms = match room {
        Some(room) => vec![room.into()],
        None => names(options.get("rooms"))?,
    };
    let volatile = options.pointer("/flags/volatile").and_then(Value::as_bool).unwrap_or(false);
    Ok(Command::Emit {
        namespace: said.into(),
        target: Target {
            everyone: rooms.is_empty(),
            rooms,
            except: names(options.get("except"))?,
            alone: false,
        },
        event: Outgoing { name: event_name(name)?, args, volatile },
    })
}

/// Joins, leaves and disconnects. What else nodes ask one another is not for us.
fn request(namespace: &str, bytes: &[u8]) -> Result<Option<Command>, Unreadable> {
    let request: Value = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
    let options = request.get("opts").unwrap_or(&Value::Null);
    let selected = names(options.get("rooms"))?;
    let target = Target {
        everyone: selected.is_empty(),
        rooms: selected,
        except: names(options.get("except"))?,
        alone: false,
    };
    let namespace: Arc<str> = namespace.into();
    let rooms = || {
        names(request.get("rooms"))
            .and_then(|rooms| if rooms.is_empty() { Err(Unreadable) } else { Ok(rooms) })
    };
    Ok(Some(match request.get("type").and_then(Value::as_u64).ok_or(Unreadable)? {
        2 => Command::Join { namespace, target, rooms: rooms()? },
        3 => Command::Leave { namespace, target, rooms: rooms()? },
        4 => {
            let close = request.get("close").and_then(Value::as_bool).unwrap_or(false);
            Command::Disconnect { namespace, target, close }
        }
        _ => return Ok(None),
    }))
}

/// Names of rooms. Nothing, an empty text and an empty object stand for none: ports differ.
pub(super) fn names(value: Option<&Value>) -> Result<Vec<Arc<str>>, Unreadable> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(entries)) if entries.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(name).collect(),
        Some(one) => Ok(vec![name(one)?]),
    }
}

fn name(value: &Value) -> Result<Arc<str>, Unreadable> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.as_str().into()),
        Value::Number(number) => Ok(number.to_string().into()),
        _ => Err(Unreadable),
    }
}

/// An event's name: a text or a number.
pub(super) fn event_name(value: &Value) -> Result<EventName, Unreadable> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(EventName::Text(text.as_str().into())),
        Value::Number(_) => Ok(EventName::Number(Json::from_value(value))),
        _ => Err(Unreadable),
    }
}
