//! Heads of requests, and what follows from them.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Version};
use proptest::prelude::*;

use super::answer::{self, Manner};
use super::head::{self, Bounds, Head};
use crate::body::Body;
use crate::http1::{Framing, Outbox};
use crate::message::{Request, Response};
use crate::server::Refused;

const BOUNDS: Bounds = Bounds { bytes: 1000, fields: 300 };

type Read = Result<Option<(Head, Request<Body>)>, Refused>;

fn read_from(unread: &mut Bytes, bounds: Bounds) -> Read {
    let mut request = Request::new(Body::Empty);
    Ok(head::read(unread, &mut request, bounds)?.map(|head| (head, request)))
}

fn read(text: &str) -> Read {
    read_from(&mut Bytes::copy_from_slice(text.as_bytes()), BOUNDS)
}

fn lines(lines: &str) -> (Head, Request<Body>) {
    read(&format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n")).unwrap().unwrap()
}

#[test]
fn the_end_of_a_body_is_where_the_rfc_says() {
    for (fields, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::None),
        ("Content-Length: 5\r\n", Framing::Length(5)),
        ("Content-Length: 005\r\nContent-Length: 5\r\n", Framing::Length(5)),
        ("Content-Length: 0\r\nContent-Length: 0\r\n", Framing::None),
        ("Transfer-Encoding: Chunked \r\n", Framing::Chunked),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Framing::Chunked),
    ] {
        let (head, request) = lines(fields);
        assert_eq!((head.framing, head.refused), (framing, None), "{fields:?}");
        assert_eq!(head.manner.persistent, !(fields.contains("Len") && fields.contains("Tr")), "{fields:?}");
        let lengths = request.headers().get_all("content-length").count();
        assert_eq!(lengths, usize::from(fields.starts_with("Content") && framing != Framing::Chunked));
    }
}

#[test]
fn what_could_end_at_two_places_is_refused_with_its_head() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
    ] {
        let (head, request) = lines(&format!(
            "{fields}Connection: keep-alive\r\nUpgrade: x\r\nExpect: 100-continue\r\nOrigin: o\r\n"
        ));
        assert!(matches!(head.refused, Some(Refused::Malformed(_))), "{fields:?}");
        assert_eq!((head.framing, head.manner.persistent), (Framing::None, false), "{fields:?}");
        assert!(!head.upgrades && !head.expects);
        assert_eq!(request.headers()["origin"], "o");
    }
    let (old, _) = read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap().unwrap();
    assert!(old.refused.is_some());
}

#[test]
fn what_is_no_head_is_refused() {
    for text in [
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET /\r\n\r\n",
        "G\0T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n A: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
        "GET / HTTP/1.1\r\nA\x01: b\r\n\r\n",
        "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA\r\n\r\n",
        "GET http:// HTTP/1.1\r\n\r\n",
    ] {
        assert!(matches!(read(text), Err(Refused::Malformed(_))), "{text:?}");
    }
}

#[test]
fn a_head_has_bounds() {
    let head = |target: usize, value: usize, fields: usize| {
        let fields = "a:b\r\n".repeat(fields);
        format!("GET /{} HTTP/1.1\r\nX: {}\r\n{fields}", "x".repeat(target), "x".repeat(value))
    };
    assert!(matches!(read(&head(500, 300, 0)), Ok(None)));
    assert_eq!(read(&head(500, 500, 0)).unwrap_err(), Refused::HeadTooLarge, "not at its end");
    assert_eq!(read(&format!("{}\r\n", head(500, 500, 0))).unwrap_err(), Refused::HeadTooLarge);
    assert_eq!(read(&format!("GET /{}", "x".repeat(1000))).unwrap_err(), Refused::TargetTooLong);
    let wide = Bounds { bytes: 100_000, ..BOUNDS };
    let read = |text: String| read_from(&mut Bytes::from(text), wide);
    let (_, many) = read(format!("{}\r\n", head(0, 0, 299))).unwrap().unwrap();
    assert_eq!(many.headers().len(), 300, "all, for who says what is wrong");
    assert_eq!(read(format!("{}\r\n", head(0, 0, 300))).unwrap_err(), Refused::HeadTooLarge);
    assert_eq!(read(format!("{}\r\n", head(70_000, 0, 0))).unwrap_err(), Refused::TargetTooLong);
}

