//! Bodies on their way to and from an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::endpoint::Endpoint;
use crate::body::{Body, BodyError};

/// A request's body. hyper drops it once it is sent, which tells the receiver of `sent`.
pub(super) struct Outgoing {
    body: Body,
    _sent: Option<oneshot::Sender<()>>,
}

impl Outgoing {
    /// Wraps a body; the receiver, if there is one, ends when the body was sent.
    pub(super) fn new(body: Body) -> (Outgoing, Option<oneshot::Receiver<()>>) {
        if body.is_end_stream() {
            return (Outgoing { body, _sent: None }, None);
        }
        let (sender, receiver) = oneshot::channel();
        (Outgoing { body, _sent: Some(sender) }, Some(receiver))
    }

    pub(super) fn into_inner(self) -> Body {
        self.body
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body. At its end the connection goes back to the endpoint's pool; dropped before,
/// it closes the connection, which tells the upstream that nobody listens any more.
pub(super) struct Pooled {
    body: Incoming,
    lease: Option<(Connection, Arc<Endpoint>)>,
}

impl Pooled {
    pub(super) fn new(body: Incoming, connection: Connection, endpoint: Arc<Endpoint>) -> Pooled {
        Pooled { body, lease: Some((connection, endpoint)) }
    }
}

impl HttpBody for Pooled {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(None) => true,
            // hyper does not poll again after the last byte of a known length.
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if ended && let Some((connection, endpoint)) = self.lease.take() {
            endpoint.release(connection);
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
