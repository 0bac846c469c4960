//! A response's body as it comes from its connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::AsyncRead;

use super::chunked::Chunked;
use super::connection::{Connection, closed};
use super::framing::Framing;
use super::read::{LARGE, SMALL, poll_large, poll_small};
use crate::body::{BodyError, Standstill};
use crate::telemetry::metrics;
use crate::upstream::endpoint::Endpoint;

/// Takes a body out of a connection's bytes.
#[derive(Debug)]
pub(super) struct Decoder {
    framing: Ending,
    buffer: BytesMut,
    /// Whether the last read brought as much as it could.
    full: bool,
    standstill: Standstill,
}

/// The upstream sent nothing more of a response's body for `stream_idle_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("the response's body stood still for too long")]
struct StoodStill;

#[derive(Debug)]
enum Ending {
    Length(u64),
    Chunked(Chunked),
    Close { closed: bool },
}

impl Decoder {
    /// Nothing may come for at most `idle`.
    pub(super) fn new(framing: Framing, idle: Duration) -> Decoder {
        let framing = match framing {
            Framing::None => Ending::Length(0),
            Framing::Length(length) => Ending::Length(length),
            Framing::Chunked => Ending::Chunked(Chunked::default()),
            Framing::Close => Ending::Close { closed: false },
        };
        Decoder { framing, buffer: BytesMut::new(), full: false, standstill: Standstill::new(idle) }
    }

    pub(super) fn is_done(&self) -> bool {
        match &self.framing {
            Ending::Length(left) => *left == 0,
            Ending::Chunked(chunked) => chunked.is_done(),
            Ending::Close { closed } => *closed,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Ending::Length(left) => SizeHint::with_exact(*left),
            _ => SizeHint::default(),
        }
    }

    /// The next frame, read from `stream` where nothing is `unread`; none at the end.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.is_done() {
                return Poll::Ready(None);
            }
            match self.take(unread) {
                Ok(None) => (),
                frame => return Poll::Ready(frame.map_err(Into::into).transpose()),
            }
            if self.is_done() {
                return Poll::Ready(None);
            }
            let Poll::Ready(read) = self.poll_more(stream, unread, cx) else {
                ready!(self.standstill.poll(cx));
                metrics::refused("upstreams.stream_idle_timeout");
                return Poll::Ready(Some(Err(StoodStill.into())));
            };
            self.standstill.moved();
            if read.map_err(BodyError::from)? == 0 {
                match &mut self.framing {
                    Ending::Close { closed } => *closed = true,
                    _ => return Poll::Ready(Some(Err(closed().into()))),
                }
            }
        }
    }

    fn take(&mut self, unread: &mut Bytes) -> Result<Option<Frame<Bytes>>, &'static str> {
        match &mut self.framing {
            Ending::Chunked(chunked) => chunked.decode(unread),
            _ if unread.is_empty() => Ok(None),
            Ending::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                *left -= here as u64;
                Ok(Some(Frame::data(unread.split_to(here))))
            }
            Ending::Close { .. } => Ok(Some(Frame::data(std::mem::take(unread)))),
        }
    }

    /// Reads much at once where much is to come.
    fn poll_more<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let want = match &self.framing {
            Ending::Length(left) => usize::try_from(*left).unwrap_or(LARGE).min(LARGE),
            _ if self.full => LARGE,
            _ => SMALL,
        };
        let read = if want > SMALL && unread.is_empty() {
            ready!(poll_large(stream, unread, &mut self.buffer, want, cx))?
        } else {
            ready!(poll_small(stream, unread, cx))?
        };
        self.full = read >= SMALL;
        Poll::Ready(Ok(read))
    }
}

/// A response's body. At its end the connection goes back to the endpoint's pool; dropped before,
/// it closes the connection, which tells the upstream that nobody listens any more.
pub(super) struct Incoming {
    decoder: Decoder,
    lease: Option<(Box<Connection>, Arc<Endpoint>)>,
    persistent: bool,
    /// Why the body broke, to be told at the next poll.
    broken: Option<BodyError>,
}

impl Incoming {
    pub(super) fn new(
        decoder: Decoder,
        persistent: bool,
        connection: Box<Connection>,
        endpoint: Arc<Endpoint>,
    ) -> Incoming {
        Incoming { decoder, lease: Some((connection, endpoint)), persistent, broken: None }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some((connection, _)) = &mut this.lease else { return Poll::Ready(None) };
        let frame = ready!(this.decoder.poll(&mut connection.stream, &mut connection.unread, cx));
        if let Some(Err(error)) = frame {
            // The client gets what came before; a body that fails at once would take the head with it.
            this.lease = None;
            this.broken = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.decoder.is_done()
            && let Some((connection, endpoint)) = this.lease.take()
        {
            endpoint.take_back(connection, this.persistent);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }
}
