//! Forwarding of requests to an upstream and of its responses back, both streamed. Knows no sockets.

mod check;
mod expect;
mod limit;
mod request;
mod response;
mod splice;
mod trailers;
mod tunnels;
mod upgrade;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::body::Body;
use crate::fault::Fault;
use crate::headers::{Forwarded, Intent};
use crate::http1::upgrade as leaving;
use crate::message::{Request, Response};
use crate::upstream::Upstream;

pub use check::{HeadBounds, asterisk, check};
pub use request::is_grpc;
pub use tunnels::{End, Tunnels};

use expect::Expectation;

/// What is known of a request besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Who sent it.
    pub forwarded: &'a Forwarded,
    /// Its `X-Request-Id`.
    pub request_id: &'a HeaderValue,
    /// Path and query to ask for, where the route's prefixes change them.
    pub target: Option<&'a str>,
    /// Overrides the upstream's own.
    pub response_timeout: Option<Duration>,
    /// Largest request body.
    pub max_body: Option<u64>,
    /// Fields that are set whatever the request says.
    pub claims: &'a [(HeaderName, HeaderValue)],
    /// Lists the tunnel that comes of an upgrade, for those who end it early.
    pub tunnels: Option<&'a Tunnels>,
}

/// Forwards a request that [`check()`] found sound; what is left of it is of no use to anybody. Path and
/// query go byte for byte, `Host` unchanged, bodies as they come.
///
/// A WebSocket upgrade is passed on; once the upstream agreed, a task carries the bytes until both
/// sides have ended. Dropping the future, or the response's body, cancels the upstream's request.
pub async fn forward(
    upstream: &Upstream,
    request: &mut Request<Body>,
    context: &Context<'_>,
) -> Result<Response<Body>, Fault> {
    limit::apply(request.body_mut(), context.max_body)?;
    let intent = Intent::read(request);
    let client = intent.websocket.then(|| leaving::on(request));
    request::prepare(request, intent, context)?;
    let expectation = Expectation::hold(request);
    let idle = upstream.stream_idle_timeout();
    // The head of a gRPC stream may come as late as its first message.
    let grpc = request.headers().get(CONTENT_TYPE).is_some_and(is_grpc);
    let timeout = context.response_timeout.or(grpc.then_some(idle));
    let response = upstream.send(request, timeout).await?;
    match client {
        Some(client) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            upgrade::accept(client, response, idle, context.tunnels)
        }
        _ => {
            let mut response = response::prepare(response);
            if let Some(expectation) = expectation {
                expectation.answered(&mut response);
            }
            Ok(response)
        }
    }
}
