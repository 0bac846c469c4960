//! Bounds on connections and requests by address, and the PROXY protocol that tells the address.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{self, Answer, get, request};
use support::websocket::WebSocket;

const ORIGIN: &str = "Origin: https://a.test";

/// How long one of a flood waits to be told why it is refused.
const HELD: Duration = Duration::from_secs(2);

fn site(config: &str) -> (Gateway, Backend) {
    let backend = Backend::start(|_, _| (200, "\"fine\"".into()));
    let cors = "cors: {allow_origins: https://a.test}";
    (Gateway::start(&format!("upstream: {}\n{cors}\n{config}", backend.url)), backend)
}

/// An answer of our own: its status, code, and that it is complete.
fn refusal(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.test"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["error"]["request_id"], *answer.header("x-request-id").expect("an id"));
    (answer.status, body["error"]["code"].as_str().expect("a code").to_owned())
}

fn opened(address: &str) -> TcpStream {
    let stream = http::connect(address);
    http::send(&stream, "GET", "/x", &[], b"");
    assert_eq!(http::read(&stream).status, 200);
    stream
}

#[test]
fn connections_of_an_address() {
    let (gateway, _backend) = site("limits: {connections_per_ip: 2}\n");
    let (one, socket) = (opened(&gateway.address), WebSocket::connect(&gateway.address));
    let full = request(&gateway.address, "GET", "/x", &[ORIGIN], b"");
    assert_eq!(refusal(&full), (429, "too_many_connections".into()));
    assert_eq!(full.header("connection"), Some("close"));
    assert_eq!(gateway.refused("limits.connections_per_ip"), 1);
    drop(one);
    eventually("there is room", || (get(&gateway.address, "/x").status == 200).then_some(()));
    drop(socket);
    eventually("a socket's end makes room too", || {
        let streams = [http::connect(&gateway.address), http::connect(&gateway.address)];
        let ask = |stream: &TcpStream| http::send(stream, "GET", "/x", &[], b"");
        streams.iter().for_each(ask);
        streams.iter().all(|stream| http::read(stream).status == 200).then_some(())
    });
}

#[test]
fn a_shortage_of_files_holds_new_connections_back_and_loses_none() {
    let (gateway, _backend) = site("");
    let known = opened(&gateway.address);
    gateway.bound_files(gateway.files() + 5);
    let waiting: Vec<TcpStream> = (0..20).map(|_| http::connect(&gateway.address)).collect();
    eventually("it is told", || gateway.printed("cannot accept connections for now").then_some(()));
    http::send(&known, "GET", "/x", &[], b"");
    assert_eq!(http::read(&known).status, 200, "who is in is served");
    gateway.bound_files(500);
    for stream in &waiting {
        http::send(stream, "GET", "/x", &[], b"");
        assert_eq!(http::read(stream).status, 200, "who waited is let in");
    }
    assert!(gateway.refused("open_files") > 0);
}

