//! HTTP/2 frame by frame, as a test wants it said.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::io::{Read, Write};
use std::net::TcpStream;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// What a client begins with (RFC 9113 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
pub const INITIAL_WINDOW: u16 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn is_end(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

pub struct Frames(pub TcpStream);

impl Frames {
    /// Speaks HTTP/2 from the begin, with these settings.
    pub fn connect(address: &str, settings: &[(u16, u32)]) -> Frames {
        let mut stream = super::support::http::connect(address);
        stream.write_all(PREFACE).expect("written");
        let mut frames = Frames(stream);
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(key, value)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        frames.send(SETTINGS, 0, 0, &payload);
        frames
    }

    /// Answers a client that speaks HTTP/2 from the begin.
    pub fn accept(mut stream: TcpStream) -> Frames {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).expect("a preface");
        assert_eq!(&preface, PREFACE);
        let mut frames = Frames(stream);
        // Room for all of a body that tests send: nobody opens the windows later.
        let window = (1_u32 << 20).to_be_bytes();
        frames.send(SETTINGS, 0, 0, &[&INITIAL_WINDOW.to_be_bytes()[..], &window].concat());
        frames.send(WINDOW_UPDATE, 0, 0, &window);
        frames
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // The other side may have closed already; what it said is what a test looks at.
        let _ = self.0.write_all(&frame(kind, flags, stream, payload));
    }

    /// A request on the first stream, in one write: its body is there when its head is looked at.
    pub fn whole(&mut self, head: &[u8], body: &[u8]) {
        let (head, body) = (frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, body));
        let _ = self.0.write_all(&[head, body].concat());
    }

    /// A GET of `path` on a stream.
    pub fn get(&mut self, stream: u32, path: &str) {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &head(path, &[]));
    }

    /// The next frame; settings and pings are answered on the way. None at the end.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            match (frame.kind, frame.flags) {
                (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]),
                (PING, 0) => self.send(PING, ACK, 0, &frame.payload),
                (SETTINGS, _) => (),
                _ => return Some(frame),
            }
        }
    }

    /// The first frame for which it holds; none at the end.
    pub fn find(&mut self, holds: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if holds(&frame) {
                return Some(frame);
            }
        }
    }

    /// Waits until everything sent so far was read; false at the end.
    pub fn ping(&mut self) -> bool {
        self.send(PING, 0, 0, b"12345678");
        self.find(|frame| frame.kind == PING && frame.flags == ACK).is_some()
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A GET's head, with more fields.
pub fn head(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "gateway.test"), (":path", path)];
    fields.iter().chain(more).flat_map(|(name, value)| field(name, value)).collect()
}

/// A field as HPACK writes it without any table (RFC 7541 6.2.2).
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = Vec::new();
        match text.len() {
            length @ 0..127 => bytes.push(length as u8),
            mut length => {
                bytes.push(127);
                length -= 127;
                while length >= 128 {
                    bytes.push((length % 128) as u8 | 128);
                    length /= 128;
                }
                bytes.push(length as u8);
            }
        }
        bytes.extend(text.bytes());
        bytes
    };
    [vec![0], text(name), text(value)].concat()
}
