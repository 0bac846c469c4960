//! Every bound on what clients may ask, reached: the client is told, it is counted, others do not notice.

mod support;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{self, request};
use support::polling::{HANDSHAKE, Polling};
use support::websocket::WebSocket;

fn gateway(socketio: &str) -> (Gateway, Backend) {
    let backend = Backend::start(|line, body| match line {
        "POST /slow" => {
            std::thread::sleep(Duration::from_millis(300));
            (200, "{}".to_owned())
        }
        "POST /hook" if body.contains(r#""type":"event""#) => (
            200,
            r#"{"emit":[{"event":"q","ack":true},{"event":"q","ack":true},{"event":"q","ack":true}]}"#.into(),
        ),
        "POST /hook" => (204, String::new()),
        _ => (404, "{}".to_owned()),
    });
    let rules = r#"
  events:
    back: {ack: "{{ data }}"}
    join: {join: "{{ data }}"}
    rooms: {ack: "{{ socket.rooms | length }}"}
    ask: {hook: /hook}
    slow: {request: POST /slow}
  namespaces: {"/n{id}": {}}
"#;
    let config =
        format!("upstream: {}\ntrusted_proxies: 127.0.0.1\nsocketio:\n  {socketio}{rules}", backend.url);
    (Gateway::start(&config), backend)
}

