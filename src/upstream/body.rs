//! Bodies on their way to and from an upstream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::http2::Place;
use super::load::InFlight;
use crate::body::{Body, BodyError, Interrupted, Layer, Layered, Standstill};
use crate::telemetry::metrics;

/// A request's body on its way over HTTP/2.
pub(super) type Outgoing = Layered<Body, Telling>;

/// hyper drops a body once it is sent, which the receiver notices, and keeps to itself why it failed.
pub(super) struct Telling(Option<oneshot::Sender<BodyError>>);

/// Wraps a request's body; the receiver, if there is one, ends when the body was sent, or says why it was not.
pub(super) fn outgoing(body: Body) -> (Outgoing, Option<oneshot::Receiver<BodyError>>) {
    if body.is_end_stream() {
        return (Layered::new(body, Telling(None)), None);
    }
    let (sender, receiver) = oneshot::channel();
    (Layered::new(body, Telling(Some(sender))), Some(receiver))
}

impl Layer<Body> for Telling {
    fn poll_frame(
        &mut self,
        body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = body.poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = &polled
            && let Some(sent) = self.0.take()
        {
            let why = Interrupted::find(&**error).map_or_else(|| error.to_string().into(), BodyError::from);
            let _ = sent.send(why);
        }
        polled
    }
}

/// A body of known length that is remembered while it is sent, so that it can be sent again.
#[derive(Debug)]
pub(super) struct Tape(Arc<Mutex<Option<Reel>>>);

#[derive(Debug)]
struct Reel {
    body: Body,
    played: VecDeque<Bytes>,
}

impl Tape {
    /// The body to send, and what remembers it.
    pub(super) fn record(body: Body) -> (Body, Tape) {
        let size = body.size_hint();
        let reel = Arc::new(Mutex::new(Some(Reel { body, played: VecDeque::new() })));
        (Body::boxed(Recorded { reel: Arc::clone(&reel), size, ended: false }), Tape(reel))
    }

    /// The body from its beginning: what was sent already, then the rest.
    pub(super) fn rewind(self) -> Option<Body> {
        let reel = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Body::boxed(reel))
    }
}

struct Recorded {
    reel: Arc<Mutex<Option<Reel>>>,
    size: SizeHint,
    ended: bool,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let reel = Arc::clone(&self.reel);
        let mut reel = reel.lock().unwrap_or_else(PoisonError::into_inner);
        // Rewound: this copy is of no use to anybody.
        let Some(reel) = reel.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(&mut reel.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            reel.played.push_back(data.clone());
        }
        self.ended = reel.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl HttpBody for Reel {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(data) = self.played.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.body.is_end_stream() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.played.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let played: u64 = self.played.iter().map(|data| data.len() as u64).sum();
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(played + rest),
            None => SizeHint::default(),
        }
    }
}

/// A response's body that comes over HTTP/2, for which nothing may come for at most `idle`. Dropped before
/// its end it resets the stream, which tells the upstream that nobody listens any more.
pub(super) fn streamed(body: Incoming, place: Place, in_flight: Option<InFlight>, idle: Duration) -> Body {
    Body::boxed(Layered::new(
        body,
        Held { lease: Some((place, in_flight)), standstill: Standstill::new(idle) },
    ))
}

/// What a response's body holds until it has ended.
struct Held {
    lease: Option<(Place, Option<InFlight>)>,
    standstill: Standstill,
}

impl Layer<Incoming> for Held {
    fn poll_frame(
        &mut self,
        mut body: Pin<&mut Incoming>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
            ready!(self.standstill.poll(cx));
            metrics::refused("upstreams.stream_idle_timeout");
            return Poll::Ready(Some(Err("the response's body stood still for too long".into())));
        };
        self.standstill.moved();
        if frame.is_none() || body.is_end_stream() {
            self.lease = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn text(body: Body) -> Vec<u8> {
        body.collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_tape_plays_what_was_sent_and_what_was_not() {
        for sent in 0..3 {
            let parts = [Ok::<_, BodyError>(Frame::data(Bytes::from("ab"))), Ok(Frame::data("cd".into()))];
            let body = Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(parts)));
            let (mut first, tape) = Tape::record(body);
            for _ in 0..sent {
                first.frame().await.unwrap().unwrap();
            }
            let again = tape.rewind().unwrap();
            assert_eq!(text(again).await, b"abcd", "after {sent} frames");
            assert!(first.frame().await.is_none());
        }
        let (whole, tape) = Tape::record(Body::from(Bytes::from("whole")));
        assert_eq!(whole.size_hint().exact(), Some(5));
        assert_eq!(text(whole).await, b"whole");
        let again = tape.rewind().unwrap();
        assert_eq!(again.size_hint().exact(), Some(5));
        assert_eq!(text(again).await, b"whole");
    }
}
