//! A body that copies what passes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::body::{Body, BodyError, Layer, Layered};

/// How long, and for how many bytes, a body is read on when its client has left.
const REST: Duration = Duration::from_secs(30);
const REST_BYTES: usize = 1_000_000;

/// What passed through of a body, up to a bound.
#[derive(Debug)]
pub(super) struct Passed {
    bytes: Vec<u8>,
    max: usize,
    over: bool,
    complete: bool,
}

/// Why there is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    TooLarge,
    Incomplete,
}

impl Passed {
    pub(super) fn new(max: usize) -> Passed {
        Passed { bytes: Vec::new(), max, over: false, complete: false }
    }

    fn add(&mut self, data: &[u8]) {
        if self.over || self.bytes.len() + data.len() > self.max {
            self.over = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    pub(super) fn take(&mut self) -> Result<Bytes, Missing> {
        match (self.over, self.complete) {
            (true, _) => Err(Missing::TooLarge),
            (false, false) => Err(Missing::Incomplete),
            (false, true) => Ok(std::mem::take(&mut self.bytes).into()),
        }
    }
}

/// A request's copy, left for the response.
pub(super) type Shared = Arc<Mutex<Passed>>;

pub(super) fn locked(copy: &Mutex<Passed>) -> std::sync::MutexGuard<'_, Passed> {
    copy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies a request's body as it passes.
pub(super) fn request(body: Body, max: usize) -> (Body, Shared) {
    let copy = Arc::new(Mutex::new(Passed::new(max)));
    if body.is_end_stream() {
        locked(&copy).complete = true;
        return (body, copy);
    }
    (Body::boxed(Layered::new(body, Copy(Arc::clone(&copy)))), copy)
}

struct Copy(Shared);

impl Layer<Body> for Copy {
    fn poll_frame(
        &mut self,
        mut body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(body.as_mut().poll_frame(cx));
        let mut copy = locked(&self.0);
        match &frame {
            Some(Ok(frame)) => {
                frame.data_ref().into_iter().for_each(|data| copy.add(data));
                // Whoever knows the length does not ask again after the last byte.
                copy.complete |= body.is_end_stream();
            }
            Some(Err(_)) => {}
            None => copy.complete = true,
        }
        drop(copy);
        Poll::Ready(frame)
    }
}

/// What is done with a complete copy.
type Done = Box<dyn FnOnce(Passed) + Send>;

/// Copies a response's body as it passes; `done` gets the copy once the upstream's body is complete.
/// When the client leaves before, the rest is read for the copy alone, within bounds.
pub(super) fn response(body: Body, max: usize, done: impl FnOnce(Passed) + Send + 'static) -> Body {
    let mut copying =
        Copying { inner: body, copy: Passed::new(max), done: Some(Box::new(done)), alone: false };
    if copying.inner.is_end_stream() {
        copying.finish();
        return std::mem::replace(&mut copying.inner, Body::Empty);
    }
    Body::boxed(copying)
}

struct Copying {
    inner: Body,
    copy: Passed,
    /// Gone once the body has ended, well or not.
    done: Option<Done>,
    /// Whether it is read for the copy alone.
    alone: bool,
}

impl Copying {
    fn finish(&mut self) {
        let Some(done) = self.done.take() else { return };
        self.copy.complete = true;
        done(std::mem::replace(&mut self.copy, Passed::new(0)));
    }

    /// Notes a frame, or the end.
    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, BodyError>>) {
        match frame {
            Some(Ok(frame)) => {
                frame.data_ref().into_iter().for_each(|data| self.copy.add(data));
                if self.inner.is_end_stream() {
                    self.finish();
                }
            }
            Some(Err(_)) => self.done = None,
            None => self.finish(),
        }
    }

    async fn read_on(mut self) {
        let mut left = REST_BYTES;
        while self.done.is_some() {
            let frame = self.inner.frame().await;
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            match left.checked_sub(data.map_or(0, Bytes::len)) {
                Some(rest) => left = rest,
                None => return self.done = None,
            }
            self.note(frame.as_ref());
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if self.alone || self.done.is_none() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let rest = Copying {
            inner: std::mem::replace(&mut self.inner, Body::Empty),
            copy: std::mem::replace(&mut self.copy, Passed::new(0)),
            done: self.done.take(),
            alone: true,
        };
        runtime.spawn(async move {
            let _ = tokio::time::timeout(REST, rest.read_on()).await;
        });
    }
}

impl http_body::Body for Copying {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        this.note(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
