//! The one door out: CORS headers, request id, metrics and the access log, for every answer.

use std::time::Instant;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use http_body::Body as _;

use super::identify::{Identity, REQUEST_ID};
use crate::body::Body;
use crate::cors::Decision;
use crate::fault::Fault;
use crate::message::{Request, Response};
use crate::proxy::is_grpc;
use crate::telemetry::trace::Span;
use crate::telemetry::{Access, metrics};

/// A client that left before its answer (nginx's word for it).
const CLIENT_CLOSED: u16 = 499;

/// What is remembered of a request until its answer leaves, or its client does.
pub(super) struct Finish<'a> {
    method: Method,
    /// Empty unless it is logged.
    path: String,
    route: &'a str,
    who: &'a Identity,
    /// The content type of a gRPC call: its errors are said otherwise.
    grpc: Option<HeaderValue>,
    started: Instant,
    log: bool,
    ended: bool,
}

impl<'a> Finish<'a> {
    pub(super) fn begin<B>(
        request: &Request<B>,
        who: &'a Identity,
        started: Instant,
        log: bool,
    ) -> Finish<'a> {
        Finish {
            method: request.method().clone(),
            path: if log { request.uri().path().to_owned() } else { String::new() },
            route: "none",
            who,
            grpc: request.headers().get(CONTENT_TYPE).filter(|kind| is_grpc(kind)).cloned(),
            started,
            log,
            ended: false,
        }
    }

    /// Names the route, for metrics and the log.
    pub(super) fn route(&mut self, name: &'a str) {
        self.route = name;
    }

    /// Turns whatever was answered into what leaves.
    pub(super) fn end(
        mut self,
        answer: Result<Response<Body>, Fault>,
        cors: &Decision,
        span: &Span,
    ) -> Response<Body> {
        let mut response = answer.unwrap_or_else(|fault| match self.grpc.take() {
            Some(kind) => fault.into_grpc(kind),
            None => fault.into_response(self.who.request_id()),
        });
        cors.apply(response.headers_mut());
        response.headers_mut().insert(REQUEST_ID, self.who.request_id.clone());
        span.route(self.route);
        span.status(response.status().as_u16());
        self.report(response.status(), response.body().size_hint().exact());
        response
    }

    fn report(&mut self, status: StatusCode, bytes: Option<u64>) {
        self.ended = true;
        let duration = self.started.elapsed();
        metrics::http_request(self.route, self.method.as_str(), status.as_str(), duration.as_secs_f64());
        if self.log {
            Access {
                method: self.method.as_str(),
                path: &self.path,
                status: status.as_u16(),
                duration,
                bytes,
                client: self.who.forwarded.client,
                request_id: self.who.request_id(),
                route: self.route,
            }
            .log();
        }
    }
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.report(StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST), None);
        }
    }
}
