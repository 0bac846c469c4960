//! What is tried again, and what never is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::peer::{Peer, refusing};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, request, send};
use crate::support::websocket::WebSocket;

/// Answers once on each connection, then reads one more request and closes without a byte.
fn dies_on_reuse() -> Peer {
    Peer::start(|mut wire, _| {
        if wire.request().is_some() && wire.answer(200, "ok").is_some() {
            wire.request();
        }
    })
}

fn site(endpoints: &str, more: &str) -> Gateway {
    Gateway::start_with(
        &["--workers", "1"],
        &format!("upstreams: {{api: {{endpoints: [{endpoints}]{more}}}}}\nroutes: [{{upstream: api}}]\n"),
    )
}

#[test]
fn an_idempotent_request_moves_on_from_a_dead_connection_with_its_body() {
    let peer = dies_on_reuse();
    let gateway = site(&peer.url(), "");
    let body: Vec<u8> = (0..60_000_u32).map(|byte| byte as u8).collect();
    for turn in 0..20 {
        let method = if turn % 2 == 0 { "GET" } else { "PUT" };
        let sent: &[u8] = if method == "PUT" { &body } else { b"" };
        let answer = request(&gateway.address, method, &format!("/{turn}"), &[], sent);
        assert_eq!(answer.status, 200, "{turn}");
    }
    let requests = peer.ledger.requests();
    assert!(requests.len() > 20, "some were sent twice");
    assert!(requests.iter().filter(|request| request.line.starts_with("PUT")).all(|put| put.body == body));
}

#[test]
fn a_body_beyond_64_kib_and_a_post_are_never_sent_twice() {
    let peer = dies_on_reuse();
    let gateway = site(&peer.url(), "");
    let large = vec![b'x'; 64 * 1024 + 1];
    let mut lost = 0;
    for turn in 0..20 {
        let (method, body) = if turn % 2 == 0 { ("POST", &b"hello"[..]) } else { ("PUT", large.as_slice()) };
        let answer = request(&gateway.address, method, &format!("/{turn}"), &[], body);
        lost += usize::from(answer.status == 502);
        assert!(answer.status == 200 || answer.text().contains("upstream_error"), "{answer:?}");
    }
    assert_eq!((lost, peer.ledger.requests().len()), (10, 20));
}

#[test]
fn attempts_0_tries_nothing_again() {
    let peer = Peer::named("up");
    let gateway = site(&format!("{}, {}", peer.url(), refusing()), ", retry: {attempts: 0}");
    let statuses: Vec<_> = (0..4).map(|_| get(&gateway.address, "/").status).collect();
    assert_eq!(statuses, [200, 502, 200, 502]);
}

#[test]
fn a_request_without_a_connection_goes_to_another_endpoint_whatever_its_method() {
    let peer = Peer::named("up");
    let gateway = site(&format!("{}, {}", refusing(), peer.url()), "");
    for turn in 0..6 {
        assert_eq!(request(&gateway.address, "POST", &format!("/{turn}"), &[], b"once").text(), "up");
    }
    let lines: Vec<_> = peer.ledger.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["POST /0", "POST /1", "POST /2", "POST /3", "POST /4", "POST /5"]);
}

#[test]
fn retries_stay_within_their_budget() {
    let endpoints = [refusing(), refusing(), refusing()].join(", ");
    let gateway = site(&endpoints, ", retry: {attempts: 5, budget: 0.1}, outlier: {consecutive_failures: 0}");
    for _ in 0..50 {
        assert_eq!(get(&gateway.address, "/").status, 502);
    }
    // 50 requests, 10 % of them and three more.
    let denied = gateway.refused("upstreams.retry.budget");
    assert!((48..=50).contains(&denied), "{denied}");
}

