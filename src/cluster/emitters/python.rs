//! What `RedisManager(write_only=True)` of python-socketio and Flask-SocketIO publishes, as JSON. Pickles, which
//! versions before 5.14 write, are not read: reading one runs it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::Unreadable;
use super::socketio::{event_name, names};
use crate::json::Json;
use crate::socketio::{Command, Outgoing, Target, attach, escape};

/// Reads a message. `None` where it is meant for other nodes' eyes.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Command>, Unreadable> {
    let message: Value = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
    let method = message.get("method").and_then(Value::as_str).ok_or(Unreadable)?;
    let namespace = message.get("namespace").and_then(Value::as_str).unwrap_or("/").into();
    let rooms = names(message.get("room"))?;
    let socket = || {
        let rooms = names(message.get("sid"))?;
        if rooms.is_empty() { Err(Unreadable) } else { Ok(Target { rooms, ..Target::default() }) }
    };
    let some = || if rooms.is_empty() { Err(Unreadable) } else { Ok(rooms.clone()) };
    Ok(Some(match method {
        "emit" => Command::Emit {
            namespace,
            target: Target {
                everyone: rooms.is_empty(),
                rooms,
                except: names(message.get("skip_sid"))?,
                alone: false,
            },
            event: Outgoing {
                name: event_name(message.get("event").ok_or(Unreadable)?)?,
                args: args(&message)?,
                volatile: false,
            },
        },
        "disconnect" => Command::Disconnect { namespace, target: socket()?, close: false },
        "enter_room" => Command::Join { namespace, target: socket()?, rooms: some()? },
        "leave_room" => Command::Leave { namespace, target: socket()?, rooms: some()? },
        "close_room" => Command::Leave {
            namespace,
            target: Target { rooms: some()?, ..Target::default() },
            rooms: some()?,
        },
        _ => return Ok(None),
    }))
}

/// The arguments: a list since 5.15.1, one bare value before. `[null]` is how nothing is written.
fn args(message: &Value) -> Result<Vec<Json>, Unreadable> {
    let data = message.get("data").unwrap_or(&Value::Null);
    if message.get("binary").and_then(Value::as_bool).unwrap_or(false) {
        let (args, attachments) = data.as_array().and_then(|list| list.split_first()).ok_or(Unreadable)?;
        let decode = |text: &Value| STANDARD.decode(text.as_str()?).ok().map(Bytes::from);
        let attachments: Option<Vec<Bytes>> = attachments.iter().map(decode).collect();
        return attach(written(args), &attachments.ok_or(Unreadable)?).map_err(|_| Unreadable);
    }
    escape(written(data)).map_err(|_| Unreadable)
}

fn written(data: &Value) -> Vec<Json> {
    match data {
        Value::Array(list) if matches!(list.as_slice(), [Value::Null]) => Vec::new(),
        Value::Array(list) => list.iter().map(Json::from_value).collect(),
        Value::Null => Vec::new(),
        one => vec![Json::from_value(one)],
    }
}
