//! Upstreams: groups of backend addresses, how one is chosen, their connections, timeouts and
//! retries. Knows no sockets.
//!
//! A request takes an endpoint of the `group`, a connection of that `endpoint` within what the `gate`
//! allows, and makes one `exchange`. What is only there for several endpoints costs one nothing.

mod body;
mod budget;
mod build;
mod clock;
mod continues;
mod dial;
mod endpoint;
mod error;
mod exchange;
mod failfast;
mod gate;
mod group;
mod health;
mod http1;
mod http2;
mod load;
mod pool;
mod request;
mod resolve;
mod standing;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::body::Body;
use crate::message::{Request, Response};
use crate::telemetry::metrics;
use crate::telemetry::trace::Span;
use budget::Budget;
use build::Origin;
use exchange::{Failed, Terms, Why};
use group::{Group, Outcome};
use health::Check;

pub use continues::OnContinue;
pub use error::{Error, Full};
pub use http1::Switched;
pub use stream::Stream;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use http1::fuzz;

/// All upstreams by name.
#[derive(Debug, Default)]
pub struct Upstreams {
    by_name: BTreeMap<String, Arc<Upstream>>,
}

impl Upstreams {
    /// The upstream of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.by_name.get(name)
    }

    /// Their names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Begins what happens without requests, on the current runtime: health checks and lookups of
    /// names. Those taken over from the config before go on as they are; each ends with its upstream.
    pub fn start(&self) {
        self.by_name.values().for_each(Upstream::start);
    }
}

/// Bounds on the phases of an exchange.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    connect: Duration,
    response: Duration,
    stream: Duration,
    idle: Duration,
    /// After which no further request goes over a connection.
    age: Duration,
}

/// A group of backend addresses.
#[derive(Debug)]
pub struct Upstream {
    name: String,
    group: Group,
    timeouts: Timeouts,
    /// Tries after the first.
    attempts: u32,
    budget: Budget,
    check: Option<Check>,
    started: AtomicBool,
    /// What it was built from: a config that says the same keeps it.
    origin: Origin,
}

impl Upstream {
    /// Begins what happens without requests, once, on the current runtime; see [`Upstreams::start`].
    pub fn start(self: &Arc<Self>) {
        if !self.started.swap(true, Ordering::Relaxed) {
            tokio::spawn(health::tend(Arc::downgrade(self)));
        }
    }

    /// Its key in the config; `default` for the shorthand.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long a response's body may stand still before it is cut off, and a tunnel that began with it.
    pub fn stream_idle_timeout(&self) -> Duration {
        self.timeouts.stream
    }

    /// Sends a request (origin-form target, hop-by-hop fields already removed) and waits for the
    /// response's head, at most `response_timeout` (default: the upstream's own) after the
    /// request's body was sent. Sets `Host` where there is none. Dropping the future, or the
    /// response's body before its end, cancels the request at the backend.
    ///
    /// Tried again, as often as `retry.attempts` says and at another endpoint if there is one, are:
    /// a connect that failed; a request that an idle connection died under, if it was never sent, or if
    /// it is idempotent, got no byte back and has a body of at most 64 KiB.
    ///
    /// What is left of the request is of no use to anybody.
    pub fn send(
        &self,
        request: &mut Request<Body>,
        response_timeout: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> {
        self.deliver(request, response_timeout, false)
    }

    /// The same for a request that carries an `Idempotency-Key`: it is tried again too where any
    /// connection died before a byte came back, whatever its method.
    pub fn send_repeatable(
        &self,
        request: &mut Request<Body>,
        response_timeout: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> {
        self.deliver(request, response_timeout, true)
    }

    async fn deliver(
        &self,
        request: &mut Request<Body>,
        response_timeout: Option<Duration>,
        repeatable: bool,
    ) -> Result<Response<Body>, Error> {
        let (span, started) = (Span::upstream(&self.name, request), Instant::now());
        let limit = response_timeout.unwrap_or(self.timeouts.response);
        let result = self.try_endpoints(request, Terms { limit, repeatable, fresh: false }).await;
        metrics::upstream_request_duration(&self.name, started.elapsed().as_secs_f64());
        match &result {
            Ok(response) => {
                span.status(response.status().as_u16());
                metrics::upstream_request(&self.name, "ok");
            }
            Err(error) => {
                span.failed(error.label());
                metrics::upstream_request(&self.name, error.label());
                tracing::warn!(upstream = self.name, %error, "upstream request failed");
            }
        }
        result
    }

    async fn try_endpoints(
        &self,
        request: &mut Request<Body>,
        mut terms: Terms,
    ) -> Result<Response<Body>, Error> {
        self.budget.deposit();
        let (mut attempts, mut avoid) = (self.attempts, None);
        loop {
            let Some(turn) = self.group.pick(avoid) else {
                return Err(Error::Unavailable { endpoint: self.name.clone() });
            };
            let (index, in_flight) = (turn.index, turn.in_flight());
            let result = exchange::send(turn.endpoint, request, terms, in_flight).await;
            turn.end(outcome(&result));
            let (error, why) = match result {
                Ok(response) => return Ok(response),
                Err(Failed { error, again: None }) => return Err(error),
                Err(Failed { error, again: Some(why) }) => (error, why),
            };
            let unsent = why == Why::Unsent && !terms.fresh;
            if !unsent && !self.may_try(&error, why, &mut attempts) {
                return Err(error);
            }
            tracing::debug!(upstream = self.name, %error, "trying again");
            // What was never sent stays with its endpoint: only its connection was closed.
            avoid = if unsent { avoid } else { Some(index) };
            terms.fresh |= why != Why::NoConnection;
        }
    }

    /// Whether a failed request is tried again, which takes one of its attempts.
    fn may_try(&self, error: &Error, why: Why, attempts: &mut u32) -> bool {
        // Where there is no other endpoint, what took long or cannot change would only fail again.
        let hopeless = self.group.endpoints.len() == 1
            && why == Why::NoConnection
            && !matches!(error, Error::Unreachable { .. });
        if hopeless || *attempts == 0 || matches!(error, Error::Busy { .. }) {
            return false;
        }
        if why.costs() && !self.budget.withdraw() {
            metrics::refused("upstreams.retry.budget");
            return false;
        }
        *attempts -= 1;
        true
    }
}

/// How a try went, as far as its endpoint is to blame. 502, 503 and 504 say that what is behind it
/// is out of order.
fn outcome(result: &Result<Response<Body>, Failed>) -> Outcome {
    match result {
        Ok(response) => match response.status().as_u16() {
            502..=504 => Outcome::Bad,
            429 | 500.. => Outcome::Poor,
            _ => Outcome::Good,
        },
        Err(Failed { again: Some(Why::Unsent | Why::Stale), .. }) => Outcome::Unknown,
        Err(Failed { error, again }) if error.is_endpoints() => match again {
            Some(Why::NoConnection) => Outcome::Lost,
            _ => Outcome::Bad,
        },
        Err(_) => Outcome::Unknown,
    }
}
