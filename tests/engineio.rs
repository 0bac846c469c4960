//! Engine.IO's edges over raw sockets: what Node answers, and where we do better.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::time::{Duration, Instant};

use support::backend::Backend;
use support::gateway::Gateway;
use support::http::{self, Answer, get, request};
use support::websocket::{HANDSHAKE, WebSocket};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn gateway(socketio: &str) -> (Gateway, Backend) {
    let backend = Backend::empty();
    let gateway = Gateway::start(&format!("upstream: {}\nsocketio: {{{socketio}}}\n", backend.url));
    (gateway, backend)
}

fn open(address: &str) -> String {
    let answer = get(address, POLLING);
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text();
    let (_, rest) = text.split_once("\"sid\":\"").expect("a session id");
    rest.split('"').next().expect("its end").to_owned()
}

fn session(sid: &str) -> String {
    format!("{POLLING}&sid={sid}")
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

#[test]
fn the_open_packet_is_nodes() {
    let (gateway, _backend) = gateway("ping_interval: 300ms, ping_timeout: 200ms");
    let answer = get(&gateway.address, POLLING);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = answer.text();
    let rest = text.strip_prefix("0{\"sid\":\"").expect("an open packet");
    assert_eq!(
        &rest[20..],
        r#"","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#
    );
    let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
    assert!(
        socket
            .text()
            .ends_with(r#"","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#)
    );
}

#[test]
fn no_upgrade_is_on_offer_where_websocket_is_not() {
    let (gateway, _backend) = gateway("transports: polling");
    assert!(get(&gateway.address, POLLING).text().contains(r#""upgrades":[]"#));
    let answer = request(&gateway.address, "GET", WEBSOCKET, &HANDSHAKE, b"");
    assert_eq!(code(&answer), (400, "Transport unknown".to_owned()));
}

#[test]
fn the_path_ends_on_a_segment_and_takes_a_slash_or_none() {
    let (gateway, backend) = gateway("");
    for path in ["/socket.io", "/socket.io/"] {
        assert_eq!(get(&gateway.address, &format!("{path}?EIO=4&transport=polling")).status, 200, "{path}");
    }
    for path in ["/socket.io-docs", "/socket.iox/?EIO=4&transport=polling", "/api/socket.io/"] {
        assert_eq!(get(&gateway.address, path).status, 404, "{path}");
    }
    let lines: Vec<_> = backend.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        ["GET /socket.io-docs", "GET /socket.iox/?EIO=4&transport=polling", "GET /api/socket.io/"]
    );
}

#[test]
fn refused_polling_requests_carry_nodes_codes() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    let cases = [
        ("GET", "/socket.io/?EIO=4".to_owned(), 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=4&transport=abc".to_owned(), 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=4&transport=webtransport".to_owned(), 0, "Transport unknown"),
        ("GET", "/socket.io/?EIO=4&transport=__proto__".to_owned(), 0, "Transport unknown"),
        ("GET", session("unknown"), 1, "Session ID unknown"),
        ("GET", session("__proto__"), 1, "Session ID unknown"),
        ("POST", session("unknown"), 1, "Session ID unknown"),
        ("POST", POLLING.to_owned(), 2, "Bad handshake method"),
        ("PUT", POLLING.to_owned(), 2, "Bad handshake method"),
        ("GET", WEBSOCKET.to_owned(), 3, "Bad request"),
        ("GET", format!("{WEBSOCKET}&sid={sid}"), 3, "Bad request"),
        ("GET", "/socket.io/?transport=polling".to_owned(), 5, "Unsupported protocol version"),
        ("GET", "/socket.io/?EIO=3&transport=polling".to_owned(), 5, "Unsupported protocol version"),
    ];
    for (method, target, number, message) in cases {
        let answer = request(&gateway.address, method, &target, &[], b"");
        let expected = (400, format!(r#"{{"code":{number},"message":"{message}"}}"#));
        assert_eq!(code(&answer), expected, "{method} {target}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for method in ["PUT", "DELETE", "OPTIONS"] {
        assert_eq!(code(&request(&gateway.address, method, &session(&sid), &[], b"")), (500, String::new()));
    }
}

#[test]
fn an_empty_sid_counts_as_none() {
    let (gateway, _backend) = gateway("");
    assert_eq!(get(&gateway.address, &session("")).status, 200);
}

#[test]
fn websockets_are_refused_before_any_101() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    let good = &HANDSHAKE[..];
    let old = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", HANDSHAKE[3]];
    let keyless = &HANDSHAKE[..3];
    let short =
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YQ=="];
    let cases = [
        ("/socket.io/?EIO=4&transport=abc".to_owned(), good, "Transport unknown"),
        (format!("{WEBSOCKET}&sid=unknown"), good, "Session ID unknown"),
        (POLLING.to_owned(), good, "Bad request"),
        (session(&sid), good, "Bad request"),
        ("/socket.io/?EIO=3&transport=websocket".to_owned(), good, "Unsupported protocol version"),
        (WEBSOCKET.to_owned(), &old[..], "Bad request"),
        (WEBSOCKET.to_owned(), keyless, "Bad request"),
        (WEBSOCKET.to_owned(), &short[..], "Bad request"),
    ];
    for (target, headers, message) in cases {
        let answer = request(&gateway.address, "GET", &target, headers, b"");
        assert_eq!(code(&answer), (400, message.to_owned()), "{target}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(get(&gateway.address, WEBSOCKET).status, 400);
}

#[test]
fn a_second_poll_ends_the_session() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    let pending = http::connect(&gateway.address);
    http::send(&pending, "GET", &session(&sid), &[], b"");
    // Which of the two came first is the gateway's to say: one is refused, the other let go.
    let other = http::connect(&gateway.address);
    http::send(&other, "GET", &session(&sid), &[], b"");
    let mut answers = [code(&http::read(&pending)), code(&http::read(&other))];
    answers.sort();
    assert_eq!(answers, [(200, "1".to_owned()), (400, String::new())]);
    assert!(get(&gateway.address, &session(&sid)).text().contains("Session ID unknown"));
}

#[test]
fn a_poll_given_up_ends_the_session() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    // A GET that is given up before it was read is no GET: so it is tried until one was.
    support::eventually("the session ends", || {
        let pending = http::connect(&gateway.address);
        http::send(&pending, "GET", &session(&sid), &[], b"");
        let before = request(&gateway.address, "POST", &session(&sid), &[], b"3");
        drop(pending);
        (before.status == 400 && before.text().contains("Session ID unknown")).then_some(())
    });
}

#[test]
fn a_payload_over_the_limit_is_refused_and_the_session_lives() {
    let (gateway, _backend) = gateway("max_payload: 1KB");
    let sid = open(&gateway.address);
    let body = vec![b'4'; 1001];
    assert_eq!(code(&request(&gateway.address, "POST", &session(&sid), &[], &body)), (413, String::new()));
    let answer = request(&gateway.address, "POST", &session(&sid), &[], b"40");
    assert_eq!(code(&answer), (200, "ok".to_owned()));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert!(get(&gateway.address, &session(&sid)).text().starts_with("40{\"sid\":\""));
}

#[test]
fn a_chunked_payload_over_the_limit_is_refused_too() {
    let (gateway, _backend) = gateway("max_payload: 1KB");
    let sid = open(&gateway.address);
    let stream = http::connect(&gateway.address);
    let chunk = [b"400\r\n", vec![b'4'; 0x400].as_slice(), b"\r\n0\r\n\r\n"].concat();
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", session(&sid));
    std::io::Write::write_all(&mut &stream, &[head.as_bytes(), &chunk].concat()).expect("written");
    assert_eq!(http::read(&stream).status, 413);
    assert_eq!(request(&gateway.address, "POST", &session(&sid), &[], b"40").status, 200);
}

#[test]
fn bad_payloads_end_only_their_own_session() {
    let (gateway, _backend) = gateway("");
    let other = open(&gateway.address);
    let bad: [(&[u8], &[&str]); 7] = [
        (b"abc", &[]),
        (b"2", &[]),
        (b"6", &[]),
        (b"40\x1e", &[]),
        (b"b!!!", &[]),
        (b"\xff\xfe", &[]),
        (b"4hello", &["Content-Type: application/octet-stream"]),
    ];
    for (body, headers) in bad {
        let sid = open(&gateway.address);
        assert_eq!(request(&gateway.address, "POST", &session(&sid), headers, body).status, 400, "{body:?}");
        assert!(get(&gateway.address, &session(&sid)).text().contains("Session ID unknown"), "{body:?}");
    }
    let sid = open(&gateway.address);
    assert_eq!(request(&gateway.address, "POST", &session(&sid), &["Content-Length: 0"], b"").status, 400);
    assert_eq!(request(&gateway.address, "POST", &session(&other), &[], b"40").status, 200);
}

#[test]
fn a_client_that_says_goodbye_is_forgotten() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    let pending = http::connect(&gateway.address);
    http::send(&pending, "GET", &session(&sid), &[], b"");
    assert_eq!(request(&gateway.address, "POST", &session(&sid), &[], b"1").status, 200);
    // Whichever of the two came first: the GET gets its noop.
    assert_eq!(code(&http::read(&pending)), (200, "6".to_owned()));
    assert!(get(&gateway.address, &session(&sid)).text().contains("Session ID unknown"));
    let sid = open(&gateway.address);
    assert_eq!(request(&gateway.address, "POST", &session(&sid), &[], b"1").status, 200);
    assert!(get(&gateway.address, &session(&sid)).text().contains("Session ID unknown"));
}

#[test]
fn a_client_is_let_in_by_its_own_silence_only_so_long() {
    let (gateway, _backend) = gateway("ping_interval: 300ms, ping_timeout: 200ms, connect_timeout: 10s");
    let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
    let start = Instant::now();
    socket.next().expect("the open packet");
    assert_eq!(socket.next(), Some((1, b"2".to_vec())));
    let pinged = start.elapsed();
    assert!(pinged >= Duration::from_millis(290), "{pinged:?}");
    socket.closed();
    let closed = start.elapsed();
    assert!((Duration::from_millis(490)..Duration::from_millis(900)).contains(&closed), "{closed:?}");
}

#[test]
fn a_session_that_joins_no_namespace_is_closed() {
    let (gateway, _backend) = gateway("connect_timeout: 300ms");
    let sid = open(&gateway.address);
    let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
    socket.closed();
    support::eventually("the farewell", || {
        let answer = get(&gateway.address, &session(&sid));
        (answer.text() == "6\x1e1" || answer.text() == "1").then_some(())
    });
}

fn upgrade(gateway: &Gateway, sid: &str) -> WebSocket {
    let mut socket = WebSocket::open(&gateway.address, &format!("{WEBSOCKET}&sid={sid}"));
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    socket
}

#[test]
fn an_upgrade_moves_the_session_and_loses_nothing() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    request(&gateway.address, "POST", &session(&sid), &[], b"40");
    let pending = http::connect(&gateway.address);
    let mut socket = upgrade(&gateway, &sid);
    http::send(&pending, "GET", &session(&sid), &[], b"");
    assert!(http::read(&pending).text().starts_with("40{"));
    // Nothing waits any more: a GET is let go at once, so that the client can confirm.
    let start = Instant::now();
    assert_eq!(get(&gateway.address, &session(&sid)).text(), "6");
    assert!(start.elapsed() < Duration::from_millis(500));
    request(&gateway.address, "POST", &session(&sid), &[], b"42[\"a\"]\x1e42[\"b\"]");
    socket.send("5");
    for name in ["a", "b"] {
        let text = socket.text();
        assert!(text.contains("no_rule") && text.contains(&format!("\"event\":\"{name}\"")), "{text}");
    }
    assert!(get(&gateway.address, &session(&sid)).text().contains("\"code\":3"));
    assert!(request(&gateway.address, "POST", &session(&sid), &[], b"3").text().contains("\"code\":3"));
    let mut second = WebSocket::open(&gateway.address, &format!("{WEBSOCKET}&sid={sid}"));
    second.closed();
    socket.send("42[\"c\"]");
    assert!(socket.text().contains("\"event\":\"c\""));
}

#[test]
fn a_get_of_a_client_that_talks_waits_a_moment_for_what_it_may_bring() {
    let (gateway, _backend) = gateway("");
    let sid = open(&gateway.address);
    for packets in [&b"40"[..], b"42[\"a\"]"] {
        request(&gateway.address, "POST", &session(&sid), &[], packets);
        get(&gateway.address, &session(&sid));
    }
    let _socket = upgrade(&gateway, &sid);
    let start = Instant::now();
    assert_eq!(get(&gateway.address, &session(&sid)).text(), "6");
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
}

#[test]
fn a_failed_upgrade_leaves_polling_going() {
    let (gateway, _backend) = gateway("upgrade_timeout: 300ms");
    let sid = open(&gateway.address);
    request(&gateway.address, "POST", &session(&sid), &[], b"40");
    assert!(get(&gateway.address, &session(&sid)).text().starts_with("40{"));
    let target = format!("{WEBSOCKET}&sid={sid}");
    let ways: [fn(&mut WebSocket); 5] = [
        |socket| socket.send("4hello"),
        |socket| socket.send_binary(b"\x01"),
        |socket| socket.send_raw(0x88, b""),
        |socket| {
            socket.send("2probe");
            socket.text();
            socket.send("3");
        },
        |_silent| {},
    ];
    for fail in ways {
        let mut socket = WebSocket::open(&gateway.address, &target);
        fail(&mut socket);
        socket.closed();
    }
    drop(WebSocket::open(&gateway.address, &target));
    let mut socket = support::eventually("the last probe is given up", || {
        let mut socket = WebSocket::open(&gateway.address, &target);
        socket.send("2probe");
        (socket.next() == Some((1, b"3probe".to_vec()))).then_some(socket)
    });
    request(&gateway.address, "POST", &session(&sid), &[], b"42[\"still here\"]");
    socket.send("5");
    assert!(socket.text().contains("still here"));
}

#[test]
fn websocket_violations_are_closed_with_their_code() {
    let (gateway, _backend) = gateway("max_payload: 1KB");
    let big = vec![b'x'; 1001];
    let cases: [(u8, &[u8], Option<u16>); 6] = [
        (0x81, &big, Some(1009)),
        (0x81, b"4\xff", Some(1007)),
        (0xc1, b"4rsv", Some(1002)),
        (0x83, b"4", Some(1002)),
        (0x81, b"abc", None),
        (0x81, b"2", None),
    ];
    for (first, payload, code) in cases {
        let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
        socket.send_raw(first, payload);
        assert_eq!(socket.closed(), code, "{payload:?}");
    }
    let mut socket = WebSocket::open(&gateway.address, WEBSOCKET);
    socket.text();
    socket.send_raw(0x89, b"are you there");
    assert_eq!(socket.next(), Some((0xA, b"are you there".to_vec())));
}
