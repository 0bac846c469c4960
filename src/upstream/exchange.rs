//! One request and its response at one endpoint, and whether a failed one may be tried again.

use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, UPGRADE};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Error;
use super::body::{Outgoing, outgoing, streamed};
use super::endpoint::{Endpoint, Lease};
use super::http1::{Connection, Failure};
use super::http2::Place;
use super::load::InFlight;
use super::request::{Spare, for_http1, for_http2, is_idempotent};
use crate::body::{Body, BodyError};
use crate::message::{Request, Response};

/// What holds for all tries of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Time to the response's head.
    pub(super) limit: Duration,
    /// Whether the request may be sent twice, whatever its method.
    pub(super) repeatable: bool,
    /// Whether no idle connection is to be used: the one before was dead.
    pub(super) fresh: bool,
}

/// A failed try, and why another may be made with the same request.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) again: Option<Why>,
}

/// Why a request may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing of it was sent, since there is no connection.
    NoConnection,
    /// Nothing of it was sent, since the idle connection was closed as it was taken.
    Unsent,
    /// The idle connection died before a byte came back: the upstream had closed it meanwhile.
    Stale,
    /// The upstream said that it has not processed it (RFC 9113 8.7).
    Refused,
    /// The connection broke before a byte came back, and the request may be sent twice.
    Broken,
}

impl Why {
    /// Whether it takes from the retry budget. A stale connection says nothing of the upstream: its
    /// request goes on to a live one, else an upstream that closes connections early would use up
    /// what is meant for failures.
    pub(super) fn costs(self) -> bool {
        !matches!(self, Why::Unsent | Why::Stale)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, again: None }
    }
}

/// Sends a request over a connection of `endpoint` and waits for the response's head. After a failure
/// that allows another try the request is as it was.
pub(super) async fn send(
    endpoint: &Arc<Endpoint>,
    request: &mut Request<Body>,
    terms: Terms,
    in_flight: Option<InFlight>,
) -> Result<Response<Body>, Failed> {
    let upgrades = request.headers().contains_key(UPGRADE);
    let found = if terms.fresh { None } else { endpoint.at_hand(upgrades) };
    let lease = match found {
        Some(lease) => lease,
        // What is needed to connect lies elsewhere: most requests only carry it about.
        None => Box::pin(endpoint.lease(terms.fresh, upgrades))
            .await
            .map_err(|error| Failed { error, again: Some(Why::NoConnection) })?,
    };
    let twice = terms.repeatable || is_idempotent(request.method());
    match lease {
        Lease::Http1(connection) => {
            for_http1(request, endpoint.authority());
            let once =
                Once { endpoint, upgrades, twice, always: terms.repeatable, reused: connection.reused };
            once.http1(connection, request, terms.limit, in_flight).await
        }
        Lease::Http2(place) => {
            let once = Once { endpoint, upgrades, twice, always: terms.repeatable, reused: place.reused };
            Box::pin(once.http2(place, request, terms.limit, in_flight)).await
        }
    }
}

/// One try over one connection.
#[derive(Clone, Copy)]
struct Once<'a> {
    endpoint: &'a Arc<Endpoint>,
    /// Whether the request asks for an upgrade.
    upgrades: bool,
    /// Whether the request may be sent twice.
    twice: bool,
    /// Whether it may even where the connection was a fresh one.
    always: bool,
    /// Whether the upstream may have closed the connection before the request came.
    reused: bool,
}

