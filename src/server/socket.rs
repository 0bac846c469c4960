//! A client's socket, plain or TLS: counted as long as it is open, whoever holds it after an upgrade.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::clock::Clock;
use super::drain::Open;
use super::tcp::Tcp;

/// What carries a connection's bytes. Plain TCP is not boxed: it is the common case behind a balancer.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

/// A client's socket. After an upgrade, `Upgraded::downcast::<Socket>` gives it back.
#[derive(Debug)]
pub struct Socket {
    stream: Stream,
    clock: Arc<Clock>,
    open: Open,
}

impl Socket {
    pub(super) fn new(stream: Stream, clock: Arc<Clock>, open: Open) -> Socket {
        Socket { stream, clock, open }
    }

    /// Takes plain TCP apart: its socket, what was read ahead of it, and what counts it as open.
    ///
    /// # Errors
    /// The socket as it was, where TLS lies between.
    pub fn into_tcp(self) -> Result<(TcpStream, Bytes, Open), Box<Socket>> {
        match self.stream {
            Stream::Plain(tcp) => {
                let (tcp, ahead) = tcp.into_parts();
                Ok((tcp, ahead, self.open))
            }
            stream @ Stream::Tls(_) => Err(Box::new(Socket { stream, ..self })),
        }
    }

    /// A head has begun and is not complete.
    pub(super) fn begin_head(&self) {
        self.clock.begin_head();
    }

    /// Lets the connection end with a reset, which no client takes for the end of a body. TLS tells one
    /// from the other by itself (RFC 8446 6.1).
    pub(super) fn break_off(&self) {
        if let Stream::Plain(tcp) = &self.stream {
            tcp.break_off();
        }
    }

    /// The TCP socket itself, where the bytes on it are the connection's own: no TLS around them, and
    /// none of them read already.
    pub fn plain(&self) -> Option<&TcpStream> {
        match &self.stream {
            Stream::Plain(tcp) => tcp.stream(),
            Stream::Tls(_) => None,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        })?;
        if buffer.filled().len() > before {
            self.clock.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        };
        self.clock.wrote(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        };
        self.clock.wrote(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            // What TLS holds back is written here, so a client that takes nothing is seen here.
            Stream::Tls(tls) => {
                let polled = Pin::new(tls).poll_flush(cx);
                self.clock.wrote(polled.is_ready());
                polled
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
