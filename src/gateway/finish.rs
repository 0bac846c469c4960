//! The one door out: CORS headers, request id, metrics and the access log, for every answer.

use std::net::IpAddr;
use std::time::Instant;

use http::header::HeaderValue;
use http::{Method, Request, Response};
use http_body::Body as _;

use super::identify::{Identity, REQUEST_ID};
use crate::body::Body;
use crate::cors::Decision;
use crate::fault::Fault;
use crate::telemetry::{Access, metrics};

/// A client that left before its answer (nginx's word for it).
const CLIENT_CLOSED: u16 = 499;

/// What is remembered of a request until its answer leaves, or its client does.
pub(super) struct Finish {
    method: Method,
    path: String,
    route: String,
    client: IpAddr,
    request_id: String,
    started: Instant,
    log: bool,
    ended: bool,
}

impl Finish {
    pub(super) fn begin<B>(request: &Request<B>, who: &Identity, started: Instant, log: bool) -> Finish {
        Finish {
            method: request.method().clone(),
            path: if log { request.uri().path().to_owned() } else { String::new() },
            route: "none".to_owned(),
            client: who.forwarded.client,
            request_id: if log { who.request_id.clone() } else { String::new() },
            started,
            log,
            ended: false,
        }
    }

    /// Names the route, for metrics and the log.
    pub(super) fn route(&mut self, name: &str) {
        name.clone_into(&mut self.route);
    }

    /// Turns whatever was answered into what leaves.
    pub(super) fn end(
        mut self,
        answer: Result<Response<Body>, Fault>,
        who: &Identity,
        cors: &Decision,
    ) -> Response<Body> {
        let mut response = answer.unwrap_or_else(|fault| fault.into_response(&who.request_id));
        cors.apply(response.headers_mut());
        if let Ok(id) = HeaderValue::from_str(&who.request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        self.report(response.status().as_u16(), response.body().size_hint().exact());
        response
    }

    fn report(&mut self, status: u16, bytes: Option<u64>) {
        self.ended = true;
        let duration = self.started.elapsed();
        metrics::http_request(&self.route, self.method.as_str(), status, duration.as_secs_f64());
        if self.log {
            Access {
                method: self.method.as_str(),
                path: &self.path,
                status,
                duration,
                bytes,
                client: self.client,
                request_id: &self.request_id,
                route: &self.route,
            }
            .log();
        }
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        if !self.ended {
            self.report(CLIENT_CLOSED, None);
        }
    }
}
