//! Heads and bodies, taken from bytes that come in any pieces.

use bytes::Bytes;
use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::chunked::Chunked;
use super::framing::Framing;
use super::head;

fn read(unread: &mut Bytes) -> Result<Option<head::Head>, head::Malformed> {
    head::read(unread, &mut HeaderMap::new())
}

/// Data, trailers, and what is left behind the body.
type Decoded = Result<(Vec<u8>, Option<HeaderMap>, Vec<u8>), &'static str>;

/// What a body's chunks hold, fed piece by piece.
fn chunks(pieces: &[&[u8]]) -> Decoded {
    let (mut chunked, mut unread) = (Chunked::default(), Bytes::new());
    let (mut data, mut trailers) = (Vec::new(), None);
    for piece in pieces {
        unread = [unread.as_ref(), piece].concat().into();
        while let Some(frame) = chunked.decode(&mut unread)? {
            match frame.into_data() {
                Ok(bytes) => data.extend_from_slice(&bytes),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
    }
    if chunked.is_done() { Ok((data, trailers, unread.to_vec())) } else { Err("incomplete") }
}

fn whole(body: &str) -> Decoded {
    chunks(&[body.as_bytes()])
}

#[test]
fn chunks_are_put_together() {
    let (data, trailers, rest) = whole("5\r\nhello\r\n06 \t;a=\"b\"\r\n world\r\n0\r\n\r\nHTTP").unwrap();
    assert_eq!((data.as_slice(), trailers, rest.as_slice()), (&b"hello world"[..], None, &b"HTTP"[..]));
    let (data, trailers, rest) = whole("A\r\n0123456789\r\n0\r\nGrpc-Status: 0\r\nb: \r\n\r\n").unwrap();
    assert_eq!((data.len(), rest.len()), (10, 0));
    let trailers = trailers.unwrap();
    assert_eq!((trailers["grpc-status"].as_bytes(), trailers["b"].len()), (&b"0"[..], 0));
}

#[test]
fn what_two_readers_could_see_differently_is_refused() {
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(5000));
    let many = format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(17));
    let trailers = format!("0\r\na: {}\r\n\r\n", "x".repeat(20_000));
    for body in [
        "\r\n",
        "g\r\n",
        ";a\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "10000000000000000\r\n",
        "0\r\n: a\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        &long,
        &many,
        &trailers,
    ] {
        let refused = whole(body);
        assert!(refused.is_err_and(|why| why != "incomplete"), "{:.40}", body.escape_debug().to_string());
    }
}

#[test]
fn a_body_that_is_cut_is_not_complete() {
    let body = b"5\r\nhello\r\n0\r\na: b\r\n\r\n";
    for end in 0..body.len() {
        assert_eq!(chunks(&[&body[..end]]).unwrap_err(), "incomplete", "{end}");
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter(sizes in prop::collection::vec(1_usize..40, 0..8), cuts in prop::collection::vec(0_usize..400, 0..6)) {
        let data: Vec<u8> = (0..sizes.iter().sum()).map(|index: usize| index as u8).collect();
        let (mut body, mut at) = (Vec::new(), 0);
        for size in sizes {
            body.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            body.extend_from_slice(&data[at..at + size]);
            body.extend_from_slice(b"\r\n");
            at += size;
        }
        body.extend_from_slice(b"0\r\nt: 1\r\n\r\nrest");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % body.len()).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        let (decoded, trailers, rest) = chunks(&pieces).unwrap();
        prop_assert_eq!(decoded, data);
        prop_assert!(trailers.unwrap().contains_key("t"));
        prop_assert_eq!(rest, b"rest");
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = chunks(&[&bytes]);
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
        assert_eq!(read.parts.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
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
        let framing = Framing::of(&mut read.parts, &method, false).map_err(|_| ());
        assert_eq!(framing, expected, "{method} {status} {fields:?}");
        let kept = read.parts.headers.contains_key("content-length");
        assert!(!kept || (framing != Ok(Framing::Chunked) && status != "204"));
    }
    let mut old =
        read(&mut Bytes::from("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")).unwrap().unwrap();
    assert!(Framing::of(&mut old.parts, &Method::GET, false).is_err());
}
