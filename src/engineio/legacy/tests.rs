//! The framing of version 3: known bytes, what is none of it, and round trips with a reader of its own.

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Packet {
    Packet::Message(Message::Text(Utf8::new(text.to_owned().into()).unwrap()))
}

fn binary(data: &[u8]) -> Packet {
    Packet::Message(Message::Binary(data.to_vec().into()))
}

fn read(body: &[u8], binary: bool) -> Vec<Result<Packet, Malformed>> {
    Packets::new(body.to_vec().into(), binary).collect()
}

const BYTES: [u8; 17] = [0, 6, 0xff, b'4', b'h', b'e', b'l', b'l', b'o', 1, 5, 0xff, 4, 1, 2, 3, 4];

#[test]
fn payloads_of_text_are_read() {
    let cases: [(&str, Vec<Packet>); 8] = [
        ("6:4hello", vec![text("hello")]),
        ("6:4hello10:b4AQIDBA==", vec![text("hello"), binary(&[1, 2, 3, 4])]),
        ("1:21:11:5", vec![Packet::Ping, Packet::Close, Packet::Upgrade]),
        ("6:2probe", vec![Packet::Probe]),
        ("1:4", vec![text("")]),
        ("2:b4", vec![binary(b"")]),
        ("4:4é😀02:4:", vec![text("é😀"), text(":")]),
        ("0000000006:4hello", vec![text("hello")]),
    ];
    for (body, packets) in cases {
        assert_eq!(read(body.as_bytes(), false), packets.into_iter().map(Ok).collect::<Vec<_>>(), "{body}");
    }
}

#[test]
fn payloads_of_bytes_are_read() {
    assert_eq!(read(&BYTES, true), [Ok(text("hello")), Ok(binary(&[1, 2, 3, 4]))]);
    let characters = ["\0\x07", "\u{e9}\u{1f600}"].concat().into_bytes();
    let characters = [&characters[..2], &[0xff, b'4'], &characters[2..]].concat();
    assert_eq!(read(&characters, true), [Ok(text("é😀"))]);
    assert_eq!(read(b"\0\x01\x00\xffb4AQIDBA==", true), [Ok(binary(&[1, 2, 3, 4]))]);
    assert_eq!(read(b"\0\x01\xff2", true), [Ok(Packet::Ping)]);
    assert_eq!(read(b"\x01\x01\xff\x04", true), [Ok(binary(b""))]);
}

#[test]
fn what_is_no_payload_is_malformed_and_the_end() {
    let texts: [&[u8]; 22] = [
        b"",
        b"abc",
        b"4hello",
        b"6",
        b"6:",
        b":4",
        b"6:4hell",
        b"5:4hello",
        b"0:",
        b"-1:4",
        b"1e0:4",
        b"+1:4",
        b" 1:4",
        b"00000000001:4",
        b"99999999999999999999:4",
        b"1:3",
        b"1:b",
        b"6:bAQID",
        b"4:b4!!",
        b"1:6",
        b"2:22",
        b"\xff\xfe",
    ];
    for body in texts {
        let packets = read(body, false);
        assert_eq!(packets.last(), Some(&Err(Malformed)), "{}", String::from_utf8_lossy(body));
        assert!(packets.len() <= 2);
    }
    // Two units of one character are one character; half of it is nothing.
    assert_eq!(read("2:4😀".as_bytes(), false), [Err(Malformed)]);
    let binaries: [&[u8]; 12] = [
        b"",
        b"6:4hello",
        b"\0",
        b"\0\xff",
        b"\0\x01",
        b"\0\x06\xff4hell",
        b"\x02\x01\xff4",
        b"\0\x0a\xff4",
        b"\0\0\0\0\0\0\0\0\0\0\0\x01\xff4",
        b"\0\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
        b"\x01\x01\xff\x03",
        b"\0\x02\xff4\xff",
    ];
    for body in binaries {
        assert_eq!(read(body, true), [Err(Malformed)], "{body:?}");
    }
}

#[test]
fn messages_of_a_websocket_are_read() {
    let message = |data: &[u8]| Message::Binary(data.to_vec().into());
    assert_eq!(packet(message(&[4, 1, 2])), Ok(binary(&[1, 2])));
    for data in [&b""[..], b"\x00", b"\x02", b"4a"] {
        assert_eq!(packet(message(data)), Err(Malformed));
    }
}

