//! HTTP/2 upstreams: shared connections, authority, cookies, trailers, and what does not go over them.

use http::Version;

use crate::server::Server;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, request, send};
use crate::support::websocket::HANDSHAKE;

fn site(server: &Server, more: &str) -> Gateway {
    Gateway::start_with(
        &["--workers", "1"],
        &format!(
            "upstreams: {{api: {{endpoints: 'h2c://{}'{more}}}}}\nroutes: [{{upstream: api}}]\n",
            server.address
        ),
    )
}

#[test]
fn requests_go_over_one_connection_with_host_as_authority() {
    let server = Server::h2c(100);
    let gateway = site(&server, "");
    let headers = ["Cookie: a=1; b=2", "X-Own: yes", "Connection: close, x-hop", "X-Hop: no"];
    for turn in 0..5 {
        let answer =
            request(&gateway.address, "PUT", &format!("/a%2Fb;c/../{turn}?x=%20&&"), &headers, b"body");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert!(answer.header("content-length").is_some() || answer.header("transfer-encoding").is_some());
    }
    assert_eq!(server.connections(), 1);
    for (turn, seen) in server.seen().iter().enumerate() {
        assert_eq!(seen.line, format!("PUT http://gateway.test/a%2Fb;c/../{turn}?x=%20&&"));
        assert_eq!(seen.version, Version::HTTP_2);
        assert_eq!(seen.body, "body");
        assert_eq!(seen.headers["cookie"], "a=1; b=2");
        assert_eq!(
            (seen.headers["x-own"].as_bytes(), seen.headers["x-forwarded-host"].as_bytes()),
            (&b"yes"[..], &b"gateway.test"[..])
        );
        for gone in ["host", "connection", "x-hop", "transfer-encoding", "upgrade"] {
            assert!(!seen.headers.contains_key(gone), "{gone}");
        }
    }
}

#[test]
fn many_requests_share_a_connection_and_another_is_opened_when_streams_run_out() {
    let server = Server::h2c(10);
    let gateway = site(&server, "");
    assert_eq!(get(&gateway.address, "/").status, 200);
    let begin = || {
        let stream = connect(&gateway.address);
        send(&stream, "GET", "/held", &[], b"");
        stream
    };
    let streams: Vec<_> = (0..25).map(|_| begin()).collect();
    eventually("all arrive", || (server.held() == 25).then_some(()));
    assert_eq!(server.connections(), 3);
    server.allow(25);
    for stream in &streams {
        assert_eq!(read(stream).text(), "let go");
    }
}

#[test]
fn requests_that_come_before_the_first_connection_stands_wait_for_it() {
    let server = Server::h2c(100);
    let gateway = site(&server, "");
    let streams: Vec<_> = (0..20).map(|_| connect(&gateway.address)).collect();
    streams.iter().for_each(|stream| send(stream, "GET", "/held", &[], b""));
    eventually("all arrive", || (server.held() == 20).then_some(()));
    assert_eq!(server.connections(), 1);
    server.allow(20);
    streams.iter().for_each(|stream| assert_eq!(read(stream).status, 200));
}

#[test]
fn where_no_further_connection_may_be_opened_requests_wait_for_a_stream() {
    let server = Server::h2c(2);
    let gateway = site(&server, ", max_connections: 1, connect_timeout: 10s");
    let streams: Vec<_> = (0..5).map(|_| connect(&gateway.address)).collect();
    streams.iter().for_each(|stream| send(stream, "GET", "/held", &[], b""));
    eventually("two arrive", || (server.held() == 2).then_some(()));
    server.allow(5);
    streams.iter().for_each(|stream| assert_eq!(read(stream).text(), "let go"));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_that_leaves_resets_its_stream_and_no_other() {
    let server = Server::h2c(1);
    let gateway = site(&server, ", max_connections: 1, connect_timeout: 10s");
    let gone = connect(&gateway.address);
    send(&gone, "GET", "/held", &[], b"");
    eventually("it arrives", || (server.held() == 1).then_some(()));
    drop(gone);
    assert_eq!(get(&gateway.address, "/").status, 200, "the only stream is free again");
    assert_eq!(server.connections(), 1);
}

#[test]
fn grpc_passes_with_its_trailers() {
    let server = Server::h2c(100);
    let gateway = site(&server, "");
    let headers = ["TE: trailers", "Connection: TE", "Content-Type: application/grpc"];
    let stream = connect(&gateway.address);
    send(&stream, "POST", "/trailers", &headers, b"message");
    let mut whole = Vec::new();
    while !whole.ends_with(b"\r\n\r\n") || !whole.windows(5).any(|window| window == b"\r\n0\r\n") {
        let mut byte = [0];
        assert_eq!(
            std::io::Read::read(&mut &stream, &mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&whole)
        );
        whole.push(byte[0]);
    }
    let whole = String::from_utf8(whole).unwrap();
    assert!(whole.contains("7\r\nmessage\r\n0\r\ngrpc-status: 0\r\n\r\n"), "{whole}");
    assert_eq!(server.seen()[0].headers["te"], "trailers");
    let answer = request(&gateway.address, "POST", "/trailers-only", &headers, b"message");
    assert_eq!((answer.status, answer.header("grpc-status"), answer.body.len()), (200, Some("5"), 0));
}

#[test]
fn trailers_of_a_request_arrive() {
    let server = Server::h2c(100);
    let gateway = site(&server, "");
    let stream = connect(&gateway.address);
    let text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n";
    std::io::Write::write_all(&mut &stream, text.as_bytes()).unwrap();
    assert_eq!(read(&stream).status, 200);
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.body.as_ref(), &seen.trailers.as_ref().unwrap()["x-sum"]),
        (&b"body"[..], &http::HeaderValue::from_static("7"))
    );
}

#[test]
fn a_websocket_is_refused_where_only_http2_is_spoken() {
    let server = Server::h2c(100);
    let gateway = site(&server, "");
    let answer = request(&gateway.address, "GET", "/socket", &HANDSHAKE, b"");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("upstream_no_upgrade"), "{}", answer.text());
}

#[test]
fn a_large_body_streams_both_ways_and_a_body_that_is_too_large_is_413() {
    let server = Server::h2c(100);
    let gateway = site(&server, "}, other: {endpoints: 'http://127.0.0.1:1'");
    let body = vec![b'x'; 3_000_000];
    assert_eq!(request(&gateway.address, "POST", "/", &[], &body).status, 200);
    assert_eq!(server.seen()[0].body.len(), body.len());
    let gateway =
        Gateway::start(&format!("upstream: 'h2c://{}'\nlimits: {{max_body: 100KB}}\n", server.address));
    let stream = connect(&gateway.address);
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::io::Write::write_all(&mut &stream, head.as_bytes()).unwrap();
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    for _ in 0..10 {
        // The gateway may have answered and closed already.
        let _ = std::io::Write::write_all(&mut &stream, &chunk);
    }
    assert_eq!(read(&stream).status, 413);
}
