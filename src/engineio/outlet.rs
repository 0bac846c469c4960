//! The writing half of a WebSocket: frames on their way out, and the socket itself where that is
//! plain TCP, so that a [`Flusher`](super::flusher::Flusher) can write as well as the session's task.

use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Frames that one write may gather.
const GATHER: usize = 64;

/// An upgraded connection.
pub enum Carrier {
    /// Its bytes go over TCP as they are.
    Plain {
        /// Its socket.
        tcp: TcpStream,
        /// What was read from it already.
        read: Bytes,
        /// Kept as long as the connection is open.
        guard: Box<dyn Any + Send + Sync>,
    },
    /// Something lies between, as TLS does.
    Covered {
        /// What lies between.
        io: Box<dyn Duplex>,
        /// What was read from it already.
        read: Bytes,
    },
}

impl Carrier {
    /// One that something lies between.
    pub fn covered(io: impl Duplex + 'static, read: Bytes) -> Carrier {
        Carrier::Covered { io: Box::new(io), read }
    }
}

/// Reads and writes bytes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The writing half of a WebSocket.
pub(super) struct Outlet {
    tcp: Option<(TcpStream, Box<dyn Any + Send + Sync>)>,
    frames: Mutex<Frames>,
}

/// Finished frames, or pieces of them, that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Frames(VecDeque<Bytes>);

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Everything is on its way.
    All,
    /// The peer takes no more for now.
    Blocked,
}

impl Outlet {
    /// Of a plain socket.
    pub(super) fn plain(tcp: TcpStream, guard: Box<dyn Any + Send + Sync>) -> Outlet {
        Outlet { tcp: Some((tcp, guard)), frames: Mutex::default() }
    }

    /// Of a connection that only its reader can write to.
    pub(super) fn covered() -> Outlet {
        Outlet { tcp: None, frames: Mutex::default() }
    }

    /// The plain socket, which others than the reader can write to.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        self.tcp.as_ref().map(|(tcp, _)| tcp)
    }

    /// What is to be written. Locked before the session's state, never after it.
    pub(super) fn frames(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless somebody else is writing.
    pub(super) fn try_frames(&self) -> Option<MutexGuard<'_, Frames>> {
        match self.frames.try_lock() {
            Ok(frames) => Some(frames),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Writes to the plain socket what it takes now.
    pub(super) fn write(&self, frames: &mut Frames) -> io::Result<Written> {
        let Some(tcp) = self.tcp() else { return Ok(Written::Blocked) };
        while !frames.is_empty() {
            let written = frames.write_with(|slices| match slices {
                [one] => tcp.try_write(one),
                several => tcp.try_write_vectored(several),
            });
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Written::All)
    }

    /// Reads from the plain socket. A read that does not fill the buffer has taken all there was, so
    /// that the next one waits for news and need not be tried.
    pub(super) fn poll_read(
        tcp: &TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(tcp.poll_read_ready(cx))?;
            let mut count = None;
            let tried = tcp.try_io(Interest::READABLE, || {
                let read = (&*SockRef::from(tcp)).read(buffer)?;
                count = Some(read);
                if read == buffer.len() { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
            });
            match (count, tried) {
                (Some(count), _) => return Poll::Ready(Ok(count)),
                (None, Err(error)) if !is_passing(&error) => return Poll::Ready(Err(error)),
                (None, _) => {}
            }
        }
    }

    /// Writes no more to the plain socket.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        self.tcp().map_or(Ok(()), |tcp| SockRef::from(tcp).shutdown(Shutdown::Write))
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Frames {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, frame: Bytes) {
        self.0.push_back(frame);
    }

    /// Whether so many wait that a peer that asks for more gets no more.
    pub(super) fn is_long(&self) -> bool {
        self.0.len() > GATHER
    }

    /// Writes once, and forgets what was written. `write` gets a slice alone, or several to gather.
    pub(super) fn write_with(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let written = match self.0.front() {
            None => return Ok(()),
            Some(front) if self.0.len() == 1 => write(&[IoSlice::new(front)])?,
            Some(_) => {
                let mut slices = [IoSlice::new(&[]); GATHER];
                let mut count = 0;
                for (slice, bytes) in slices.iter_mut().zip(&self.0) {
                    *slice = IoSlice::new(bytes);
                    count += 1;
                }
                write(slices.get(..count).unwrap_or_default())?
            }
        };
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.consume(written);
        Ok(())
    }

    fn consume(&mut self, mut written: usize) {
        while let Some(front) = self.0.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.0.pop_front();
        }
    }

    /// Keeps room for `count` at most, if there are none.
    pub(super) fn shrink(&mut self, count: usize) {
        if self.0.is_empty() && self.0.capacity() > count {
            self.0 = VecDeque::new();
        }
    }
}

// By its path, so that examples/websocket_echo.rs can include this file.
#[cfg(test)]
#[path = "outlet/tests.rs"]
mod tests;
