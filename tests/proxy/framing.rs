//! Where a message ends: everything that two readers could see differently.

use crate::support::wire::values;
use crate::support::{Backend, Gateway};

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let table: &[&[u8]] = &[
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked;\r\n",
        b"Transfer-Encoding: chunked\x0b\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length : 5\r\n",
        b"X-A: 1\r\n folded\r\n",
        b" X-A: 1\r\n",
        b"X-A: a\rb\r\n",
        b"X-A: a\0b\r\n",
        b"X A: b\r\n",
        b": b\r\n",
        b"nothing\r\n",
    ];
    for lines in table {
        let mut client = gateway.connect().await;
        let mut request = b"POST / HTTP/1.1\r\nHost: h\r\n".to_vec();
        request.extend_from_slice(lines);
        request.extend_from_slice(b"\r\n5\r\nhello\r\n0\r\n\r\n");
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 400, "{}", lines.escape_ascii());
        client.rest().await;
    }
    for request in [
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut client = gateway.connect().await;
        assert_eq!(client.ask(request).await.status, 400, "{request:?}");
        client.rest().await;
    }
    assert_eq!(backend.ledger.connections(), 0);
}

#[tokio::test]
async fn of_length_and_chunks_only_the_chunks_go_on_and_the_connection_ends() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding:  Chunked \r\nContent-Length: 4",
        "Transfer-Encoding:\tchunked\t\r\nContent-Length: 4",
    ] {
        let mut client = gateway.connect().await;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        );
        let answer = client.ask(request).await;
        let text = answer.text();
        assert_eq!(answer.status, 200);
        assert_eq!(values(&text, "transfer-encoding"), ["chunked"]);
        assert_eq!(values(&text, "content-length"), Vec::<String>::new());
        assert!(text.ends_with("\r\n\r\nhello"), "{text}");
        client.rest().await;
    }
    assert!(backend.ledger.heads().iter().all(|head| !head.contains("smuggled")));
}

#[tokio::test]
async fn the_upstream_sees_clean_line_ends() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for request in
        ["\r\n\r\nGET /a HTTP/1.1\nHost: h\nX-A: 1\n\n", "GET /a HTTP/1.1\r\nHost: h\nX-A: 1\r\n\r\n"]
    {
        let answer = gateway.connect().await.ask(request).await;
        assert_eq!(answer.status, 200, "{request:?}");
        assert_eq!(values(&answer.text(), "x-a"), ["1"]);
        assert!(!answer.text().replace("\r\n", "").contains('\n'), "{request:?}");
    }
}

#[tokio::test]
async fn broken_chunks_end_both_connections() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let extended = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(17_000));
    for (index, chunks) in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "5;a=\nb\r\nhello\r\n0\r\n\r\n",
        "\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        &extended,
        "0\r\nX A: 1\r\n\r\n",
    ]
    .iter()
    .enumerate()
    {
        let mut client = gateway.connect().await;
        client
            .send(format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))
            .await;
        let rest = client.rest().await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{chunks:?}: {}", rest.escape_ascii());
        crate::support::eventually("the upstream's connection ends", || backend.ledger.ended() == index + 1)
            .await;
    }
}

#[tokio::test]
async fn responses_that_could_be_read_in_two_ways_are_502() {
    let big = format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(100_000));
    let table = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
        &big,
    ];
    for response in table {
        let backend = Backend::fixed(response).await;
        let gateway = Gateway::before(&backend).await;
        let answer = gateway.connect().await.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let start: String = response.chars().take(80).collect();
        assert_eq!(answer.status, 502, "{start:?}");
        assert!(answer.text().contains("\"code\":\"upstream_error\""), "{start:?}: {}", answer.text());
        crate::support::eventually("the upstream's connection ends", || backend.ledger.ended() == 1).await;
    }
}

#[tokio::test]
async fn a_chunked_response_loses_its_length() {
    let backend = Backend::fixed(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::before(&backend).await;
    let answer = gateway.connect().await.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.text().as_str(), answer.complete), ("hello", true));
    assert_eq!(answer.all("content-length"), Vec::<String>::new());
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let table = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, Some("1234")),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", 304, None),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, Some("0")),
    ];
    for (method, response, status, length) in table {
        let backend = Backend::fixed(response).await;
        let gateway = Gateway::before(&backend).await;
        let mut client = gateway.connect().await;
        for _ in 0..3 {
            client.send(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            let answer = client.answer_to(method).await;
            assert_eq!(answer.status, status, "{method} {response:?}");
            assert_eq!(answer.one("content-length").as_deref(), length, "{method} {response:?}");
            assert_eq!(answer.all("transfer-encoding"), Vec::<String>::new(), "{method} {response:?}");
        }
        assert_eq!(backend.ledger.connections(), 1, "{method} {response:?}");
    }
}

#[tokio::test]
async fn bytes_after_a_response_without_a_body_discard_the_connection() {
    let backend =
        Backend::fixed("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!")
            .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for _ in 0..5 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 204);
    }
    assert_eq!(backend.ledger.connections(), 5);
}

/// What was not read of a refused request must not become the next one.
#[tokio::test]
async fn the_body_of_a_refused_request_is_no_request() {
    let backend = Backend::mirror().await;
    let mut setup = crate::support::Setup::to(&[backend.url()]);
    setup.max_body = Some(10);
    let gateway = setup.start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = smuggled.len();
    let chunks = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
    for (start, status) in [
        ("POST / HTTP/1.1\r\nHost: h\r\n", 413),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n", 417),
        ("POST / HTTP/1.1\r\nHost: a b\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nHost: h\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n", 204),
    ] {
        for body in [
            format!("Content-Length: {length}\r\n\r\n{smuggled}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"),
        ] {
            let mut client = gateway.connect().await;
            client
                .send(format!("{start}{body}GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
                .await;
            assert_eq!(client.answer().await.status, status, "{start:?}");
            let rest = String::from_utf8(client.rest().await).unwrap();
            assert!(rest.is_empty() || rest.contains("GET /next "), "{start:?}: {rest}");
        }
    }
    let seen = backend.ledger.heads();
    assert!(seen.iter().all(|head| !head.contains("smuggled")), "{seen:?}");
}
