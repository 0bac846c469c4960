//! Bodies at the client's side: one that may not stand still, one that tells its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::clock::Clock;
use crate::body::{Body, BodyError, Interrupted};

/// A request's body. It fails when nothing comes for `timeout` while somebody waits for it.
pub(super) struct Upload {
    body: Incoming,
    clock: Arc<Clock>,
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    ended: bool,
}

impl Upload {
    /// Wraps a body that is not at its end.
    pub(super) fn wrap(body: Incoming, clock: &Arc<Clock>, timeout: Duration) -> Body {
        if body.is_end_stream() {
            return Body::Empty;
        }
        let clock = Arc::clone(clock);
        Body::boxed(Upload { body, clock, timeout, timer: None, waiting: false, ended: false })
    }

    /// Whether the wait that goes on has lasted too long. The timer is made at the first wait: most
    /// bodies come at once and never need one.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = Instant::now() + self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
                self.ended = !matches!(frame, Some(Ok(_))) || self.body.is_end_stream();
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => match self.poll_timeout(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Interrupted::TimedOut.into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.ended {
            self.clock.leave_unread();
        }
    }
}

/// A response's body. Its end makes the connection idle.
pub(super) struct Answer {
    body: Body,
    clock: Arc<Clock>,
}

impl Answer {
    pub(super) fn new(body: Body, clock: Arc<Clock>) -> Answer {
        Answer { body, clock }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.clock.answered();
    }
}
