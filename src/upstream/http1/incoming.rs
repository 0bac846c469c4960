//! A response's body as it comes from its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::AsyncRead;

use super::connection::Connection;
use crate::body::{BodyError, Standstill};
use crate::http1::{Decoder, Framing};
use crate::telemetry::metrics;
use crate::upstream::endpoint::Endpoint;

/// Takes a response's body out of a connection's bytes, and gives it up when nothing comes for too long.
#[derive(Debug)]
pub(super) struct Paced {
    decoder: Decoder,
    standstill: Standstill,
}

/// The upstream sent nothing more of a response's body for `stream_idle_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("the response's body stood still for too long")]
struct StoodStill;

impl Paced {
    /// Nothing may come for at most `idle`.
    pub(super) fn new(framing: Framing, idle: Duration) -> Paced {
        Paced { decoder: Decoder::new(framing), standstill: Standstill::new(idle) }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }

    /// The next frame, read from `stream` where nothing is `unread`; none at the end.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.decoder.poll(stream, unread, cx);
        if polled.is_pending() {
            ready!(self.standstill.poll(cx));
            metrics::refused("upstreams.stream_idle_timeout");
            return Poll::Ready(Some(Err(StoodStill.into())));
        }
        self.standstill.moved();
        polled
    }
}

/// A response's body. At its end the connection goes back to the endpoint's pool; dropped before,
/// it closes the connection, which tells the upstream that nobody listens any more.
pub(super) struct Incoming {
    body: Paced,
    lease: Option<(Box<Connection>, Arc<Endpoint>)>,
    persistent: bool,
    /// Why the body broke, to be told at the next poll.
    broken: Option<BodyError>,
}

impl Incoming {
    pub(super) fn new(
        body: Paced,
        persistent: bool,
        connection: Box<Connection>,
        endpoint: Arc<Endpoint>,
    ) -> Incoming {
        Incoming { body, lease: Some((connection, endpoint)), persistent, broken: None }
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
        let frame = ready!(this.body.poll(&mut connection.stream, &mut connection.unread, cx));
        if let Some(Err(error)) = frame {
            // The client gets what came before; a body that fails at once would take the head with it.
            this.lease = None;
            this.broken = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.body.decoder.is_done()
            && let Some((connection, endpoint)) = this.lease.take()
        {
            endpoint.take_back(connection, this.persistent);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.decoder.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
