//! The wire of Engine.IO protocol v3, as clients 1.x and 2.x speak it (engine.io-parser 2.x).
//!
//! A payload of text is `<length>:<packet>` one after another, the length in UTF-16 units. A
//! payload of bytes has for each packet `00` (text) or `01` (binary), the length's decimal digits
//! as raw bytes, `ff`, and the packet. A binary packet begins with the byte 4, in base64 with `b4`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

use super::dialect::Payload;
use super::frame::{Frame, OPCODE_BINARY, put_header};
use super::packet::{Malformed, Message, Packet, Utf8};

/// Begins a binary message: the packet type as a number.
const MESSAGE: u8 = 4;
/// Ends a length among bytes.
const DELIMITER: u8 = 0xff;
/// Digits a length may have: no payload is that long.
const MAX_DIGITS: usize = 10;

/// Reads one packet.
pub(super) fn packet(message: Message) -> Result<Packet, Malformed> {
    let text = match message {
        Message::Text(text) => text,
        Message::Binary(data) if data.first() == Some(&MESSAGE) => {
            return Ok(Packet::Message(Message::Binary(data.slice(1..))));
        }
        Message::Binary(_) => return Err(Malformed),
    };
    match text.bytes().as_ref() {
        b"2" => Ok(Packet::Ping),
        [b'b', b'4', data @ ..] => {
            let data = STANDARD.decode(data).map_err(|_| Malformed)?;
            Ok(Packet::Message(Message::Binary(data.into())))
        }
        // It is we who answer pings.
        [b'b' | b'3', ..] => Err(Malformed),
        _ => Packet::parse(text),
    }
}

/// The packets of a POST's body. The first one that is malformed is the last.
pub(super) enum Packets {
    /// A payload of text, known to be UTF-8.
    Text(Bytes),
    /// A payload of bytes.
    Binary(Bytes),
    /// No payload, and told so.
    Malformed,
    /// Nothing is left.
    Done,
}

impl Packets {
    pub(super) fn new(body: Bytes, binary: bool) -> Packets {
        match binary {
            _ if body.is_empty() => Packets::Malformed,
            true => Packets::Binary(body),
            false => Utf8::new(body).map_or(Packets::Malformed, |text| Packets::Text(text.bytes().clone())),
        }
    }

    fn take(&mut self) -> Result<Packet, Malformed> {
        match self {
            Packets::Text(rest) => take_text(rest),
            Packets::Binary(rest) => take_bytes(rest),
            Packets::Malformed | Packets::Done => Err(Malformed),
        }
    }
}

impl Iterator for Packets {
    type Item = Result<Packet, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Packets::Done => return None,
            Packets::Text(rest) | Packets::Binary(rest) if rest.is_empty() => return None,
            _ => {}
        }
        let taken = self.take();
        if taken.is_err() {
            *self = Packets::Done;
        }
        Some(taken)
    }
}

fn take_text(rest: &mut Bytes) -> Result<Packet, Malformed> {
    let digits = rest.iter().take(MAX_DIGITS + 1).position(|byte| *byte == b':').ok_or(Malformed)?;
    let units = number(rest.split_to(digits).iter().map(|byte| byte.wrapping_sub(b'0')))?;
    let text = rest.slice(1..);
    let end = utf16_end(&text, units).ok_or(Malformed)?;
    *rest = text.slice(end..);
    packet(Message::Text(Utf8::new(text.slice(..end)).ok_or(Malformed)?))
}

fn take_bytes(rest: &mut Bytes) -> Result<Packet, Malformed> {
    let kind = *rest.first().ok_or(Malformed)?;
    let mut after = rest.slice(1..);
    let digits = after.iter().take(MAX_DIGITS + 1).position(|byte| *byte == DELIMITER).ok_or(Malformed)?;
    let length = number(after.split_to(digits).iter().copied())?;
    let end = length.checked_add(1).filter(|end| *end <= after.len()).ok_or(Malformed)?;
    let data = after.slice(1..end);
    *rest = after.slice(end..);
    match kind {
        0 => packet(Message::Text(Utf8::new(data).ok_or(Malformed)?)),
        1 => packet(Message::Binary(data)),
        _ => Err(Malformed),
    }
}

/// The number of these decimal digits, of which there are not more than [`MAX_DIGITS`].
fn number(digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, Malformed> {
    if digits.len() == 0 {
        return Err(Malformed);
    }
    let mut number = 0_usize;
    for digit in digits {
        if digit > 9 {
            return Err(Malformed);
        }
        number = number.checked_mul(10).and_then(|n| n.checked_add(digit.into())).ok_or(Malformed)?;
    }
    Ok(number)
}

/// Where `units` UTF-16 units of a UTF-8 text end; `None` behind its end or within a character.
fn utf16_end(text: &[u8], units: usize) -> Option<usize> {
    let (mut end, mut left) = (0, units);
    while left > 0 {
        let (bytes, units) = match *text.get(end)? {
            0x00..=0x7f => (1, 1),
            0x80..=0xdf => (2, 1),
            0xe0..=0xef => (3, 1),
            0xf0..=0xff => (4, 2),
        };
        left = left.checked_sub(units)?;
        end += bytes;
    }
    Some(end)
}

/// The length of a UTF-8 text in UTF-16 units.
fn utf16_len(text: &[u8]) -> usize {
    let characters = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    characters + text.iter().filter(|byte| **byte >= 0xf0).count()
}

/// Writes the body of a GET's answer: bytes if one of the packets is binary and the client takes
/// that, else text.
pub(super) fn payload(frames: &[Frame], base64: bool) -> Payload {
    let binary = !base64 && frames.iter().any(Frame::is_binary);
    let write = if binary { put_bytes } else { put_text };
    let room = frames.iter().map(|frame| frame.polling_len() + MAX_DIGITS + 2).sum();
    let mut body = BytesMut::with_capacity(room);
    frames.iter().for_each(|frame| write(&mut body, frame));
    Payload { bytes: body.freeze(), binary }
}

fn put_text(body: &mut BytesMut, frame: &Frame) {
    let payload = frame.payload();
    if frame.is_binary() {
        let data = STANDARD.encode(payload);
        body.extend_from_slice(format!("{}:b4{data}", 2 + data.len()).as_bytes());
    } else {
        body.extend_from_slice(format!("{}:", utf16_len(payload)).as_bytes());
        body.extend_from_slice(payload);
    }
}

fn put_bytes(body: &mut BytesMut, frame: &Frame) {
    let (binary, payload) = (frame.is_binary(), frame.payload());
    body.put_u8(binary.into());
    let length = payload.len() + usize::from(binary);
    body.extend(length.to_string().bytes().map(|digit| digit - b'0'));
    body.put_u8(DELIMITER);
    if binary {
        body.put_u8(MESSAGE);
    }
    body.extend_from_slice(payload);
}

/// A binary frame for a WebSocket: a header of its own, and the shared data behind it.
pub(super) fn websocket(frame: &Frame, mut push: impl FnMut(Bytes)) {
    let mut head = BytesMut::with_capacity(11);
    put_header(&mut head, OPCODE_BINARY, 1 + frame.payload().len());
    head.put_u8(MESSAGE);
    push(head.freeze());
    push(frame.shared_payload());
}

#[cfg(test)]
mod tests;
