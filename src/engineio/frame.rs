//! Outgoing messages: encoded once, shared by every client they go to, whatever its transport.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

/// Joins the packets of a polling body (engine.io-protocol v4, "Payload").
pub(super) const SEPARATOR: u8 = 0x1e;

/// One Engine.IO packet, ready for either transport. It holds the finished WebSocket frame
/// (RFC 6455 5.2, unmasked), whose tail is the text that polling wants: a broadcast is written
/// once and only counted up for each client.
#[derive(Debug, Clone)]
pub struct Frame {
    bytes: Bytes,
    header: u8,
    binary: bool,
}

impl Frame {
    /// A message of text: packet type `4`, then the parts one after another.
    pub fn text(parts: &[&str]) -> Frame {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut buffer = BytesMut::with_capacity(length + MAX_HEADER);
        let header = put_header(&mut buffer, OPCODE_TEXT, length);
        buffer.put_u8(b'4');
        for part in parts {
            buffer.extend_from_slice(part.as_bytes());
        }
        Frame { bytes: buffer.freeze(), header, binary: false }
    }

    /// A binary message.
    pub fn binary(data: &[u8]) -> Frame {
        let mut buffer = BytesMut::with_capacity(data.len() + MAX_HEADER);
        let header = put_header(&mut buffer, OPCODE_BINARY, data.len());
        buffer.extend_from_slice(data);
        Frame { bytes: buffer.freeze(), header, binary: true }
    }

    /// A packet that is no message: `2`, `6`, `0{..}`.
    pub(super) fn packet(text: &str) -> Frame {
        let mut buffer = BytesMut::with_capacity(text.len() + MAX_HEADER);
        let header = put_header(&mut buffer, OPCODE_TEXT, text.len());
        buffer.extend_from_slice(text.as_bytes());
        Frame { bytes: buffer.freeze(), header, binary: false }
    }

    /// Bytes it takes in a queue.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a packet has a type.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The finished WebSocket frame.
    pub(super) fn websocket(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Whether it is a binary message.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// What is in the WebSocket frame: the packet's text, or a binary message's data.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(usize::from(self.header)..).unwrap_or_default()
    }

    /// The same, sharing its memory.
    pub(super) fn shared_payload(&self) -> Bytes {
        self.bytes.slice_ref(self.payload())
    }

    /// Appends the packet to a polling body.
    pub(super) fn polling(&self, body: &mut BytesMut) {
        if !body.is_empty() {
            body.put_u8(SEPARATOR);
        }
        let payload = self.payload();
        if self.binary {
            body.put_u8(b'b');
            body.extend_from_slice(STANDARD.encode(payload).as_bytes());
        } else {
            body.extend_from_slice(payload);
        }
    }

    /// What [`polling`](Self::polling) would append, in bytes.
    pub(super) fn polling_len(&self) -> usize {
        let payload = self.payload().len();
        1 + if self.binary { 1 + payload.div_ceil(3) * 4 } else { payload }
    }
}

/// A WebSocket text frame's opcode.
pub(super) const OPCODE_TEXT: u8 = 0x1;
/// A WebSocket binary frame's opcode.
pub(super) const OPCODE_BINARY: u8 = 0x2;
/// The longest header of an unmasked frame.
const MAX_HEADER: usize = 10;

/// Writes the header of a final, unmasked frame; answers its length.
pub(super) fn put_header(buffer: &mut BytesMut, opcode: u8, length: usize) -> u8 {
    buffer.put_u8(0x80 | opcode);
    if length < 126 {
        buffer.put_u8(length as u8);
        2
    } else if let Ok(length) = u16::try_from(length) {
        buffer.put_u8(126);
        buffer.put_u16(length);
        4
    } else {
        buffer.put_u8(127);
        buffer.put_u64(length as u64);
        10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_serves_both_transports() {
        let frame = Frame::text(&["2", "[\"hi\"]"]);
        assert_eq!(frame.websocket().as_ref(), b"\x81\x0842[\"hi\"]");
        let mut body = BytesMut::new();
        frame.polling(&mut body);
        Frame::binary(&[1, 2, 3, 4]).polling(&mut body);
        assert_eq!(body.as_ref(), b"42[\"hi\"]\x1ebAQIDBA==");
    }

    #[test]
    fn lengths_take_the_shortest_header() {
        for (length, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::binary(&vec![0; length]);
            assert_eq!((frame.header, frame.len()), (header, length + usize::from(header)));
            let mut body = BytesMut::new();
            frame.polling(&mut body);
            assert_eq!(body.len() + 1, frame.polling_len());
        }
    }
}
