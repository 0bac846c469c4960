//! Sends the requests that events cause, and reads the whole answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::body::Body;
use crate::headers::Said;
use crate::message::{Fields, Request, Response};
use crate::upstream::Upstream;

use super::decode;
use super::failure::Failure;
use super::reply::Reply;
use super::request::Prepared;
use super::tap::{Sink, Taps, Watch};

/// Largest response that an event's request may have.
const MAX_BODY: usize = 1_000_000;

/// Time from the response's head to its end, where the rule names no timeout.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Tells which upstream serves a request. The gateway's routes implement it.
pub trait Resolve: Send + Sync {
    /// Where a request to this host (as in the `Host` header) and raw path (without its query)
    /// goes, or `None` where no route matches.
    fn resolve(&self, host: &str, path: &str) -> Option<Destination>;
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The raw path after the route's prefixes were taken off and put on, where it has any.
    pub path: Option<String>,
    /// The route's own `response_timeout`.
    pub response_timeout: Option<Duration>,
}

/// Sends the requests that events cause.
pub(crate) struct Client {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) taps: Arc<Taps>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("taps", &self.taps).finish_non_exhaustive()
    }
}

/// A request's destination with everything but the request itself.
pub(crate) struct Way {
    upstream: Arc<Upstream>,
    pub(crate) target: PathAndQuery,
    response_timeout: Option<Duration>,
}

impl Client {
    /// Finds where a request goes.
    pub(crate) fn way(&self, prepared: &Prepared, host: &str) -> Result<Way, Failure> {
        if let Some(upstream) = &prepared.upstream {
            let (upstream, target) = (Arc::clone(upstream), prepared.target.clone());
            return Ok(Way { upstream, target, response_timeout: None });
        }
        let no_route = || Failure::new(StatusCode::BAD_GATEWAY, "no_upstream", "no upstream serves the path");
        let found = self.resolver.resolve(host, prepared.target.path()).ok_or_else(no_route)?;
        let target = match (found.path, prepared.target.query()) {
            (None, _) => Ok(prepared.target.clone()),
            (Some(path), None) => PathAndQuery::try_from(path),
            (Some(path), Some(query)) => PathAndQuery::try_from(format!("{path}?{query}")),
        };
        let target = target.map_err(|_| no_route())?;
        Ok(Way { upstream: found.upstream, target, response_timeout: found.response_timeout })
    }

    /// Sends a request with these headers, of which it says `Content-Type` only where there is a body, beside
    /// the rule's own, which win. Waits for the whole response.
    pub(crate) async fn send(
        &self,
        prepared: Prepared,
        way: Way,
        mut headers: Fields,
    ) -> Result<Exchange, Failure> {
        let body = prepared.body.map(|json| json.bytes().clone());
        if body.is_none() {
            headers.remove(CONTENT_TYPE);
        }
        for (name, value) in prepared.headers {
            headers.insert(name, value);
        }
        let watch = self.taps.watch(&prepared.method, prepared.target.as_str(), &headers);
        let mut request = Request::new(body.clone().map_or(Body::Empty, Body::from));
        *request.method_mut() = prepared.method;
        *request.uri_mut() = way.target.into();
        *request.headers_mut() = headers;
        let head_timeout = prepared.timeout.or(way.response_timeout);
        // Pinned, since a future that is handed on takes its room twice.
        let answer = pin!(async {
            let response = way.upstream.send_repeatable(&mut request, head_timeout).await?;
            let (parts, body) = response.into_parts();
            let body = timed(BODY_TIMEOUT, collect(body)).await?;
            Ok(Response::from_parts(parts, body))
        });
        let answer: Response<Bytes> = match prepared.timeout {
            Some(timeout) => timed(timeout, answer).await?,
            None => answer.await?,
        };
        Ok(Exchange { answer, watch, body })
    }
}

/// A request that was answered.
pub(crate) struct Exchange {
    answer: Response<Bytes>,
    watch: Option<Watch>,
    /// The request's body.
    body: Option<Bytes>,
}

impl Exchange {
    /// Takes what the backend said in `Frontroom-Actions`.
    pub(crate) fn said(&mut self) -> Option<Said> {
        Said::take(self.answer.headers_mut())
    }

    /// Lets taps look at it, and gives the answer as templates see it.
    pub(crate) fn finish<S: Sink>(self, sink: &Arc<S>) -> Result<Reply, Failure> {
        if let Some(watch) = self.watch {
            watch.complete(&self.answer, self.body, sink);
        }
        decoded(self.answer)
    }
}

fn timed<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    let late = || {
        let message = "the upstream did not answer in time";
        Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
    };
    tokio::time::timeout(timeout, work).map(move |done| done.unwrap_or_else(|_| Err(late())))
}

async fn collect(body: Body) -> Result<Bytes, Failure> {
    match body {
        Body::Empty => return Ok(Bytes::new()),
        Body::Full(whole) if whole.len() <= MAX_BODY => return Ok(whole),
        _ => (),
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => {
            let message = "the upstream broke off its answer";
            Err(Failure::new(StatusCode::BAD_GATEWAY, "upstream_error", message))
        }
    }
}

fn too_large() -> Failure {
    let message = format!("the upstream's answer is larger than {MAX_BODY} bytes");
    Failure::new(StatusCode::BAD_GATEWAY, "response_too_large", message)
}

/// The response as templates see it. Nothing asked for a content coding, but some upstreams use one.
fn decoded(answer: Response<Bytes>) -> Result<Reply, Failure> {
    let (mut parts, body) = answer.into_parts();
    let body = decode::decode(&parts.headers, body, MAX_BODY).map_err(|error| match error {
        decode::Error::TooLarge => too_large(),
        decode::Error::Bad => {
            let message = "the upstream's answer does not decode";
            Failure::new(StatusCode::BAD_GATEWAY, "upstream_error", message)
        }
    })?;
    if parts.headers.remove(CONTENT_ENCODING).is_some() {
        parts.headers.remove(CONTENT_LENGTH);
    }
    Ok(Reply::new(parts.status, parts.headers, body))
}
