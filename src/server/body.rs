//! Bodies at the client's side: one that may not stand still, one that tells its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::clock::{Clock, Turn};
use crate::body::{Body, BodyError, Interrupted, Layer, Layered, Standstill};

/// A request's body. It fails when nothing comes for `timeout` while somebody waits for it.
pub(super) struct Upload {
    clock: Arc<Clock>,
    standstill: Standstill,
    ended: bool,
}

impl Upload {
    /// Wraps a body that is not at its end.
    pub(super) fn wrap<B>(body: B, clock: &Arc<Clock>, timeout: Duration) -> Body
    where
        B: http_body::Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static,
    {
        if body.is_end_stream() {
            return Body::Empty;
        }
        let (clock, standstill) = (Arc::clone(clock), Standstill::new(timeout));
        Body::boxed(Layered::new(body, Upload { clock, standstill, ended: false }))
    }
}

impl<B> Layer<B> for Upload
where
    B: http_body::Body<Data = Bytes, Error: Into<BodyError>>,
{
    fn poll_frame(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
            ready!(self.standstill.poll(cx));
            return Poll::Ready(Some(Err(Interrupted::TimedOut.into())));
        };
        self.standstill.moved();
        self.ended = !matches!(frame, Some(Ok(_))) || body.is_end_stream();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.ended {
            self.clock.leave_unread();
        }
    }
}

/// A response's body. Its end is that of its request's turn.
pub(super) type Answer = Layered<Body, Turn>;

impl Layer<Body> for Turn {
    fn poll_frame(
        &mut self,
        body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        body.poll_frame(cx)
    }
}
