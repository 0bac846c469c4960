//! The client's side: timeouts, bounds, pipelining and the orderly end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::support::{Backend, Gateway, Setup, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_head_that_comes_too_slowly_ends_the_connection() {
    let backend = Backend::fixed(OK).await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.header_timeout = Duration::from_millis(300);
    let gateway = setup.start().await;
    for before in ["", "GET / HTTP/1.1\r\nHost:"] {
        let mut client = gateway.connect().await;
        let begun = Instant::now();
        client.send(before).await;
        assert_eq!(client.rest().await, b"");
        assert!((250..3000).contains(&begun.elapsed().as_millis()), "{before:?}: {:?}", begun.elapsed());
    }
    // One byte at a time gains no time, neither for the first head nor for the next.
    for requests_before in [0, 1] {
        let mut client = gateway.connect().await;
        for _ in 0..requests_before {
            assert_eq!(client.ask(GET).await.status, 200);
        }
        let begun = Instant::now();
        let trickle = async {
            loop {
                client.send("x").await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                if client.stream.try_read(&mut [0; 16]).is_ok() {
                    return;
                }
            }
        };
        crate::support::soon("the connection's end", trickle).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout_but_not_its_own() {
    let backend = Backend::fixed(OK).await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.header_timeout = Duration::from_millis(100);
    setup.options.idle_timeout = Duration::from_millis(600);
    let gateway = setup.start().await;
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.status, 200);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let idle = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(idle.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_slow_response_is_no_idle_connection() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        wire.send("ok").await;
    })
    .await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.header_timeout = Duration::from_millis(100);
    setup.options.idle_timeout = Duration::from_millis(200);
    let gateway = setup.start().await;
    assert_eq!(gateway.connect().await.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let backend = Backend::fixed(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n{}",
        "x".repeat(50_000_000)
    ))
    .await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.body_timeout = Duration::from_millis(300);
    let gateway = setup.start().await;
    let mut client = gateway.connect().await;
    client.send(GET).await;
    eventually("the connection is counted", || gateway.drain.open() == 1).await;
    eventually("the connection is closed", || gateway.drain.open() == 0).await;
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_431_and_long_urls_414() {
    let backend = Backend::fixed(OK).await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.header_bytes = 4000;
    let gateway = setup.start().await;
    let head = |target: usize, value: usize| {
        format!("GET /{} HTTP/1.1\r\nHost: h\r\nX-A: {}\r\n\r\n", "x".repeat(target), "x".repeat(value))
    };
    for (request, status, code) in [
        (head(0, 4000), 431, "header_too_large"),
        (head(3000, 3000), 431, "header_too_large"),
        (head(4000, 0), 414, "uri_too_long"),
    ] {
        let mut client = gateway.connect().await;
        let answer = client.ask(request).await;
        assert_eq!((answer.status, answer.text().contains(code)), (status, true), "{}", answer.text());
        assert_eq!(answer.one("connection").as_deref(), Some("close"));
        assert_eq!(client.rest().await, b"");
    }
    // What is not worth reading to its end gets no more than a status.
    let endless = format!("GET / HTTP/1.1\r\nHost: h\r\nX-A: {}", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(101));
    for request in [head(0, 40_000), endless, many] {
        let mut client = gateway.connect().await;
        assert_eq!(client.ask(request).await.status, 431);
        assert_eq!(client.rest().await, b"");
    }
    assert_eq!(backend.ledger.connections(), 0);
    let fits =
        format!("GET / HTTP/1.1\r\nHost: h\r\nX-A: {}\r\n{}\r\n", "x".repeat(2500), "a: b\r\n".repeat(90));
    assert_eq!(gateway.connect().await.ask(fits).await.status, 200);
}

#[tokio::test]
async fn pipelined_requests_split_at_every_byte_are_answered_in_order() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut requests = String::new();
    for id in 0..100 {
        requests.push_str(&format!("POST /{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n{id:03}"));
    }
    let client = gateway.connect().await;
    let (reader, mut writer) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        for byte in requests.as_bytes() {
            tokio::io::AsyncWriteExt::write_all(&mut writer, &[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        writer
    });
    let mut text = Vec::new();
    let mut reader = reader;
    crate::support::soon("all responses", async {
        while text.windows(8).filter(|window| window == b"HTTP/1.1").count() < 200 {
            assert!(tokio::io::AsyncReadExt::read_buf(&mut reader, &mut text).await.unwrap() > 0);
        }
    })
    .await;
    let text = String::from_utf8(text).unwrap();
    let order: Vec<&str> = text.split("POST /").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(order, (0..100).map(|id| id.to_string()).collect::<Vec<_>>());
    writing.await.unwrap();
    assert_eq!(backend.ledger.connections(), 1);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_so_and_closed() {
    let backend = Backend::fixed(OK).await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.connections = 2;
    let gateway = setup.start().await;
    let (mut one, mut two) = (gateway.connect().await, gateway.connect().await);
    assert_eq!((one.ask(GET).await.status, two.ask(GET).await.status), (200, 200));
    let mut three = gateway.connect().await;
    let refused = three.ask(GET).await;
    assert_eq!((refused.status, refused.one("retry-after").as_deref()), (503, Some("1")));
    assert_eq!(three.rest().await, b"");
    drop(three);
    eventually("it is gone", || gateway.drain.open() == 2).await;
    drop(one);
    eventually("a place is free", || gateway.drain.open() == 1).await;
    assert_eq!(gateway.connect().await.ask(GET).await.status, 200);
}

#[tokio::test]
async fn a_drain_closes_idle_connections_and_finishes_requests() {
    let gate = Arc::new(Notify::new());
    let closed = Arc::clone(&gate);
    let backend = Backend::start(move |mut wire, _, ledger| {
        let gate = Arc::clone(&closed);
        async move {
            while let Some(head) = wire.head().await {
                ledger.note(&head);
                if head.starts_with("GET /slow") {
                    gate.notified().await;
                }
                wire.send(OK).await;
            }
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let (mut idle, mut busy) = (gateway.connect().await, gateway.connect().await);
    assert_eq!(idle.ask(GET).await.status, 200);
    busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    eventually("the slow request arrives", || backend.ledger.heads().len() == 2).await;
    gateway.drain.begin();
    assert_eq!(idle.rest().await, b"");
    eventually("the idle connection is gone", || gateway.drain.left().serving == 1).await;
    gate.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.one("connection").as_deref()), (200, Some("close")));
    assert_eq!(busy.rest().await, b"");
    assert!(gateway.drain.wait(Duration::from_secs(5)).await.is_empty());
    let refused = tokio::net::TcpStream::connect(gateway.address).await;
    assert!(refused.is_err(), "the listener is closed");
}
