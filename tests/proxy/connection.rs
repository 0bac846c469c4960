//! What a client's connection is put to: old clients, uploads behind their answers, bytes in pieces.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::support::wire::values;
use crate::support::{Backend, Gateway, eventually, soon};

#[tokio::test]
async fn an_old_client_keeps_its_connection_where_it_asks_and_the_length_is_known() {
    let backend = Backend::fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert!(answer.head.starts_with("HTTP/1.0 "), "{}", answer.head);
        assert_eq!(answer.all("connection"), ["keep-alive"]);
    }
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.all("connection"), ["close"]);
    assert_eq!(client.rest().await, b"");
    let backend =
        Backend::fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert_eq!(values(&head, "transfer-encoding"), Vec::<String>::new());
    assert_eq!(values(&head, "connection"), ["close"], "{head}");
    assert_eq!(client.rest().await, b"ok", "the end of the connection is that of the body");
}

#[tokio::test]
async fn an_old_client_does_not_take_a_break_for_the_end() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n").await;
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let mut all = Vec::new();
    let end = soon("the connection's end", client.stream.read_to_end(&mut all)).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_upload_goes_on_behind_its_answer() {
    let backend = Backend::start(|mut wire, _, ledger| async move {
        while let Some(head) = wire.head().await {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly").await;
            let (body, complete) = wire.body(&head).await;
            ledger.note(&format!("{} bytes, complete: {complete}", body.len()));
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for round in 1..=2 {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n").await;
        client.send(vec![b'x'; 100_000]).await;
        assert_eq!(client.answer().await.text(), "early");
        client.send(vec![b'x'; 100_000]).await;
        eventually("all of it arrives", || backend.ledger.heads().len() == round).await;
        assert_eq!(backend.ledger.heads()[round - 1], "200000 bytes, complete: true");
    }
}

#[tokio::test]
async fn a_body_that_was_not_asked_for_is_passed_over_if_it_is_there() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    // Answered here, without a look at the body.
    for body in
        ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
    {
        client
            .send(format!("OPTIONS * HTTP/1.1\r\nHost: h\r\n{body}GET /next HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await;
        assert_eq!(client.answer().await.status, 204);
        assert!(client.answer().await.text().starts_with("GET /next "));
    }
    client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe").await;
    assert_eq!(client.answer().await.status, 204);
    client.send("llo").await;
    assert_eq!(client.rest().await, b"", "one that is not ends the connection");
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte_and_line_by_line() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let request = "\r\nPOST /a?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello";
    let mut expected = gateway.connect().await.ask(request).await.text();
    expected.retain(|c| !c.is_ascii_digit());
    let mut client = gateway.connect().await;
    for pieces in [1, 2, 17] {
        for piece in request.as_bytes().chunks(pieces) {
            client.stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut text = client.answer().await.text();
        text.retain(|c| !c.is_ascii_digit());
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_ends_the_upstreams_work() {
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let backend = Backend::start(move |mut wire, _, _| {
        let begun = Arc::clone(&told);
        async move {
            wire.head().await;
            begun.notify_one();
            wire.rest().await;
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    for (round, half) in [true, false].into_iter().enumerate() {
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        soon("the request", begun.notified()).await;
        if half {
            client.stream.shutdown().await.unwrap();
        }
        let kept = Some(client).filter(|_| half);
        eventually("the upstream is let go", || backend.ledger.ended() == round + 1).await;
        drop(kept);
    }
    eventually("nothing is left", || gateway.drain.open() == 0).await;
}

#[tokio::test]
async fn a_client_that_sends_no_more_of_its_body_and_leaves_is_let_go() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for body in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"] {
        let mut client = gateway.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: h\r\n{body}")).await;
        eventually("it begins", || backend.ledger.connections() > backend.ledger.ended()).await;
        client.stream.shutdown().await.unwrap();
        let rest = soon("the end", client.rest()).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{}", rest.escape_ascii());
        eventually("the upstream is let go", || backend.ledger.connections() == backend.ledger.ended()).await;
    }
    let left = gateway.drain.wait(Duration::from_secs(5)).await;
    assert!(left.is_empty(), "{left:?}");
}
