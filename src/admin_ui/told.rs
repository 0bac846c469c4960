//! What the Admin UI is told, in the words of `@socket.io/admin-ui` 0.5.

use serde_json::{Value, json};

use crate::json::{self, Json};
use crate::socketio::{EventName, Member, Moment, Outgoing, What, Whose, escape};

/// Commands that it offers, unless it may only look.
const COMMANDS: [&str; 7] = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];

/// Sums of traffic and connections in `server_stats`.
const SUMS: &str = "AGGREGATED_EVENTS";

/// Every socket and event.
const EVERYTHING: &str = "ALL_EVENTS";

/// One event.
pub(super) fn event(name: &str, args: Vec<Json>) -> Outgoing {
    Outgoing { name: EventName::Text(name.into()), args, volatile: false }
}

/// What there is to see and to do.
pub(super) fn config(read_only: bool, development: bool) -> Outgoing {
    let commands = COMMANDS.into_iter().filter(|_| !read_only);
    let features: Vec<_> = commands.chain([SUMS]).chain(development.then_some(EVERYTHING)).collect();
    event("config", vec![Json::from_value(&json!({"supportedFeatures": features}))])
}

/// The session id to come back with.
pub(super) fn session(id: &str) -> Outgoing {
    event("session", vec![Json::from_value(&id.into())])
}

/// All sockets that there are.
pub(super) fn all_sockets(mut members: Vec<Member>, tokens: &[String]) -> Outgoing {
    let sockets: Vec<Value> = members.iter_mut().map(|member| socket(member, tokens)).collect();
    event("all_sockets", vec![Json::from_value(&sockets.into())])
}

/// Everything that something which happened is told by, in its order.
pub(super) fn moment(moment: Moment, tokens: &[String]) -> Vec<Outgoing> {
    let Moment { time, whose: Some(Whose { socket: id, namespace }), what } = moment else {
        return Vec::new();
    };
    let text = |text: &str| Json::from_value(&text.into());
    let at = time_of(time);
    let room = |name, room: &str| event(name, vec![text(&namespace), text(room), text(&id), at.clone()]);
    let updated = |key: &str, value: Value| {
        vec![event(
            "socket_updated",
            vec![Json::from_value(&json!({"id": id, "nsp": namespace, key: value}))],
        )]
    };
    let talk = |name, event_name: &str, args: Option<Json>| {
        let list = vec![text(&namespace), text(&id), spoken(event_name, args.as_ref()), at.clone()];
        vec![event(name, list)]
    };
    match what {
        What::Connected { socket: mut member } => {
            let rooms: Vec<_> = member.rooms.iter().map(|name| room("room_joined", name)).collect();
            let connected =
                event("socket_connected", vec![Json::from_value(&socket(&mut member, tokens)), at.clone()]);
            rooms.into_iter().chain([connected]).collect()
        }
        What::Upgraded { transport } => updated("transport", transport.into()),
        What::Changed { state } => updated("data", Value::Object(state)),
        What::Joined { room: name } => vec![room("room_joined", &name)],
        What::Left { room: name } => vec![room("room_left", &name)],
        What::Received { event, args, .. } => talk("event_received", &event, args),
        // What was sent stands as it is on the wire, where nothing is binary.
        What::Sent { event, args, .. } => {
            let escaped = args.and_then(|args| escape(vec![args]).ok()?.pop());
            talk("event_sent", &event, escaped)
        }
        What::Disconnected { reason, rooms } => {
            let ended =
                event("socket_disconnected", vec![text(&namespace), text(&id), text(reason), at.clone()]);
            let left = rooms.iter().map(|name| room("room_left", name));
            [ended].into_iter().chain(left).collect()
        }
        What::Following { .. }
        | What::Dropped { .. }
        | What::AckReceived { .. }
        | What::AckSent { .. }
        | What::Lost { .. } => Vec::new(),
    }
}

/// `[event, ..args]`; a text in place of arguments that are not shown stands for itself.
fn spoken(event: &str, args: Option<&Json>) -> Json {
    let name = Value::from(event).to_string();
    let args = args.map_or("[]", Json::as_str);
    let inner = args.strip_prefix('[').and_then(|args| args.strip_suffix(']')).unwrap_or(args);
    let comma = if inner.is_empty() { "" } else { "," };
    Json::from_written(format!("[{name}{comma}{inner}]"))
}

