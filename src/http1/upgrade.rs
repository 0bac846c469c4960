//! Connections that leave HTTP by a 101 (RFC 9110 7.8): what a handler waits for, and what it gets.

use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use crate::message::Request;

/// What carries the bytes of a connection.
pub trait Io: AsyncRead + AsyncWrite + Any + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Any + Send + Unpin> Io for T {}

/// A connection that left HTTP: its bytes from behind the request on.
pub struct Upgraded {
    io: Box<dyn Io>,
    /// Read already, to be read again first.
    read: Bytes,
}

impl Upgraded {
    /// The connection over `io`, of which `read` was read already.
    pub fn new(io: impl Io, read: Bytes) -> Upgraded {
        Upgraded { io: Box::new(io), read }
    }

    /// What carries it, if it is a `T`, and what was read of it already.
    ///
    /// # Errors
    /// The connection as it was, if it is none.
    pub fn downcast<T: Io>(self) -> Result<(T, Bytes), Upgraded> {
        let Upgraded { io, read } = self;
        // Asked before, since a box of `Any` does not lead back to the connection.
        let carrier: &dyn Any = &*io;
        if !carrier.is::<T>() {
            return Err(Upgraded { io, read });
        }
        let io: Box<dyn Any> = io;
        io.downcast::<T>().map(|io| (*io, read)).map_err(|_| Upgraded::new(tokio::io::empty(), Bytes::new()))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("read", &self.read.len()).finish_non_exhaustive()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut *self.io).poll_read(cx, buffer);
        }
        let count = self.read.len().min(buffer.remaining());
        buffer.put_slice(self.read.get(..count).unwrap_or_default());
        self.read.advance(count);
        if self.read.is_empty() {
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}

/// Gives the connection away once the 101 is on its way; dropped, it tells that there is no upgrade.
#[derive(Debug)]
pub struct Offer(oneshot::Sender<Upgraded>);

impl Offer {
    /// Puts into a request what [`on`] finds there.
    pub fn put<B>(request: &mut Request<B>) -> Offer {
        let (sender, receiver) = oneshot::channel();
        request.extensions_mut().insert(Slot(Arc::new(Mutex::new(Some(receiver)))));
        Offer(sender)
    }

    /// Gives the connection to whoever waits for it; without anybody it closes.
    pub fn give(self, connection: Upgraded) {
        let _ = self.0.send(connection);
    }
}

/// In a request's extensions, which are only taken by those that can be cloned.
#[derive(Debug, Clone)]
struct Slot(Arc<Mutex<Option<oneshot::Receiver<Upgraded>>>>);

/// Waits until a request's connection has left HTTP, which it does with a response 101.
#[derive(Debug)]
pub struct OnUpgrade(Option<oneshot::Receiver<Upgraded>>);

/// There was no upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection has not left HTTP")]
pub struct NoUpgrade;

/// What tells of the upgrade that `request` asks for.
pub fn on<B>(request: &mut Request<B>) -> OnUpgrade {
    let slot: Option<Slot> = request.extensions_mut().remove();
    OnUpgrade(slot.and_then(|slot| slot.0.lock().unwrap_or_else(PoisonError::into_inner).take()))
}

impl Future for OnUpgrade {
    type Output = Result<Upgraded, NoUpgrade>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Some(receiver) => Pin::new(receiver).poll(cx).map_err(|_| NoUpgrade),
            None => Poll::Ready(Err(NoUpgrade)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    #[tokio::test]
    async fn who_waits_gets_the_connection_with_what_was_read_of_it() {
        let mut request = Request::new(());
        let offer = Offer::put(&mut request);
        let waiting = on(&mut request);
        assert_eq!(on(&mut request).await.unwrap_err(), NoUpgrade, "once");
        let (here, there) = duplex(16);
        offer.give(Upgraded::new(here, Bytes::from("early")));
        let upgraded = waiting.await.unwrap();
        let mut upgraded = upgraded.downcast::<tokio::net::TcpStream>().unwrap_err();
        let mut two = [0; 2];
        upgraded.read_exact(&mut two).await.unwrap();
        drop(there);
        let (mut io, read) = upgraded.downcast::<DuplexStream>().unwrap();
        assert_eq!((&two, read.as_ref()), (b"ea", &b"rly"[..]));
        assert_eq!(io.read(&mut two).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_offer_that_is_dropped_is_none() {
        let mut request = Request::new(());
        drop(Offer::put(&mut request));
        assert_eq!(on(&mut request).await.unwrap_err(), NoUpgrade);
    }
}
