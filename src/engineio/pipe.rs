//! One WebSocket's bytes: reads into messages, writes finished frames.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::put_header;
use super::outlet::{Carrier, Duplex, Frames, Outlet, Written};
use super::wire::{Decoder, Incoming, OPCODE_CLOSE, OPCODE_PONG, Violation};

/// Bytes read at once.
const READ: usize = 16 * 1024;

/// Frames whose room an idle WebSocket keeps.
const KEEP: usize = 4;

thread_local! {
    /// Where all WebSockets of a thread read to: an idle connection holds no read buffer.
    static SPACE: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// One WebSocket.
pub(super) struct Pipe {
    /// What carries it, where that is not the outlet's plain socket.
    cover: Option<Box<dyn Duplex>>,
    outlet: Arc<Outlet>,
    decoder: Decoder,
    /// Bytes read and not yet decoded.
    unread: Bytes,
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
    pub(super) fn new(carrier: Carrier, max: usize, max_fragments: usize) -> Pipe {
        let decoder = Decoder::new(max, max_fragments);
        let (cover, outlet, unread) = match carrier {
            Carrier::Plain { tcp, read, guard } => (None, Outlet::plain(tcp, guard), read),
            Carrier::Covered { io, read } => (Some(io), Outlet::covered(), read),
        };
        Pipe { cover, outlet: Arc::new(outlet), decoder, unread, unflushed: false }
    }

    /// The writing half.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// Adds a finished frame, or a piece of one, to what is to be written.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.outlet.frames().push(frame);
    }

    fn push_control(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = BytesMut::with_capacity(2 + payload.len());
        put_header(&mut frame, opcode, payload.len());
        frame.put_slice(payload);
        self.push(frame.freeze());
    }

    /// Answers a ping, but not each of a flood whose sender does not take the answers (RFC 6455 5.5.3).
    fn pong(&mut self, payload: &[u8]) {
        if !self.outlet.frames().is_long() {
            self.push_control(OPCODE_PONG, payload);
        }
    }

    /// Writes what there is to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outlet = self.outlet.clone();
        self.poll_write_frames(cx, &mut outlet.frames())
    }

    /// The same, by whoever has the frames.
    pub(super) fn poll_write_frames(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Frames,
    ) -> Poll<io::Result<()>> {
        let Some(io) = self.cover.as_mut() else {
            while self.outlet.write(frames)? == Written::Blocked {
                if let Some(tcp) = self.outlet.tcp() {
                    ready!(tcp.poll_write_ready(cx))?;
                }
            }
            frames.shrink(KEEP);
            return Poll::Ready(Ok(()));
        };
        while !frames.is_empty() {
            let written = frames.write_with(|slices| {
                let polled = match slices {
                    [one] => Pin::new(&mut *io).poll_write(cx, one),
                    several => Pin::new(&mut *io).poll_write_vectored(cx, several),
                };
                match polled {
                    Poll::Ready(written) => written,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            });
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                written => written?,
            }
            self.unflushed = true;
        }
        frames.shrink(KEEP);
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the next message or pong. Pings are answered on the way (with the next write).
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Broken>> {
        loop {
            let mut input: &[u8] = &self.unread;
            let known = self.decoder.next(&mut input).map_err(Broken::Violation)?;
            let left = input.len();
            self.unread.advance(self.unread.len() - left);
            let incoming = match known {
                Some(incoming) => Some(incoming),
                None => ready!(self.poll_more(cx))?,
            };
            match incoming {
                Some(Incoming::Ping(payload)) => self.pong(&payload),
                Some(Incoming::Close) => return Poll::Ready(Err(Broken::Closed)),
                Some(incoming) => return Poll::Ready(Ok(incoming)),
                None => {}
            }
        }
    }

    /// Reads more, and decodes the first thing in it where it lies; what is behind that is kept.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Incoming>, Broken>> {
        SPACE.with_borrow_mut(|space| {
            let read = match (self.outlet.tcp(), self.cover.as_mut()) {
                (Some(tcp), _) => ready!(Outlet::poll_read(tcp, cx, space))?,
                (None, Some(io)) => {
                    let mut buffer = ReadBuf::new(space);
                    ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
                    buffer.filled().len()
                }
                (None, None) => 0,
            };
            let mut input = space.get(..read).unwrap_or_default();
            if input.is_empty() {
                return Poll::Ready(Err(Broken::Closed));
            }
            let incoming = self.decoder.next(&mut input).map_err(Broken::Violation)?;
            self.unread = Bytes::copy_from_slice(input);
            Poll::Ready(Ok(incoming))
        })
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
        match self.cover.as_mut() {
            Some(io) => poll_fn(|cx| Pin::new(&mut *io).poll_shutdown(cx)).await,
            None => self.outlet.shut_down(),
        }
    }

    /// Writes everything.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await
    }
}
