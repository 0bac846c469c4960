//! Reading WebSocket frames from a client (RFC 6455 5): fragments joined, control frames told apart.

use bytes::{Bytes, BytesMut};

use super::frame::{OPCODE_BINARY, OPCODE_TEXT};
use super::packet::{Message, Utf8};

const OPCODE_CONTINUATION: u8 = 0x0;
pub(super) const OPCODE_CLOSE: u8 = 0x8;
const OPCODE_PING: u8 = 0x9;
pub(super) const OPCODE_PONG: u8 = 0xA;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close,
}

/// Why a client's WebSocket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Violation {
    Protocol,
    NotUtf8,
    TooBig,
    /// An endless stream of empty fragments must end somewhere.
    TooManyFragments,
}

impl Violation {
    /// The close frame's status code (RFC 6455 7.4.1).
    pub(super) fn code(self) -> u16 {
        match self {
            Violation::Protocol => 1002,
            Violation::NotUtf8 => 1007,
            Violation::TooBig => 1009,
            Violation::TooManyFragments => 1008,
        }
    }

    /// The config key of the bound that was passed.
    pub(super) fn bound(self) -> Option<&'static str> {
        match self {
            Violation::TooBig => Some("socketio.max_payload"),
            Violation::TooManyFragments => Some("socketio.max_fragments"),
            Violation::Protocol | Violation::NotUtf8 => None,
        }
    }
}

/// Turns bytes into messages. Holds no memory between messages that came whole.
#[derive(Debug)]
pub(super) struct Decoder {
    buffer: BytesMut,
    fragments: Option<Fragments>,
    max: usize,
    max_fragments: usize,
}

#[derive(Debug)]
struct Fragments {
    opcode: u8,
    data: BytesMut,
    count: usize,
}

struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    length: usize,
}

impl Decoder {
    /// Refuses messages of more than `max` bytes or `max_fragments` fragments.
    pub(super) fn new(max: usize, max_fragments: usize) -> Decoder {
        Decoder { buffer: BytesMut::new(), fragments: None, max, max_fragments }
    }

    /// Reads the next thing from what was kept and `input`, which is advanced. `None`: more is needed,
    /// and all of `input` was taken.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Violation> {
        loop {
            if !self.buffer.is_empty() {
                self.buffer.extend_from_slice(std::mem::take(input));
            }
            let source = if self.buffer.is_empty() { *input } else { &self.buffer };
            let Some(header) = parse_header(source, self.max)? else {
                return Ok(self.keep(input));
            };
            let end = header.start + header.length;
            let Some(payload) = source.get(header.start..end) else {
                if self.buffer.is_empty() {
                    self.buffer.reserve(end);
                }
                return Ok(self.keep(input));
            };
            let payload = unmask(payload, header.mask);
            if self.buffer.is_empty() {
                *input = input.get(end..).unwrap_or_default();
            } else if self.buffer.len() == end {
                self.buffer = BytesMut::new();
            } else {
                let _ = self.buffer.split_to(end);
            }
            if let Some(incoming) = self.accept(&header, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn keep(&mut self, input: &mut &[u8]) -> Option<Incoming> {
        self.buffer.extend_from_slice(std::mem::take(input));
        None
    }

    fn accept(&mut self, header: &Header, payload: BytesMut) -> Result<Option<Incoming>, Violation> {
        match header.opcode {
            OPCODE_PING => Ok(Some(Incoming::Ping(payload.freeze()))),
            OPCODE_PONG => Ok(Some(Incoming::Pong)),
            OPCODE_CLOSE => check_close(&payload).map(|()| Some(Incoming::Close)),
            OPCODE_CONTINUATION => self.continuation(header, &payload),
            OPCODE_TEXT | OPCODE_BINARY if self.fragments.is_none() => {
                if header.fin {
                    return message(header.opcode, payload.freeze()).map(Some);
                }
                self.fragments = Some(Fragments { opcode: header.opcode, data: payload, count: 1 });
                Ok(None)
            }
            _ => Err(Violation::Protocol),
        }
    }

    fn continuation(&mut self, header: &Header, payload: &[u8]) -> Result<Option<Incoming>, Violation> {
        let fragments = self.fragments.as_mut().ok_or(Violation::Protocol)?;
        fragments.count += 1;
        if fragments.data.len() + payload.len() > self.max {
            return Err(Violation::TooBig);
        }
        if fragments.count > self.max_fragments {
            return Err(Violation::TooManyFragments);
        }
        fragments.data.extend_from_slice(payload);
        match self.fragments.take_if(|_| header.fin) {
            Some(whole) => message(whole.opcode, whole.data.freeze()).map(Some),
            None => Ok(None),
        }
    }
}

fn message(opcode: u8, data: Bytes) -> Result<Incoming, Violation> {
    if opcode == OPCODE_BINARY {
        return Ok(Incoming::Message(Message::Binary(data)));
    }
    Utf8::new(data).map(|text| Incoming::Message(Message::Text(text))).ok_or(Violation::NotUtf8)
}

fn parse_header(source: &[u8], max: usize) -> Result<Option<Header>, Violation> {
    let &[first, second, ref rest @ ..] = source else { return Ok(None) };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    let control = opcode >= OPCODE_CLOSE;
    let reserved = first & 0x70 != 0 || opcode > OPCODE_PONG || (opcode > OPCODE_BINARY && !control);
    let short = usize::from(second & 0x7f);
    if reserved || second & 0x80 == 0 || (control && (!fin || short > 125)) {
        return Err(Violation::Protocol);
    }
    let (length, rest, start) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), rest, 8),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((bytes, rest)) => (u64::from_be_bytes(*bytes), rest, 14),
            None => return Ok(None),
        },
        short => (short as u64, rest, 6),
    };
    if length > i64::MAX as u64 {
        return Err(Violation::Protocol);
    }
    // Told before the payload comes, so that it is never gathered.
    let length =
        usize::try_from(length).ok().filter(|length| *length <= max || control).ok_or(Violation::TooBig)?;
    let Some((mask, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    Ok(Some(Header { fin, opcode, mask: *mask, start, length }))
}

fn unmask(payload: &[u8], mask: [u8; 4]) -> BytesMut {
    let mut data = BytesMut::from(payload);
    let mut chunks = data.chunks_exact_mut(4);
    for chunk in &mut chunks {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
    data
}

/// A close frame's payload: nothing, or a code that may be sent (RFC 6455 7.4) and a reason in UTF-8.
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(()) } else { Err(Violation::Protocol) };
    };
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::Protocol),
    }
    std::str::from_utf8(reason).map(|_| ()).map_err(|_| Violation::NotUtf8)
}

// By its path, so that examples/websocket_echo.rs can include this file.
#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
