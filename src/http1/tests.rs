//! Chunks, taken from bytes that come in any pieces, and what is written.

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;

use super::chunked::Chunked;

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
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = chunks(&[&bytes]);
    }
}
