use proptest::prelude::*;

use super::*;

/// A masked frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

fn decode(decoder: &mut Decoder, mut input: &[u8]) -> Result<Vec<Incoming>, Violation> {
    let mut all = Vec::new();
    while let Some(incoming) = decoder.next(&mut input)? {
        all.push(incoming);
    }
    assert!(input.is_empty());
    Ok(all)
}

fn text(text: &str) -> Incoming {
    Incoming::Message(Message::Text(Utf8::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()))
}

#[test]
fn fragments_are_joined_around_control_frames() {
    let mut input = frame(0x01, "h\u{e9}".as_bytes());
    input.extend(frame(0x89, b"are you there"));
    input.extend(frame(0x80, b"llo"));
    let mut decoder = Decoder::new(100, 50);
    assert_eq!(
        decode(&mut decoder, &input),
        Ok(vec![Incoming::Ping(Bytes::from_static(b"are you there")), text("h\u{e9}llo")])
    );
}

#[test]
fn what_breaks_the_protocol_is_told_with_its_code() {
    let mut unmasked = frame(0x81, b"x");
    unmasked[1] &= 0x7f;
    let cases: &[(Vec<u8>, u16)] = &[
        (frame(0xc1, b"rsv"), 1002),
        (frame(0x83, b"reserved opcode"), 1002),
        (frame(0x8b, b"reserved control"), 1002),
        (frame(0x09, b"fragmented ping"), 1002),
        (frame(0x89, &[b'x'; 126]), 1002),
        (frame(0x80, b"nothing to continue"), 1002),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
        (frame(0x88, b"x"), 1002),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x81, &[b'x'; 101]), 1009),
        ([frame(0x01, &[b'x'; 100]), frame(0x80, b"y")].concat(), 1009),
        (vec![0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0], 1002),
        (unmasked, 1002),
    ];
    for (input, code) in cases {
        let result = decode(&mut Decoder::new(100, 50), input);
        assert_eq!(result.map_err(Violation::code), Err(*code), "{input:?}");
    }
}

#[test]
fn endless_empty_fragments_end() {
    let mut decoder = Decoder::new(100, 50);
    decode(&mut decoder, &frame(0x01, b"")).unwrap();
    assert_eq!(decode(&mut decoder, &frame(0x00, b"").repeat(49)), Ok(vec![]));
    assert_eq!(decode(&mut decoder, &frame(0x00, b"")), Err(Violation::TooManyFragments));
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in_wherever_the_stream_is_cut(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
        cuts in prop::collection::vec(1..50usize, 1..40),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|message| frame(0x82, message)).collect();
        let mut decoder = Decoder::new(1000, 50);
        let mut rest = stream.as_slice();
        let mut got = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            got.extend(decode(&mut decoder, chunk).unwrap());
            rest = tail;
        }
        let expected: Vec<_> =
            messages.into_iter().map(|message| Incoming::Message(Message::Binary(message.into()))).collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn garbage_never_panics(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&mut Decoder::new(100, 50), &input);
    }
}
