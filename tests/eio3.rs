//! Clients 1.x and 2.x over raw sockets: the framing of Engine.IO v3, and what Socket.IO says in it.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use support::backend::Backend;
use support::gateway::Gateway;
use support::http::{self, Answer, get, request};
use support::websocket::{HANDSHAKE, WebSocket};

const POLLING: &str = "/socket.io/?EIO=3&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=3&transport=websocket";
const BYTES: [&str; 1] = ["Content-Type: application/octet-stream"];

const RULES: &str = r#"
socketio:
  eio3: true
  ping_interval: 400ms
  ping_timeout: 400ms
  max_payload: 2KB
  max_packets_per_post: 10
  connect: {join: all}
  events:
    back: {ack: "{{ data }}"}
    who: {ack: ["{{ socket.id }}", "{{ socket.handshake.auth }}"]}
    all: {emit: {event: all, to: all, data: "{{ data }}"}}
    leave: {disconnect: true}
  namespaces:
    /custom: {events: {who: {ack: ["{{ socket.id }}", "{{ socket.handshake.auth }}"]}}}
    /refused: {connect: {request: GET /no}}
"#;

fn gateway() -> (Gateway, Backend) {
    let backend = Backend::start(|line, _| match line {
        "GET /no" => (403, r#"{"message":"members only","code":"not_a_member"}"#.to_owned()),
        _ => (404, "{}".to_owned()),
    });
    (Gateway::start(&format!("upstream: {}\n{RULES}", backend.url)), backend)
}

/// A polling session.
struct Poller<'a> {
    gateway: &'a Gateway,
    sid: String,
    target: String,
}

