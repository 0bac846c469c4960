//! One WebSocket's bytes: reads into messages, writes finished frames.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::put_header;
use super::wire::{Decoder, Incoming, OPCODE_CLOSE, OPCODE_PONG, Violation};

/// Bytes read at once, on the stack: an idle connection holds no read buffer.
const READ: usize = 8 * 1024;
/// Frames that one write may gather.
const GATHER: usize = 64;

/// One WebSocket.
pub(super) struct Pipe {
    io: TokioIo<Upgraded>,
    decoder: Decoder,
    /// Bytes read and not yet decoded.
    unread: Bytes,
    out: VecDeque<Bytes>,
    /// Whether something was written since the last flush.
    unflushed: bool,
}

/// Why a pipe ended.
#[derive(Debug)]
pub(super) enum Broken {
    /// The peer closed it, in good order or not.
    Closed,
    /// Reading or writing failed.
    Io,
    /// The peer broke the protocol.
    Violation(Violation),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::Io
    }
}

impl Pipe {
    /// Refuses messages of more than `max` bytes or `max_fragments` fragments.
    pub(super) fn new(upgraded: Upgraded, max: usize, max_fragments: usize) -> Pipe {
        let (io, decoder) = (TokioIo::new(upgraded), Decoder::new(max, max_fragments));
        Pipe { io, decoder, unread: Bytes::new(), out: VecDeque::new(), unflushed: false }
    }

    /// Whether everything was written.
    pub(super) fn is_drained(&self) -> bool {
        self.out.is_empty()
    }

    /// Adds a finished frame, or a piece of one, to what is to be written.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.out.push_back(frame);
    }

    fn push_control(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = BytesMut::with_capacity(2 + payload.len());
        put_header(&mut frame, opcode, payload.len());
        frame.put_slice(payload);
        self.out.push_back(frame.freeze());
    }

    /// Writes what there is to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(front) = self.out.front() {
            let written = if self.out.len() == 1 {
                ready!(Pin::new(&mut self.io).poll_write(cx, front))?
            } else {
                ready!(self.poll_gather(cx))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.consume(written);
        }
        if self.out.capacity() > GATHER {
            self.out = VecDeque::new();
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); GATHER];
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.out) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
    }

    fn consume(&mut self, mut written: usize) {
        while let Some(front) = self.out.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.out.pop_front();
        }
    }

    /// Reads the next message or pong. Pings are answered on the way (with the next write).
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Broken>> {
        loop {
            let mut input: &[u8] = &self.unread;
            let incoming = self.decoder.next(&mut input).map_err(Broken::Violation)?;
            let left = input.len();
            self.unread.advance(self.unread.len() - left);
            match incoming {
                Some(Incoming::Ping(payload)) => self.push_control(OPCODE_PONG, &payload),
                Some(Incoming::Close) => return Poll::Ready(Err(Broken::Closed)),
                Some(incoming) => return Poll::Ready(Ok(incoming)),
                None => {
                    self.unread = Bytes::new();
                    ready!(self.poll_fill(cx))?;
                }
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(Broken::Closed));
        }
        self.unread = Bytes::copy_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Reads the next message or pong, writing answers to pings meanwhile.
    pub(super) async fn read(&mut self) -> Result<Incoming, Broken> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                return Poll::Ready(Err(error.into()));
            }
            let incoming = self.poll_read(cx);
            if incoming.is_pending()
                && let Poll::Ready(Err(error)) = self.poll_write(cx)
            {
                return Poll::Ready(Err(error.into()));
            }
            incoming
        })
        .await
    }

    /// Writes everything, a close frame behind it, and closes.
    pub(super) async fn finish(mut self, violation: Option<Violation>) -> io::Result<()> {
        match violation {
            Some(violation) => self.push_control(OPCODE_CLOSE, &violation.code().to_be_bytes()),
            None => self.push_control(OPCODE_CLOSE, &[]),
        }
        poll_fn(|cx| self.poll_write(cx)).await?;
        poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await
    }

    /// Writes everything.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await
    }
}
