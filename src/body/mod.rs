//! The one body type of requests and responses, and what can be put around it.

mod layer;
mod standstill;
mod timer;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

pub use layer::{Layer, Layered};
pub use standstill::Standstill;
pub use timer::Timer;

/// Any error of a body.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Why a client's request body ended before its end, as far as frontroom decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// Nothing came for `limits.body_timeout`.
    #[error("the request's body stood still for too long")]
    TimedOut,
    /// More came than `max_body` allows.
    #[error("the request's body is too large")]
    TooLarge,
}

impl Interrupted {
    /// Finds the reason in `error` or what caused it.
    pub fn find(error: &(dyn std::error::Error + 'static)) -> Option<Interrupted> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<Interrupted>().copied())
    }
}

/// The one body type of requests and responses. `size_hint` and `is_end_stream` tell the truth,
/// so that lengths, HEAD, 204 and 304 stay right.
#[derive(Debug, Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// All of it at once.
    Full(Bytes),
    /// Streamed through a wrapper.
    Boxed(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// Wraps any other body.
    pub fn boxed<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Body::Boxed(body.map_err(Into::into).boxed_unsync())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this {
            Body::Empty => Poll::Ready(None),
            Body::Full(_) => {
                let Body::Full(bytes) = std::mem::replace(this, Body::Empty) else {
                    return Poll::Ready(None);
                };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(_) => false,
            Body::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Boxed(body) => body.size_hint(),
        }
    }
}
