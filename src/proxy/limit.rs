//! The bound on a request's body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame};

use crate::body::{Body, BodyError, Interrupted, Layer, Layered};
use crate::fault::Fault;

/// Refuses a body that says it is larger than `max`, and bounds one that does not say.
pub(super) fn apply(request: Request<Body>, max: Option<u64>) -> Result<Request<Body>, Fault> {
    let Some(max) = max else { return Ok(request) };
    match request.body().size_hint().exact() {
        Some(length) if length > max => Err(Interrupted::TooLarge.into()),
        Some(_) => Ok(request),
        None => Ok(request.map(|body| Body::boxed(Layered::new(body, Limit { left: max })))),
    }
}

struct Limit {
    left: u64,
}

impl Layer<Body> for Limit {
    fn poll_frame(
        &mut self,
        body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = body.poll_frame(cx);
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
}