#[test]
fn a_head_tells_what_becomes_of_the_connection() {
    for (version, fields, persistent) in [
        ("1.1", "", true),
        ("1.1", "Connection: x, Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let (head, _) = read(&format!("GET / HTTP/{version}\r\n{fields}\r\n")).unwrap().unwrap();
        assert_eq!(head.manner.persistent, persistent, "{version} {fields:?}");
    }
    let (head, _) =
        lines("Expect: 100-Continue\r\nContent-Length: 1\r\nUpgrade: x\r\nTE: gzip, trailers\r\n");
    assert!(head.expects && head.manner.trailers && !head.upgrades, "not with a body");
    let (head, _) = lines("Expect: 100-continue\r\nUpgrade: x\r\n");
    assert!(!head.expects && head.upgrades);
    let (old, request) = read("GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n").unwrap().unwrap();
    assert!(!old.upgrades && request.version() == Version::HTTP_10);
}

#[test]
fn a_head_leaves_what_follows_it() {
    let mut unread = Bytes::from("\r\n\nHEAD /a?b HTTP/1.1\nHost: h\r\n\r\nGET");
    let (head, request) = read_from(&mut unread, BOUNDS).unwrap().unwrap();
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::HEAD, "/a?b"));
    assert_eq!(unread, "GET");
    assert!(head.manner.head_only);
}

fn written(response: &mut Response<Body>, manner: Manner) -> (String, bool) {
    let mut out = Outbox::new(Vec::new());
    response.headers_mut().insert("date", HeaderValue::from_static("now"));
    let persistent = answer::begin(response, manner, &mut out);
    (String::from_utf8(out.take_front()).unwrap(), persistent)
}

#[test]
fn an_answer_says_where_it_ends() {
    let manner = Manner { head_only: false, old: false, trailers: false, persistent: true };
    let head_only = Manner { head_only: true, ..manner };
    let last = Manner { persistent: false, ..manner };
    let (old, old_last) = (Manner { old: true, ..manner }, Manner { old: true, ..last });
    let streamed = || {
        Body::boxed(http_body_util::StreamBody::new(
            futures_util::stream::empty::<Result<_, std::io::Error>>(),
        ))
    };
    let whole = || Body::Full(Bytes::from("hello"));
    for (status, body, manner, expected, persistent) in [
        (200, Body::Empty, manner, "content-length: 0\r\n", true),
        (200, whole(), manner, "content-length: 5\r\n", true),
        (200, streamed(), manner, "transfer-encoding: chunked\r\n", true),
        (200, whole(), last, "content-length: 5\r\nconnection: close\r\n", false),
        (200, whole(), head_only, "content-length: 5\r\n", true),
        (200, streamed(), head_only, "", true),
        (200, Body::Empty, head_only, "", true),
        (204, Body::Empty, manner, "", true),
        (304, whole(), manner, "", true),
        (200, whole(), old, "content-length: 5\r\nconnection: keep-alive\r\n", true),
        (200, streamed(), old, "connection: close\r\n", false),
        (200, whole(), old_last, "content-length: 5\r\nconnection: close\r\n", false),
    ] {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("transfer-encoding", HeaderValue::from_static("gzip"));
        let (head, goes_on) = written(&mut response, manner);
        let (_, fields) = head.split_once("date: now\r\n").unwrap();
        assert_eq!(
            (fields.strip_suffix("\r\n"), goes_on),
            (Some(expected), persistent),
            "{status} {manner:?}"
        );
        let version = if manner.old { "HTTP/1.0 " } else { "HTTP/1.1 " };
        assert!(head.starts_with(version) && !head.contains("gzip"), "{head}");
    }
}

#[test]
fn an_answer_ends_the_connection_where_its_handler_says_so() {
    let manner = Manner { head_only: false, old: false, trailers: false, persistent: true };
    let mut response = Response::new(Body::Empty);
    response.headers_mut().insert("connection", HeaderValue::from_static("x, close"));
    let (head, persistent) = written(&mut response, manner);
    assert_eq!((head.matches("connection: ").count(), persistent), (1, false));
    assert!(head.ends_with("connection: close\r\n\r\n"));
}

proptest! {
    #[test]
    fn pieces_do_not_matter(fields in prop::collection::vec("[a-z]{1,8}: [ -~]{0,20}", 0..20), cut in any::<prop::sample::Index>()) {
        let text = format!("GET /a HTTP/1.1\r\n{}\r\nrest", fields.iter().map(|field| format!("{field}\r\n")).collect::<String>());
        let mut whole = Bytes::copy_from_slice(text.as_bytes());
        let expected = read_from(&mut whole, BOUNDS);
        let cut = cut.index(text.len() - 4);
        let mut unread = Bytes::copy_from_slice(&text.as_bytes()[..cut]);
        let mut request = Request::new(Body::Empty);
        prop_assert!(head::read(&mut unread, &mut request, BOUNDS).is_ok_and(|head| head.is_none()));
        let mut unread = Bytes::copy_from_slice(text.as_bytes());
        let read = head::read(&mut unread, &mut request, BOUNDS).map(|head| head.map(|head| (head, request)));
        prop_assert_eq!(&whole, &unread);
        let headers = |read: Read| read.map(|read| read.map(|(_, request)| request.headers().clone()));
        prop_assert_eq!(headers(expected), headers(read));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        super::fuzz::requests(&bytes);
        super::fuzz::requests(&[b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", bytes.as_slice()].concat());
    }
}
