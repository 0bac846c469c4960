//! A message on its way out: what of its body is encoded and not written yet.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName};
use http_body::Frame;
use tokio::io::AsyncWrite;

use super::field;

/// Data up to which it is copied behind what is written before it. More is written from where it lies.
const COPY: usize = 1024;

/// Encoded bytes that are gathered before they are written.
const GATHER: usize = 16 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// Behind the data of the chunk before it.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// How a body is told from what follows it.
#[derive(Debug)]
pub(crate) enum Coding {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks; these trailers may follow (RFC 9110 6.5.1).
    Chunked(Vec<HeaderName>),
    /// The connection ends with it.
    Close,
}

/// What is written next, besides what a body still holds.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Encoded bytes, and how many of them are gone.
    front: Vec<u8>,
    gone: usize,
    /// Data behind them, and a line end behind that.
    data: Bytes,
    tail: &'static [u8],
    coding: Coding,
    /// Whether the body is at its end.
    ended: bool,
}

impl Outbox {
    /// One that is empty and sends nothing. Encodes into the memory of `front`.
    pub(crate) fn new(mut front: Vec<u8>) -> Outbox {
        front.clear();
        Outbox { front, gone: 0, data: Bytes::new(), tail: &[], coding: Coding::Length(0), ended: true }
    }

    /// Where a head goes.
    pub(crate) fn front(&mut self) -> &mut Vec<u8> {
        &mut self.front
    }

    /// Takes the memory, for the next message.
    pub(crate) fn take_front(&mut self) -> Vec<u8> {
        self.gone = 0;
        std::mem::take(&mut self.front)
    }

    /// A body follows what was written so far; `ended` if it is none.
    pub(crate) fn begin(&mut self, coding: Coding, ended: bool) {
        (self.coding, self.ended) = (coding, ended);
    }

    /// Whether the whole body was encoded.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing but the connection's end tells that of the body.
    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self.coding, Coding::Close)
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.gone == self.front.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Whether it takes another frame now.
    pub(crate) fn has_room(&self) -> bool {
        self.data.is_empty() && self.tail.is_empty() && self.front.len() - self.gone < GATHER
    }

    /// Encodes a frame, for which there must be room.
    pub(crate) fn push(&mut self, frame: Frame<Bytes>) -> Result<(), &'static str> {
        match frame.into_data() {
            Ok(data) => self.push_data(data),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    self.finish(&trailers);
                }
                Ok(())
            }
        }
    }

    fn push_data(&mut self, data: Bytes) -> Result<(), &'static str> {
        if data.is_empty() {
            return Ok(());
        }
        if self.gone == self.front.len() {
            self.front.clear();
            self.gone = 0;
        }
        match &mut self.coding {
            Coding::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or("longer than it said")?
            }
            Coding::Chunked(_) => {
                let _ = write!(self.front, "{:X}\r\n", data.len());
                self.tail = LINE_END;
            }
            Coding::Close => (),
        }
        if data.len() <= COPY {
            self.front.extend_from_slice(&data);
            self.front.extend_from_slice(self.tail);
            self.tail = &[];
        } else {
            self.data = data;
        }
        Ok(())
    }

    /// The body is over.
    pub(crate) fn end(&mut self) -> Result<(), &'static str> {
        match &self.coding {
            Coding::Length(1..) => return Err("shorter than it said"),
            Coding::Length(0) | Coding::Close => self.ended = true,
            Coding::Chunked(_) => self.finish(&HeaderMap::new()),
        }
        Ok(())
    }

    /// Nothing more comes, though the body is not at its end.
    pub(crate) fn cut(&mut self) {
        self.ended = true;
    }

    /// Encodes the last chunk, and the trailers that the head announced.
    fn finish(&mut self, trailers: &HeaderMap) {
        let Coding::Chunked(announced) = &self.coding else { return };
        if self.ended {
            return;
        }
        self.ended = true;
        if !self.data.is_empty() {
            // Trailers only come where there is room.
            self.tail = LAST_CHUNK;
            return;
        }
        let front = &mut self.front;
        front.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.iter().filter(|(name, _)| announced.contains(name)) {
            field::write(name, value, front);
        }
        front.extend_from_slice(LINE_END);
    }

    /// Writes once.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let front = self.front.get(self.gone..).unwrap_or_default();
        let stream = Pin::new(stream);
        let written = if self.data.is_empty() && self.tail.is_empty() {
            ready!(stream.poll_write(cx, front))?
        } else {
            let slices = [IoSlice::new(front), IoSlice::new(&self.data), IoSlice::new(self.tail)];
            ready!(stream.poll_write_vectored(cx, &slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_front = written.min(self.front.len() - self.gone);
        self.gone += of_front;
        let of_data = (written - of_front).min(self.data.len());
        self.data.advance(of_data);
        self.tail = self.tail.get(written - of_front - of_data..).unwrap_or_default();
    }

    /// Forgets what waits.
    pub(crate) fn discard(&mut self) {
        self.gone = self.front.len();
        (self.data, self.tail) = (Bytes::new(), &[]);
    }
}
