//! A link's bytes: what came and is not read, what is to go and is not written.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::frame::{Frame, MAX_FRAME, Malformed};

/// Bytes read at once, when nothing is left of what came before.
const SPACE: usize = 128 * 1024;

/// Bytes whose room is kept when all is written.
const KEPT: usize = 256 * 1024;

/// A connection to another node.
pub(super) struct Wire {
    pub(super) tcp: TcpStream,
    space: Vec<u8>,
    /// Where what came and is not read begins and ends.
    unread: (usize, usize),
}

impl Wire {
    /// A connection of which `read` came already.
    pub(super) fn new(tcp: TcpStream, read: &[u8]) -> Wire {
        let mut space = read.to_vec();
        space.resize(SPACE.max(read.len() + MAX_FRAME), 0);
        Wire { tcp, space, unread: (0, read.len()) }
    }

    /// Takes every frame that comes; ends when no more can come.
    pub(super) fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(Frame<'_>) -> Result<(), Malformed>,
    ) -> Poll<io::Error> {
        loop {
            if let Err(Malformed) = self.take_all(&mut take) {
                return Poll::Ready(io::Error::new(ErrorKind::InvalidData, "no frame of a node"));
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => return Poll::Ready(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    fn take_all(
        &mut self,
        take: &mut impl FnMut(Frame<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let (start, end) = &mut self.unread;
        while let Some((frame, length)) = Frame::read(self.space.get(*start..*end).unwrap_or_default())? {
            take(frame)?;
            *start += length;
        }
        // What is left is less than a frame, which fits behind it once it is in front.
        self.space.copy_within(*start..*end, 0);
        (*start, *end) = (0, *end - *start);
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(self.space.get_mut(self.unread.1..).unwrap_or_default());
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.unread.1 += count;
        Poll::Ready(Ok(count))
    }
}

/// What is to be written: gathered by whoever has something to say, written by the link's task, which runs when
/// those have said it that run before.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// The link's task, while it has nothing to write.
    waker: Option<Waker>,
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn backlog(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Adds what `write` appends.
    pub(super) fn push<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        write(&mut self.bytes)
    }

    /// Writes what the connection takes; how much that was.
    pub(super) fn poll_write(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> io::Result<usize> {
        let before = self.written;
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match tcp.try_write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => match tcp.poll_write_ready(cx)? {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Ok(self.written - before),
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let count = self.written - before;
        (self.written, self.waker) = (0, Some(cx.waker().clone()));
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        Ok(count)
    }
}
