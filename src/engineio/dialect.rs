//! How a session's packets are written and read: by its protocol version, and by whether its
//! client takes binary.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

use super::frame::Frame;
use super::legacy;
use super::packet::{Malformed, Message, Packet, parse_payload};
use super::queue::Parcel;
use super::session::Session;

/// A version of the Engine.IO protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Version 3: Socket.IO clients 1.x and 2.x.
    V3,
    /// Version 4: Socket.IO clients from 3.x on.
    V4,
}

/// How a session's packets are written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) protocol: Protocol,
    /// Whether the client asked for text only: binary goes out as base64.
    pub(super) base64: bool,
}

/// What a GET is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) binary: bool,
}

impl Dialect {
    /// Reads a message of a WebSocket.
    pub(super) fn packet(self, message: Message) -> Result<Packet, Malformed> {
        match (self.protocol, message) {
            (Protocol::V4, Message::Text(text)) => Packet::parse(text),
            (Protocol::V4, binary) => Ok(Packet::Message(binary)),
            (Protocol::V3, message) => legacy::packet(message),
        }
    }

    /// Reads the body of a POST; `binary` by its content type, which version 4 does not know.
    pub(super) fn packets(
        self,
        body: Bytes,
        binary: bool,
    ) -> Box<dyn Iterator<Item = Result<Packet, Malformed>>> {
        match self.protocol {
            Protocol::V4 if binary => Box::new(std::iter::once(Err(Malformed))),
            Protocol::V4 => Box::new(parse_payload(body)),
            Protocol::V3 => Box::new(legacy::Packets::new(body, binary)),
        }
    }

    /// Writes the body of a GET's answer.
    pub(super) fn payload(self, frames: &[Frame]) -> Payload {
        match self.protocol {
            Protocol::V4 => {
                let mut body = BytesMut::with_capacity(frames.iter().map(Frame::polling_len).sum());
                frames.iter().for_each(|frame| frame.polling(&mut body));
                Payload { bytes: body.freeze(), binary: false }
            }
            Protocol::V3 => legacy::payload(frames, self.base64),
        }
    }

    /// Writes a frame for a WebSocket, in one piece or several. What all sessions want alike is
    /// shared and not copied.
    pub(super) fn websocket(self, frame: Frame, mut push: impl FnMut(Bytes)) {
        match (frame.is_binary(), self.base64, self.protocol) {
            (false, ..) | (true, false, Protocol::V4) => push(frame.websocket()),
            (true, true, Protocol::V4) => push(in_base64("b", &frame)),
            (true, true, Protocol::V3) => push(in_base64("b4", &frame)),
            (true, false, Protocol::V3) => legacy::websocket(&frame, push),
        }
    }
}

impl Session {
    /// The protocol version its client speaks.
    pub fn protocol(&self) -> Protocol {
        self.dialect.protocol
    }

    /// Answers a ping.
    pub(super) fn ping(self: &Arc<Self>) {
        self.send(&Parcel::new(Frame::packet("3"), false));
    }
}

fn in_base64(prefix: &str, frame: &Frame) -> Bytes {
    Frame::packet(&format!("{prefix}{}", STANDARD.encode(frame.payload()))).websocket()
}
