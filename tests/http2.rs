//! HTTP/2 as clients speak it, and what a client may not do with it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "support/frames.rs"]
mod frames;
mod support;

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, INITIAL_WINDOW, RST_STREAM, head,
};
use support::backend::Backend;
use support::gateway::Gateway;
use support::http;

const BIG: usize = 300_000;

fn site(more: &str) -> (Gateway, Backend) {
    let backend = Backend::start(|line, body| match line {
        "GET /slow" => {
            std::thread::sleep(Duration::from_millis(700));
            (200, "\"slow\"".into())
        }
        "GET /big" => (200, format!("\"{}\"", "x".repeat(BIG))),
        line if line.starts_with("POST") => (200, body.to_owned()),
        _ => (200, "\"fine\"".into()),
    });
    (Gateway::start(&format!("upstream: {}\n{more}", backend.url)), backend)
}

/// What curl gets over HTTP/2 by prior knowledge: head and body.
fn curl(gateway: &Gateway, path: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-i", "--http2-prior-knowledge", "--max-time", "10"])
        .args(arguments)
        .arg(format!("http://{}{path}", gateway.address))
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn requests_go_upstream_as_http1_has_them() {
    let (gateway, backend) = site("");
    let crumbs = ["-H", "Host: a.test:81", "-H", "Cookie: a=1", "-H", "Cookie: b=2; c=3"];
    assert!(curl(&gateway, "/x?y=%2F", &crumbs).ends_with("\"fine\""));
    let seen = &backend.seen()[0];
    let of = |name: &str| {
        let lines = seen.headers.iter().filter_map(|line| line.split_once(": "));
        let values: Vec<&str> =
            lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        values.join("|")
    };
    assert_eq!(seen.line, "GET /x?y=%2F");
    assert_eq!(of("host"), "a.test:81");
    assert_eq!(of("x-forwarded-host"), "a.test:81");
    assert_eq!(of("cookie"), "a=1; b=2; c=3");
    let text = "x".repeat(200_000);
    let mut child = Command::new("curl")
        .args([
            "-sS",
            "--http2-prior-knowledge",
            "--data-binary",
            "@-",
            &format!("http://{}/", gateway.address),
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("curl runs");
    child.stdin.take().unwrap().write_all(text.as_bytes()).expect("written");
    assert!(child.wait_with_output().unwrap().stdout == text.as_bytes());
    let answer = curl(&gateway, "/big", &[]);
    assert_eq!(answer.len() - answer.find("\r\n\r\n").unwrap() - 4, BIG + 2);
    assert!(curl(&gateway, "/x", &["--head"]).contains("content-length: 6"));
}

#[test]
fn a_hundred_requests_go_beside_one_another() {
    let (gateway, _backend) = site("");
    let mut client = Frames::connect(&gateway.address, &[]);
    let begun = Instant::now();
    for id in 0..100 {
        client.get(2 * id + 1, "/slow");
    }
    for _ in 0..100 {
        client.find(frames::Frame::is_end).expect("an answer");
    }
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}

#[test]
fn an_authority_that_is_none_or_not_the_hosts_is_refused() {
    let (gateway, backend) = site("");
    let mut client = Frames::connect(&gateway.address, &[]);
    let fields = |list: &[(&str, &str)]| -> Vec<u8> {
        list.iter().flat_map(|(name, value)| frames::field(name, value)).collect()
    };
    let (method, scheme, path) = ((":method", "GET"), (":scheme", "http"), (":path", "/"));
    for (stream, list) in [
        &[method, scheme, path, (":authority", "a.test"), ("host", "b.test")][..],
        &[method, scheme, path],
        &[method, scheme, path, (":authority", "u@a.test")],
        &[method, scheme, (":path", "/a b"), (":authority", "a.test")],
        &[method, scheme, path, (":authority", "a.test"), ("connection", "close")],
        &[method, scheme, path, (":authority", "a.test"), ("transfer-encoding", "chunked")],
    ]
    .into_iter()
    .enumerate()
    {
        let stream = 2 * stream as u32 + 1;
        client.send(HEADERS, END_STREAM | END_HEADERS, stream, &fields(list));
        let answer = client.find(|frame| frame.stream == stream).expect("an answer");
        // 400 is in HPACK's table; h2 itself resets what is malformed.
        let refused = (answer.kind == HEADERS && answer.payload[0] == 0x8c) || answer.kind == RST_STREAM;
        assert!(refused, "{list:?}: {answer:?}");
    }
    client.send(
        HEADERS,
        END_STREAM | END_HEADERS,
        101,
        &fields(&[method, scheme, path, (":authority", "A.test"), ("host", "a.test:80")]),
    );
    assert_eq!(client.find(|frame| frame.stream == 101).unwrap().payload[0], 0x88, "they agree");
    assert_eq!(backend.seen().len(), 1);
}

/// What is answered on stream 1: a status's octet in HPACK's table, or nothing where the stream or the
/// connection is broken off.
fn verdict(client: &mut Frames) -> Option<u8> {
    let answer = client.find(|frame| (frame.stream == 1 && frame.kind != DATA) || frame.kind == GOAWAY)?;
    (answer.kind == HEADERS).then(|| answer.payload[0])
}

#[test]
fn what_would_be_two_requests_upstream_is_refused() {
    let (gateway, backend) = site("");
    let post: &[(&str, &str)] =
        &[(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    let second = "x\r\n\r\nGET /second HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let with = |more: &[(&'static str, &'static str)]| [post, more].concat();
    let instead = |at: usize, field: (&'static str, &'static str)| {
        let mut fields = post.to_vec();
        fields[at] = field;
        fields
    };
    let heads = [
        with(&[("x-a", second)]),
        with(&[("x-a", "a\nb")]),
        with(&[("x-a", "a\0b")]),
        with(&[("x-a\r\nx-b", "1")]),
        with(&[("x a", "1")]),
        with(&[("x-a: 1", "1")]),
        with(&[("X-Upper", "1")]),
        with(&[("", "1")]),
        with(&[(":path", "/again")]),
        with(&[(":unknown", "1")]),
        with(&[("x-a", "1"), (":path", "/late")]),
        with(&[("te", "gzip")]),
        with(&[("keep-alive", "1")]),
        with(&[("upgrade", "h2c")]),
        with(&[("proxy-connection", "close")]),
        with(&[("content-length", "0"), ("content-length", "5")]),
        with(&[("content-length", "+5")]),
        with(&[("content-length", "5, 5")]),
        instead(0, (":method", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET")),
        instead(0, (":method", "")),
        instead(3, (":path", "/ HTTP/1.1\r\nHost: a.test\r\n\r\nGET /second")),
        instead(3, (":path", "")),
        instead(3, (":path", "relative")),
        instead(2, (":authority", "a.test\r\nx-b: 1")),
    ];
    let good = with(&[("x-a", "fine"), ("te", "trailers"), ("content-length", "5")]);
    for (fields, is_good) in heads.into_iter().map(|head| (head, false)).chain([(good, true)]) {
        let mut client = Frames::connect(&gateway.address, &[]);
        let head: Vec<u8> = fields.iter().flat_map(|(name, value)| frames::field(name, value)).collect();
        client.whole(&head, b"hello");
        let verdict = verdict(&mut client);
        let expected: &[Option<u8>] = if is_good { &[Some(0x88)] } else { &[None, Some(0x8c)] };
        assert!(expected.contains(&verdict), "{fields:?}: {verdict:?}");
    }
    assert_eq!(backend.seen().len(), 1, "{:?}", backend.seen());
}

#[test]
fn a_body_of_another_length_than_it_says_never_ends_whole_and_never_reaches_the_next_request() {
    let (gateway, backend) = site("");
    let rest = "GET /second HTTP/1.1\r\nHost: a.test\r\n\r\n";
    for (length, body) in [("5", format!("hello{rest}")), ("500", "hello".to_owned()), ("0", rest.to_owned())]
    {
        let mut client = Frames::connect(&gateway.address, &[]);
        let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
        let length = [("content-length", length)];
        let head = fields.iter().chain(&length).flat_map(|(name, value)| frames::field(name, value));
        client.whole(&head.collect::<Vec<u8>>(), body.as_bytes());
        let verdict = verdict(&mut client);
        assert_ne!(verdict, Some(0x88), "{length:?}");
        assert_eq!(http::get(&gateway.address, "/after").text(), "\"fine\"");
    }
    let lines: Vec<String> = backend.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /after"; 3]);
}

#[test]
fn what_is_too_large_or_too_slow_gets_the_answer_of_http1() {
    let cors = "cors: {allow_origins: https://a.test}\nlimits: {header_bytes: 4KB, max_body: 10KB, body_timeout: 500ms}\n";
    let (gateway, _backend) = site(cors);
    let origin = "Origin: https://a.test";
    let long = format!("/{}", "x".repeat(5000));
    let large = format!("X-A: {}", "x".repeat(5000));
    let many: Vec<String> = (0..120).map(|n| format!("X-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().flat_map(|line| ["-H", line.as_str()]).chain(["-H", origin]).collect();
    let body = "x".repeat(11_000);
    for (path, arguments, status, code) in [
        (long.as_str(), &["-H", origin][..], "414", "uri_too_long"),
        ("/", &["-H", origin, "-H", &large], "431", "header_too_large"),
        ("/", &many, "431", "header_too_large"),
        ("/", &["-H", origin, "-d", &body], "413", "body_too_large"),
    ] {
        let answer = curl(&gateway, path, arguments);
        assert!(answer.starts_with(&format!("HTTP/2 {status}")), "{status}: {answer}");
        assert!(answer.contains("access-control-allow-origin: https://a.test"), "{answer}");
        assert!(answer.contains(code) && !answer.contains("connection:"), "{answer}");
    }
    // A body that stands still, on one stream of a connection that goes on.
    let mut client = Frames::connect(&gateway.address, &[]);
    let post = head("/", &[("content-length", "10")]);
    let post =
        [frames::field(":method", "POST"), post[frames::field(":method", "GET").len()..].to_vec()].concat();
    client.send(HEADERS, END_HEADERS, 1, &post);
    client.send(DATA, 0, 1, b"12345");
    let answer = client.find(|frame| frame.stream == 1).expect("an answer");
    assert_eq!(answer.kind, HEADERS, "{answer:?}");
    client.get(3, "/x");
    assert!(client.find(|frame| frame.stream == 3 && frame.is_end()).is_some());
}

#[test]
fn an_answer_before_the_body_has_come_does_not_reset_its_stream() {
    let (gateway, _backend) = site("limits: {max_body: 10KB}\n");
    let mut client = Frames::connect(&gateway.address, &[]);
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a.test"),
        (":path", "/"),
        ("content-length", "11000"),
    ];
    let head: Vec<u8> = fields.iter().flat_map(|(name, value)| frames::field(name, value)).collect();
    client.send(HEADERS, END_HEADERS, 1, &head);
    assert!(client.find(frames::Frame::is_end).is_some(), "the answer is whole");
    client.send(DATA, END_STREAM, 1, &[b'x'; 11_000]);
    client.send(frames::PING, 0, 0, b"12345678");
    let next = client.find(|frame| frame.stream == 1 || frame.kind == frames::PING).expect("a frame");
    assert_eq!(next.kind, frames::PING, "{next:?}");
}

#[test]
fn a_client_that_says_nothing_is_let_go() {
    let (gateway, _backend) = site("limits: {header_timeout: 300ms}\n");
    for begin in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let begun = Instant::now();
        let mut stream = http::connect(&gateway.address);
        stream.write_all(begin.as_bytes()).expect("written");
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "{begin:?}");
        assert!((200..4000).contains(&begun.elapsed().as_millis()), "{begin:?}: {:?}", begun.elapsed());
    }
    // The preface in two pieces, and a method that only begins like it.
    let mut stream = http::connect(&gateway.address);
    stream.write_all(b"PRI * HT").expect("written");
    std::thread::sleep(Duration::from_millis(50));
    stream.write_all(b"TP/2.0\r\n\r\nSM\r\n\r\n").expect("written");
    let mut client = Frames(stream);
    client.send(frames::SETTINGS, 0, 0, &[]);
    client.get(1, "/x");
    assert!(client.find(frames::Frame::is_end).is_some());
    assert_eq!(http::request(&gateway.address, "PROPFIND", "/x", &[], b"").status, 200);
}

#[test]
fn who_cancels_requests_in_a_flood_is_cut_off() {
    let (gateway, backend) = site("");
    let mut bystander = Frames::connect(&gateway.address, &[]);
    // Each request has begun before it is cancelled.
    let mut client = Frames::connect(&gateway.address, &[]);
    let mut cut = false;
    'flood: for round in 0..30 {
        let streams = (0..10).map(|n| 2 * (10 * round + n) + 1);
        for stream in streams.clone() {
            client.get(stream, "/slow");
        }
        cut = !client.ping();
        for stream in streams {
            client.send(RST_STREAM, 0, stream, &8u32.to_be_bytes());
        }
        if cut {
            break 'flood;
        }
    }
    assert!(cut, "nobody minds");
    assert_eq!(gateway.refused("http2.resets"), 1);
    assert!(backend.seen().len() < 200, "{}", backend.seen().len());
    // All in one: they are reset before they are looked at.
    let mut client = Frames::connect(&gateway.address, &[]);
    let mut burst = Vec::new();
    for id in 0..500 {
        burst.extend(frames::frame(HEADERS, END_STREAM | END_HEADERS, 2 * id + 1, &head("/slow", &[])));
        burst.extend(frames::frame(RST_STREAM, 0, 2 * id + 1, &8u32.to_be_bytes()));
    }
    let _ = client.0.write_all(&burst);
    assert!(client.find(|frame| frame.kind == GOAWAY).is_some() || !client.ping());
    bystander.get(1, "/x");
    assert!(bystander.find(frames::Frame::is_end).is_some());
}

#[test]
fn endless_heads_are_cut_off_and_take_no_memory() {
    let (gateway, _backend) = site("");
    http::get(&gateway.address, "/x");
    let before = gateway.memory();
    let mut client = Frames::connect(&gateway.address, &[]);
    client.send(HEADERS, END_STREAM, 1, &head("/", &[]));
    let more = frames::field("x-a", &"x".repeat(1000));
    let begun = Instant::now();
    let frame = frames::frame(CONTINUATION, 0, 1, &more);
    let mut written = 0;
    while client.0.write_all(&frame).is_ok() && written < 50_000_000 {
        written += frame.len();
    }
    assert!(written < 50_000_000, "nothing stops it");
    assert!(client.find(|frame| frame.kind == GOAWAY).is_some() || client.next().is_none());
    assert!(begun.elapsed() < Duration::from_secs(10));
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 8_000_000, "{grown} bytes more");
    assert_eq!(http::get(&gateway.address, "/x").status, 200);
}

#[test]
fn a_response_that_its_client_does_not_take_is_given_up() {
    let (gateway, _backend) = site("limits: {body_timeout: 400ms}\n");
    for window in [0, 1, 20_000] {
        let mut client = Frames::connect(&gateway.address, &[(INITIAL_WINDOW, window)]);
        let begun = Instant::now();
        client.get(1, "/big");
        let reset = client.find(|frame| frame.kind == RST_STREAM && frame.stream == 1);
        assert_eq!(reset.expect("a reset").payload, 8u32.to_be_bytes(), "window {window}");
        assert!((300..4000).contains(&begun.elapsed().as_millis()), "{window}: {:?}", begun.elapsed());
        assert!(client.ping(), "the connection goes on");
    }
    assert_eq!(gateway.refused("limits.body_timeout"), 3);
    // One that waits for its backend, and not for its client, is none.
    let mut client = Frames::connect(&gateway.address, &[]);
    client.get(1, "/slow");
    assert!(client.find(frames::Frame::is_end).is_some());
}

#[test]
fn a_drain_finishes_what_has_begun() {
    let (gateway, backend) = site("shutdown: {grace: 5s}\n");
    let mut client = Frames::connect(&gateway.address, &[]);
    client.get(1, "/slow");
    support::eventually("the request is there", || client.ping().then_some(()));
    let mut idle = Frames::connect(&gateway.address, &[]);
    assert!(idle.ping());
    gateway.terminate();
    assert!(idle.find(|frame| frame.kind == GOAWAY).is_some());
    assert!(client.find(|frame| frame.stream == 1 && frame.is_end()).is_some(), "the answer");
    assert!(client.find(|frame| frame.kind == DATA).is_none(), "the end");
    assert_eq!(backend.seen().len(), 1);
}

#[test]
fn socketio_polling_works_and_websockets_are_left_to_http1() {
    let (gateway, _backend) = site("socketio: {events: {back: {ack: \"{{ data }}\"}}}\n");
    let answer = curl(&gateway, "/socket.io/?EIO=4&transport=polling", &[]);
    let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    assert!(curl(&gateway, &path, &["-d", "40"]).ends_with("ok"));
    assert!(curl(&gateway, &path, &[]).contains("40{\"sid\""));
    assert!(curl(&gateway, &path, &["-d", "421[\"back\",7]"]).ends_with("ok"));
    assert!(curl(&gateway, &path, &[]).ends_with("431[7]"));
    // Extended CONNECT (RFC 8441) is not offered, so no client tries it; one that does is reset.
    let mut client = Frames::connect(&gateway.address, &[]);
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/socket.io/"),
        (":authority", "a.test"),
    ];
    let connect: Vec<u8> = connect.iter().flat_map(|(name, value)| frames::field(name, value)).collect();
    client.send(HEADERS, END_HEADERS, 1, &connect);
    let answer = client.find(|frame| frame.stream == 1).expect("an answer");
    assert!(answer.kind == RST_STREAM || answer.payload[0] != 0x88, "{answer:?}");
}
