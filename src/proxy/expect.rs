//! `Expect: 100-continue` (RFC 9110 10.1.1), end to end: a client that asks before it sends its body is
//! told to go on when the upstream says so.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::Version;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http_body::{Body as _, Frame};
use tokio::time::{Sleep, sleep};

use crate::body::{Body, BodyError, Layer, Layered};
use crate::message::{Request, Response};
use crate::upstream::OnContinue;

/// How long the upstream is waited for. Many do not know of expectations, and clients wait about as long.
const PATIENCE: Duration = Duration::from_secs(1);

const UNDECIDED: u8 = 0;
const WANTED: u8 = 1;
const REFUSED: u8 = 2;

/// What the upstream has said of a request's body so far.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    said: AtomicU8,
    waker: AtomicWaker,
}

impl Expectation {
    /// Holds the body back until the upstream's 100 or, where none comes, for a second. The server tells the
    /// client to go on when the body is first asked for, which is then.
    ///
    /// An expectation that nothing follows from is taken out of the request: without a body, or from a
    /// client that cannot be told (RFC 9110 10.1.1 for HTTP/1.0; hyper sends no 100 over HTTP/2).
    pub(super) fn hold(request: &mut Request<Body>) -> Option<Arc<Expectation>> {
        if !request.headers().contains_key(EXPECT) {
            return None;
        }
        if request.body().is_end_stream() || request.version() != Version::HTTP_11 {
            request.headers_mut().remove(EXPECT);
            return None;
        }
        let expectation = Arc::new(Expectation::default());
        let heard = Arc::clone(&expectation);
        let go = OnContinue::new(move || {
            heard.say(WANTED);
        });
        request.extensions_mut().insert(go);
        let held = Held { expectation: Arc::clone(&expectation), patience: Box::pin(sleep(PATIENCE)) };
        let body = std::mem::replace(request.body_mut(), Body::Empty);
        *request.body_mut() = Body::boxed(Layered::new(body, held));
        Some(expectation)
    }

    /// The upstream has answered. If it did so without asking for the body, nobody wants it any more, and
    /// the client's connection ends with the answer: whether the body comes all the same cannot be told.
    pub(super) fn answered(&self, response: &mut Response<Body>) {
        if self.say(REFUSED) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Whether this is the first word, which counts.
    fn say(&self, word: u8) -> bool {
        let first = self.said.compare_exchange(UNDECIDED, word, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if first {
            self.waker.wake();
        }
        first
    }
}

struct Held {
    expectation: Arc<Expectation>,
    patience: Pin<Box<Sleep>>,
}

impl Layer<Body> for Held {
    fn poll_frame(
        &mut self,
        body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let said = || self.expectation.said.load(Ordering::Acquire);
        if said() == UNDECIDED {
            self.expectation.waker.register(cx.waker());
            if self.patience.as_mut().poll(cx).is_ready() {
                self.expectation.say(WANTED);
            }
        }
        // A refused body stays where it is until the connection to the upstream is dropped.
        if said() == WANTED { body.poll_frame(cx) } else { Poll::Pending }
    }
}
