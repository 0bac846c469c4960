//! The kinds of byte stream that lead to an upstream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::gate::Slot;
use super::resolve::Address;

/// A byte stream to an upstream. While it is open it counts among the upstream's connections.
#[derive(Debug)]
pub struct Stream {
    kind: Kind,
    /// Where it leads, unless to a unix socket.
    address: Option<Arc<Address>>,
    /// From when on no further request goes over it.
    ends: Instant,
    _slot: Slot,
}

/// What the bytes go over.
#[derive(Debug)]
pub(super) enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Carries requests for at most `age` from now on.
    pub(super) fn new(kind: Kind, address: Option<Arc<Address>>, slot: Slot, age: Duration) -> Stream {
        Stream { kind, address, ends: Instant::now() + age, _slot: slot }
    }

    /// From when on no further request goes over it.
    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// Where it leads, unless to a unix socket.
    pub(super) fn address(&self) -> Option<Arc<Address>> {
        self.address.clone()
    }

    /// Whether the endpoint's name does not lead to its other end any more.
    pub(super) fn is_astray(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.is_gone())
    }
}

/// Calls the same method of whichever kind it is.
macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Kind::Tcp($inner) => $call,
            Kind::Unix($inner) => $call,
            Kind::Tls($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut self.kind, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(&mut self.kind, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.kind, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        each!(&self.kind, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.kind, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.kind, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