#[test]
fn a_payload_is_bytes_only_where_it_must_be() {
    let (hello, data) = (Frame::text(&["hello"]), Frame::binary(&[1, 2, 3, 4]));
    let text = |bytes: &'static [u8]| Payload { bytes: bytes.into(), binary: false };
    assert_eq!(payload(&[hello.clone(), Frame::text(&["é😀"])], false), text("6:4hello4:4é😀".as_bytes()));
    assert_eq!(payload(&[hello.clone(), data.clone()], true), text(b"6:4hello10:b4AQIDBA=="));
    assert_eq!(payload(&[Frame::packet("6"), Frame::packet("1")], false), text(b"1:61:1"));
    assert_eq!(payload(&[hello, data], false), Payload { bytes: BYTES.to_vec().into(), binary: true });
}

#[test]
fn a_websockets_binary_shares_its_data() {
    let frame = Frame::binary(&[7; 200]);
    let mut pieces = Vec::new();
    websocket(&frame, |bytes| pieces.push(bytes));
    assert_eq!(pieces[0].as_ref(), [0x82, 126, 0, 201, 4]);
    assert_eq!(pieces[1].as_ptr(), frame.payload().as_ptr());
    assert_eq!(pieces[1].len(), 200);
}

/// Reads a payload as engine.io-parser 2.x does, in JavaScript's units.
fn reference(payload: &Payload) -> Vec<(bool, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = payload.bytes.to_vec();
    if !payload.binary {
        let mut units: Vec<u16> = String::from_utf8(rest).unwrap().encode_utf16().collect();
        while !units.is_empty() {
            let colon = units.iter().position(|unit| *unit == u16::from(b':')).unwrap();
            let length: usize = String::from_utf16(&units[..colon]).unwrap().parse().unwrap();
            let packet = String::from_utf16(&units[colon + 1..][..length]).unwrap();
            units.drain(..colon + 1 + length);
            found.push(match packet.strip_prefix("b4") {
                Some(data) => (true, STANDARD.decode(data).unwrap()),
                None => (false, packet.strip_prefix('4').unwrap().to_owned().into_bytes()),
            });
        }
        return found;
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 255).unwrap();
        let length = rest[1..end].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
        let packet = &rest[end + 1..][..length];
        assert_eq!(packet[0], if rest[0] == 1 { 4 } else { b'4' });
        found.push((rest[0] == 1, packet[1..].to_vec()));
        rest.drain(..end + 1 + length);
    }
    found
}

fn messages() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let text =
        proptest::string::string_regex("(?s).{0,40}").unwrap().prop_map(|text| (false, text.into_bytes()));
    let data = proptest::collection::vec(any::<u8>(), 0..40).prop_map(|data| (true, data));
    proptest::collection::vec(prop_oneof![text, data], 1..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read(messages in messages(), base64: bool) {
        let frames: Vec<_> = messages.iter().map(|(binary, data)| match binary {
            true => Frame::binary(data),
            false => Frame::text(&[std::str::from_utf8(data).unwrap()]),
        }).collect();
        let payload = payload(&frames, base64);
        prop_assert_eq!(&reference(&payload), &messages);
        let read = read(&payload.bytes, payload.binary);
        let packets: Vec<_> = messages.iter().map(|(binary, data)| Ok(match binary {
            true => super::tests::binary(data),
            false => text(std::str::from_utf8(data).unwrap()),
        })).collect();
        prop_assert_eq!(read, packets);
    }

    #[test]
    fn no_bytes_are_too_bad(body in proptest::collection::vec(any::<u8>(), 0..60), binary: bool) {
        let packets = read(&body, binary);
        let (_, before) = packets.split_last().unwrap_or((&Err(Malformed), &[]));
        prop_assert!(before.iter().all(Result::is_ok));
    }

    #[test]
    fn no_lengths_are_too_bad(body in "([0-9:b4é😀]|:4|1:2){0,30}") {
        let _ = read(body.as_bytes(), false);
        let bytes: Vec<u8> = body.bytes().map(|byte| if byte == b':' { 255 } else { byte - b'0'.min(byte) }).collect();
        let _ = read(&bytes, true);
    }
}
