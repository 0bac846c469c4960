//! Why there is no response from an upstream, and how that is told to clients.

use http::StatusCode;

use crate::body::{BodyError, Interrupted};
use crate::fault::Fault;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No endpoint could be connected to.
    #[error("cannot connect to {endpoint}: {source}")]
    Unreachable {
        /// Where to.
        endpoint: String,
        /// Why.
        source: std::io::Error,
    },
    /// Connecting took longer than `connect_timeout`.
    #[error("connecting to {endpoint} timed out")]
    ConnectTimeout {
        /// Where to.
        endpoint: String,
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
            Error::Unreachable { .. } => "unreachable",
            Error::ConnectTimeout { .. } => "connect_timeout",
            Error::ResponseTimeout { .. } => "response_timeout",
            Error::Broken { .. } => "broken",
            Error::Malformed { .. } => "malformed",
            Error::RequestBody { .. } => "request_body",
        }
    }

    /// Whether nothing was sent, so that another endpoint may be tried.
    pub(super) fn is_connect(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::ConnectTimeout { .. })
    }
}

impl From<Error> for Fault {
    /// The one table of causes and statuses. Addresses stay in the log: they are nobody's business outside.
    fn from(error: Error) -> Fault {
        let (status, code, message) = match &error {
            Error::Unreachable { .. } => (502, "upstream_unreachable", "the upstream cannot be reached"),
            Error::ConnectTimeout { .. } => (504, "upstream_timeout", "connecting to the upstream timed out"),
            Error::ResponseTimeout { .. } => (504, "upstream_timeout", "the upstream did not answer in time"),
            Error::Broken { .. } => (502, "upstream_error", "the upstream broke the exchange"),
            Error::Malformed { .. } => (502, "upstream_error", "the upstream's response is not valid HTTP"),
            Error::RequestBody { source } => match Interrupted::find(&**source) {
                Some(interrupted) => return interrupted.into(),
                None => (400, "request_aborted", "the request's body ended before its end"),
            },
        };
        Fault::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), code, message)
    }
}
