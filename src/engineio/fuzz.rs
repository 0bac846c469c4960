//! Readers of what clients send, for `crate::fuzz`.

use bytes::Bytes;

use super::legacy::Packets;
use super::packet::parse_payload;
use super::wire::{Decoder, Incoming, Violation};

/// The body of a POST: at most as many packets as it has separators, and one.
pub(crate) fn payload(bytes: &[u8]) {
    let packets = parse_payload(Bytes::copy_from_slice(bytes)).count();
    assert!(packets <= bytes.iter().filter(|byte| **byte == 0x1e).count() + 1);
}

/// The body of an Engine.IO 3 client's POST; the first byte says which of its two forms.
pub(crate) fn legacy_payload(bytes: &[u8]) {
    let Some((form, body)) = bytes.split_first() else { return };
    let packets: Vec<_> = Packets::new(Bytes::copy_from_slice(body), form % 2 == 0).collect();
    assert!(packets.len() <= body.len().max(1));
    let malformed = packets.iter().position(Result::is_err);
    assert!(malformed.is_none_or(|at| at + 1 == packets.len()), "read on behind what is malformed");
}

/// WebSocket frames: how the stream is cut does not matter.
pub(crate) fn frames(bytes: &[u8]) {
    let whole = read([bytes].into_iter());
    assert_eq!(whole, read(bytes.chunks(1)));
    assert_eq!(whole, read(bytes.chunks(7)));
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Incoming>, Option<Violation>) {
    let mut decoder = Decoder::new(1000, 20);
    let mut messages = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}
