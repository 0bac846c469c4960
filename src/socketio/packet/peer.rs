//! Our parser beside socketioxide's: the same reading of good packets, and the packets for which
//! we do not use theirs. Should a case of the second test fail after an update, theirs has become
//! stricter and the choice may be made anew (`docs/design.md`).

use proptest::prelude::*;
use socketioxide_core::Value;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{Parse, ParseConfig, ParserState};
use socketioxide_parser_common::CommonParser;

use super::*;

/// Kind, namespace, ack id and payload, where there is one.
type Reading = (&'static str, String, Option<String>, Option<String>);

fn theirs(text: &str) -> Option<Reading> {
    let state = ParserState::default();
    let packet = CommonParser.decode_str(&ParseConfig::default(), &state, text.to_owned().into()).ok()?;
    let payload = |value: &Value| match value {
        Value::Str(text, _) => text.as_str().to_owned(),
        Value::Bytes(_) => panic!("the common parser has text"),
    };
    let (kind, id, payload) = match &packet.inner {
        PacketData::Connect(data) => {
            ("connect", None, data.as_ref().map(payload).filter(|data| !data.is_empty()))
        }
        PacketData::Disconnect => ("disconnect", None, None),
        PacketData::Event(data, id) => ("event", id.map(|id| id.to_string()), Some(payload(data))),
        PacketData::EventAck(data, id) => ("ack", Some(id.to_string()), Some(payload(data))),
        other => panic!("{other:?}"),
    };
    Some((kind, packet.ns.to_string(), id, payload))
}

fn ours(text: &str) -> Option<Reading> {
    let Parsed::Whole(packet) = parse(Utf8::new(Bytes::copy_from_slice(text.as_bytes()))?, 10).ok()? else {
        panic!("binary is not compared")
    };
    let list = |parts: Vec<&str>| Some(format!("[{}]", parts.join(",")));
    let (kind, id, payload) = match &packet.body {
        Content::Connect { auth } => ("connect", None, auth.as_ref().map(|auth| auth.as_str().to_owned())),
        Content::Disconnect => ("disconnect", None, None),
        Content::Event { id, name, args } => {
            let name = match name {
                EventName::Text(name) => serde_json::Value::from(name.as_ref()).to_string(),
                EventName::Number(number) => number.as_str().to_owned(),
            };
            let parts = std::iter::once(name.as_str()).chain(args.iter().map(Json::as_str)).collect();
            ("event", id.as_ref().map(ToString::to_string), list(parts))
        }
        Content::Ack { id, args } => {
            ("ack", Some(id.to_string()), list(args.iter().map(Json::as_str).collect()))
        }
    };
    Some((kind, packet.namespace.to_string(), id, payload))
}

proptest! {
    #[test]
    fn good_packets_are_read_alike(
        kind in 0..4u8,
        namespace in prop_oneof![Just(String::new()), "/[a-z]{1,8},"],
        id in prop_oneof![Just(String::new()), "[1-9][0-9]{0,8}"],
        args in prop::collection::vec("(-?[1-9][0-9]{0,5}|true|\"[a-z]{0,5}\"|\\{\"k\":[1-9]\\})", 0..3),
    ) {
        let args = args.join(",");
        let packet = match kind {
            0 => format!("0{namespace}{{\"a\":[{args}]}}"),
            1 => format!("1{namespace}"),
            2 if args.is_empty() => format!("2{namespace}{id}[\"say\"]"),
            2 => format!("2{namespace}{id}[\"say\",{args}]"),
            _ if id.is_empty() => format!("3{namespace}1[{args}]"),
            _ => format!("3{namespace}{id}[{args}]"),
        };
        prop_assert_eq!(ours(&packet).expect("a good packet"), theirs(&packet).expect("a good packet"));
    }
}

#[test]
fn theirs_takes_what_must_close_the_session() {
    for packet in [
        r#"0[]"#,
        r#"0/admin,"invalid""#,
        r#"1/admin,{}"#,
        r#"2["e"],"admin":true"#,
        r#"2{}"#,
        r#"2[{"toString":"foo"}]"#,
        r#"2["connect"]"#,
        r#"3/n,1{}"#,
    ] {
        assert!(theirs(packet).is_some(), "{packet} is refused by theirs now");
        assert_eq!(ours(packet), None, "{packet}");
    }
}

#[test]
fn theirs_loses_long_ack_ids_and_cannot_name_numbers_or_escapes() {
    let packet = r#"2123456789012345678901234567890["e"]"#;
    assert_eq!(theirs(packet).and_then(|reading| reading.2), None);
    assert_eq!(ours(packet).and_then(|reading| reading.2).as_deref(), Some("123456789012345678901234567890"));
    for payload in ["[7]", r#"["a\"b"]"#] {
        let value = Value::Str(payload.to_owned().into(), None);
        assert!(CommonParser.read_event(&value).is_err(), "{payload}");
        assert!(ours(&format!("2{payload}")).is_some(), "{payload}");
    }
}