impl<'a> Poller<'a> {
    fn open(gateway: &'a Gateway, query: &str) -> Poller<'a> {
        let answer = get(&gateway.address, &format!("{POLLING}{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        let text = answer.text();
        let (length, packet) = text.split_once(':').expect("a length");
        assert_eq!(length, packet.len().to_string());
        let sid = sid(packet);
        let target = format!("{POLLING}&sid={sid}");
        let poller = Poller { gateway, sid, target };
        assert_eq!(poller.poll(), "2:40");
        poller
    }

    fn get(&self) -> Answer {
        get(&self.gateway.address, &self.target)
    }

    fn poll(&self) -> String {
        let answer = self.get();
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        answer.text()
    }

    fn post(&self, headers: &[&str], body: &[u8]) -> Answer {
        request(&self.gateway.address, "POST", &self.target, headers, body)
    }

    fn send(&self, body: &str) {
        let answer = self.post(&[], body.as_bytes());
        assert_eq!((answer.status, answer.text()), (200, "ok".to_owned()), "{body}");
    }

    fn is_gone(&self) -> bool {
        self.get().text().contains("Session ID unknown")
    }
}

fn sid(open: &str) -> String {
    let rest = open.strip_prefix("0{\"sid\":\"").expect("an open packet");
    rest.split('"').next().expect("its end").to_owned()
}

/// A WebSocket, connected to `/`, and its session's id.
fn connect(gateway: &Gateway) -> (WebSocket, String) {
    let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
    let sid = sid(&socket.text());
    assert_eq!(socket.text(), "40");
    (socket, sid)
}

#[test]
fn the_root_namespace_is_joined_unasked_whatever_the_version_is_called() {
    let (gateway, _backend) = gateway();
    for version in ["EIO=3&", "", "EIO=&", "EIO=abc&", "EIO=2&"] {
        let answer = get(&gateway.address, &format!("/socket.io/?{version}transport=polling"));
        let text = answer.text();
        let (_, packet) = text.split_once(':').expect("a length");
        let expected =
            r#"","upgrades":["websocket"],"pingInterval":400,"pingTimeout":400,"maxPayload":2000}"#;
        assert!(packet.ends_with(expected), "{packet}");
        let answer =
            get(&gateway.address, &format!("/socket.io/?{version}transport=polling&sid={}", sid(packet)));
        assert_eq!(answer.text(), "2:40");
    }
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?transport=websocket");
    assert!(socket.text().contains(r#""upgrades":[],"#));
    assert_eq!(socket.text(), "40");
}

#[test]
fn clients_of_version_4_are_served_as_ever() {
    let (gateway, _backend) = gateway();
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    let sid = sid(&socket.text());
    socket.send("40");
    assert!(socket.text().starts_with("40{\"sid\":\""));
    let answer = get(&gateway.address, "/socket.io/?EIO=4&transport=polling&j=0");
    let session = format!("/socket.io/?EIO=4&transport=polling&sid={}", self::sid(&answer.text()));
    assert_eq!(request(&gateway.address, "POST", &session, &BYTES, b"40").status, 400);
    assert!(get(&gateway.address, &session).text().contains("Session ID unknown"));
    socket.send("421[\"who\"]");
    assert!(!socket.text().contains(&sid));
}

#[test]
fn jsonp_is_refused() {
    let (gateway, _backend) = gateway();
    let answer = get(&gateway.address, &format!("{POLLING}&j=0"));
    assert_eq!((answer.status, answer.text()), (400, r#"{"code":3,"message":"Bad request"}"#.to_owned()));
}

#[test]
fn text_and_base64_go_both_ways() {
    let (gateway, _backend) = gateway();
    let poller = Poller::open(&gateway, "&b64=1");
    poller.send("17:421[\"back\",\"é😀\"]10:422[\"who\"]");
    let who = format!("432[\"{}\",{{}}]", poller.sid);
    let text = "431[\"é😀\"]";
    assert_eq!(poller.poll(), format!("10:{text}{}:{who}", who.len()));
    poller.send(r#"43:451-3["back",{"_placeholder":true,"num":0}]10:b4AQIDBA=="#);
    assert_eq!(poller.poll(), r#"36:461-3[{"_placeholder":true,"num":0}]10:b4AQIDBA=="#);
}

#[test]
fn bytes_go_both_ways() {
    let (gateway, _backend) = gateway();
    let poller = Poller::open(&gateway, "");
    let event = r#"451-3["back",{"_placeholder":true,"num":0}]"#;
    let frame = |kind: u8, data: &[u8]| {
        let digits = data.len().to_string().into_bytes();
        [&[kind][..], &digits.iter().map(|digit| digit - b'0').collect::<Vec<_>>(), &[0xff], data].concat()
    };
    let body = [frame(0, event.as_bytes()), frame(1, &[4, 1, 2, 3, 4])].concat();
    assert_eq!(poller.post(&BYTES, &body).status, 200);
    let answer = poller.get();
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    let text = r#"461-3[{"_placeholder":true,"num":0}]"#;
    assert_eq!(answer.body, [frame(0, text.as_bytes()), frame(1, &[4, 1, 2, 3, 4])].concat());
    poller.send("14:421[\"back\",\"\"]");
    assert_eq!(poller.poll(), "7:431[\"\"]");
}

#[test]
fn a_websockets_binary_begins_with_its_type() {
    let (gateway, _backend) = gateway();
    let event = r#"451-1["back",{"_placeholder":true,"num":0}]"#;
    let reply = r#"461-1[{"_placeholder":true,"num":0}]"#;
    let data = vec![7; 300];
    let typed = [&[4], data.as_slice()].concat();
    let (mut socket, _) = connect(&gateway);
    socket.send(event);
    socket.send_binary(&typed);
    assert_eq!(socket.text(), reply);
    assert_eq!(socket.next(), Some((2, typed)));
    // Without the type it is no message.
    socket.send(event);
    socket.send_binary(&data);
    assert_eq!(socket.closed(), None);
}

#[test]
fn who_asks_for_base64_gets_it_over_websockets_too() {
    let (gateway, _backend) = gateway();
    let event = r#"451-1["back",{"_placeholder":true,"num":0}]"#;
    for (version, prefix) in [(3, "b4"), (4, "b")] {
        let target = format!("/socket.io/?EIO={version}&transport=websocket&b64=1");
        let mut socket = WebSocket::open(&gateway.address, &target);
        socket.text();
        if version == 4 {
            socket.send("40");
        }
        assert!(socket.text().starts_with("40"));
        socket.send(event);
        socket.send(&format!("{prefix}AQIDBA=="));
        assert_eq!(socket.text(), r#"461-1[{"_placeholder":true,"num":0}]"#);
        assert_eq!(socket.text(), format!("{prefix}AQIDBA=="));
    }
}

#[test]
fn one_broadcast_reaches_all_versions() {
    let (gateway, _backend) = gateway();
    let (mut old, _) = connect(&gateway);
    let mut new = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    new.text();
    new.send("40");
    new.text();
    let poller = Poller::open(&gateway, "");
    new.send(r#"451-["all",{"_placeholder":true,"num":0}]"#);
    new.send_binary(&[1, 2]);
    let text = r#"451-["all",{"_placeholder":true,"num":0}]"#;
    assert_eq!((old.text().as_str(), old.next()), (text, Some((2, vec![4, 1, 2]))));
    assert_eq!((new.text().as_str(), new.next()), (text, Some((2, vec![1, 2]))));
    let body = poller.get().body;
    assert_eq!(body, [b"\0\x04\x01\xff", text.as_bytes(), b"\x01\x03\xff\x04\x01\x02"].concat());
}

#[test]
fn clients_ping_and_the_silent_go() {
    let (gateway, _backend) = gateway();
    let poller = Poller::open(&gateway, "");
    let (mut socket, _) = connect(&gateway);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1200) {
        poller.send("1:2");
        assert_eq!(poller.poll(), "1:3");
        socket.send("2");
        assert_eq!(socket.text(), "3");
        std::thread::sleep(Duration::from_millis(200));
    }
    let start = Instant::now();
    socket.closed();
    let silence = start.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_millis(1200)).contains(&silence), "{silence:?}");
    assert!(poller.is_gone());
}

#[test]
fn an_upgrade_moves_the_session() {
    let (gateway, _backend) = gateway();
    let poller = Poller::open(&gateway, "");
    let target = format!("{WEBSOCKET}&sid={}", poller.sid);
    let mut socket = WebSocket::open(&gateway.address, &target);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    assert_eq!(poller.poll(), "1:6");
    poller.send("13:421[\"back\",1]");
    socket.send("5");
    assert_eq!(socket.text(), "431[1]");
    assert!(poller.get().text().contains("\"code\":3"));
    socket.send("2");
    assert_eq!(socket.text(), "3");
    WebSocket::open(&gateway.address, &target).closed();
}

#[test]
fn farewells_are_framed() {
    let (gateway, _backend) = gateway();
    let poller = Poller::open(&gateway, "");
    poller.send("4:42{}");
    assert_eq!(poller.poll(), "1:61:1");
    assert!(poller.is_gone());

    let poller = Poller::open(&gateway, "");
    let pending = http::connect(&gateway.address);
    http::send(&pending, "GET", &poller.target, &[], b"");
    let other = http::connect(&gateway.address);
    http::send(&other, "GET", &poller.target, &[], b"");
    let mut answers = [http::read(&pending).text(), http::read(&other).text()];
    answers.sort();
    assert_eq!(answers, [String::new(), "1:1".to_owned()]);

    let poller = Poller::open(&gateway, "");
    poller.send("1:1");
    assert!(poller.is_gone());
}

#[test]
fn ids_are_those_that_clients_compute() {
    let (gateway, _backend) = gateway();
    let (mut socket, sid) = connect(&gateway);
    socket.send("421[\"who\"]");
    assert_eq!(socket.text(), format!("431[\"{sid}\",{{}}]"));
    for connect in ["40/custom", "40/custom,"] {
        socket.send(connect);
        assert_eq!(socket.text(), "40/custom,");
        socket.send("42/custom,1[\"who\"]");
        assert_eq!(socket.text(), format!("43/custom,1[\"/custom#{sid}\",{{}}]"));
        socket.send("41/custom,");
    }
}

#[test]
fn queries_are_who_one_is() {
    let (gateway, _backend) = gateway();
    let target = format!("{WEBSOCKET}&token=outer&lang=de&b64=&t=N8hyd6w&lang=en");
    let mut socket = WebSocket::open(&gateway.address, &target);
    let sid = sid(&socket.text());
    socket.text();
    socket.send("421[\"who\"]");
    assert_eq!(socket.text(), format!(r#"431["{sid}",{{"token":"outer","lang":["de","en"]}}]"#));
    socket.send("40/custom?token=a%2Cb&more=%F0%9F%98%80,");
    assert_eq!(socket.text(), "40/custom,");
    socket.send("42/custom,2[\"who\"]");
    let auth = r#"{"token":"a,b","lang":["de","en"],"more":"😀"}"#;
    assert_eq!(socket.text(), format!(r#"43/custom,2["/custom#{sid}",{auth}]"#));
}

#[test]
fn refusals_are_data_or_a_message() {
    let (gateway, _backend) = gateway();
    let (mut socket, _) = connect(&gateway);
    socket.send("40/random?token=x,");
    assert_eq!(socket.text(), r#"44/random,"Invalid namespace""#);
    for _ in 0..2 {
        socket.send("40/refused");
        assert_eq!(socket.text(), r#"44/refused,{"message":"members only","code":"not_a_member"}"#);
    }
    socket.send("421[\"back\",\"alive\"]");
    assert_eq!(socket.text(), "431[\"alive\"]");
    socket.send("42[\"leave\"]");
    assert_eq!(socket.text(), "41");
}

/// Reference section 8 with the packets of this version. The session closes, and no other.
#[test]
fn what_breaks_the_protocol_closes_the_session_and_no_other() {
    let (gateway, _backend) = gateway();
    let bystander = Poller::open(&gateway, "");
    let packets = [
        "",
        "abc",
        "3",
        "3probe",
        "2x",
        "6",
        "7",
        "0{}",
        "b",
        "bAQID",
        "b4!!!",
        "4",
        "4abc",
        "42",
        "42{}",
        "40",
        "44{}",
        "442[\"some\",\"data\"",
        "40/admin,\"invalid\"",
        "40/custom,[]",
        "41/custom,{}",
        "42/custom,[\"before\"]",
        "42[{\"toString\":\"foo\"}]",
        "42[true,\"foo\"]",
        "42[null,\"bar\"]",
        "42[\"connect\"]",
        "42[\"disconnect\",\"123\"]",
        "45",
        "451",
        "45a-",
        "451.23-",
        "4999",
        "42é",
        "421é",
        "451é",
        "42[\"back\"],\"admin\":true",
        "4511-[\"back\"]",
        "4510000-[\"back\"]",
        "43",
        "40/custom?a=b,{",
    ];
    for packet in packets {
        let (mut socket, _) = connect(&gateway);
        socket.send(packet);
        assert_eq!(socket.closed(), None, "{packet}");
        let poller = Poller::open(&gateway, "");
        poller.post(&[], format!("{}:{packet}", packet.encode_utf16().count()).as_bytes());
        let answer = poller.get().text();
        assert!(answer.contains("Session ID unknown") || answer == "1:61:1", "{packet}: {answer}");
        bystander.send("1:2");
        assert_eq!(bystander.poll(), "1:3");
    }
}

#[test]
fn attachments_that_do_not_fit_close_the_session() {
    let (gateway, _backend) = gateway();
    for num in ["-1", "0.5", "\"0\"", "1", "null", "1e9"] {
        let (mut socket, _) = connect(&gateway);
        socket.send(&format!(r#"451-["back",{{"_placeholder":true,"num":{num}}}]"#));
        socket.send_binary(b"\x04x");
        assert_eq!(socket.closed(), None, "{num}");
    }
    let (mut socket, _) = connect(&gateway);
    socket.send_binary(b"\x04x");
    assert_eq!(socket.closed(), None);
}

#[test]
fn bad_payloads_end_only_their_own_session() {
    let (gateway, _backend) = gateway();
    let long = [&[0][..], &[9; 300], b"\xff4"].concat();
    let bad: [(&[&str], &[u8]); 10] = [
        (&[], b"abc"),
        (&[], b"1:21:"),
        (&[], b"99999999999999999999999:4"),
        (&[], b"9:4\xff"),
        (&[], b"40"),
        (&BYTES, b"6:4hello"),
        (&BYTES, b"\x01\x01\xff\x05"),
        (&BYTES, b"\0\x01\x02\x03"),
        (&BYTES, &long),
        (&["Content-Length: 0"], b""),
    ];
    let other = Poller::open(&gateway, "");
    for (headers, body) in bad {
        let poller = Poller::open(&gateway, "");
        assert_eq!(poller.post(headers, body).status, 400, "{body:?}");
        assert!(poller.is_gone(), "{body:?}");
        other.send("1:2");
        assert_eq!(other.poll(), "1:3");
    }
    let poller = Poller::open(&gateway, "");
    poller.send(&"1:2".repeat(10));
    assert_eq!(poller.poll(), "1:3".repeat(10));
    assert_eq!(poller.post(&[], "1:2".repeat(11).as_bytes()).status, 400);
    assert!(poller.is_gone());
    assert_eq!(gateway.refused("socketio.max_packets_per_post"), 1);
    assert_eq!(other.post(&[], &[b'1'; 2001]).status, 413);
    other.send("1:2");
    assert_eq!(other.poll(), "1:3");
}

#[test]
fn without_the_option_the_version_is_refused() {
    let backend = Backend::empty();
    let gateway = Gateway::start(&format!("upstream: {}\n", backend.url));
    let unsupported = r#"{"code":5,"message":"Unsupported protocol version"}"#;
    for target in [POLLING, "/socket.io/?transport=polling", "/socket.io/?EIO=3&transport=polling&j=0"] {
        let answer = get(&gateway.address, target);
        assert_eq!((answer.status, answer.text()), (400, unsupported.to_owned()));
    }
    let answer = request(&gateway.address, "GET", WEBSOCKET, &HANDSHAKE, b"");
    assert_eq!((answer.status, answer.text()), (400, "Unsupported protocol version".to_owned()));
}