#[test]
fn an_events_request_is_sent_again_under_its_key_and_a_forwarded_post_is_not() {
    let peer = Peer::start(|mut wire, number| {
        while let Some(request) = wire.request() {
            if number % 2 == 0 {
                return;
            }
            if wire.answer(200, &format!("\"{}\"", request.line)).is_none() {
                return;
            }
        }
    });
    let gateway = Gateway::start_with(
        &["--workers", "1"],
        &format!("upstream: {}\nsocketio: {{events: {{say: {{request: POST /say}}}}}}\n", peer.url()),
    );
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(r#"421["say",{"text":"once"}]"#);
    assert_eq!(socket.text(), r#"431["POST /say"]"#);
    let sent = peer.ledger.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body, br#"{"text":"once"}"#);
    assert_eq!(sent[0].body, sent[1].body);
    let keys: Vec<_> = sent.iter().map(|request| request.header("idempotency-key").unwrap()).collect();
    assert_eq!(keys[0], keys[1]);

    let peer = Peer::start(|mut wire, _| drop(wire.request()));
    let gateway = site(&peer.url(), "");
    let answer = request(&gateway.address, "POST", "/", &["Idempotency-Key: x"], b"once");
    assert_eq!((answer.status, peer.ledger.requests().len()), (502, 1), "the key is the client's own affair");
}

/// A listener that takes no connection: its backlog is full.
fn silent() -> (socket2::Socket, Vec<socket2::Socket>) {
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = tcp();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let filled = (0..8).map(|_| {
        let socket = tcp();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    let filled = filled.collect();
    (listener, filled)
}

#[test]
fn each_way_to_fail_has_its_status_and_its_code() {
    let (full, _filled) = silent();
    let full = full.local_addr().unwrap().as_socket().unwrap();
    let closing = Peer::start(|mut wire, _| drop(wire.request()));
    let babbling = Peer::start(|mut wire, _| {
        wire.request();
        let _ = std::io::Write::write_all(wire.stream.get_mut(), b"220 smtp.example.com ESMTP\r\n\r\n");
    });
    let stalling = Peer::start(|mut wire, _| while wire.request().is_some() {});
    let routes = [
        ("refused", refusing(), 502, "upstream_unreachable"),
        ("name", "http://no-such-host.invalid".into(), 502, "upstream_unresolved"),
        ("full", format!("http://{full}"), 504, "upstream_connect_timeout"),
        ("closes", closing.url(), 502, "upstream_error"),
        ("babbles", babbling.url(), 502, "upstream_error"),
        ("stalls", stalling.url(), 504, "upstream_timeout"),
        ("plain", format!("https://{}", closing.address), 502, "upstream_tls_failed"),
        ("old", format!("h2c://{}", babbling.address), 502, "upstream_error"),
    ];
    let mut config = String::from("upstreams:\n");
    let mut listed = String::from("routes:\n");
    for (name, url, ..) in &routes {
        config += &format!(
            "  {name}: {{endpoints: '{url}', connect_timeout: 400ms, response_timeout: 300ms{}}}\n",
            if url.starts_with("https") { ", tls: {insecure: true}" } else { "" }
        );
        listed += &format!("  - {{match: {{path_prefix: /{name}}}, upstream: {name}}}\n");
    }
    let gateway = Gateway::start(&format!("{config}{listed}"));
    let mut seen = HashMap::new();
    for (name, _, status, code) in &routes {
        let answer = get(&gateway.address, &format!("/{name}"));
        assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        assert!(answer.text().contains(&format!("\"code\":\"{code}\"")), "{name}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        seen.insert(*code, *status);
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn an_endpoint_out_of_reach_for_a_while_fails_fast() {
    let (full, _filled) = silent();
    let full = full.local_addr().unwrap().as_socket().unwrap();
    let gateway = site(&format!("'http://{full}'"), ", connect_timeout: 500ms");
    let begun = Instant::now();
    let refused = eventually("503", || {
        let answer = get(&gateway.address, "/");
        assert!(matches!(answer.status, 503 | 504), "{answer:?}");
        (answer.status == 503).then_some(answer)
    });
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(refused.text().contains("upstream_unavailable"), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    let begun = Instant::now();
    let stream = connect(&gateway.address);
    send(&stream, "GET", "/", &[], b"");
    let answer = read(&stream);
    assert!(answer.status == 504 || begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
}
