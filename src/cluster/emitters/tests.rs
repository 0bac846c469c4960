//! Messages as the libraries write them, and such as nobody should.

use std::sync::Arc;

use crate::json::Json;
use crate::socketio::{Command, Target};

use super::{Unreadable, literal, python, socketio};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn rooms(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn emitted(command: Option<Command>) -> (String, Target, String, Vec<String>, bool) {
    let Some(Command::Emit { namespace, target, event }) = command else { panic!("{command:?}") };
    let args = event.args.iter().map(|arg: &Json| arg.as_str().to_owned()).collect();
    (namespace.to_string(), target, event.name.as_text().to_owned(), args, event.volatile)
}

/// `io.emit("ev", 1, "2", {3: [true]})` of redis-emitter 5.
const CAPTURED: &str = "93a7656d697474657283a47479706502a46461746194a2657601a13281a13391c3a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490";

#[test]
fn an_event_for_all_as_redis_emitter_writes_it() {
    let read = socketio::read("socket.io", "socket.io#/#", &bytes(CAPTURED)).unwrap();
    let (namespace, target, name, args, volatile) = emitted(read);
    assert_eq!((namespace.as_str(), name.as_str(), volatile), ("/", "ev", false));
    assert_eq!(target, Target { everyone: true, ..Target::default() });
    assert_eq!(args, ["1", "\"2\"", "{\"3\":[true]}"]);
}

#[test]
fn one_room_is_in_the_channels_name_and_may_hold_a_hash() {
    let read = socketio::read("socket.io", "socket.io#/#a#b#", &bytes(CAPTURED)).unwrap();
    assert_eq!(emitted(read).1.rooms, rooms(&["a#b"]));
}

#[test]
fn json_is_read_too_and_ports_that_write_less() {
    let json = br#"[{"type":5,"data":["ev",{"$binary":"AQID"}]},{"rooms":["a",7],"except":["b"],"flags":{"volatile":true}}]"#;
    let (namespace, target, _, args, volatile) = emitted(socketio::read("k", "k#/#", json).unwrap());
    assert_eq!((namespace.as_str(), volatile), ("/", true));
    assert_eq!((target.rooms, target.except), (rooms(&["a", "7"]), rooms(&["b"])));
    assert_eq!(args, [r#"{"$$binary":"AQID"}"#], "an object, not binary");
    let json = br#"["emitter",{"type":2,"data":["ev"],"nsp":"/"},{"rooms":"","flags":""}]"#;
    assert!(emitted(socketio::read("k", "k#/#", json).unwrap()).1.everyone);
}

#[test]
fn binary_and_dates_come_through() {
    // ["emitter", {type: 2, data: ["ev", <01 02 03>, 2026-01-02T03:04:05.678Z, NaN, 1.5], nsp: "/"}, {}]
    let date = 1_767_323_045_u64 | (678_000_000_u64 << 34);
    let mut message = bytes("93a7656d697474657283a47479706502a46461746195a26576c403010203d7ff");
    message.extend(date.to_be_bytes());
    message.extend(bytes("cb7ff8000000000000cb3ff8000000000000a36e7370a12f80"));
    let args = emitted(socketio::read("k", "k#/#", &message).unwrap()).3;
    assert_eq!(args, [r#"{"$binary":"AQID"}"#, "\"2026-01-02T03:04:05.678Z\"", "null", "1.5"]);
}

#[test]
fn requests_join_leave_and_disconnect() {
    let request = |json: &str| socketio::read("k", "k-request#/chat#", json.as_bytes());
    let joined = request(r#"{"type":2,"opts":{"rooms":["a"],"except":[]},"rooms":["b",1]}"#).unwrap();
    assert!(
        matches!(joined, Some(Command::Join { namespace, rooms, .. }) if &*namespace == "/chat" && rooms == self::rooms(&["b", "1"]))
    );
    let left = request(r#"{"type":3,"opts":{"rooms":[],"except":["x"]},"rooms":["b"]}"#).unwrap();
    assert!(
        matches!(left, Some(Command::Leave { target, .. }) if target.everyone && target.except == rooms(&["x"]))
    );
    let gone = request(r#"{"type":4,"opts":{"rooms":["a"]},"close":true}"#).unwrap();
    assert!(matches!(gone, Some(Command::Disconnect { close: true, .. })));
    assert!(request(r#"{"uid":"x","type":0}"#).unwrap().is_none(), "for other nodes");
}

#[test]
fn python_says_it_in_json() {
    let read = |json: &str| python::read(json.as_bytes()).unwrap();
    let (namespace, target, name, args, _) = emitted(read(
        r#"{"method":"emit","event":"ev","data":[1,"2"],"binary":false,"namespace":"/n","room":"r","skip_sid":["s"],"callback":null,"host_id":"h"}"#,
    ));
    assert_eq!((namespace.as_str(), name.as_str()), ("/n", "ev"));
    assert_eq!((target.rooms, target.except), (rooms(&["r"]), rooms(&["s"])));
    assert_eq!(args, ["1", "\"2\""]);
    let binary = r#"{"method":"emit","event":"ev","data":[[{"_placeholder":true,"num":0}],"AQID"],"binary":true,"namespace":"/","room":null}"#;
    assert_eq!(emitted(read(binary)).3, [r#"{"$binary":"AQID"}"#]);
    let nothing = r#"{"method":"emit","event":"ev","data":[null],"namespace":"/"}"#;
    assert!(emitted(read(nothing)).3.is_empty());
    let joined = read(r#"{"method":"enter_room","sid":"s","room":"r","namespace":"/","host_id":"h"}"#);
    assert!(matches!(joined, Some(Command::Join { target, .. }) if target.rooms == rooms(&["s"])));
    assert!(read(r#"{"method":"callback","host_id":"h","sid":"s","id":1,"args":[]}"#).is_none());
}

#[test]
fn what_is_hostile_is_unreadable_and_nothing_else() {
    let deep = [0x91].repeat(10_000);
    let wrong: [&[u8]; 9] = [
        b"",
        b"\x80\x04\x95pickle",
        b"[",
        b"[[]]",
        b"[{\"type\":2,\"data\":[]}]",
        b"[{\"type\":2,\"data\":[{}]}]",
        b"[{\"type\":3,\"data\":[\"ev\"]}]",
        b"[{\"type\":2,\"data\":[\"ev\"]},{\"rooms\":[null]}]",
        &deep,
    ];
    for message in wrong {
        assert!(matches!(socketio::read("k", "k#/#", message), Err(Unreadable)), "{message:?}");
        assert!(python::read(message).is_err(), "{message:?}");
    }
    assert!(socketio::read("k", "k#/other#", br#"[{"type":2,"data":["ev"],"nsp":"/"}]"#).is_err());
    assert!(python::read(br#"{"method":"enter_room","room":"r"}"#).is_err());
}

#[test]
fn a_key_is_no_pattern() {
    assert_eq!(literal("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
}
