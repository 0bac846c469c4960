//! Watches one exchange for the taps that match it, without delaying or changing it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as _, Frame};

use crate::body::{Body, BodyError, Layer, Layered};
use crate::socketio::Captures;

use super::scope::Exchange;
use super::{Sink, Taps};

/// Bodies up to this size are looked at at once, which keeps the events of quick requests in their
/// order; larger and compressed ones get a task of their own, so that no answer waits for them.
const AT_ONCE: usize = 64_000;

/// Watches one exchange for the taps that match it.
#[derive(Debug)]
pub struct Watch {
    pub(super) taps: Arc<Taps>,
    /// The taps that match, by their place, and what their paths captured.
    pub(super) matches: Vec<(usize, Captures)>,
    pub(super) exchange: Exchange,
    pub(super) request: Option<Arc<Mutex<Passed>>>,
}

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
    fn new(max: usize) -> Passed {
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

    fn take(&mut self) -> Result<Bytes, Missing> {
        match (self.over, self.complete) {
            (true, _) => Err(Missing::TooLarge),
            (false, false) => Err(Missing::Incomplete),
            (false, true) => Ok(std::mem::take(&mut self.bytes).into()),
        }
    }
}

/// A complete exchange.
pub(super) struct Complete {
    pub(super) watch: Watch,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) request: Result<Bytes, Missing>,
    pub(super) response: Result<Bytes, Missing>,
}

impl Watch {
    /// Copies the request's body as it passes, where a template reads it.
    pub fn request(&mut self, body: Body) -> Body {
        if !self.reads(|uses| uses.request_body) {
            return body;
        }
        let copy = Arc::new(Mutex::new(Passed::new(self.max_body())));
        self.request = Some(Arc::clone(&copy));
        if body.is_end_stream() {
            locked(&copy).complete = true;
            return body;
        }
        let done = move |_: Passed| {};
        let tee = Tee { shared: Some(copy), own: Passed::new(0), done: Some(Box::new(done)) };
        Body::boxed(Layered::new(body, tee))
    }

    /// Copies the response's body as it passes, and runs the taps when the upstream's body is
    /// complete. They go by what passed through: if the client goes away before the end, or the
    /// upstream breaks off, nothing is emitted.
    pub fn response<S: Sink>(mut self, response: Response<Body>, sink: &Arc<S>) -> Response<Body> {
        self.keep_status(response.status());
        if self.matches.is_empty() {
            return response;
        }
        let (parts, body) = response.into_parts();
        let max = if self.reads(|uses| uses.response_body) { self.max_body() } else { 0 };
        let (status, headers, sink) = (parts.status, parts.headers.clone(), Arc::clone(sink));
        let done = move |mut copy: Passed| {
            let request = self.request.as_ref().map_or(Ok(Bytes::new()), |copy| locked(copy).take());
            Complete { status, headers, request, response: copy.take(), watch: self }.run(&sink);
        };
        let mut tee = Tee { shared: None, own: Passed::new(max), done: Some(Box::new(done)) };
        if body.is_end_stream() {
            tee.finish();
            return Response::from_parts(parts, body);
        }
        Response::from_parts(parts, Body::boxed(Layered::new(body, tee)))
    }

    /// Runs the taps for an exchange whose bodies are complete.
    pub(crate) fn complete<S: Sink>(
        mut self,
        response: &Response<Bytes>,
        request: Option<Bytes>,
        sink: &Arc<S>,
    ) {
        self.keep_status(response.status());
        if !self.matches.is_empty() {
            let (status, headers) = (response.status(), response.headers().clone());
            let (request, response) = (Ok(request.unwrap_or_default()), Ok(response.body().clone()));
            Complete { watch: self, status, headers, request, response }.run(sink);
        }
    }

    fn keep_status(&mut self, status: StatusCode) {
        let taps = Arc::clone(&self.taps);
        self.matches.retain(|(index, _)| taps.get(*index).is_some_and(|tap| tap.counts(status)));
    }

    fn reads(&self, what: impl Fn(&crate::rules::template::Uses) -> bool) -> bool {
        self.matches.iter().filter_map(|(index, _)| self.taps.get(*index)).any(|tap| what(&tap.uses))
    }

    fn max_body(&self) -> usize {
        let taps = self.matches.iter().filter_map(|(index, _)| self.taps.get(*index));
        taps.map(|tap| tap.max_body).max().unwrap_or_default()
    }
}

impl Complete {
    fn run<S: Sink>(self, sink: &Arc<S>) {
        let quick = |body: &Result<Bytes, Missing>| body.as_ref().map_or(0, Bytes::len) <= AT_ONCE;
        let plain = !self.headers.contains_key(http::header::CONTENT_ENCODING);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !(plain && quick(&self.request) && quick(&self.response)) => {
                let sink = Arc::clone(sink);
                runtime.spawn(async move { Taps::run(&self, &*sink) });
            }
            _ => Taps::run(&self, &**sink),
        }
    }
}

fn locked(copy: &Mutex<Passed>) -> std::sync::MutexGuard<'_, Passed> {
    copy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies what passes of a body.
struct Tee {
    /// Where a request's copy is left for the response.
    shared: Option<Arc<Mutex<Passed>>>,
    own: Passed,
    done: Option<Box<dyn FnOnce(Passed) + Send>>,
}

impl Tee {
    fn add(&mut self, data: &[u8]) {
        match &self.shared {
            Some(shared) => locked(shared).add(data),
            None => self.own.add(data),
        }
    }

    fn finish(&mut self) {
        let Some(done) = self.done.take() else { return };
        if let Some(shared) = &self.shared {
            locked(shared).complete = true;
        }
        self.own.complete = true;
        done(std::mem::replace(&mut self.own, Passed::new(0)));
    }
}

impl Layer<Body> for Tee {
    fn poll_frame(
        &mut self,
        mut body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.add(data);
                }
                // Whoever knows the length does not ask again after the last byte.
                if body.is_end_stream() {
                    self.finish();
                }
            }
            Some(Err(_)) => self.done = None,
            None => self.finish(),
        }
        Poll::Ready(frame)
    }
}