/// A socket, without its `auth` and whatever else may be a secret.
fn socket(member: &mut Member, tokens: &[String]) -> Value {
    let luggage = member.handshake.take().map(|mut luggage| {
        luggage.hide_tokens(tokens);
        luggage
    });
    let luggage = luggage.unwrap_or_default();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&luggage.query).finish();
    let mark = if query.is_empty() { "" } else { "?" };
    json!({
        "id": member.id,
        "clientId": luggage.client,
        "transport": member.transport,
        "nsp": member.namespace,
        "data": member.state,
        "handshake": {
            "address": member.address,
            "issued": member.issued,
            "secure": member.secure,
            "time": long_time(member.issued),
            "url": format!("{}{mark}{query}", luggage.path),
            "xdomain": luggage.headers.contains_key("origin"),
            "headers": luggage.headers,
            "query": luggage.query,
        },
        "rooms": member.rooms,
    })
}

fn nanoseconds(milliseconds: u64) -> i128 {
    i128::from(milliseconds) * 1_000_000
}

/// A time in milliseconds since 1970 as JavaScript sends it.
fn time_of(milliseconds: u64) -> Json {
    Json::from_value(&json::date(nanoseconds(milliseconds)).into())
}

/// The same as JavaScript prints it: `Sat Nov 21 2026 17:20:00 GMT+0000 (Coordinated Universal Time)`.
fn long_time(milliseconds: u64) -> String {
    let date = time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds(milliseconds));
    let date = date.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let short = |name: String| name.chars().take(3).collect::<String>();
    let (weekday, month) = (short(date.weekday().to_string()), short(date.month().to_string()));
    let (year, day, (hour, minute, second)) = (date.year(), date.day(), date.to_hms());
    format!(
        "{weekday} {month} {day:02} {year} {hour:02}:{minute:02}:{second:02} GMT+0000 (Coordinated Universal Time)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(what: What) -> Vec<String> {
        let whose = Some(Whose { socket: "s1".into(), namespace: "/n".into() });
        let events = moment(Moment { time: 1_763_700_000_000, whose, what }, &[]);
        let written = |event: Outgoing| format!("{} {:?}", event.name.as_text(), event.args);
        events.into_iter().map(written).collect()
    }

    fn json(text: &'static str) -> Json {
        Json::from_static(text)
    }

    #[test]
    fn what_is_said_stands_in_one_list() {
        let received = |args| What::Received { event: "e\"".into(), ack: None, bytes: 1, args };
        let at = r#""2025-11-21T04:40:00.000Z""#;
        for (args, list) in [
            (Some(json(r#"[1.0,{"$binary":"AQ=="}]"#)), r#"["e\"",1.0,{"$binary":"AQ=="}]"#),
            (Some(json("[]")), r#"["e\""]"#),
            (Some(json(r#""more than 16 KiB""#)), r#"["e\"","more than 16 KiB"]"#),
            (None, r#"["e\""]"#),
        ] {
            assert_eq!(told(received(args)), [format!(r#"event_received ["/n", "s1", {list}, {at}]"#)]);
        }
        let args = Some(json(r#"[{"$binary":"AQ=="},{"_placeholder":true,"num":0}]"#));
        let sent = What::Sent { event: "e".into(), ack: None, bytes: 1, args };
        let list = r#"["e",{"$$binary":"AQ=="},{"_placeholder":true,"num":0}]"#;
        assert_eq!(told(sent), [format!(r#"event_sent ["/n", "s1", {list}, {at}]"#)]);
    }

    #[test]
    fn an_end_takes_its_rooms_with_it() {
        let rooms = vec!["s1".into(), "r".into()];
        assert_eq!(
            told(What::Disconnected { reason: "transport close", rooms }),
            [
                r#"socket_disconnected ["/n", "s1", "transport close", "2025-11-21T04:40:00.000Z"]"#,
                r#"room_left ["/n", "s1", "s1", "2025-11-21T04:40:00.000Z"]"#,
                r#"room_left ["/n", "r", "s1", "2025-11-21T04:40:00.000Z"]"#,
            ]
        );
        assert_eq!(told(What::AckSent { ack: "1".into(), bytes: 1, args: None }), Vec::<String>::new());
        let updated = r#"socket_updated [{"id":"s1","nsp":"/n","transport":"websocket"}]"#;
        assert_eq!(told(What::Upgraded { transport: "websocket" }), [updated]);
    }

    #[test]
    fn a_date_is_printed_as_javascript_prints_it() {
        assert_eq!(
            long_time(1_763_700_000_000),
            "Fri Nov 21 2025 04:40:00 GMT+0000 (Coordinated Universal Time)"
        );
    }
}
