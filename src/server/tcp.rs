//! A client's TCP connection, with what was read of it before it was known what it speaks.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read at once, on the stack.
const READ: usize = 4 * 1024;

/// Silence after which a peer is asked whether it is there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 6);

/// How long sent bytes may stay unacknowledged: as long as a silent peer is asked.
const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// A client's TCP connection.
#[derive(Debug)]
pub(super) struct Tcp {
    stream: TcpStream,
    /// Read already, to be read again first.
    ahead: Bytes,
}

impl Tcp {
    pub(super) fn new(stream: TcpStream) -> Tcp {
        Tcp { stream, ahead: Bytes::new() }
    }

    /// What was read ahead.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Drops the first `count` bytes of what was read ahead.
    pub(super) fn skip(&mut self, count: usize) {
        self.ahead.advance(count.min(self.ahead.len()));
    }

    /// The socket, and what was read ahead.
    pub(super) fn into_parts(self) -> (TcpStream, Bytes) {
        (self.stream, self.ahead)
    }

    /// The socket, where nothing is left of what was read ahead.
    pub(super) fn stream(&self) -> Option<&TcpStream> {
        self.ahead.is_empty().then_some(&self.stream)
    }

    /// Lets it end with a reset.
    pub(super) fn break_off(&self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads more ahead; false at the end.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let more = buffer.filled();
        self.ahead = match self.ahead.is_empty() {
            true => Bytes::copy_from_slice(more),
            false => [&self.ahead, more].concat().into(),
        };
        Poll::Ready(Ok(!more.is_empty()))
    }

    /// Reads more ahead; false at the end.
    pub(super) async fn more(&mut self) -> io::Result<bool> {
        std::future::poll_fn(|cx| self.poll_more(cx)).await
    }
}

/// Makes the connections that `listener` accepts send small writes at once and notice peers that vanished.
/// They inherit its options, so that nothing has to be set for each.
pub(super) fn prepare(listener: &Socket) -> io::Result<()> {
    listener.set_tcp_nodelay(true)?;
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    listener.set_tcp_keepalive(&keepalive)?;
    listener.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(count));
        if self.ahead.is_empty() {
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
