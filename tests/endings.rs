//! However a session ends, it ends once: its rooms, its acks and its disconnect rule, with Node's reason.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{self, get, request};
use support::polling::Polling;
use support::websocket::WebSocket;

const RULES: &str = r#"
  connect: {join: room}
  events:
    ask: {hook: /hook}
    say: {emit: {event: said, to: room, data: "{{ data }}"}}
    back: {ack: "{{ data }}"}
    leave: {disconnect: true}
  disconnect:
    request: POST /left
    body: {id: "{{ socket.id }}", reason: "{{ reason }}", rooms: "{{ socket.rooms | length }}"}
"#;

fn gateway(socketio: &str) -> (Gateway, Backend) {
    let backend = Backend::start(|line, body| match line {
        "POST /hook" if body.contains(r#""type":"event""#) => {
            (200, r#"{"emit":[{"event":"q","ack":true}]}"#.into())
        }
        "POST /hook" => (204, String::new()),
        _ => (200, "{}".to_owned()),
    });
    let gateway = Gateway::start(&format!("upstream: {}\nsocketio:\n{socketio}{RULES}", backend.url));
    (gateway, backend)
}

/// The reasons for which the disconnect rule ran for a socket.
fn left(backend: &Backend, id: &str) -> Vec<String> {
    let bodies = backend.seen().into_iter().filter(|seen| seen.line == "POST /left").map(|seen| seen.body);
    let of_it = bodies.filter_map(|body| {
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["rooms"], 2, "its own and one more, as they were");
        (body["id"] == id).then(|| body["reason"].as_str().expect("a text").to_owned())
    });
    of_it.collect()
}

