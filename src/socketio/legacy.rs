//! What clients 1.x and 2.x (Socket.IO protocol v4 on Engine.IO v3) expect to be different.

use std::sync::Arc;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::packet::{Content, Packet, prefix};
use crate::engineio::{Frame, Handshake, Parcel, Session};
use crate::json::Json;

/// Parameters of the handshake's query that are Engine.IO's own.
const ENGINES: [&str; 6] = ["EIO", "transport", "sid", "t", "b64", "j"];

/// The packet that these clients do not send: they take it for granted that they are let into `/`.
pub(super) fn unsaid_connect() -> Packet {
    Packet { namespace: "/".into(), body: Content::Connect { auth: None } }
}

/// Reads a packet as these clients mean it: a namespace's query is no part of its name, and who
/// connects is known by that query and by the handshake's.
pub(super) fn translate(packet: Packet, handshake: &Handshake) -> Packet {
    let (name, query) = packet.namespace.split_once('?').unwrap_or((&packet.namespace, ""));
    let body = match packet.body {
        Content::Connect { .. } => Content::Connect { auth: Some(auth(handshake, query)) },
        other => other,
    };
    Packet { namespace: name.to_owned().into(), body }
}

/// Both queries as one object. The namespace's own word counts more; a repeated name has a list, as
/// Node has it.
fn auth(handshake: &Handshake, query: &str) -> Json {
    let engine = handshake.query.iter().filter(|(name, _)| !ENGINES.contains(&name.as_str()));
    let mut all = object(engine.cloned());
    all.extend(object(form_urlencoded::parse(query.as_bytes()).into_owned()));
    Json::from_value(&Value::Object(all))
}

fn object(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        match object.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::Array(list) => list.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    object
}

/// The id these clients compute for their socket: the session's, which makes it a credential.
pub(super) fn socket_id(session: &Session, namespace: &str) -> Arc<str> {
    match namespace {
        "/" => session.id().clone(),
        namespace => format!("{namespace}#{}", session.id()).into(),
    }
}

/// The answer to a CONNECT, or the one that was not asked for. The id is not told.
pub(super) fn connect_parcel(namespace: &str) -> Parcel {
    let [namespace, comma] = prefix(namespace);
    Parcel::new(Frame::text(&["0", namespace, comma]), false)
}

/// The refusal of a CONNECT: its data alone, or else its message.
pub(super) fn connect_error_parcel(namespace: &str, message: &str, data: Option<&Json>) -> Parcel {
    let [namespace, comma] = prefix(namespace);
    let data = data.cloned().unwrap_or_else(|| Json::from_value(&message.into()));
    Parcel::new(Frame::text(&["4", namespace, comma, data.as_str()]), false)
}
