//! Refusals of the real binary, byte by byte: each carries the error body, the request's id and the same
//! CORS headers as an answer, and none lets a second request through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use support::backend::Backend;
use support::gateway::Gateway;
use support::http::{Answer, connect, read, request};

const PAGE: &str = "http://page.test";

/// A gateway with a policy, and the paths that its backend was asked for.
fn gateway() -> (Gateway, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let ledger = Arc::clone(&asked);
    let backend = Backend::start(move |line, _| {
        ledger.lock().unwrap().push(line.to_owned());
        (200, "{}".to_owned())
    });
    let config = format!(
        "upstream: {}\ncors: {{allow_origins: \"{PAGE}\", allow_credentials: true}}\nlimits: {{header_bytes: 4KB, max_body: 10}}\n",
        backend.url
    );
    (Gateway::start(&config), asked)
}

fn ask(gateway: &Gateway, bytes: &str) -> Answer {
    let mut stream = connect(&gateway.address);
    stream.write_all(bytes.as_bytes()).unwrap();
    read(&stream)
}

#[test]
fn every_refusal_can_be_read_by_the_page() {
    let (gateway, asked) = gateway();
    let (long, origin) = ("x".repeat(5000), format!("Origin: {PAGE}\r\n"));
    for (start, status, code) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n"), 414, "uri_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nX-A: {long}\r\n"), 431, "header_too_large"),
        (format!("GET /socket.io/?{long} HTTP/1.1\r\nHost: h\r\n"), 414, "uri_too_long"),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n".to_owned(), 405, "method_not_allowed"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n".to_owned(), 400, "bad_request"),
        ("GET http://other/ HTTP/1.1\r\nHost: h\r\n".to_owned(), 400, "bad_request"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n".to_owned(), 413, "body_too_large"),
        ("GET / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n".to_owned(), 417, "expectation_failed"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n".to_owned(), 400, "bad_request"),
        (
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nHost: b\r\nAccess-Control-Request-Method: PUT\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: h\r\nVia: {}\r\n", ["1.1 frontroom"; 5].join(", ")),
            508,
            "loop_detected",
        ),
    ] {
        let answer = ask(&gateway, &format!("{start}{origin}\r\n"));
        let text = answer.text();
        assert_eq!((answer.status, text.contains(code)), (status, true), "{start:.60}: {text}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{start:.60}");
        assert!(answer.header("vary").is_some_and(|vary| vary.starts_with("Origin")), "{start:.60}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{start:.60}");
        let id = answer.header("x-request-id").expect("an id");
        assert!(text.contains(&format!("\"request_id\":\"{id}\"")), "{start:.60}: {text}");
    }
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn what_no_two_readers_agree_on_is_answered_like_everything_else() {
    let (gateway, asked) = gateway();
    let (origin, fields) = (format!("Origin: {PAGE}\r\n"), |count| "a: b\r\n".repeat(count));
    // Where the head can be read, the page may read the answer.
    for (start, status, readable) in [
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n".to_owned(), 400, true),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n".to_owned(), 400, true),
        ("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n".to_owned(), 400, true),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}", fields(99)), 431, true),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}", fields(900)), 431, false),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n", "x".repeat(70_000)), 431, false),
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n", "x".repeat(66_000)), 414, false),
        ("GET / HTTP/1.1\r\nHost: h\r\nX : 1\r\n".to_owned(), 400, false),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\n 2\r\n".to_owned(), 400, false),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n".to_owned(), 400, false),
        ("GET / HTTP/3.0\r\nHost: h\r\n".to_owned(), 400, false),
        ("nonsense\r\n".to_owned(), 400, false),
    ] {
        let answer = ask(&gateway, &format!("{start}{origin}\r\n"));
        let text = answer.text();
        assert_eq!(answer.status, status, "{start:.60}: {text}");
        let page = readable.then_some(PAGE);
        assert_eq!(answer.header("access-control-allow-origin"), page, "{start:.60}");
        assert!(answer.header("vary").is_some_and(|vary| vary.starts_with("Origin")), "{start:.60}");
        assert_eq!(answer.header("connection"), Some("close"), "{start:.60}");
        let id = answer.header("x-request-id").expect("an id");
        assert!(text.contains(&format!("\"request_id\":\"{id}\"")), "{start:.60}: {text}");
    }
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn the_number_of_fields_is_a_bound_of_its_own() {
    let backend = Backend::start(|_, _| (200, "{}".to_owned()));
    let gateway = Gateway::start(&format!("upstream: {}\nlimits: {{header_fields: 150}}\n", backend.url));
    let with = |count| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(ask(&gateway, &with(149)).status, 200);
    let answer = ask(&gateway, &with(150));
    assert_eq!((answer.status, answer.text().contains("150 fields")), (431, true), "{}", answer.text());
}

#[test]
fn the_body_of_a_request_that_is_answered_here_is_no_request() {
    let (gateway, asked) = gateway();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = smuggled.len();
    for start in [
        format!("OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: {PAGE}\r\nAccess-Control-Request-Method: PUT\r\n"),
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n".to_owned(),
        "POST /socket.io/?EIO=4&transport=polling&sid=unknown HTTP/1.1\r\nHost: h\r\n".to_owned(),
        "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.test\r\n"
            .to_owned(),
        "POST / HTTP/1.1\r\nHost: h\r\n".to_owned(),
    ] {
        for body in [
            format!("Content-Length: {length}\r\n\r\n{smuggled}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{smuggled}\r\n0\r\n\r\n"),
        ] {
            let mut stream = connect(&gateway.address);
            let next = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            stream.write_all(format!("{start}{body}{next}").as_bytes()).unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("an orderly end");
            let answers = String::from_utf8_lossy(&all).matches("HTTP/1.1 ").count();
            assert!((1..=2).contains(&answers), "{start:?}: {}", all.escape_ascii());
        }
    }
    let asked = asked.lock().unwrap();
    // The oversized POST in chunks may have begun before it was refused.
    assert!(asked.iter().all(|line| line == "GET /next" || line == "POST /"), "{asked:?}");
}

#[test]
fn a_grpc_client_reads_a_refusal_as_its_own_kind() {
    let free = support::refusing();
    let gateway = Gateway::start(&format!("upstream: http://{free}\n"));
    let grpc = ["Content-Type: application/grpc-web+proto", "TE: trailers"];
    let answer = request(&gateway.address, "POST", "/chat.Chat/Send", &grpc, b"12345");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("grpc-status"), Some("14"));
    assert_eq!(answer.header("grpc-message"), Some("the upstream cannot be reached"));
    assert_eq!(answer.header("content-type"), Some("application/grpc-web+proto"));
    let answer = request(&gateway.address, "POST", "/chat.Chat/Send", &[], b"12345");
    assert_eq!(answer.status, 502);
}
