//! Upstream connections: kept, closed in time, and what happens when they die.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Backend, Gateway, Setup, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn one_connection_carries_request_after_request() {
    for response in [OK, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] {
        let backend = Backend::fixed(response).await;
        let gateway = Gateway::before(&backend).await;
        let mut client = gateway.connect().await;
        for turn in 0..20 {
            let request = if turn % 2 == 0 {
                GET
            } else {
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
            };
            assert_eq!(client.ask(request).await.text(), "ok");
        }
        assert_eq!(backend.ledger.connections(), 1, "{response:?}");
        assert_eq!(gateway.connect().await.ask(GET).await.text(), "ok");
        assert_eq!(backend.ledger.connections(), 1, "another client shares it");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let backend = Backend::fixed(OK).await;
    let gateway = Setup::to(&[backend.url()]).idle_timeout(150).start().await;
    let mut client = gateway.connect().await;
    for turn in 1..4 {
        assert_eq!(client.ask(GET).await.status, 200);
        eventually("the idle connection is closed", || backend.ledger.ended() == turn).await;
    }
    assert_eq!(backend.ledger.connections(), 3);
}

#[tokio::test]
async fn a_response_that_ends_with_its_connection_is_not_reused() {
    for response in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nok",
    ] {
        let backend = Backend::start(move |mut wire, _, _| async move {
            wire.head().await;
            wire.send(response).await;
        })
        .await;
        let gateway = Gateway::before(&backend).await;
        let mut client = gateway.connect().await;
        for turn in 1..4 {
            let answer = client.ask(GET).await;
            assert_eq!((answer.text().as_str(), answer.complete), ("ok", true), "{response:?}");
            assert!(answer.head.starts_with("HTTP/1.1 200"));
            assert_eq!(backend.ledger.connections(), turn);
        }
    }
}

/// Answers once, then reads one more request and closes without a byte.
async fn dies_on_reuse() -> Backend {
    Backend::start(|mut wire, _, ledger| async move {
        for turn in 0..2 {
            let Some(head) = wire.head().await else { return };
            wire.body(&head).await;
            ledger.note(&head);
            if turn == 0 {
                wire.send(OK).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_get_that_got_no_byte_from_a_reused_connection_is_sent_again() {
    let backend = dies_on_reuse().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for _ in 0..10 {
        let answer = client.ask(GET).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let backend = dies_on_reuse().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let mut failures = 0;
    for id in 0..10 {
        let body = if id % 3 == 0 { "" } else { "hello" };
        let request =
            format!("POST /{id} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        failures += usize::from(client.ask(request).await.status == 502);
    }
    assert_eq!(failures, 5);
    let heads = backend.ledger.heads();
    for id in 0..10 {
        let sent = heads.iter().filter(|head| head.starts_with(&format!("POST /{id} "))).count();
        assert_eq!(sent, 1, "POST {id}");
    }
}

#[tokio::test]
async fn a_get_that_got_part_of_a_response_is_not_sent_again() {
    let backend = Backend::start(|mut wire, _, ledger| async move {
        for response in [OK, "HTTP/1.1 2"] {
            let Some(head) = wire.head().await else { return };
            ledger.note(&head);
            wire.send(response).await;
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    assert_eq!(client.ask(GET).await.status, 200);
    assert_eq!(client.ask(GET).await.status, 502);
    assert_eq!(backend.ledger.heads().len(), 2);
}

/// The upstream closes idle connections at about the moment the next request comes.
#[tokio::test]
async fn the_race_with_an_upstream_that_closes_loses_nothing() {
    let backend = Backend::start(|mut wire, number, ledger| async move {
        let mut patience = Duration::from_secs(60);
        while let Ok(Some(head)) = tokio::time::timeout(patience, wire.head()).await {
            wire.body(&head).await;
            ledger.note(&head);
            wire.send(OK).await;
            patience = Duration::from_micros(500 + 50 * (number as u64 % 40));
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let mut lost = 0;
    for id in 0..600_u64 {
        tokio::time::sleep(Duration::from_micros(500 + 50 * (id * 7 % 40))).await;
        let post = id % 4 == 0;
        let request = format!(
            "{} /{id} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            if post { "POST" } else { "GET" }
        );
        let status = client.ask(request).await.status;
        assert!(status == 200 || (post && status == 502), "{status}");
        lost += usize::from(status != 200);
    }
    let heads = backend.ledger.heads();
    for id in (0..600).step_by(4) {
        let sent = heads.iter().filter(|head| head.starts_with(&format!("POST /{id} "))).count();
        assert!(sent <= 1, "POST {id} was sent {sent} times");
    }
    assert!(lost < 150, "{lost} POSTs lost");
}

#[tokio::test]
async fn endpoints_take_turns_and_one_that_is_down_is_passed_over() {
    let (one, two) = (Backend::fixed(OK).await, Backend::fixed(OK).await);
    let gateway = Setup::to(&[one.url(), two.url()]).start().await;
    let mut client = gateway.connect().await;
    for _ in 0..10 {
        assert_eq!(client.ask(GET).await.status, 200);
    }
    assert_eq!((one.ledger.heads().len(), two.ledger.heads().len()), (5, 5));

    let gateway = Setup::to(&[one.url(), "http://127.0.0.1:1".into()]).start().await;
    let mut client = gateway.connect().await;
    for _ in 0..10 {
        assert_eq!(client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi").await.status, 200);
    }
}

#[tokio::test]
async fn a_name_is_resolved_and_all_its_addresses_are_tried() {
    let backend = Backend::fixed(OK).await;
    let gateway = Setup::to(&[format!("http://localhost:{}", backend.address.port())]).start().await;
    assert_eq!(gateway.connect().await.ask(GET).await.status, 200);
    let gateway = Setup::to(&["http://no-such-host.invalid:1".into()]).start().await;
    assert_eq!(gateway.connect().await.ask(GET).await.status, 502);
}

#[tokio::test]
async fn parallel_requests_use_parallel_connections_and_the_last_used_first() {
    let waiting = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&waiting);
    let backend = Backend::start(move |mut wire, _, ledger| {
        let waiting = Arc::clone(&seen);
        async move {
            while let Some(head) = wire.head().await {
                ledger.note(&head);
                waiting.fetch_add(1, Ordering::SeqCst);
                while waiting.load(Ordering::SeqCst) < 8 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                wire.send(OK).await;
            }
        }
    })
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = gateway.connect().await;
        client.send(GET).await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(backend.ledger.connections(), 8);
    for _ in 0..8 {
        assert_eq!(clients[0].ask(GET).await.status, 200);
    }
    assert_eq!(backend.ledger.connections(), 8);
}
