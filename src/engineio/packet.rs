//! Packets that clients send, and the polling bodies that carry them (engine.io-protocol v4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::frame::SEPARATOR;

/// What an application sends and receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, known to be UTF-8.
    Text(Utf8),
    /// Binary.
    Binary(Bytes),
}

impl Message {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.0.len(),
            Message::Binary(data) => data.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes that are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utf8(Bytes);

impl Utf8 {
    /// Checks the bytes.
    pub fn new(bytes: Bytes) -> Option<Utf8> {
        std::str::from_utf8(&bytes).is_ok().then_some(Utf8(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes, to take slices of.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    fn skip(&self, count: usize) -> Utf8 {
        Utf8(self.0.slice(count..))
    }
}

/// A packet that a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Close,
    Pong,
    Upgrade,
    /// `2probe`, the only ping a client sends in version 4.
    Probe,
    /// `2`, which only version 3 lets a client send.
    Ping,
    Message(Message),
}

/// What is not a packet, or not one that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Packet {
    /// Reads one packet of text. `b<base64>` is binary on either transport.
    pub(super) fn parse(text: Utf8) -> Result<Packet, Malformed> {
        match text.bytes().first() {
            Some(b'4') => Ok(Packet::Message(Message::Text(text.skip(1)))),
            Some(b'3') => Ok(Packet::Pong),
            Some(b'1') => Ok(Packet::Close),
            Some(b'5') => Ok(Packet::Upgrade),
            Some(b'2') if text.as_str() == "2probe" => Ok(Packet::Probe),
            Some(b'b') => {
                let data = STANDARD.decode(text.bytes().slice(1..)).map_err(|_| Malformed)?;
                Ok(Packet::Message(Message::Binary(data.into())))
            }
            _ => Err(Malformed),
        }
    }
}

/// Reads the packets of a POST's body.
pub(super) fn parse_payload(body: Bytes) -> impl Iterator<Item = Result<Packet, Malformed>> {
    let mut rest = Utf8::new(body);
    let malformed = rest.is_none();
    malformed.then_some(Err(Malformed)).into_iter().chain(std::iter::from_fn(move || {
        let text = rest.take()?;
        match memchr::memchr(SEPARATOR, text.bytes()) {
            Some(end) => {
                rest = Some(text.skip(end + 1));
                Some(Packet::parse(Utf8(text.bytes().slice(..end))))
            }
            None => Some(Packet::parse(text)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Message {
        Message::Text(Utf8(Bytes::from_static(text.as_bytes())))
    }

    fn payload(body: &'static [u8]) -> Vec<Result<Packet, Malformed>> {
        parse_payload(Bytes::from_static(body)).collect()
    }

    #[test]
    fn a_payload_is_its_packets() {
        assert_eq!(
            payload(b"4hello\x1ebAQIDBA==\x1e3\x1e1"),
            [
                Ok(Packet::Message(text("hello"))),
                Ok(Packet::Message(Message::Binary(Bytes::from_static(&[1, 2, 3, 4])))),
                Ok(Packet::Pong),
                Ok(Packet::Close),
            ]
        );
    }

    #[test]
    fn what_is_no_packet_is_malformed() {
        for body in [&b""[..], b"abc", b"2", b"0{}", b"6", b"b!!", b"7", b"\xff", b"\x1e", b"4a\x1e"] {
            let packets = payload(body);
            assert_eq!(packets.last(), Some(&Err(Malformed)), "{body:?}");
        }
    }
}
