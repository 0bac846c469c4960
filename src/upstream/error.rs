//! Why there is no response from an upstream, and how that is told to clients.

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};

pub use super::gate::Full;
use crate::body::{BodyError, Interrupted};
use crate::fault::Fault;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint's name leads to no address.
    #[error("cannot look up {endpoint}: {source}")]
    Unresolved {
        /// Where to.
        endpoint: String,
        /// Why.
        source: std::io::Error,
    },
    /// No endpoint could be connected to.
    #[error("cannot connect to {endpoint}: {source}")]
    Unreachable {
        /// Where to.
        endpoint: String,
        /// Why.
        source: std::io::Error,
    },
    /// No TLS with the endpoint: a certificate that does not fit, or none in common.
    #[error("no TLS with {endpoint}: {source}")]
    Tls {
        /// Where to.
        endpoint: String,
        /// Why.
        source: BodyError,
    },
    /// Connecting took longer than `connect_timeout`.
    #[error("connecting to {endpoint} timed out")]
    ConnectTimeout {
        /// Where to.
        endpoint: String,
    },
    /// The endpoint could not be connected to for a while, and is not tried by every request.
    #[error("{endpoint} has been out of reach for a while")]
    Unavailable {
        /// Where to.
        endpoint: String,
    },
    /// `max_connections` are open, and as many requests wait as may, or this one waited too long.
    #[error("all connections are in use: {full}")]
    Busy {
        /// Which bound was reached.
        full: Full,
    },
    /// No response head within `response_timeout`.
    #[error("no response from {endpoint} in time")]
    ResponseTimeout {
        /// Where from.
        endpoint: String,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("{endpoint} broke the exchange: {source}")]
    Broken {
        /// Where from.
        endpoint: String,
        /// Why.
        source: BodyError,
    },
    /// The response is HTTP, but one that must not be passed on (RFC 9112 6.3).
    #[error("{endpoint} sent a response that cannot be passed on: {what}")]
    Malformed {
        /// Where from.
        endpoint: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A WebSocket for an endpoint that speaks HTTP/2 alone (RFC 8441 is not spoken upstream).
    #[error("{endpoint} speaks HTTP/2 alone, which carries no upgrade")]
    NoUpgrade {
        /// Where to.
        endpoint: String,
    },
    /// The request's own body failed: the client went away, was too slow or sent too much.
    #[error("the request's body failed: {source}")]
    RequestBody {
        /// Why; see [`Interrupted::find`].
        source: BodyError,
    },
}

impl Error {
    /// One word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Error::Unresolved { .. } => "unresolved",
            Error::Unreachable { .. } => "unreachable",
            Error::Tls { .. } => "tls",
            Error::ConnectTimeout { .. } => "connect_timeout",
            Error::Unavailable { .. } => "unavailable",
            Error::Busy { .. } => "busy",
            Error::ResponseTimeout { .. } => "response_timeout",
            Error::Broken { .. } => "broken",
            Error::Malformed { .. } => "malformed",
            Error::NoUpgrade { .. } => "no_upgrade",
            Error::RequestBody { .. } => "request_body",
        }
    }

    /// Whether the endpoint is to blame.
    pub(super) fn is_endpoints(&self) -> bool {
        !matches!(self, Error::Busy { .. } | Error::RequestBody { .. } | Error::NoUpgrade { .. })
    }
}

/// Seconds after which a client may try again.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

impl From<Error> for Fault {
    /// The one table of causes and statuses. Addresses stay in the log: they are nobody's business outside.
    fn from(error: Error) -> Fault {
        let (status, code, message) = match &error {
            Error::Unresolved { .. } => (502, "upstream_unresolved", "the upstream's name has no address"),
            Error::Unreachable { .. } => (502, "upstream_unreachable", "the upstream cannot be reached"),
            Error::Tls { .. } => (502, "upstream_tls_failed", "there is no TLS with the upstream"),
            Error::ConnectTimeout { .. } => {
                (504, "upstream_connect_timeout", "connecting to the upstream timed out")
            }
            Error::Unavailable { .. } => {
                (503, "upstream_unavailable", "the upstream has been out of reach for a while")
            }
            Error::Busy { .. } => (503, "upstream_busy", "all connections to the upstream are in use"),
            Error::ResponseTimeout { .. } => (504, "upstream_timeout", "the upstream did not answer in time"),
            Error::Broken { .. } => (502, "upstream_error", "the upstream broke the exchange"),
            Error::Malformed { .. } => (502, "upstream_error", "the upstream's response is not valid HTTP"),
            Error::NoUpgrade { .. } => {
                (502, "upstream_no_upgrade", "the upstream speaks HTTP/2, which carries no WebSocket here")
            }
            Error::RequestBody { source } => match Interrupted::find(&**source) {
                Some(interrupted) => return interrupted.into(),
                None => (400, "request_aborted", "the request's body ended before its end"),
            },
        };
        let fault =
            Fault::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), code, message);
        if status == 503 { fault.with_header(RETRY_AFTER, AGAIN) } else { fault }
    }
}
