//! Heads of responses, taken from bytes that come in any pieces.

use bytes::Bytes;
use http::Method;
use proptest::prelude::*;

use super::{framing, head};
use crate::http1::Framing;
use crate::message::Fields;

fn read(unread: &mut Bytes) -> Result<Option<head::Head>, head::Malformed> {
    head::read(unread, &mut Fields::new())
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&mut Bytes::from([b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes].concat()));
    }
}

#[test]
fn a_head_comes_whole_and_so_do_interim_ones() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                HTTP/1.1 299 So so\r\nSet-Cookie: a\r\nX-B: \u{fc}\r\nset-cookie: b\r\n\r\nbody";
    let text: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for cut in 0..text.len() - 4 {
        let mut unread = Bytes::copy_from_slice(&text[..cut]);
        let mut before = Vec::new();
        while let Some(early) = read(&mut unread).unwrap() {
            before.push(early.parts.status.as_u16());
        }
        let mut unread = Bytes::from([unread.as_ref(), &text[cut..]].concat());
        let read = loop {
            let read = read(&mut unread).unwrap().unwrap();
            if !read.parts.status.is_informational() {
                break read;
            }
            before.push(read.parts.status.as_u16());
        };
        assert_eq!(before, [100, 103], "{cut}");
        assert_eq!(unread, "body");
        assert_eq!(read.parts.status, 299);
        assert_eq!(read.parts.extensions.get::<hyper::ext::ReasonPhrase>().unwrap().as_bytes(), b"So so");
        assert_eq!(read.parts.headers.get_all("set-cookie").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.parts.headers["x-b"].as_bytes(), b"\xfc");
        assert!(read.persistent);
    }
}

#[test]
fn a_head_has_bounds() {
    let large = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    for text in [large.clone(), format!("{large}\r\n\r\n"), many, "SSH-2.0-x\r\n".into(), "\0".into()] {
        assert!(read(&mut Bytes::from(text)).is_err());
    }
}

#[test]
fn a_connection_persists_as_its_head_says() {
    for (head, persistent) in [
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.0 200 OK\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", false),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n", false),
    ] {
        let read = read(&mut Bytes::from(format!("{head}\r\n"))).unwrap().unwrap();
        assert_eq!(read.persistent, persistent, "{head:?}");
    }
}

#[test]
fn the_end_of_a_body_is_where_the_rfc_says() {
    let table = [
        ("GET", "200", "Content-Length: 3", Ok(Framing::Length(3))),
        ("GET", "200", "Content-Length: 0", Ok(Framing::None)),
        ("GET", "200", "Transfer-Encoding: Chunked\r\nContent-Length: 3", Ok(Framing::Chunked)),
        ("GET", "200", "A: b", Ok(Framing::Close)),
        ("HEAD", "200", "Content-Length: 3", Ok(Framing::None)),
        ("HEAD", "200", "Transfer-Encoding: chunked", Ok(Framing::None)),
        ("GET", "304", "Content-Length: 3", Ok(Framing::None)),
        ("GET", "204", "Content-Length: 3", Ok(Framing::None)),
        ("GET", "200", "Content-Length: 3\r\nContent-Length: 3", Err(())),
        ("GET", "200", "Content-Length: 3, 3", Err(())),
        ("GET", "200", "Content-Length: +3", Err(())),
        ("GET", "200", "Content-Length: 99999999999999999999", Err(())),
        ("GET", "200", "Content-Length:", Err(())),
        ("GET", "200", "Transfer-Encoding: gzip, chunked", Err(())),
        ("GET", "200", "Transfer-Encoding: identity", Err(())),
        ("GET", "101", "A: b", Err(())),
    ];
    for (method, status, fields, expected) in table {
        let text = format!("HTTP/1.1 {status} X\r\n{fields}\r\n\r\n");
        let mut read = read(&mut Bytes::from(text)).unwrap().unwrap();
        let method: Method = method.parse().unwrap();
        let framing = framing::of(&mut read.parts, &method, false).map_err(|_| ());
        assert_eq!(framing, expected, "{method} {status} {fields:?}");
        let kept = read.parts.headers.contains_key("content-length");
        assert!(!kept || (framing != Ok(Framing::Chunked) && status != "204"));
    }
    let mut old =
        read(&mut Bytes::from("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")).unwrap().unwrap();
    assert!(framing::of(&mut old.parts, &Method::GET, false).is_err());
}
