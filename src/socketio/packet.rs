//! Packets of Socket.IO protocol v5: `<type>[<n>-][/nsp,][id][json]`, read strictly, written once.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::binary;
use super::{EventName, Outgoing};
use crate::engineio::{Frame, Parcel, Utf8};
use crate::json::Json;
use crate::telemetry::metrics;

/// A packet from a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) namespace: Cow<'static, str>,
    pub(super) body: Content,
}

/// What a packet says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Connect { auth: Option<Json> },
    Disconnect,
    Event { id: Option<Box<str>>, name: EventName, args: Vec<Json> },
    Ack { id: Box<str>, args: Vec<Json> },
}

/// What is not a packet, or not one that a client may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Names that mean something to Socket.IO itself (socket.io-parser `RESERVED_EVENTS`).
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet whose attachments are still to come.
#[derive(Debug)]
pub(super) struct Incomplete {
    text: Utf8,
    expected: usize,
    attachments: Vec<Bytes>,
}

/// What a text message holds.
#[derive(Debug)]
pub(super) enum Parsed {
    Whole(Packet),
    Incomplete(Incomplete),
}

/// Reads a text message. `max_attachments` is checked before any is waited for.
pub(super) fn parse(text: Utf8, max_attachments: usize) -> Result<Parsed, Invalid> {
    let head = Head::parse(text.as_str())?;
    if head.attachments > max_attachments {
        metrics::refused("socketio.max_attachments");
        return Err(Invalid);
    }
    if head.attachments > 0 {
        // Told now rather than after waiting for them.
        if !head.data.starts_with('[') || (head.kind == b'6' && head.id.is_none()) {
            return Err(Invalid);
        }
        let expected = head.attachments;
        return Ok(Parsed::Incomplete(Incomplete {
            expected,
            attachments: Vec::with_capacity(expected),
            text,
        }));
    }
    head.read(text.bytes(), &[]).map(Parsed::Whole)
}

impl Incomplete {
    /// Bytes that have come so far.
    pub(super) fn len(&self) -> usize {
        self.text.bytes().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Adds an attachment; the packet, once it was the last.
    pub(super) fn add(mut self, attachment: Bytes) -> Result<Parsed, Invalid> {
        self.attachments.push(attachment);
        if self.attachments.len() < self.expected {
            return Ok(Parsed::Incomplete(self));
        }
        let packet = Head::parse(self.text.as_str())?.read(self.text.bytes(), &self.attachments)?;
        Ok(Parsed::Whole(packet))
    }
}

/// The parts of a packet's text.
struct Head<'a> {
    kind: u8,
    attachments: usize,
    namespace: &'a str,
    id: Option<&'a str>,
    data: &'a str,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str) -> Result<Head<'a>, Invalid> {
        let (&kind, _) = text.as_bytes().split_first().ok_or(Invalid)?;
        let mut rest = text.get(1..).ok_or(Invalid)?;
        let mut attachments = 0;
        if matches!(kind, b'5' | b'6') {
            let (count, after) = rest.split_once('-').ok_or(Invalid)?;
            if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Invalid);
            }
            attachments = count.parse().map_err(|_| Invalid)?;
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            // The comma may be missing where nothing follows.
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at_checked(digits).ok_or(Invalid)?;
        Ok(Head { kind, attachments, namespace, id: (!id.is_empty()).then_some(id), data })
    }

    fn read(&self, whole: &Bytes, attachments: &[Bytes]) -> Result<Packet, Invalid> {
        let binary = matches!(self.kind, b'5' | b'6');
        let body = match (self.kind, self.id) {
            (b'0', None) => {
                let auth = object(whole, self.data)?.map(|auth| binary::escape(vec![auth])).transpose()?;
                Content::Connect { auth: auth.and_then(|mut auth| auth.pop()) }
            }
            (b'1', None) if self.data.is_empty() => Content::Disconnect,
            (b'2' | b'5', id) => {
                let (name, args) = event(whole, self.data)?;
                let args = if binary { binary::attach(args, attachments)? } else { binary::escape(args)? };
                Content::Event { id: id.map(Into::into), name, args }
            }
            (b'3' | b'6', Some(id)) => {
                let args: Vec<&RawValue> = serde_json::from_str(self.data).map_err(|_| Invalid)?;
                let args = args.into_iter().map(|arg| Json::from_raw(whole, arg)).collect();
                let args = if binary { binary::attach(args, attachments)? } else { binary::escape(args)? };
                Content::Ack { id: id.into(), args }
            }
            _ => return Err(Invalid),
        };
        let namespace = match self.namespace {
            "/" => Cow::Borrowed("/"),
            other => Cow::Owned(other.to_owned()),
        };
        Ok(Packet { namespace, body })
    }
}

fn object(whole: &Bytes, data: &str) -> Result<Option<Json>, Invalid> {
    if data.is_empty() {
        return Ok(None);
    }
    let raw: &RawValue = serde_json::from_str(data).map_err(|_| Invalid)?;
    if !raw.get().starts_with('{') {
        return Err(Invalid);
    }
    Ok(Some(Json::from_raw(whole, raw)))
}

