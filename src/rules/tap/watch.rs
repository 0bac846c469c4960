//! Watches one exchange for the taps that match it, without delaying or changing it.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use crate::body::Body;
use crate::message::{Fields, Response};
use crate::socketio::Captures;

use super::scope::Exchange;
use super::tee::{self, Missing, Passed, Shared, locked};
use super::{Sink, Taps};

/// Answers to rules up to this size are looked at at once, so that the event goes out before the ack;
/// larger and compressed ones later, so that no ack waits for them.
const AT_ONCE: usize = 64_000;

/// Watches one exchange for the taps that match it.
#[derive(Debug)]
pub struct Watch {
    pub(super) taps: Arc<Taps>,
    /// The taps that match, by their place, and what their paths captured.
    pub(super) matches: Vec<(usize, Captures)>,
    pub(super) exchange: Exchange,
    pub(super) request: Option<Shared>,
}

/// A complete exchange.
pub(super) struct Complete {
    pub(super) watch: Watch,
    pub(super) status: StatusCode,
    pub(super) headers: Fields,
    pub(super) request: Result<Bytes, Missing>,
    pub(super) response: Result<Bytes, Missing>,
}

impl Watch {
    /// Copies the request's body as it passes, where a template reads it.
    pub fn request(&mut self, body: Body) -> Body {
        if !self.reads(|uses| uses.request_body) {
            return body;
        }
        let (body, copy) = tee::request(body, self.max_body());
        self.request = Some(copy);
        body
    }

    /// Copies the response's body as it passes, and has the taps look at it when the upstream's body
    /// is complete: behind those of earlier answers, and not before the client has its own. A client
    /// that leaves takes nothing from others; an upstream that breaks off emits nothing.
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
            Complete { status, headers, request, response: copy.take(), watch: self }.queue(&sink);
        };
        Response::from_parts(parts, tee::response(body, max, done))
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
    /// Looks at it at once, or where that takes longer, later.
    fn run<S: Sink>(self, sink: &Arc<S>) {
        let plain = !self.headers.contains_key(http::header::CONTENT_ENCODING);
        if plain && self.bytes() <= AT_ONCE { Taps::run(&self, &**sink) } else { self.queue(sink) }
    }

    /// Looks at it later, in its turn.
    fn queue<S: Sink>(self, sink: &Arc<S>) {
        let taps = Arc::clone(&self.watch.taps);
        let matches: Vec<usize> = self.watch.matches.iter().map(|(index, _)| *index).collect();
        let (bytes, sink) = (self.bytes(), Arc::clone(sink));
        if taps.line.add(bytes, Box::new(move || Taps::run(&self, &*sink))).is_err() {
            taps.count(&matches, "overloaded");
        }
    }

    fn bytes(&self) -> usize {
        [&self.request, &self.response].map(|body| body.as_ref().map_or(0, Bytes::len)).iter().sum()
    }
}
