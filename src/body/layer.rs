//! Bodies around bodies.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::BodyError;

/// What a wrapper does with the frames of a body.
pub trait Layer<B> {
    /// Takes the next frame from `body`.
    fn poll_frame(
        &mut self,
        body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;
}

/// A body seen through a [`Layer`]. Its length and its end stay those of the body itself, without which
/// HEAD, 204, 304 and requests of known length would go wrong.
#[derive(Debug)]
pub struct Layered<B, L> {
    body: B,
    layer: L,
}

impl<B, L> Layered<B, L> {
    /// Puts `layer` around `body`.
    pub fn new(body: B, layer: L) -> Layered<B, L> {
        Layered { body, layer }
    }

    /// The body without its layer.
    pub fn into_inner(self) -> B {
        self.body
    }
}

impl<B: HttpBody + Unpin, L: Layer<B> + Unpin> HttpBody for Layered<B, L> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.layer.poll_frame(Pin::new(&mut this.body), cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
