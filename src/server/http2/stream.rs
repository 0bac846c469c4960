//! One request of many on a connection: its task, and a response that its client may not leave lying.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::Instant;

use crate::body::{Body, BodyError, Timer};
use crate::server::clock::Turn;
use crate::telemetry::metrics;

/// Most bytes given out at once. The next ones are taken only when the client's window has room: a client
/// that closes it holds no more than this of a response that is over for us.
const PIECE: usize = 16 * 1024;

tokio::task_local! {
    /// That of the stream whose task runs.
    static STALL: Arc<Stall>;
}

/// Whether a stream's client takes what it is given: milliseconds since the stream's begin, plus one,
/// when something was given that it has not taken yet; else 0.
#[derive(Debug)]
struct Stall {
    begun: Instant,
    since: AtomicU64,
}

impl Stall {
    fn new() -> Stall {
        Stall { begun: Instant::now(), since: AtomicU64::new(0) }
    }

    /// Notes that something was given for the client to take, or that there is nothing to give.
    fn given(&self, something: bool) {
        let now = || u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        self.since.store(if something { now() } else { 0 }, Ordering::Relaxed);
    }

    fn since(&self) -> Option<Instant> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        self.begun.checked_add(Duration::from_millis(since))
    }
}

/// Runs the streams of a connection, each as a task of its own. One whose client keeps its window
/// closed for too long is reset; the connection's own socket says nothing of it.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    timeout: Duration,
}

impl Streams {
    pub(super) fn new(timeout: Duration) -> Streams {
        Streams { timeout }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (stall, timeout) = (Arc::new(Stall::new()), self.timeout);
        tokio::spawn(STALL.scope(Arc::clone(&stall), async move {
            let mut stream = pin!(stream);
            let mut timer = Timer::default();
            poll_fn(|cx| {
                if stream.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                timer.set(stall.since().and_then(|since| since.checked_add(timeout)));
                timer.poll(cx).map(|()| metrics::refused("limits.body_timeout"))
            })
            .await;
        }));
    }
}

/// A response's body in pieces. Its end is that of its request's turn.
pub(super) struct Pieces {
    body: Body,
    /// What is left of a frame that was given out in part.
    rest: Bytes,
    stall: Option<Arc<Stall>>,
    _turn: Turn,
}

impl Pieces {
    pub(super) fn new(body: Body, turn: Turn) -> Pieces {
        Pieces { body, rest: Bytes::new(), stall: STALL.try_with(Arc::clone).ok(), _turn: turn }
    }

    /// The first piece of `data`; the rest is kept.
    fn cut(&mut self, mut data: Bytes) -> Frame<Bytes> {
        let piece = data.split_to(data.len().min(PIECE));
        self.rest = data;
        Frame::data(piece)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.cut(rest))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_ok(|frame| match frame.into_data() {
            Ok(data) => self.cut(data),
            Err(trailers) => trailers,
        })
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_piece(cx);
        if let Some(stall) = &self.stall {
            stall.given(matches!(polled, Poll::Ready(Some(Ok(_)))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// Asked for before anything is given out.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
