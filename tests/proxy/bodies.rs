//! Bodies: streamed both ways, bounded, and paced by the slower side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::support::{Backend, Gateway, Setup, Wire, eventually};

const SIZE: usize = 20 * 1024 * 1024;

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index * 31 / 7) as u8).collect()
}

#[tokio::test]
async fn twenty_megabytes_go_up_and_down_unchanged() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let sent = pattern(SIZE);
    let (head, chunked) = ("POST / HTTP/1.1\r\nHost: h\r\n", "Transfer-Encoding: chunked\r\n\r\n");
    for framing in [format!("Content-Length: {SIZE}\r\n\r\n"), chunked.to_owned()] {
        let mut client = gateway.connect().await;
        client.send(format!("{head}{framing}")).await;
        for chunk in sent.chunks(1_000_000) {
            if framing == chunked {
                client.send(format!("{:x}\r\n", chunk.len())).await;
            }
            client.send(chunk).await;
            if framing == chunked {
                client.send("\r\n").await;
            }
        }
        if framing == chunked {
            client.send("0\r\n\r\n").await;
        }
        let answer = client.answer().await;
        assert!(answer.complete);
        let start = answer.body.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert!(answer.body[start..] == sent, "the body changed on its way");
    }
}

/// Waits until a counter stands still; how far it came.
async fn standstill(count: &AtomicUsize) -> usize {
    let mut last = (usize::MAX, 0);
    eventually("a standstill", || {
        let now = count.load(Ordering::SeqCst);
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        last.1 > 60 && now > 0
    })
    .await;
    last.0
}

const MUCH: usize = 200 * 1024 * 1024;

/// Writes until `MUCH` is written or the other side has gone.
async fn pour(wire: &mut Wire, poured: &AtomicUsize) {
    let block = vec![b'x'; 64 * 1024];
    while poured.load(Ordering::SeqCst) < MUCH && wire.stream.write_all(&block).await.is_ok() {
        poured.fetch_add(block.len(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_the_upstream() {
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    let backend = Backend::start(move |mut wire, _, _| {
        let count = Arc::clone(&count);
        async move {
            wire.head().await;
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n")).await;
            pour(&mut wire, &count).await;
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(standstill(&poured).await < MUCH / 4);
    drop(client);
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

#[tokio::test]
async fn an_upstream_that_stops_reading_stops_the_client() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    tokio::spawn(async move {
        client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {MUCH}\r\n\r\n")).await;
        pour(&mut client, &count).await;
    });
    assert!(standstill(&poured).await < MUCH / 4);
}

#[tokio::test]
async fn each_write_of_the_upstream_arrives_at_once() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
        // Each event waits for the word that the one before has arrived.
        for event in 0.. {
            wire.send(format!("data: {event}\n\n")).await;
            if !wire.fill().await {
                return;
            }
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    for event in 0..5 {
        let expected = format!("9\r\ndata: {event}\n\n\r\n");
        assert_eq!(String::from_utf8(client.bytes(expected.len()).await).unwrap(), expected);
        client.send("1\r\n.\r\n").await;
    }
    drop(client);
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let backend = Backend::mirror().await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.max_body = Some(10);
    let gateway = setup.start().await;
    let mut client = gateway.connect().await;
    let fits = client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789").await;
    assert_eq!(fits.status, 200);
    assert_eq!(
        client
            .ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .await
            .status,
        200
    );
    let seen = backend.ledger.heads().len();

    let mut client = gateway.connect().await;
    let said = client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890").await;
    assert_eq!((said.status, said.text().contains("body_too_large")), (413, true));
    let mut client = gateway.connect().await;
    let streamed = client.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\nhello!\r\n0\r\n\r\n").await;
    assert_eq!(streamed.status, 413);
    assert!(backend.ledger.heads().len() - seen <= 1, "only the streamed one may have begun");
}

/// A reset would destroy the answer while the client still sends.
#[tokio::test]
async fn an_answer_before_the_bodys_end_reaches_a_client_that_still_sends() {
    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope").await;
    })
    .await;
    let mut refusing = Setup::to(&[backend.url()]);
    refusing.max_body = Some(1);
    for (gateway, status) in [(Gateway::before(&backend).await, 401), (refusing.start().await, 413)] {
        for _ in 0..10 {
            let mut client = gateway.connect().await;
            client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n").await;
            // In pieces, so that a reset on the way is seen here.
            for _ in 0..9 {
                client.stream.write_all(&[b'x'; 100_000]).await.expect("no reset");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(client.answer().await.status, status);
        }
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_408() {
    let backend = Backend::mirror().await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.options.body_timeout = Duration::from_millis(200);
    let gateway = setup.start().await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n").await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send("x").await;
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text().contains("request_timeout")), (408, true));
    client.rest().await;
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 100);
    let answer = client.ask("hello").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("hello"));
}

#[tokio::test]
async fn a_get_keeps_its_body() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for request in [
        "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        assert!(client.ask(request).await.text().ends_with("\r\n\r\nhello"), "{request:?}");
    }
}
