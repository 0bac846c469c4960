//! Forwarding of requests to an upstream and of its responses back, both streamed. Knows no sockets.

mod limit;
mod request;
mod response;
mod upgrade;

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::body::Body;
use crate::fault::Fault;
use crate::headers::{Forwarded, Intent};
use crate::upstream::Upstream;

pub use request::check;

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
}

/// Forwards a request. Path and query go byte for byte, `Host` unchanged, bodies as they come.
///
/// A WebSocket upgrade is passed on; once the upstream agreed, a task carries the bytes until both
/// sides have ended. Dropping the future, or the response's body, cancels the upstream's request.
pub async fn forward(
    upstream: &Upstream,
    mut request: Request<Body>,
    context: &Context<'_>,
) -> Result<Response<Body>, Fault> {
    check(&request)?;
    if request.uri().path() == "*" {
        return Ok(request::asterisk());
    }
    request = limit::apply(request, context.max_body)?;
    let intent = Intent::read(&request);
    let client = intent.websocket.then(|| hyper::upgrade::on(&mut request));
    request::prepare(&mut request, intent, context)?;
    let mut response = upstream.send(request, context.response_timeout).await?;
    match client {
        Some(client) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            upgrade::accept(client, response)
        }
        _ => {
            response::prepare(&mut response);
            Ok(response)
        }
    }
}
