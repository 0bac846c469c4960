//! What clients and upstreams see when the other side fails.

use std::time::{Duration, Instant};

use crate::support::{Backend, Gateway, Setup, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn an_upstream_that_is_down_is_502() {
    // Its port is nobody else's while the test lives.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = deaf.local_addr().unwrap();
    let gateway = Setup::to(&[format!("http://{address}")]).start().await;
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        let answer = client.ask(GET).await;
        assert_eq!(answer.status, 502);
        assert!(answer.text().contains(r#""code":"upstream_unreachable""#), "{}", answer.text());
        assert!(!answer.text().contains(&address.to_string()), "addresses are nobody's business");
        assert_eq!(answer.one("cache-control").as_deref(), Some("no-store"));
    }
}

#[tokio::test]
async fn an_upstream_that_is_slow_is_504_and_let_go() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.rest().await;
    })
    .await;
    let gateway = Setup::to(&[backend.url()]).response_timeout(200).start().await;
    let answer = gateway.connect().await.ask(GET).await;
    assert_eq!((answer.status, answer.text().contains("upstream_timeout")), (504, true));
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

#[tokio::test]
async fn the_response_timeout_begins_at_the_bodys_end() {
    let backend = Backend::mirror().await;
    let gateway = Setup::to(&[backend.url()]).response_timeout(300).start().await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        client.send("x").await;
    }
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn an_upstream_that_closes_without_a_byte_is_502() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let answer = gateway.connect().await.ask(GET).await;
    assert_eq!((answer.status, answer.text().contains("upstream_error")), (502, true));
    assert_eq!(backend.ledger.connections(), 1, "a fresh connection is not tried again");
}

#[tokio::test]
async fn an_upstream_that_dies_mid_body_is_an_abort_for_the_client() {
    for start in [
        "Content-Length: 100\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    ] {
        let backend = Backend::start(move |mut wire, _, _| async move {
            wire.head().await;
            wire.send(format!("HTTP/1.1 200 OK\r\n{start}")).await;
        })
        .await;
        let gateway = Gateway::before(&backend).await;
        let mut client = gateway.connect().await;
        let answer = client.ask(GET).await;
        assert_eq!((answer.status, answer.complete), (200, false), "{start:?}");
        client.rest().await;
    }
}

/// How long after the client left the upstream noticed, in each phase of an exchange.
#[tokio::test]
async fn a_client_that_leaves_lets_the_upstream_go_within_a_second() {
    let requests = [
        // Before the response.
        GET,
        // While its body is sent.
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        // While the response comes, and nothing comes.
        "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    let backend = Backend::start(|mut wire, _, ledger| async move {
        let head = wire.head().await.unwrap();
        ledger.note(&head);
        if head.starts_with("GET /stream") {
            wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n").await;
        }
        wire.rest().await;
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    for (index, request) in requests.iter().enumerate() {
        let mut client = gateway.connect().await;
        client.send(request).await;
        eventually("the request arrives", || backend.ledger.heads().len() == index + 1).await;
        if request.contains("/stream") {
            client.head().await.unwrap();
        }
        assert_eq!(backend.ledger.ended(), index, "{request:?}");
        drop(client);
        let left = Instant::now();
        eventually("the upstream is let go", || backend.ledger.ended() == index + 1).await;
        assert!(left.elapsed() < Duration::from_secs(1), "{request:?}: {:?}", left.elapsed());
    }
}
