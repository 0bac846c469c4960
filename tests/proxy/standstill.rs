//! Streams and tunnels that stand still, and those that only seem to.

use std::time::{Duration, Instant};

use frontroom::config::value;

use crate::support::{Backend, Gateway, Setup, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

async fn gateway(backend: &Backend, idle: u64) -> Gateway {
    let mut setup = Setup::to(&[backend.url()]);
    setup.upstream.stream_idle_timeout = Some(value::Duration(Duration::from_millis(idle)));
    setup.start().await
}

#[tokio::test]
async fn a_response_that_stands_still_is_cut_off_on_both_sides() {
    for head in ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let backend = Backend::start(move |mut wire, _, _| async move {
            wire.head().await;
            wire.send(format!("HTTP/1.1 200 OK\r\n{head}")).await;
            wire.rest().await;
        })
        .await;
        let gateway = gateway(&backend, 200).await;
        let mut client = gateway.connect().await;
        let answer = client.ask(GET).await;
        assert_eq!((answer.status, answer.text().as_str(), answer.complete), (200, "hello", false));
        eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
    }
}

#[tokio::test]
async fn a_stream_that_moves_now_and_then_goes_on() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        for byte in ["h", "e", "l", "l", "o"] {
            tokio::time::sleep(Duration::from_millis(150)).await;
            wire.send(byte).await;
        }
    })
    .await;
    let gateway = gateway(&backend, 400).await;
    let answer = gateway.connect().await.ask(GET).await;
    assert_eq!((answer.text().as_str(), answer.complete), ("hello", true));
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_a_stream_that_stands_still() {
    const SIZE: usize = 30_000_000;
    let backend =
        Backend::fixed(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n{}", "x".repeat(SIZE)))
            .await;
    let gateway = gateway(&backend, 200).await;
    let mut client = gateway.connect().await;
    client.send(GET).await;
    client.head().await.unwrap();
    // Everything between the two is full by now, and nothing moves.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(client.bytes(SIZE).await.len(), SIZE);
}

#[tokio::test]
async fn a_tunnel_that_stands_still_is_closed() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        wire.rest().await;
    })
    .await;
    let gateway = gateway(&backend, 200).await;
    let mut client = gateway.connect().await;
    let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(client.ask(upgrade).await.status, 101);
    let begun = Instant::now();
    for _ in 0..8 {
        client.send("x").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(backend.ledger.ended(), 0, "it was closed while bytes moved");
    assert_eq!(client.rest().await, b"");
    assert!(begun.elapsed() >= Duration::from_millis(550), "{:?}", begun.elapsed());
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

/// The first message of a gRPC stream may take longer than an ordinary answer.
#[tokio::test]
async fn a_grpc_call_is_waited_for_as_long_as_a_stream() {
    let backend = Backend::start(|mut wire, _, _| async move {
        while wire.head().await.is_some() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let gateway = Setup::to(&[backend.url()]).response_timeout(100).start().await;
    let grpc = "GET / HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc+proto\r\n\r\n";
    assert_eq!(gateway.connect().await.ask(grpc).await.status, 200);
    assert_eq!(gateway.connect().await.ask(GET).await.status, 504);
}
