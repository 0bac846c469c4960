//! Upstreams: groups of backend addresses, their keep-alive pools and timeouts. Knows no sockets.

mod build;
mod continues;
mod endpoint;
mod error;
mod http1;
mod pool;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};

use crate::body::Body;
use crate::telemetry::metrics;
use endpoint::Endpoint;

pub use continues::OnContinue;
pub use error::Error;
pub use http1::Switched;

/// Endpoints that one request may try to connect to.
const MAX_ENDPOINTS_TRIED: usize = 2;

/// All upstreams by name.
#[derive(Debug, Default)]
pub struct Upstreams {
    by_name: HashMap<String, Arc<Upstream>>,
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
}

/// Bounds on the phases of an exchange.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    connect: Duration,
    response: Duration,
    stream: Duration,
    idle: Duration,
}

/// A group of backend addresses.
#[derive(Debug)]
pub struct Upstream {
    name: String,
    endpoints: Vec<Arc<Endpoint>>,
    next: AtomicUsize,
    timeouts: Timeouts,
}

impl Upstream {
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
    /// Tried again are: a connect that failed, at another endpoint; a request that an idle connection
    /// died under, if it was never sent, or if it is idempotent, has no body and got no byte back.
    pub async fn send(
        &self,
        request: Request<Body>,
        response_timeout: Option<Duration>,
    ) -> Result<Response<Body>, Error> {
        let result = self.try_endpoints(request, response_timeout.unwrap_or(self.timeouts.response)).await;
        match &result {
            Ok(_) => metrics::upstream_request(&self.name, "ok"),
            Err(error) => {
                metrics::upstream_request(&self.name, error.label());
                tracing::warn!(upstream = self.name, %error, "upstream request failed");
            }
        }
        result
    }

    async fn try_endpoints(
        &self,
        mut request: Request<Body>,
        limit: Duration,
    ) -> Result<Response<Body>, Error> {
        let count = self.endpoints.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
        let turn = self.endpoints.iter().cycle().skip(first).take(count.min(MAX_ENDPOINTS_TRIED));
        let mut unreachable = None;
        for endpoint in turn {
            match endpoint.send(request, limit).await {
                Ok(response) => return Ok(response),
                Err((error, Some(unsent))) if error.is_connect() => {
                    request = unsent;
                    unreachable = Some(error);
                }
                Err((error, _)) => return Err(error),
            }
        }
        Err(unreachable.unwrap_or_else(|| Error::Unreachable {
            endpoint: self.name.clone(),
            source: std::io::ErrorKind::NotFound.into(),
        }))
    }
}