/// How often the hook was told that the socket did not answer.
fn unanswered(backend: &Backend, id: &str) -> usize {
    let hooks = backend.seen().into_iter().filter(|seen| seen.line == "POST /hook" && seen.body.contains(id));
    hooks.filter(|seen| seen.body.contains(r#""error":"timeout""#)).count()
}

/// Joins, and owes an ack.
fn websocket(gateway: &Gateway) -> (WebSocket, String) {
    let (mut socket, id) = WebSocket::join(http::connect(&gateway.address));
    socket.send(r#"42["ask"]"#);
    assert_eq!(socket.text(), r#"420["q"]"#);
    (socket, id)
}

fn polling(gateway: &Gateway) -> (Polling, String) {
    let client = Polling::open(&gateway.address);
    client.post("40");
    let connected = client.get().text();
    let id = connected.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.split('"').next()).expect("an id");
    client.post(r#"42["ask"]"#);
    assert_eq!(client.get().text(), r#"420["q"]"#);
    (client, id.to_owned())
}

type Way<C> = fn(&mut C);

/// Ways to end a session over WebSocket, each with its reason.
const BY_WEBSOCKET: &[(&str, Way<WebSocket>)] = &[
    ("transport close", |socket| socket.send_raw(0x88, b"")),
    ("transport close", |socket| socket.send_raw(0x88, b"\x03\xe9going")),
    ("transport close", |socket| socket.0.shutdown(Shutdown::Both).expect("shut down")),
    ("transport close", |socket| socket.send("1")),
    ("transport error", |socket| socket.send_raw(0xc1, b"reserved bit")),
    ("parse error", |socket| socket.send("abc")),
    ("forced close", |socket| socket.send("4abc")),
    ("forced close", |socket| socket.send(r#"4511-["attachments"]"#)),
    ("forced server close", |socket| socket.send("40")),
    ("client namespace disconnect", |socket| socket.send("41")),
    ("server namespace disconnect", |socket| socket.send(r#"42["leave"]"#)),
];

/// The same over polling.
const BY_POLLING: &[(&str, Way<Polling>)] = &[
    ("transport close", |client| drop(client.post("1"))),
    ("transport error", |client| {
        let _pending = [client.begin_get(), client.begin_get()];
        eventually("two polls end it", || (!client.is_known()).then_some(()));
    }),
    ("transport error", |client| {
        eventually("a poll given up ends it", || {
            drop(client.begin_get());
            (!client.is_known()).then_some(())
        });
    }),
    ("transport error", |client| {
        let mut stream = http::connect(&client.address);
        let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4", client.target);
        stream.write_all(head.as_bytes()).expect("written");
    }),
    ("transport error", |client| {
        let mut stream = http::connect(&client.address);
        let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4", client.target);
        stream.write_all(head.as_bytes()).expect("written");
        // A second POST while the first is read.
        eventually("two posts end it", || (client.post("3").status == 400).then_some(()));
        assert_eq!(http::read(&stream).status, 400);
    }),
    ("parse error", |client| drop(client.post("abc"))),
    ("forced close", |client| drop(client.post("4abc"))),
];

/// Ends sessions in many ways at once; each must end once, and for its reason.
#[test]
fn a_session_ends_once_for_its_reason() {
    let (gateway, backend) = gateway("");
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut expected = Vec::new();
    let mut open = Vec::new();
    for (reason, end) in BY_WEBSOCKET {
        let (mut socket, id) = websocket(&gateway);
        end(&mut socket);
        open.push(socket);
        expected.push((id, *reason));
    }
    for (reason, end) in BY_POLLING {
        let (mut client, id) = polling(&gateway);
        end(&mut client);
        expected.push((id, *reason));
    }
    for (id, reason) in &expected {
        eventually(reason, || {
            (left(&backend, id) == [*reason] && unanswered(&backend, id) == 1).then_some(())
        });
    }
    // Nobody is left in the room, and nothing happens a second time.
    let before = gateway.metric("frontroom_deliveries_total");
    bystander.send(r#"42["say",1]"#);
    assert_eq!(bystander.text(), r#"42["said",1]"#);
    assert_eq!(gateway.metric("frontroom_deliveries_total"), before + 1);
    assert_eq!(gateway.metric(r#"frontroom_sockets{namespace="/",transport="websocket"}"#), 1);
    assert_eq!(gateway.metric(r#"frontroom_sockets{namespace="/",transport="polling"}"#), 0);
    std::thread::sleep(Duration::from_millis(200));
    for (id, reason) in &expected {
        assert_eq!(
            (left(&backend, id), unanswered(&backend, id)),
            (vec![(*reason).to_owned()], 1),
            "{reason}"
        );
    }
}

#[test]
fn silence_is_a_ping_timeout_on_either_transport() {
    let (gateway, backend) = gateway("  ping_interval: 300ms\n  ping_timeout: 300ms\n");
    let (_silent, websocket) = websocket(&gateway);
    let (_gone, polling) = polling(&gateway);
    for id in [websocket, polling] {
        eventually("its end", || (left(&backend, &id) == ["ping timeout"]).then_some(()));
    }
}

#[test]
fn a_shutdown_ends_every_session() {
    let (gateway, backend) = gateway("");
    let (mut socket, websocket) = websocket(&gateway);
    let (client, polling) = polling(&gateway);
    let pending = client.begin_get();
    gateway.terminate();
    assert_eq!(socket.closed(), None);
    assert_eq!(http::read(&pending).text(), "1");
    for id in [websocket, polling] {
        eventually("its end", || (left(&backend, &id) == ["server shutting down"]).then_some(()));
    }
}

/// A peer whose window is shut, with frames waiting for it.
fn stuck(gateway: &Gateway, speaker: &mut WebSocket, megabytes: usize) -> (TcpStream, String) {
    let (socket, id) = WebSocket::join(http::connect_narrow(&gateway.address));
    let event = format!(r#"42["say","{}"]"#, "x".repeat(99_000));
    for _ in 0..megabytes * 10 {
        speaker.send(&event);
        assert_eq!(speaker.text().len(), event.len() + 1);
    }
    (socket.0, id)
}

#[test]
fn a_stuck_peer_does_not_delay_the_cleanup_at_ping_timeout() {
    let times = "  ping_interval: 1s\n  ping_timeout: 1s\n  send_queue: {max_bytes: 100MB}\n";
    let (gateway, backend) = gateway(times);
    let mut speaker = WebSocket::connect(&gateway.address);
    let files = gateway.files();
    let (_stream, id) = stuck(&gateway, &mut speaker, 10);
    let start = Instant::now();
    eventually("its end", || (left(&backend, &id) == ["ping timeout"]).then_some(()));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    // Neither does its connection stay for as long as the kernel hopes.
    eventually("the connection is given up", || (gateway.files() <= files).then_some(()));
}

#[test]
fn a_stuck_peer_does_not_delay_the_cleanup_at_a_full_queue() {
    let (gateway, backend) = gateway("  send_queue: {max_bytes: 300KB}\n");
    let mut speaker = WebSocket::connect(&gateway.address);
    let files = gateway.files();
    let (_stream, id) = stuck(&gateway, &mut speaker, 10);
    eventually("its end", || (left(&backend, &id) == ["slow consumer"]).then_some(()));
    eventually("the connection is given up", || (gateway.files() <= files).then_some(()));
}

#[test]
fn gets_during_an_upgrade_are_answered_at_once() {
    let (gateway, _backend) = gateway("");
    let client = Polling::connect(&gateway.address);
    // One that was pending, then those that come while the WebSocket is open, probed or not.
    let pending = client.begin_get();
    let mut socket = WebSocket::open(&gateway.address, &client.websocket());
    assert_eq!(http::read(&pending).text(), "6");
    for probed in [false, true] {
        if probed {
            socket.send("2probe");
            assert_eq!(socket.text(), "3probe");
        }
        for _ in 0..5 {
            let start = Instant::now();
            assert_eq!(client.get().text(), "6");
            assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        }
    }
    socket.send("5");
    eventually("the upgrade", || (get(&gateway.address, &client.target).status == 400).then_some(()));
}

#[test]
fn an_abandoned_upgrade_ends_nothing() {
    let (gateway, backend) = gateway("");
    let (client, id) = polling(&gateway);
    for text in [None, Some("2probe"), Some("4hello")] {
        let mut socket = WebSocket::open(&gateway.address, &client.websocket());
        text.into_iter().for_each(|text| socket.send(text));
        drop(socket);
    }
    client.post(r#"421["back","still here"]"#);
    let answer = eventually("the answer", || Some(client.get().text()).filter(|text| text != "6"));
    assert_eq!(answer, r#"431["still here"]"#);
    assert_eq!(left(&backend, &id), Vec::<String>::new());
    assert_eq!(request(&gateway.address, "POST", &client.target, &[], b"1").status, 200);
    eventually("its end", || (left(&backend, &id) == ["transport close"]).then_some(()));
}

/// What a socket began goes on without it: it joins nothing any more, and may come back meanwhile.
#[test]
fn a_socket_that_left_can_come_back_while_its_last_rules_run() {
    let backend = Backend::start(|line, _| {
        std::thread::sleep(Duration::from_millis(if line == "POST /slow" { 400 } else { 0 }));
        (200, "{}".to_owned())
    });
    let rules = r#"
  events:
    late: {request: POST /slow, join: late}
    say: {emit: {event: said, to: late}}
    rooms: {ack: "{{ socket.rooms | length }}"}
  disconnect: {request: POST /slow}
"#;
    let gateway = Gateway::start(&format!("upstream: {}\nsocketio:{rules}", backend.url));
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(r#"42["late"]"#);
    socket.send("41");
    let start = Instant::now();
    socket.send("40");
    assert!(socket.text().starts_with("40{"));
    socket.send(r#"421["rooms"]"#);
    assert_eq!(socket.text(), "431[1]");
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    eventually("the event's request, then the disconnect rule's", || {
        (backend.seen().iter().filter(|seen| seen.line == "POST /slow").count() == 2).then_some(())
    });
    let before = gateway.metric("frontroom_deliveries_total");
    socket.send(r#"422["say"]"#);
    assert_eq!(socket.text(), "432[]");
    assert_eq!(gateway.metric("frontroom_deliveries_total"), before, "nobody is in the room");
}
