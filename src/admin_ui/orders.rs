//! What the Admin UI wants done: `emit(nsp, filter, event, ..args)`, `join(nsp, room, filter)`,
//! `leave(nsp, room, filter)`, `_disconnect(nsp, close, filter)`. Without a filter everybody in the namespace is meant.

use std::sync::Arc;

use crate::json::Json;
use crate::rules::actions::{event_name, rooms};
use crate::socketio::{Command, Event, Outgoing, Target};

/// Reads what is to be done.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn read(event: &Event) -> Result<Command, String> {
    let args = &event.args;
    let at = |index: usize| args.get(index).filter(|arg| arg.as_str() != "null");
    let namespace = namespace(at(0))?;
    match event.name.as_text() {
        "emit" => {
            let target = target(at(1))?;
            let name = at(2).ok_or("an event is missing")?;
            let name = event_name("event", name).map_err(|wrong| wrong.to_string())?;
            let args = args.get(3..).unwrap_or_default().to_vec();
            Ok(Command::Emit { namespace, target, event: Outgoing { name, args, volatile: false } })
        }
        "join" => Ok(Command::Join { namespace, target: target(at(2))?, rooms: room(at(1))? }),
        "leave" => Ok(Command::Leave { namespace, target: target(at(2))?, rooms: room(at(1))? }),
        "_disconnect" => {
            let close = at(1).is_some_and(|close| close.as_str() == "true");
            Ok(Command::Disconnect { namespace, target: target(at(2))?, close })
        }
        _ => Err("emit, join, leave and _disconnect are known".to_owned()),
    }
}

/// Node puts a missing `/` before it.
fn namespace(arg: Option<&Json>) -> Result<Arc<str>, String> {
    let name = arg.ok_or("a namespace is missing")?;
    let name: String = serde_json::from_str(name.as_str()).map_err(|_| "a namespace is a text")?;
    Ok(if name.starts_with('/') { name.into() } else { format!("/{name}").into() })
}

/// A filter is a room, which a socket's id is too, or a list of rooms.
fn target(filter: Option<&Json>) -> Result<Target, String> {
    match filter {
        None => Ok(Target { everyone: true, ..Target::default() }),
        Some(filter) if matches!(filter.as_str(), r#""""# | "false") => target(None),
        Some(filter) => match rooms("filter", filter).map_err(|wrong| wrong.to_string())? {
            // Node would mean everybody.
            rooms if rooms.is_empty() => Err("filter: names nobody".to_owned()),
            rooms => Ok(Target { rooms, ..Target::default() }),
        },
    }
}

fn room(arg: Option<&Json>) -> Result<Vec<Arc<str>>, String> {
    rooms("room", arg.ok_or("a room is missing")?).map_err(|wrong| wrong.to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::socketio::EventName;

    fn order(name: &str, args: &str) -> String {
        let args: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(args).unwrap();
        let args = args.iter().map(|arg| Json::parse(Bytes::copy_from_slice(arg.get().as_bytes())).unwrap());
        let event = Event { name: EventName::Text(name.into()), args: args.collect(), ack: None };
        let command = match read(&event) {
            Ok(command) => command,
            Err(wrong) => return wrong,
        };
        let meant =
            if command.target().everyone { "all".to_owned() } else { command.target().rooms.join("+") };
        let what = match &command {
            Command::Emit { event, .. } => format!("emit {} {:?}", event.name.as_text(), event.args),
            Command::Join { rooms, .. } => format!("join {}", rooms.join("+")),
            Command::Leave { rooms, .. } => format!("leave {}", rooms.join("+")),
            Command::Disconnect { close, .. } => format!("disconnect {close}"),
            Command::Ask { .. } => String::new(),
        };
        format!("{} {meant}: {what}", command.namespace())
    }

    #[test]
    fn orders_are_read_as_node_reads_them() {
        for (name, args, read) in [
            ("emit", r#"["/",null,"hi",1.0,{"a":2}]"#, r#"/ all: emit hi [1.0, {"a":2}]"#),
            ("emit", r#"["/","","hi"]"#, "/ all: emit hi []"),
            ("emit", r#"["chat",["a","b"],"hi"]"#, "/chat a+b: emit hi []"),
            ("join", r#"["/","r","id"]"#, "/ id: join r"),
            ("join", r#"["/",["r","s"]]"#, "/ all: join r+s"),
            ("leave", r#"["/","r",null]"#, "/ all: leave r"),
            ("_disconnect", r#"["/",true,"id"]"#, "/ id: disconnect true"),
            ("_disconnect", r#"["/"]"#, "/ all: disconnect false"),
        ] {
            assert_eq!(order(name, args), read, "{name} {args}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (name, args, wrong) in [
            ("emit", "[]", "a namespace is missing"),
            ("emit", "[7]", "a namespace is a text"),
            ("emit", r#"["/","r"]"#, "an event is missing"),
            ("emit", r#"["/","r","disconnect"]"#, "event: `disconnect` is reserved by Socket.IO"),
            ("emit", r#"["/",[],"hi"]"#, "filter: names nobody"),
            ("emit", r#"["/",{},"hi"]"#, "filter: "),
            ("join", r#"["/"]"#, "a room is missing"),
            ("join", r#"["/",""]"#, "room: "),
            ("whatever", r#"["/"]"#, "emit, join, leave and _disconnect are known"),
        ] {
            assert!(order(name, args).starts_with(wrong), "{name} {args}: {}", order(name, args));
        }
    }
}
