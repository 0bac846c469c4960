//! The bound on a request's body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BodyError, Interrupted};
use crate::fault::Fault;

/// Refuses a body that says it is larger than `max`, and bounds one that does not say.
pub(super) fn apply(request: Request<Body>, max: Option<u64>) -> Result<Request<Body>, Fault> {
    let Some(max) = max else { return Ok(request) };
    match request.body().size_hint().exact() {
        Some(length) if length > max => Err(Interrupted::TooLarge.into()),
        Some(_) => Ok(request),
        None => Ok(request.map(|body| Body::boxed(Limited { body, left: max }))),
    }
}

struct Limited {
    body: Body,
    left: u64,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(Interrupted::TooLarge.into()))),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