fn event(whole: &Bytes, data: &str) -> Result<(EventName, Vec<Json>), Invalid> {
    let parts: Vec<&RawValue> = serde_json::from_str(data).map_err(|_| Invalid)?;
    let (name, args) = parts.split_first().ok_or(Invalid)?;
    let name = match name.get().bytes().next() {
        Some(b'"') => {
            let name = string(name.get())?;
            if is_reserved(&name) {
                return Err(Invalid);
            }
            EventName::Text(name.into())
        }
        Some(b'-' | b'0'..=b'9') => EventName::Number(Json::from_raw(whole, name)),
        _ => return Err(Invalid),
    };
    Ok((name, args.iter().map(|arg| Json::from_raw(whole, arg)).collect()))
}

/// The characters of a valid JSON string.
fn string(quoted: &str) -> Result<Cow<'_, str>, Invalid> {
    match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| Invalid),
    }
}

/// Whether an event may not have this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// `/` is not written, any other namespace with a comma behind it.
pub(super) fn prefix(namespace: &str) -> [&str; 2] {
    if namespace == "/" { ["", ""] } else { [namespace, ","] }
}

/// An event, written down once for all the sockets it goes to; `id` where an ack is asked for.
pub(super) fn event_parcel(namespace: &str, event: &Outgoing, id: Option<u64>) -> Parcel {
    write_event(namespace, event, id, None)
}

/// The same with the event's offset as its last argument.
pub(super) fn event_parcel_at(namespace: &str, event: &Outgoing, offset: &str) -> Parcel {
    write_event(namespace, event, None, Some(&format!("\"{offset}\"")))
}

fn write_event(namespace: &str, event: &Outgoing, id: Option<u64>, offset: Option<&str>) -> Parcel {
    let name = match &event.name {
        EventName::Text(name) => serde_json::Value::from(name.as_ref()).to_string(),
        EventName::Number(number) => number.as_str().to_owned(),
    };
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    parcel(("2", "5"), namespace, &id, (Some(&name), offset), &event.args, event.volatile)
}

/// An ack.
pub(super) fn ack_parcel(namespace: &str, id: &str, args: &[Json]) -> Parcel {
    parcel(("3", "6"), namespace, id, (None, None), args, false)
}

fn parcel(
    kinds: (&str, &str),
    nsp: &str,
    id: &str,
    (name, offset): (Option<&str>, Option<&str>),
    args: &[Json],
    volatile: bool,
) -> Parcel {
    let (args, attachments) = binary::detach(args);
    let counted = (!attachments.is_empty()).then(|| format!("{}{}-", kinds.1, attachments.len()));
    let [namespace, comma] = prefix(nsp);
    // Five before the list, one behind it; in it name, arguments and offset, with a comma for each.
    let mut parts = Vec::with_capacity(6 + 2 * (args.len() + 2));
    parts.extend([counted.as_deref().unwrap_or(kinds.0), namespace, comma, id, "["]);
    let list = name.into_iter().chain(args.iter().map(Json::as_str)).chain(offset);
    for (index, part) in list.enumerate() {
        if index > 0 {
            parts.push(",");
        }
        parts.push(part);
    }
    parts.push("]");
    let attachments = attachments.iter().map(|data| Frame::binary(data)).collect();
    Parcel::with_attachments(Frame::text(&parts), attachments, volatile)
}

/// The answer to a CONNECT; with the `pid` where the client may come back by it.
pub(super) fn connect_parcel(namespace: &str, id: &str, pid: Option<&str>) -> Parcel {
    let [namespace, comma] = prefix(namespace);
    let mut parts = vec!["0", namespace, comma, "{\"sid\":\"", id];
    if let Some(pid) = pid {
        parts.extend(["\",\"pid\":\"", pid]);
    }
    parts.push("\"}");
    Parcel::new(Frame::text(&parts), false)
}

/// The refusal of a CONNECT.
pub(super) fn connect_error_parcel(namespace: &str, message: &str, data: Option<&Json>) -> Parcel {
    let [namespace, comma] = prefix(namespace);
    let message = serde_json::Value::from(message).to_string();
    let mut parts = vec!["4", namespace, comma, "{\"message\":", &message];
    if let Some(data) = data {
        parts.extend([",\"data\":", data.as_str()]);
    }
    parts.push("}");
    Parcel::new(Frame::text(&parts), false)
}

/// What an event or ack of ours says.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// The event's name; `None` for an ack.
    pub(super) event: Option<String>,
    pub(super) id: Option<&'a str>,
    pub(super) args: Vec<&'a str>,
}

/// Reads an event or ack back that was written here; `None` for any other packet.
pub(super) fn shown(text: &str) -> Option<Shown<'_>> {
    let head = Head::parse(text).ok()?;
    let is_event = matches!(head.kind, b'2' | b'5');
    if !is_event && !matches!(head.kind, b'3' | b'6') {
        return None;
    }
    let parts: Vec<&RawValue> = serde_json::from_str(head.data).ok()?;
    let mut args: Vec<&str> = parts.into_iter().map(RawValue::get).collect();
    let name = (is_event && !args.is_empty()).then(|| args.remove(0));
    let event = name.map(|name| serde_json::from_str(name).unwrap_or_else(|_| name.to_owned()));
    Some(Shown { event, id: head.id, args })
}

/// The server makes a client leave a namespace.
pub(super) fn disconnect_parcel(namespace: &str) -> Parcel {
    let [namespace, comma] = prefix(namespace);
    Parcel::new(Frame::text(&["1", namespace, comma]), false)
}

#[cfg(test)]
mod peer;
#[cfg(test)]
mod tests;
