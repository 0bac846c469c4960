//! The bound on a request's body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use crate::body::{Body, BodyError, Interrupted, Layer, Layered};
use crate::fault::Fault;

/// Refuses a body that says it is larger than `max`, and bounds one that does not say.
pub(super) fn apply(body: &mut Body, max: Option<u64>) -> Result<(), Fault> {
    let Some(max) = max else { return Ok(()) };
    match body.size_hint().exact() {
        Some(length) if length > max => return Err(Interrupted::TooLarge.into()),
        Some(_) => (),
        None => {
            let unbounded = std::mem::replace(body, Body::Empty);
            *body = Body::boxed(Layered::new(unbounded, Limit { left: max }));
        }
    }
    Ok(())
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
