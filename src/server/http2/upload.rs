//! A request's body, which may not stand still.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;

use crate::body::{Body, BodyError, Interrupted, Layer, Layered, Standstill};

/// A request's body. It fails when nothing comes for `timeout` while somebody waits for it.
pub(super) struct Upload {
    standstill: Standstill,
}

impl Upload {
    /// Wraps a body that is not at its end.
    pub(super) fn wrap<B>(body: B, timeout: Duration) -> Body
    where
        B: http_body::Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static,
    {
        if body.is_end_stream() {
            return Body::Empty;
        }
        Body::boxed(Layered::new(body, Upload { standstill: Standstill::new(timeout) }))
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
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}
