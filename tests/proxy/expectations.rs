//! `Expect: 100-continue` end to end, and interim responses of the upstream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::wire::values;
use crate::support::{Backend, Gateway, Wire, eventually};

const ASKING: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

/// Whether nothing comes for a while.
async fn is_silent(wire: &mut Wire) -> bool {
    wire.buffer.is_empty() && tokio::time::timeout(Duration::from_millis(200), wire.fill()).await.is_err()
}

#[tokio::test]
async fn the_client_is_told_to_go_on_when_the_upstream_says_so() {
    let word = Arc::new(Notify::new());
    let waiting = Arc::clone(&word);
    let backend = Backend::start(move |mut wire, _, ledger| {
        let word = Arc::clone(&waiting);
        async move {
            while let Some(head) = wire.head().await {
                ledger.note(&head);
                word.notified().await;
                assert!(wire.buffer.is_empty(), "the body came before it was asked for");
                wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
                let (body, _) = wire.body(&head).await;
                let length = body.len();
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
                wire.send(body).await;
            }
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for round in 1..=2 {
        client.send(ASKING).await;
        eventually("the head arrives", || backend.ledger.heads().len() == round).await;
        assert!(is_silent(&mut client).await, "the client was told before the upstream spoke");
        word.notify_one();
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.head.as_str()), (100, "HTTP/1.1 100 Continue"));
        assert_eq!(client.ask("hello").await.text(), "hello");
    }
    assert_eq!(values(&backend.ledger.heads()[0], "expect"), ["100-continue"]);
    assert_eq!(backend.ledger.connections(), 1, "both connections go on");
}

#[tokio::test]
async fn an_answer_instead_of_a_100_ends_it_without_a_body() {
    let backend = Backend::start(|mut wire, _, ledger| async move {
        let head = wire.head().await.unwrap();
        wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope").await;
        let body = wire.rest().await;
        ledger.note(&format!("{head} and then {}", body.escape_ascii()));
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    // Some send their body all the same, since they are not told in time.
    for body in ["", "hello"] {
        let mut client = gateway.connect().await;
        client.send(ASKING).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (401, "nope"), "no 100 comes first");
        assert_eq!(answer.one("connection").as_deref(), Some("close"));
        client.send(body).await;
        assert_eq!(client.rest().await, b"");
    }
    eventually("the upstream's connections end", || backend.ledger.ended() == 2).await;
    for seen in backend.ledger.heads() {
        assert!(seen.ends_with(" and then "), "{seen}");
    }
}

#[tokio::test]
async fn an_upstream_that_knows_of_no_expectation_gets_the_body_after_a_second() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let chunked = ASKING.replace("Content-Length: 5", "Transfer-Encoding: chunked");
    for (head, body) in [(ASKING, "hello"), (&chunked, "5\r\nhello\r\n0\r\n\r\n")] {
        client.send(head).await;
        assert_eq!(client.answer().await.status, 100);
        let answer = client.ask(body).await;
        assert!(answer.text().ends_with("\r\n\r\nhello"), "{}", answer.text());
    }
    assert_eq!(backend.ledger.connections(), 1);
}

#[tokio::test]
async fn an_expectation_that_nothing_follows_from_does_not_go_on() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let answer = gateway.connect().await.ask(request).await;
        assert_eq!(answer.status, 200, "{request:?}");
        assert_eq!(values(&answer.text(), "expect"), Vec::<String>::new(), "{request:?}");
    }
}

#[tokio::test]
async fn interim_responses_are_not_taken_for_the_response() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 X\r\n\r\n";
    for (method, body) in [("GET", "hello"), ("HEAD", "")] {
        let backend =
            Backend::fixed(format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}")).await;
        let gateway = Gateway::before(&backend).await;
        let mut client = gateway.connect().await;
        for _ in 0..2 {
            client.send(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            let answer = client.answer_to(method).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method}");
            assert_eq!(answer.one("content-length").as_deref(), Some("5"), "{method}");
            assert_eq!(answer.one("link"), None, "{method}");
        }
        assert_eq!(backend.ledger.connections(), 1, "{method}");
    }
}

#[tokio::test]
async fn interim_responses_without_end_are_502() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        let many = "HTTP/1.1 102 Processing\r\n\r\n".repeat(100);
        while tokio::io::AsyncWriteExt::write_all(&mut wire.stream, many.as_bytes()).await.is_ok() {}
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let answer = gateway.connect().await.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status, answer.text().contains("upstream_error")), (502, true));
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}
