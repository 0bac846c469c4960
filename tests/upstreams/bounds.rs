//! How many connections there may be, and what becomes of requests that find none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, send};
use crate::support::websocket::WebSocket;

/// A backend that answers once as many answers were allowed.
fn held() -> (Peer, Arc<AtomicUsize>) {
    let allowed = Arc::new(AtomicUsize::new(0));
    let open = Arc::clone(&allowed);
    let peer = Peer::answering(move |_| {
        let mine = || open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        while mine().is_err() {
            std::thread::sleep(Duration::from_millis(2));
        }
        (200, "done".into())
    });
    (peer, allowed)
}

fn site(peer: &Peer, bounds: &str, more: &str) -> Gateway {
    Gateway::start_with(
        &["--workers", "2"],
        &format!(
            "upstreams: {{api: {{endpoints: '{}', {bounds}}}}}\nroutes: [{{upstream: api}}]\n{more}",
            peer.url()
        ),
    )
}

#[test]
fn beyond_the_connections_requests_wait_in_turn_and_beyond_those_they_get_503_at_once() {
    let (peer, allowed) = held();
    let gateway = site(&peer, "max_connections: 2, max_pending: 3", "");
    let begin = || {
        let stream = connect(&gateway.address);
        send(&stream, "GET", "/", &[], b"");
        stream
    };
    let served: Vec<_> = (0..2).map(|_| begin()).collect();
    eventually("two are served", || (peer.ledger.count() == 2).then_some(()));
    let mut others: Vec<_> = (0..6).map(|_| begin()).collect();
    let begun = Instant::now();
    // Three wait, whichever they are; the others are told at once.
    eventually("three are refused", || {
        let told = others.extract_if(.., |stream| {
            stream.set_nonblocking(true).unwrap();
            let told = stream.peek(&mut [0]).is_ok();
            stream.set_nonblocking(false).unwrap();
            told
        });
        let told: Vec<_> = told.collect();
        told.iter().for_each(|stream| {
            let answer = read(stream);
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
            assert!(answer.text().contains(r#""code":"upstream_busy""#), "{}", answer.text());
        });
        (others.len() == 3).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(gateway.refused("upstreams.max_pending"), 3);
    allowed.store(5, Ordering::SeqCst);
    for stream in served.iter().chain(&others) {
        assert_eq!(read(stream).text(), "done");
    }
    assert_eq!(peer.ledger.connections(), 2, "never more than two connections");
}

#[test]
fn whoever_waits_too_long_gets_503() {
    let (peer, allowed) = held();
    let gateway = site(&peer, "max_connections: 1, connect_timeout: 300ms", "");
    let stream = connect(&gateway.address);
    send(&stream, "GET", "/", &[], b"");
    eventually("one is served", || (peer.ledger.count() == 1).then_some(()));
    let begun = Instant::now();
    let answer = get(&gateway.address, "/");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(gateway.refused("upstreams.max_connections"), 1);
    allowed.store(2, Ordering::SeqCst);
    assert_eq!(read(&stream).status, 200);
    assert_eq!(get(&gateway.address, "/").status, 200, "the connection is free again");
}

#[test]
fn a_connection_that_idles_on_one_worker_serves_the_other() {
    let peer = Peer::named("x");
    let gateway = site(&peer, "max_connections: 1", "");
    for _ in 0..20 {
        assert_eq!(get(&gateway.address, "/").status, 200);
    }
    assert_eq!(gateway.refused("upstreams.max_connections"), 0);
}

#[test]
fn an_event_that_finds_no_connection_is_acked_with_503() {
    let (peer, allowed) = held();
    let rules = "socketio: {events: {go: {request: GET /go}}}\n";
    let gateway = site(&peer, "max_connections: 1, max_pending: 0", rules);
    let stream = connect(&gateway.address);
    send(&stream, "GET", "/", &[], b"");
    eventually("one is served", || (peer.ledger.count() == 1).then_some(()));
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send(r#"421["go"]"#);
    let told = socket.text();
    assert!(told.contains(r#""status":503,"code":"upstream_busy""#), "{told}");
    allowed.store(2, Ordering::SeqCst);
    assert_eq!(read(&stream).status, 200);
    socket.send(r#"422["go"]"#);
    assert!(socket.text().starts_with("432["));
}
