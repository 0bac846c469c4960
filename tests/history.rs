//! What brought other Socket.IO, Engine.IO and WebSocket servers down, by the number it is known under:
//! no crash, the right close, and nobody else notices.

mod support;

use std::io::Write;
use std::time::Duration;

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{self, Answer, request};
use support::polling::{HANDSHAKE as POLLING, Polling};
use support::websocket::{HANDSHAKE, WebSocket};

const RULES: &str = r#"
  events:
    back: {ack: "{{ data }}"}
    inside: {ack: "{{ data.a.b }}"}
    echo: {emit: {event: echo, args: ["{{ args }}"]}}
    ask: {request: POST /ask}
    keep: {state: {it: "{{ data }}"}, ack: "{{ state.it }}"}
    hook: {hook: /hook}
    room: {join: "{{ data }}"}
  namespaces:
    /admin: {connect: {hook: /hook}}
"#;

/// A gateway with somebody on it who must not notice anything.
struct Scene {
    gateway: Gateway,
    bystander: WebSocket,
    backend: Backend,
}

impl Scene {
    fn new(socketio: &str) -> Scene {
        let backend = Backend::start(|line, body| match line {
            "POST /ask" => (200, body.to_owned()),
            "POST /hook" => (204, String::new()),
            _ => (404, "{}".to_owned()),
        });
        let gateway = Gateway::start(&format!("upstream: {}\nsocketio:\n{socketio}{RULES}", backend.url));
        let bystander = WebSocket::connect(&gateway.address);
        Scene { gateway, bystander, backend }
    }

    fn websocket(&self) -> WebSocket {
        WebSocket::connect(&self.gateway.address)
    }

    fn polling(&self) -> Polling {
        Polling::connect(&self.gateway.address)
    }