fn is_alive(socket: &mut WebSocket) {
    socket.send(r#"421["back","alive"]"#);
    assert_eq!(socket.text(), r#"431["alive"]"#);
}

#[test]
fn payload() {
    let (gateway, _backend) = gateway("max_payload: 1KB");
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(&"4".repeat(1001));
    assert_eq!(socket.closed(), Some(1009));
    assert_eq!(Polling::connect(&gateway.address).post(&"4".repeat(1001)).status, 413);
    assert_eq!(gateway.refused("socketio.max_payload"), 2);
    is_alive(&mut bystander);
}

#[test]
fn attachments() {
    let (gateway, _backend) = gateway("max_attachments: 2");
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(r#"453-["back"]"#);
    assert_eq!(socket.closed(), None);
    assert_eq!(gateway.refused("socketio.max_attachments"), 1);
    is_alive(&mut bystander);
}

#[test]
fn time_for_attachments() {
    let (gateway, _backend) = gateway("attachment_timeout: 300ms");
    let mut bystander = WebSocket::connect(&gateway.address);
    let event = r#"452-1["back",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]"#;
    bystander.send(event);
    bystander.send_binary(b"a");
    bystander.send_binary(b"b");
    assert!(bystander.text().starts_with("462-1["));
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(event);
    socket.send_binary(b"a");
    let start = Instant::now();
    assert_eq!(socket.closed(), None);
    assert!((Duration::from_millis(200)..Duration::from_secs(5)).contains(&start.elapsed()));
    assert_eq!(gateway.refused("socketio.attachment_timeout"), 1);
    bystander.next().expect("the first attachment");
    bystander.next().expect("the second attachment");
    is_alive(&mut bystander);
}

#[test]
fn packets_of_a_post() {
    let (gateway, _backend) = gateway("max_packets_per_post: 10");
    let bystander = Polling::connect(&gateway.address);
    let client = Polling::connect(&gateway.address);
    let packets = |count| vec![r#"421["back",1]"#; count].join("\x1e");
    assert_eq!(client.post(&packets(10)).status, 200);
    assert_eq!(client.get().text().split('\x1e').count(), 10);
    assert_eq!(client.post(&packets(11)).status, 400);
    assert!(!client.is_known());
    assert_eq!(gateway.refused("socketio.max_packets_per_post"), 1);
    assert!(bystander.is_known());
}

#[test]
fn namespaces_of_a_session() {
    let (gateway, _backend) = gateway("max_namespaces: 3");
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    for name in ["/n1", "/n2"] {
        socket.send(&format!("40{name},"));
        assert!(socket.text().starts_with(&format!("40{name},{{")));
    }
    // One that was left makes room.
    socket.send("41/n1,");
    socket.send("40/n3,");
    assert!(socket.text().starts_with("40/n3,{"));
    socket.send("40/n4,");
    assert_eq!(socket.closed(), None);
    assert_eq!(gateway.refused("socketio.max_namespaces"), 1);
    is_alive(&mut bystander);
}

#[test]
fn rooms_of_a_socket() {
    let (gateway, _backend) = gateway("max_rooms: 2");
    let mut socket = WebSocket::connect(&gateway.address);
    for room in ["a", "b", "b", "c"] {
        socket.send(&format!(r#"420["join","{room}"]"#));
        assert_eq!(socket.text(), "430[]");
    }
    socket.send(r#"421["rooms"]"#);
    assert_eq!(socket.text(), "431[3]", "its own, and two");
    assert_eq!(gateway.refused("socketio.max_rooms"), 1);
}

#[test]
fn acks_that_a_socket_owes() {
    let (gateway, backend) = gateway("max_pending_acks: 2");
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(r#"42["ask"]"#);
    assert_eq!([socket.text(), socket.text()], [r#"420["q"]"#, r#"421["q"]"#]);
    let told = eventually("the hook is told of the third", || {
        backend.seen().into_iter().find(|seen| seen.body.contains(r#""type":"ack""#))
    });
    assert!(told.body.contains(r#""error":"timeout""#), "{}", told.body);
    assert_eq!(gateway.refused("socketio.max_pending_acks"), 1);
    is_alive(&mut socket);
}

#[test]
fn sessions_in_all() {
    let (gateway, _backend) = gateway("max_sessions: 2");
    let polling = Polling::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    let full = http::get(&gateway.address, HANDSHAKE);
    assert_eq!((full.status, full.text()), (503, r#"{"code":3,"message":"Too many sessions"}"#.to_owned()));
    assert!(full.header("retry-after").is_some());
    let target = HANDSHAKE.replace("polling", "websocket");
    let refused = request(&gateway.address, "GET", &target, &support::websocket::HANDSHAKE, b"");
    assert_eq!(refused.status, 503, "before any 101");
    assert_eq!(gateway.refused("socketio.max_sessions"), 2);
    is_alive(&mut socket);
    assert_eq!(polling.post("1").status, 200);
    Polling::connect(&gateway.address);
}

#[test]
fn sessions_of_an_address() {
    let (gateway, _backend) = gateway("max_sessions_per_ip: 2");
    let open = |client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        request(&gateway.address, "GET", HANDSHAKE, &[&header], b"")
    };
    assert_eq!([open("192.0.2.1").status, open("192.0.2.1").status], [200, 200]);
    let full = open("192.0.2.1");
    let expected = r#"{"code":3,"message":"Too many sessions from this address"}"#;
    assert_eq!((full.status, full.text().as_str()), (429, expected));
    assert_eq!(open("192.0.2.2").status, 200, "another address");
    assert_eq!([open("2001:db8::1").status, open("2001:db8::ffff:2").status], [200, 200]);
    assert_eq!(open("2001:db8::3").status, 429, "the same /64");
    assert_eq!(open("2001:db8:0:1::1").status, 200, "another /64");
    assert_eq!(gateway.refused("socketio.max_sessions_per_ip"), 2);
    // A session that ends makes room for one.
    let client = Polling::connect(&gateway.address);
    let other = Polling::connect(&gateway.address);
    assert_eq!(http::get(&gateway.address, HANDSHAKE).status, 429);
    client.post("1");
    Polling::connect(&gateway.address);
    assert_eq!(http::get(&gateway.address, HANDSHAKE).status, 429);
    assert!(other.is_known());
}

#[test]
fn time_to_connect() {
    let (gateway, _backend) = gateway("connect_timeout: 300ms");
    let mut bystander = WebSocket::connect(&gateway.address);
    WebSocket::open(&gateway.address, &HANDSHAKE.replace("polling", "websocket")).closed();
    assert_eq!(gateway.refused("socketio.connect_timeout"), 1);
    is_alive(&mut bystander);
}

#[test]
fn time_for_a_post() {
    let (gateway, _backend) = gateway("post_timeout: 400ms");
    let bystander = Polling::connect(&gateway.address);
    let client = Polling::connect(&gateway.address);
    let mut stream = http::connect(&gateway.address);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", client.target);
    stream.write_all(head.as_bytes()).expect("written");
    // A byte now and then is not enough.
    let start = Instant::now();
    let mut writer = stream.try_clone().expect("a clone");
    std::thread::spawn(move || {
        while writer.write_all(b"4").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(http::read(&stream).status, 408);
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&start.elapsed()));
    assert!(!client.is_known());
    assert_eq!(gateway.refused("socketio.post_timeout"), 1);
    assert!(bystander.is_known());
}

#[test]
fn fragments_of_a_message() {
    let (gateway, _backend) = gateway("max_fragments: 100");
    let mut bystander = WebSocket::connect(&gateway.address);
    bystander.send_raw(0x01, br#"421["back",null"#);
    for _ in 0..98 {
        bystander.send_raw(0x00, b"");
    }
    bystander.send_raw(0x80, b"]");
    assert_eq!(bystander.text(), "431[null]");
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send_raw(0x01, b"4");
    for _ in 0..100 {
        socket.send_raw(0x00, b"");
    }
    assert_eq!(socket.closed(), Some(1008));
    assert_eq!(gateway.refused("socketio.max_fragments"), 1);
    is_alive(&mut bystander);
}

#[test]
fn events_that_wait_to_be_handled() {
    let (gateway, backend) = gateway("max_payload: 10KB");
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    let before = gateway.memory();
    socket.0.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    // Empty events: it is not their bytes alone that take memory.
    let mut frame = vec![0x81, 0x80 | 10, 0, 0, 0, 0];
    frame.extend(br#"42["slow"]"#);
    let batch = frame.repeat(4096);
    let mut written = 0;
    while socket.0.write_all(&batch).is_ok() {
        written += batch.len();
        assert!(written < 64_000_000, "nothing holds the client back");
    }
    assert!(gateway.metric("frontroom_held_back_total") > 0);
    let start = Instant::now();
    is_alive(&mut bystander);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 16_000_000, "{grown} bytes more");
    assert!(backend.seen().len() < 100, "they are handled one after another");
}

#[test]
fn connects_that_wait_to_be_decided() {
    static ASKED: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let backend = Backend::start(|_, _| {
        let [now, most] = &ASKED;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200));
        now.fetch_sub(1, Ordering::SeqCst);
        (200, "{}".to_owned())
    });
    let rules = "namespaces: {/slow: {connect: {request: POST /slow}}}, events: {back: {ack: '{{ data }}'}}";
    let socketio = format!("{{max_namespaces: 20, {rules}}}");
    let gateway = Gateway::start(&format!("upstream: {}\nsocketio: {socketio}\n", backend.url));
    let mut bystander = WebSocket::connect(&gateway.address);
    let mut socket = WebSocket::connect(&gateway.address);
    // It comes and goes, faster than can be said whether it may.
    for _ in 0..500 {
        socket.send("40/slow,");
        socket.send("41/slow,");
    }
    eventually("some were decided", || (backend.seen().len() > 40).then_some(()));
    is_alive(&mut bystander);
    let most = ASKED[1].load(Ordering::SeqCst);
    assert!(most <= 20, "{most} at once");
    assert!(gateway.metric("frontroom_held_back_total") > 0);
}

#[test]
fn events_that_wait_hold_back_the_posts_answer() {
    let (gateway, _backend) = gateway("max_payload: 1KB");
    let client = Polling::connect(&gateway.address);
    let start = Instant::now();
    assert_eq!(client.post(&[r#"42["slow"]"#; 5].join("\x1e")).status, 200);
    assert!(start.elapsed() > Duration::from_millis(250), "{:?}", start.elapsed());
}