impl Once<'_> {
    async fn http1(
        self,
        mut connection: Box<Connection>,
        request: &mut Request<Body>,
        limit: Duration,
        in_flight: Option<InFlight>,
    ) -> Result<Response<Body>, Failed> {
        connection.in_flight = in_flight;
        let keeps = self.always || (self.reused && (self.twice || request.body().is_end_stream()));
        let spare = if keeps { Spare::keep(request.body_mut()) } else { None };
        match connection.exchange(request, self.upgrades, limit).await {
            Ok(answer) => {
                let body = std::mem::replace(request.body_mut(), Body::Empty);
                Ok(answer.into_response(connection, body, self.endpoint))
            }
            Err(failure) => {
                let (error, why) = self.http1_failure(failure);
                Err(self.failed(error, why, spare, request))
            }
        }
    }

    #[cold]
    fn http1_failure(self, failure: Failure) -> (Error, Option<Why>) {
        let endpoint = self.endpoint.name.clone();
        match failure {
            Failure::Body(source) => (Error::RequestBody { source }, None),
            Failure::Timeout => (Error::ResponseTimeout { endpoint }, None),
            Failure::Refused(what) => (Error::Malformed { endpoint, what }, None),
            Failure::Broken { error, unheard, untaken } => {
                let why = match unheard {
                    true if untaken && self.reused => Some(Why::Unsent),
                    true => self.died(),
                    false => None,
                };
                (self.endpoint.tls_or_broken(error), why)
            }
        }
    }

    /// Why a request may be tried again whose connection died without a byte.
    fn died(self) -> Option<Why> {
        match (self.reused, self.twice) {
            (true, true) => Some(Why::Stale),
            _ => self.always.then_some(Why::Broken),
        }
    }

    /// The failure; where another try may be made, the request gets its body back.
    #[cold]
    fn failed(
        self,
        error: Error,
        why: Option<Why>,
        spare: Option<Spare>,
        request: &mut Request<Body>,
    ) -> Failed {
        let body = why.and(spare).and_then(Spare::into_body);
        let again = why.filter(|_| body.is_some());
        if let Some(body) = body {
            *request.body_mut() = body;
        }
        Failed { error, again }
    }

    async fn http2(
        self,
        mut place: Place,
        request: &mut Request<Body>,
        limit: Duration,
        in_flight: Option<InFlight>,
    ) -> Result<Response<Body>, Failed> {
        let copy = for_http2(request, &self.endpoint.scheme(), self.endpoint.authority());
        // Also for a method that is not idempotent: a stream may be refused before it is looked at.
        let spare = Spare::keep(request.body_mut());
        let body = std::mem::replace(request.body_mut(), Body::Empty);
        let (body, sent) = outgoing(body);
        let answer = self.wait(place.send(copy.map(|()| body)), sent, limit).await?;
        let mut response = match answer {
            Ok(response) => Response::from(response),
            Err(mut failure) => {
                let unsent = failure.take_message().map(|request| request.into_body().into_inner());
                let source = failure.into_error();
                // Another try must not find the same connection.
                if unsent.is_some() || is_over(&source) {
                    place.retire();
                }
                let why = match &unsent {
                    Some(_) => Some(Why::Unsent),
                    None if is_refused(&source) => Some(Why::Refused),
                    None => self.died(),
                };
                let error = self.endpoint.tls_or_broken(source.into());
                if let Some(body) = unsent {
                    *request.body_mut() = body;
                    return Err(Failed { error, again: why });
                }
                return Err(self.failed(error, why, spare, request));
            }
        };
        if response.status() == StatusCode::NO_CONTENT {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        Ok(response.map(|body| match body.is_end_stream() {
            true => Body::Empty,
            false => streamed(body, place, in_flight, self.endpoint.stream_idle_timeout()),
        }))
    }

    /// Waits for the response's head; the limit runs from the end of the request's body.
    async fn wait(
        self,
        answer: impl Future<Output = Answer>,
        sent: Option<oneshot::Receiver<BodyError>>,
        limit: Duration,
    ) -> Result<Answer, Failed> {
        let mut answer = pin!(answer);
        if let Some(sent) = sent {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                sent = sent => if let Ok(source) = sent {
                    return Err(Error::RequestBody { source }.into());
                },
            }
        }
        let late = || Error::ResponseTimeout { endpoint: self.endpoint.name.clone() }.into();
        timeout(limit, answer).await.map_err(|_| late())
    }
}

type Answer = Result<http::Response<Incoming>, TrySendError<http::Request<Outgoing>>>;

/// Whether an HTTP/2 upstream said that it has not processed the request: a refused stream, or one
/// after the last that a graceful GOAWAY names (RFC 9113 8.7).
fn is_refused(error: &hyper::Error) -> bool {
    let Some(error) = of_http2(error) else { return false };
    match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    }
}

/// Whether an HTTP/2 upstream ends the connection, or it has broken.
fn is_over(error: &hyper::Error) -> bool {
    of_http2(error).is_some_and(|error| error.is_go_away() || error.is_io())
}

fn of_http2(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}
