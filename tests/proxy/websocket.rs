//! WebSockets that are passed through.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::support::wire::values;
use crate::support::{Backend, Gateway, eventually, soon};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: ok\r\n\r\n";

/// Agrees, says hello in the same write, and echoes until the client's end; then says goodbye.
async fn echo() -> Backend {
    Backend::start(|mut wire, _, ledger| async move {
        let Some(head) = wire.head().await else { return };
        ledger.note(&head);
        wire.send(format!("{SWITCH}hello")).await;
        loop {
            let bytes = std::mem::take(&mut wire.buffer);
            wire.send(bytes).await;
            if !wire.fill().await {
                wire.send("goodbye").await;
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn bytes_go_both_ways_after_the_switch() {
    let backend = echo().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    // The first frame is sent before the switch: it must wait for it.
    let answer = client.ask(format!("{UPGRADE}early")).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.all("upgrade"), ["websocket"]);
    assert_eq!(answer.all("connection"), ["upgrade"]);
    assert_eq!(answer.all("sec-websocket-accept"), ["ok"]);
    assert_eq!(answer.all("x-hop"), Vec::<String>::new());
    assert_eq!(client.bytes(10).await, b"helloearly");
    let much: Vec<u8> = (0..2_000_000_u32).map(|index| index as u8).collect();
    let (mut reader, mut writer) = client.stream.into_split();
    let sent = much.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    soon("the tunnel's end", tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut got)).await.unwrap();
    writing.await.unwrap();
    assert!(got[..much.len()] == much, "the bytes changed");
    assert_eq!(&got[much.len()..], b"goodbye", "the other half stays open");
    let head = &backend.ledger.heads()[0];
    assert_eq!(
        (values(head, "upgrade"), values(head, "connection")),
        (vec!["websocket".into()], vec!["upgrade".into()])
    );
    assert_eq!(values(head, "sec-websocket-key"), ["a2V5"]);
}

#[tokio::test]
async fn either_side_that_leaves_ends_the_other() {
    let backend = echo().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.ask(UPGRADE).await;
    assert_eq!(client.bytes(5).await, b"hello");
    drop(client);
    eventually("the upstream is let go", || backend.ledger.ended() == 1).await;

    let backend = Backend::start(|mut wire, _, _| async move {
        wire.head().await;
        wire.send(SWITCH).await;
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    assert_eq!(client.ask(UPGRADE).await.status, 101);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_upstream_that_does_not_agree_is_heard() {
    let backend = Backend::fixed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        let answer = client.ask(UPGRADE).await;
        assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    }
    // 200 is no agreement either: what follows is the next request, not frames.
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send(format!("{UPGRADE}GET /next HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    assert_eq!(client.answer().await.status, 200);
    assert!(client.answer().await.text().starts_with("GET /next HTTP/1.1\r\n"));
}

#[tokio::test]
async fn another_protocol_than_asked_is_502() {
    for lines in ["Upgrade: h2c\r\n", ""] {
        let backend =
            Backend::fixed(format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{lines}\r\n"))
                .await;
        let gateway = Gateway::before(&backend).await;
        assert_eq!(gateway.connect().await.ask(UPGRADE).await.status, 502);
        eventually("the upstream is let go", || backend.ledger.ended() == 1).await;
    }
}

#[tokio::test]
async fn other_upgrades_are_ordinary_requests() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let request = "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 2\r\n\r\nhi";
    for _ in 0..2 {
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(values(&answer.text(), "upgrade"), Vec::<String>::new());
        assert!(answer.text().ends_with("\r\n\r\nhi"));
    }
}

#[tokio::test]
async fn a_websocket_request_with_a_body_is_refused() {
    let backend = echo().await;
    let gateway = Gateway::before(&backend).await;
    for (line, body) in [("Content-Length: 5", "hello"), ("Transfer-Encoding: chunked", "0\r\n\r\n")] {
        let request = UPGRADE.replace("Host: h", &format!("Host: h\r\n{line}"));
        assert_eq!(gateway.connect().await.ask(format!("{request}{body}")).await.status, 400, "{line}");
    }
    assert_eq!(backend.ledger.connections(), 0);
}

#[tokio::test]
async fn a_drain_knows_of_tunnels() {
    let backend = echo().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.ask(UPGRADE).await;
    assert_eq!(client.bytes(5).await, b"hello");
    gateway.drain.begin();
    let left = gateway.drain.wait(Duration::from_millis(200)).await;
    assert_eq!((left.serving, left.upgraded), (0, 1));
    client.send("still here").await;
    assert_eq!(client.bytes(10).await, b"still here");
    drop(client);
    assert!(gateway.drain.wait(Duration::from_secs(5)).await.is_empty());
}