#[test]
fn a_flood_of_connections_is_closed_without_a_word() {
    let (gateway, _backend) = site("limits: {connections_per_ip: 1}\n");
    let _one = opened(&gateway.address);
    let begun = Instant::now();
    let flood: Vec<TcpStream> = (0..100).map(|_| http::connect(&gateway.address)).collect();
    flood.iter().for_each(|stream| stream.set_nonblocking(true).expect("it does not block"));
    let refused = || gateway.refused("limits.connections_per_ip");
    eventually("all are refused", || (refused() == 100).then_some(()));
    let closed = || flood.iter().filter(|stream| matches!((&**stream).read(&mut [0; 1]), Ok(0))).count();
    let closed = eventually("some are closed", || Some(closed()).filter(|closed| *closed >= 20));
    // On a machine that took so long, those that were held may have been let go too.
    assert!(closed <= 36 || begun.elapsed() > HELD, "{closed} of 100 were closed at once");
    // The others are held for a short while only.
    for mut stream in flood {
        stream.set_nonblocking(false).expect("it blocks");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    assert!(begun.elapsed() < 3 * HELD, "{:?}", begun.elapsed());
}

#[test]
fn trusted_proxies_may_have_as_many_connections_as_they_want() {
    let (gateway, _backend) = site("limits: {connections_per_ip: 1}\ntrusted_proxies: 127.0.0.0/8\n");
    let _all: Vec<TcpStream> = (0..5).map(|_| opened(&gateway.address)).collect();
}

#[test]
fn connections_in_all() {
    let (gateway, _backend) = site("limits: {connections: 2}\n");
    let _two = (opened(&gateway.address), opened(&gateway.address));
    let full = request(&gateway.address, "GET", "/x", &[ORIGIN], b"");
    assert_eq!(refusal(&full), (503, "too_many_connections".into()));
    assert_eq!(gateway.refused("limits.connections"), 1);
}

#[test]
fn requests_of_a_client_in_a_second() {
    let (gateway, backend) = site("limits: {requests_per_second_per_ip: 3}\ntrusted_proxies: 127.0.0.1\n");
    let of = |client: &str, target: &str| {
        let client = format!("X-Forwarded-For: {client}");
        request(&gateway.address, "GET", target, &[ORIGIN, &client], b"")
    };
    assert_eq!([0; 3].map(|_| of("192.0.2.1", "/x").status), [200; 3]);
    assert_eq!(refusal(&of("192.0.2.1", "/x")), (429, "too_many_requests".into()));
    let poll = of("192.0.2.1", "/socket.io/?EIO=4&transport=polling");
    assert_eq!(poll.text(), r#"{"code":3,"message":"Too many requests from this address"}"#);
    assert_eq!((poll.status, poll.header("access-control-allow-origin")), (429, Some("https://a.test")));
    let preflight = [ORIGIN, "X-Forwarded-For: 192.0.2.1", "Access-Control-Request-Method: GET"];
    assert_eq!(request(&gateway.address, "OPTIONS", "/x", &preflight, b"").status, 204);
    assert_eq!(of("192.0.2.2", "/x").status, 200, "another client");
    assert_eq!([0; 3].map(|_| of("2001:db8::1", "/x").status), [200; 3]);
    assert_eq!(of("2001:db8::2", "/x").status, 429, "the same /64");
    assert_eq!(gateway.refused("limits.requests_per_second_per_ip"), 3);
    assert_eq!(backend.seen().len(), 7);
    eventually("time passes", || (of("192.0.2.1", "/x").status == 200).then_some(()));
}

/// A site whose only listener wants a header from `trusted`.
fn behind_a_balancer(trusted: &str, more: &str) -> (Gateway, Backend, tempfile::TempDir) {
    let backend = Backend::start(|_, _| (200, "\"fine\"".into()));
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "listen: {{address: 127.0.0.1:0, proxy_protocol: true}}\nadmin: {{listen: 127.0.0.1:0, token: test}}\n\
         trusted_proxies: {trusted}\nupstream: {}\ncors: {{allow_origins: https://a.test}}\n{more}",
        backend.url
    );
    std::fs::write(folder.path().join("config.yaml"), config).expect("written");
    (Gateway::start_file(&folder.path().join("config.yaml")), backend, folder)
}

fn say(gateway: &Gateway, header: &[u8], more: &[&str]) -> TcpStream {
    let mut stream = http::connect(&gateway.address);
    stream.write_all(header).expect("written");
    http::send(&stream, "GET", "/x", more, b"");
    stream
}

fn is_closed(mut stream: TcpStream) -> bool {
    stream.read(&mut [0; 1]).unwrap_or(0) == 0
}

#[test]
fn the_backend_is_told_the_address_that_the_balancer_told() {
    let (gateway, backend, _folder) = behind_a_balancer("127.0.0.1", "");
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10"[..],
        &[192, 0, 2, 7, 192, 0, 2, 2, 1, 1, 1, 187],
        &[4, 0, 1, 9],
    ]
    .concat();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for (header, client) in [
        (&b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..], "192.0.2.1"),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&v2, "192.0.2.7"),
        (local, "127.0.0.1"),
    ] {
        // Who is behind the balancer may say what it wants.
        let stream = say(&gateway, header, &["X-Forwarded-Proto: https"]);
        assert_eq!(http::read(&stream).status, 200, "{client}");
        let seen = backend.seen();
        let headers = seen.last().unwrap().headers.join("\n").to_lowercase();
        assert!(headers.contains(&format!("x-forwarded-for: {client}")), "{headers}");
        if client != "127.0.0.1" {
            assert!(headers.contains("x-forwarded-proto: http\n"), "{headers}");
        }
    }
    // HTTP/2 behind it, and a header in pieces.
    let mut stream = http::connect(&gateway.address);
    for byte in b"PROXY TCP4 192.0.2.9 192.0.2.2 1 2\r\n" {
        stream.write_all(&[*byte]).expect("written");
    }
    http::send(&stream, "GET", "/x", &[], b"");
    assert_eq!(http::read(&stream).status, 200);
    let curl = Command::new("curl")
        .args([
            "-sS",
            "--haproxy-protocol",
            "--http2-prior-knowledge",
            &format!("http://{}/x", gateway.address),
        ])
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "\"fine\"", "{curl:?}");
}

#[test]
fn without_a_header_or_from_a_stranger_nothing_is_served() {
    let (gateway, backend, _folder) = behind_a_balancer("127.0.0.1", "limits: {header_timeout: 400ms}\n");
    assert!(is_closed(say(&gateway, b"", &[])), "it is never guessed");
    assert!(is_closed(say(&gateway, b"PROXY TCP4 nonsense\r\n", &[])));
    assert_eq!(gateway.refused("listen.proxy_protocol"), 2);
    let begun = Instant::now();
    let mut slow = http::connect(&gateway.address);
    slow.write_all(b"PROXY TCP4 192.0.2.1").expect("written");
    assert!(is_closed(slow));
    assert!((300..4000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let (stranger, ..) = behind_a_balancer("192.0.2.0/24", "");
    assert!(is_closed(say(&stranger, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", &[])));
    assert!(backend.seen().is_empty());
}

#[test]
fn clients_behind_a_balancer_are_counted_by_their_own_address() {
    let (gateway, _backend, _folder) = behind_a_balancer("127.0.0.1", "limits: {connections_per_ip: 1}\n");
    let header = |client: &str| format!("PROXY TCP6 {client} ::1 1 2\r\n").into_bytes();
    let one = say(&gateway, &header("2001:db8::1"), &[]);
    assert_eq!(http::read(&one).status, 200);
    let two = say(&gateway, &header("2001:db8::2"), &[ORIGIN]);
    assert_eq!(refusal(&http::read(&two)), (429, "too_many_connections".into()));
    assert_eq!(http::read(&say(&gateway, &header("2001:db8:0:1::1"), &[])).status, 200);
}