    fn is_unmoved(&mut self) {
        self.bystander.send(r#"421["back","alive"]"#);
        assert_eq!(self.bystander.text(), r#"431["alive"]"#);
    }

    /// Each message closes its session, over either transport.
    fn are_closed(&mut self, messages: &[&str]) {
        for message in messages {
            let mut socket = self.websocket();
            socket.send(message);
            assert_eq!(socket.closed(), None, "{message}");
            let client = self.polling();
            client.post(message);
            let farewell = client.get().text();
            assert!(farewell == "6\x1e1" || farewell.contains("Session ID unknown"), "{message}: {farewell}");
        }
        self.is_unmoved();
    }
}

fn upgrade(scene: &Scene, target: &str, headers: &[&str]) -> Answer {
    request(&scene.gateway.address, "GET", target, &[&HANDSHAKE, headers].concat(), b"")
}

/// CVE-2020-36048: memory for every packet of a POST.
#[test]
fn ten_thousand_and_one_packets_in_a_post() {
    let mut scene = Scene::new("");
    for packet in ["3", r#"42["back",1]"#, "4"] {
        let client = scene.polling();
        assert_eq!(client.post(&vec![packet; 10_001].join("\x1e")).status, 400);
        assert!(!client.is_known());
    }
    scene.is_unmoved();
}

/// CVE-2020-36048: a POST larger than what is allowed, told and not told beforehand, and one without end.
#[test]
fn a_post_of_any_size() {
    let mut scene = Scene::new("");
    let client = scene.polling();
    assert_eq!(client.post(&"4".repeat(1_000_001)).status, 413);
    let mut stream = http::connect(&scene.gateway.address);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", client.target);
    stream.write_all(head.as_bytes()).expect("written");
    let chunk = [b"10000\r\n", vec![b'4'; 0x10000].as_slice(), b"\r\n"].concat();
    // The gateway may hang up before all was written.
    let _ = (0..20).try_for_each(|_| stream.write_all(&chunk));
    assert_eq!(http::read(&stream).status, 413);
    assert!(client.is_known(), "the session lives");
    scene.is_unmoved();
}

#[test]
fn a_post_that_never_ends() {
    let mut scene = Scene::new("  post_timeout: 300ms\n");
    let client = scene.polling();
    let mut stream = http::connect(&scene.gateway.address);
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", client.target);
    stream.write_all(format!("{head}1\r\n4\r\n").as_bytes()).expect("written");
    assert_eq!(http::read(&stream).status, 408);
    assert!(!client.is_known());
    scene.is_unmoved();
}

/// CVE-2020-36049: a packet that takes more than its size, or the stack.
#[test]
fn deep_and_huge_packets() {
    let mut scene = Scene::new("");
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    };
    let deep = [
        nested("[", "1", "]", 400_000),
        nested("[", r#"{"$binary":"AQID"}"#, "]", 400_000),
        nested(r#"{"a":"#, "1", "}", 150_000),
        nested(r#"{"a":"#, r#"{"_placeholder":true,"num":0}"#, "}", 150_000),
    ];
    for deep in &deep {
        for name in ["back", "inside", "echo", "ask", "keep", "hook", "room", "none"] {
            let mut socket = scene.websocket();
            socket.send(&format!(r#"421["{name}",{deep}]"#));
            socket.send(r#"422["back","after"]"#);
            // Answered or closed, as it may be: but over, and soon.
            while let Some((_, text)) = socket.next() {
                if text.starts_with(b"432") {
                    break;
                }
            }
        }
        let mut socket = scene.websocket();
        socket.send(&format!(r#"451-["back",{deep}]"#));
        socket.send_binary(b"x");
        socket.send("40/admin,{\"auth\":1}");
        let mut socket = scene.websocket();
        socket.send(&format!(r#"40/admin,{{"token":{deep}}}"#));
        socket.send(&format!("431[{deep}]"));
        scene.is_unmoved();
    }
    // Binary that was none must not reach a backend as such, however deep it is, and comes back unchanged.
    let mut socket = scene.websocket();
    socket.send(&format!(r#"421["ask",{}]"#, deep[1]));
    assert_eq!(socket.text(), format!("431[{}]", deep[1]));
    let bodies: Vec<_> = scene.backend.seen().into_iter().map(|seen| seen.body).collect();
    assert!(bodies.iter().any(|body| body.contains(r#"{"$$binary":"AQID"}"#)));
    assert!(!bodies.iter().any(|body| body.contains(r#"{"$binary""#)));
    scene.are_closed(&[
        &format!(r#"42["back",{}"#, "[".repeat(500_000)),
        &format!(r#"42["back",{}"#, r#"{"a":"#.repeat(150_000)),
        &format!("40/admin,{}", r#"{"a":"#.repeat(150_000)),
        &format!("42{}", "[".repeat(500_000)),
    ]);
    let mut socket = scene.websocket();
    socket.send(&"4".repeat(1_000_001));
    assert_eq!(socket.closed(), Some(1009));
    let text = "x".repeat(999_980);
    let mut socket = scene.websocket();
    socket.send(&format!(r#"421["back","{text}"]"#));
    assert_eq!(socket.text(), format!(r#"431["{text}"]"#));
    scene.is_unmoved();
}

/// CVE-2022-2421: a placeholder that names no attachment.
#[test]
fn placeholders_that_name_no_attachment() {
    let mut scene = Scene::new("");
    for num in [
        "-1",
        "1",
        "0.5",
        "1e99",
        "99999999999999999999",
        r#""0""#,
        r#""splice""#,
        "null",
        "{}",
        "[0]",
        "true",
    ] {
        let mut socket = scene.websocket();
        socket.send(&format!(r#"451-1["back",{{"_placeholder":true,"num":{num}}}]"#));
        socket.send_binary(b"x");
        assert_eq!(socket.closed(), None, "{num}");
    }
    let mut socket = scene.websocket();
    socket.send(r#"451-1["back",{"_placeholder":true}]"#);
    socket.send_binary(b"x");
    assert_eq!(socket.closed(), None);
    scene.is_unmoved();
}

/// CVE-2023-32695: an event name that is an object; and the rest of socket.io-parser's own list.
#[test]
fn what_is_no_packet() {
    let mut scene = Scene::new("");
    scene.are_closed(&[
        r#"442["some","data""#,
        r#"40/admin,"invalid""#,
        "40[]",
        "41/admin,{}",
        r#"42/admin,"invalid"#,
        "42/admin,{}",
        r#"42[{"toString":"foo"}]"#,
        r#"42[true,"foo"]"#,
        r#"42[null,"bar"]"#,
        r#"42["connect"]"#,
        r#"42["disconnect","123"]"#,
        "45",
        "451",
        "45a-",
        "451.23-",
        "4999",
        "42\u{e9}",
        "421\u{e9}",
        "451\u{e9}",
        "4",
        "42",
        "43",
        "431",
        "431{}",
        "42[]",
        r#"42["back"]]"#,
        r#"42["back",]"#,
        r#"42["back",01]"#,
        r#"42["back",NaN]"#,
        r#"42["\ud800"]"#,
        "42[\"\u{1}\"]",
    ]);
}

/// CVE-2024-38355: an event of the name `error` that nobody listens to.
#[test]
fn an_event_named_error() {
    let mut scene = Scene::new("");
    for name in ["error", "__proto__", "constructor", "toString", "hasOwnProperty", ""] {
        scene.bystander.send(&format!(r#"421["{name}",{{"__proto__":{{"x":1}}}}]"#));
        let answer = scene.bystander.text();
        assert!(answer.starts_with(r#"431[{"error":{"status":404,"code":"no_rule""#), "{answer}");
    }
    scene.is_unmoved();
}

/// CVE-2026-33151, GHSA-55mf-67qm-4wpg: many attachments, and some that never come.
#[test]
fn attachments_without_end() {
    let mut scene = Scene::new("  attachment_timeout: 300ms\n");
    scene.are_closed(&[
        r#"4511-["back"]"#,
        r#"4510000-["back"]"#,
        r#"4599999999999999999999-["back"]"#,
        r#"4611-1["back"]"#,
    ]);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut socket = scene.websocket();
            socket.send(r#"4510-["back",{"_placeholder":true,"num":9}]"#);
            socket.send_binary(b"the first of ten");
            socket
        })
        .collect();
    scene.is_unmoved();
    waiting.into_iter().for_each(|mut socket| assert_eq!(socket.closed(), None));
    scene.is_unmoved();
}

/// CVE-2022-21676: reserved bits in the first frame.
#[test]
fn reserved_bits_in_the_first_frame() {
    let mut scene = Scene::new("");
    for first in [0xc1, 0xa1, 0x91, 0xf1, 0xc2, 0x83, 0x8b] {
        let mut socket = WebSocket::open(&scene.gateway.address, &POLLING.replace("polling", "websocket"));
        socket.send_raw(first, b"2probe");
        assert_eq!(socket.closed(), Some(1002), "{first:x}");
        let client = scene.polling();
        let mut probing = WebSocket::open(&scene.gateway.address, &client.websocket());
        probing.send_raw(first, b"2probe");
        probing.closed();
        assert!(client.is_known(), "only the WebSocket was at fault");
    }
    scene.is_unmoved();
}

/// CVE-2022-41940: a reset at any moment of an upgrade.
#[test]
fn resets_during_upgrades() {
    let mut scene = Scene::new("");
    let client = scene.polling();
    for step in 0..4 {
        let stream = http::connect(&scene.gateway.address);
        http::send(&stream, "GET", &client.websocket(), &HANDSHAKE, b"");
        if step > 0 {
            assert_eq!(http::read(&stream).status, 101);
        }
        let mut socket = WebSocket(stream);
        if step > 1 {
            socket.send("2probe");
        }
        if step > 2 {
            socket.next();
        }
        // Zero linger makes the close a reset.
        socket2::SockRef::from(&socket.0).set_linger(Some(Duration::ZERO)).expect("linger");
    }
    eventually("polling goes on", || {
        let mut socket = WebSocket::open(&scene.gateway.address, &client.websocket());
        socket.send("2probe");
        (socket.next() == Some((1, b"3probe".to_vec()))).then_some(())
    });
    assert!(client.is_known());
    scene.is_unmoved();
}

/// CVE-2023-31125: an upgrade with a transport or session that only a prototype has.
#[test]
fn upgrades_with_strange_parameters() {
    let mut scene = Scene::new("");
    let client = scene.polling();
    for transport in ["polling", "__proto__", "constructor", "toString", "webtransport", "%00", ""] {
        let target = format!("/socket.io/?EIO=4&transport={transport}");
        assert_eq!(upgrade(&scene, &target, &[]).status, 400, "{target}");
        let target = client.target.replace("polling", transport);
        assert_eq!(upgrade(&scene, &target, &[]).status, 400, "{target}");
    }
    for sid in ["__proto__", "constructor", "toString", "%ff", "a".repeat(9000).as_str()] {
        let target = format!("{}&sid={sid}", POLLING.replace("polling", "websocket"));
        assert_eq!(upgrade(&scene, &target, &[]).status, 400, "{sid}");
        assert_eq!(http::get(&scene.gateway.address, &format!("{POLLING}&sid={sid}")).status, 400);
    }
    assert!(client.is_known());
    scene.is_unmoved();
}

/// CVE-2024-37890: more headers than anybody has.
#[test]
fn thousands_of_headers() {
    let mut scene = Scene::new("");
    let target = POLLING.replace("polling", "websocket");
    for count in [99, 2000] {
        let headers: Vec<_> = (0..count).map(|index| format!("x{index}: 1")).collect();
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let status = upgrade(&scene, &target, &headers).status;
        assert!(status == 101 || status == 431, "{count}: {status}");
    }
    let long = ["Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13"];
    let key = format!("Sec-WebSocket-Key: {}", "A".repeat(20_000));
    let answer = request(&scene.gateway.address, "GET", &target, &[&long[..], &[&key]].concat(), b"");
    assert_eq!(answer.status, 400);
    scene.is_unmoved();
}

/// CVE-2026-48779: a message in tiny fragments.
#[test]
fn tiny_fragments() {
    let mut scene = Scene::new("");
    let before = scene.gateway.memory();
    let mut socket = scene.websocket();
    socket.send_raw(0x01, b"4");
    let batch = [0x00, 0x80, 1, 2, 3, 4].repeat(1000);
    // The gateway hangs up at some time.
    let _ = (0..101).try_for_each(|_| socket.0.write_all(&batch));
    assert_eq!(socket.closed(), Some(1008));
    assert!(scene.gateway.memory().saturating_sub(before) < 16_000_000);
    scene.is_unmoved();
}

/// Ack ids that no number holds, and text that is none.
#[test]
fn long_ack_ids_and_bad_text() {
    let mut scene = Scene::new("");
    let id = "123456789012345678901234567890";
    scene.bystander.send(&format!(r#"42{id}["back",1]"#));
    assert_eq!(scene.bystander.text(), format!("43{id}[1]"));
    scene.bystander.send(&format!("43{id}[1]"));
    // A lone surrogate is no text; escaped, it is no name, but an argument that is passed on as it is.
    for (json, answer) in [(r#""\ud800""#, r#"431["\ud800"]"#), (r#"{"\udfff":1}"#, r#"431[{"\udfff":1}]"#)] {
        scene.bystander.send(&format!(r#"421["back",{json}]"#));
        assert_eq!(scene.bystander.text(), answer);
    }
    for bytes in [&b"42[\"back\",\"\xff\"]"[..], b"42[\"back\",\"\xed\xa0\x80\"]", b"42[\"\xc0\xaf\"]"] {
        let mut socket = scene.websocket();
        socket.send_raw(0x81, bytes);
        assert_eq!(socket.closed(), Some(1007));
        let client = scene.polling();
        let answer = request(&scene.gateway.address, "POST", &client.target, &[], bytes);
        assert_eq!(answer.status, 400);
        assert!(!client.is_known());
    }
    scene.is_unmoved();
}
