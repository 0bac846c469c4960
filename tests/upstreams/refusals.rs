//! HTTP/2 upstreams that take back their offer: refused streams and GOAWAY (RFC 9113 6.8, 8.7).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::frames::{DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, RST_STREAM};
use crate::peer::Peer;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, request, send};

const NO_ERROR: [u8; 4] = [0, 0, 0, 0];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// The upstream's side of its connections: the number of the connection and of the request on it. Counts all requests.
fn h2c(serve: impl Fn(&mut Frames, &Frame, usize, usize) + Send + Sync + 'static) -> (Peer, Count) {
    let count = Count::default();
    let counted = count.clone();
    let peer = Peer::start(move |wire, connection| {
        let mut frames = Frames::accept(wire.stream.into_inner());
        let mut requests = 0;
        while let Some(end) = frames.find(Frame::is_end) {
            counted.0.fetch_add(1, Ordering::SeqCst);
            serve(&mut frames, &end, connection, requests);
            requests += 1;
        }
    });
    (peer, count)
}

/// Requests that came.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn site(peer: &Peer, more: &str) -> Gateway {
    Gateway::start_with(
        &["--workers", "1"],
        &format!(
            "upstreams: {{api: {{endpoints: 'h2c://{}'{more}}}}}\nroutes: [{{upstream: api}}]\n",
            peer.address
        ),
    )
}

fn answer(frames: &mut Frames, stream: u32, text: &[u8]) {
    // `:status: 200` is entry 8 of HPACK's static table.
    frames.send(HEADERS, END_HEADERS, stream, &[0x88]);
    frames.send(DATA, END_STREAM, stream, text);
}

fn go_away(frames: &mut Frames, last: u32, reason: [u8; 4]) {
    frames.send(GOAWAY, 0, 0, &[last.to_be_bytes(), reason].concat());
}

/// Refuses every first request of a connection's two.
fn refusing() -> (Peer, Count) {
    h2c(|frames, end, _, number| match number % 2 {
        0 => frames.send(RST_STREAM, 0, end.stream, &REFUSED_STREAM),
        _ => answer(frames, end.stream, b"at last"),
    })
}

#[test]
fn a_refused_stream_is_tried_again_whatever_its_method() {
    let (peer, count) = refusing();
    let gateway = site(&peer, "");
    for method in ["GET", "POST", "PUT"] {
        let body: &[u8] = if method == "GET" { b"" } else { b"body" };
        let answer = request(&gateway.address, method, "/", &[], body);
        assert_eq!((answer.status, answer.text().as_str()), (200, "at last"), "{method}");
    }
    assert_eq!(count.get(), 6, "each was refused once");
    assert_eq!(peer.ledger.connections(), 1);
}

#[test]
fn a_refused_stream_is_an_error_where_nothing_is_tried_again_or_the_body_is_gone() {
    let (peer, count) = refusing();
    let gateway = site(&peer, ", retry: {attempts: 0}");
    assert_eq!(get(&gateway.address, "/").status, 502);
    assert_eq!(get(&gateway.address, "/").status, 200);
    let gateway = site(&peer, "");
    let large = vec![b'x'; 64 * 1024 + 1];
    assert_eq!(request(&gateway.address, "POST", "/", &[], &large).status, 502);
    assert_eq!(count.get(), 3);
}

#[test]
fn a_stream_reset_for_another_reason_is_not_tried_again() {
    let (peer, count) = h2c(|frames, end, _, _| {
        frames.send(RST_STREAM, 0, end.stream, &ENHANCE_YOUR_CALM);
    });
    let gateway = site(&peer, "");
    assert_eq!(request(&gateway.address, "POST", "/", &[], b"body").status, 502);
    assert_eq!(count.get(), 1);
}

#[test]
fn a_goaway_lets_what_it_covers_end_and_sends_the_rest_elsewhere() {
    let (peer, count) = h2c(|frames, end, connection, number| match (connection, number) {
        // The first is answered only after the second came, which the GOAWAY says was not looked at.
        (0, 0) => (),
        (0, 1) => {
            go_away(frames, 1, NO_ERROR);
            answer(frames, 1, b"covered");
        }
        _ => answer(frames, end.stream, b"elsewhere"),
    });
    let gateway = site(&peer, "");
    let first = connect(&gateway.address);
    send(&first, "POST", "/first", &[], b"body");
    eventually("the first has come", || (count.get() == 1).then_some(()));
    let second = request(&gateway.address, "POST", "/second", &[], b"body");
    assert_eq!((second.status, second.text().as_str()), (200, "elsewhere"));
    assert_eq!(read(&first).text(), "covered");
    assert_eq!(get(&gateway.address, "/").text(), "elsewhere");
    assert_eq!(peer.ledger.connections(), 2);
}

#[test]
fn a_goaway_between_two_requests_costs_neither() {
    let (peer, _) = h2c(|frames, end, _, _| {
        answer(frames, end.stream, b"one each");
        go_away(frames, end.stream, NO_ERROR);
    });
    let gateway = site(&peer, "");
    for turn in 0..20 {
        let answer = request(&gateway.address, "POST", "/", &[], b"body");
        assert_eq!((answer.status, answer.text().as_str()), (200, "one each"), "{turn}");
    }
    assert_eq!(peer.ledger.connections(), 20);
}

#[test]
fn a_post_that_a_goaway_for_an_error_may_have_reached_is_not_sent_twice() {
    let (peer, count) = h2c(|frames, end, _, _| {
        go_away(frames, end.stream, ENHANCE_YOUR_CALM);
        let _ = frames.0.shutdown(std::net::Shutdown::Both);
    });
    let gateway = site(&peer, "");
    assert_eq!(request(&gateway.address, "POST", "/", &[], b"body").status, 502);
    assert_eq!(count.get(), 1);
}
