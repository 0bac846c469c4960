//! Requests that are refused whatever they ask.

use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::fault::Fault;

/// Why a request is refused whatever it asks. The handler answers with it, so that the answer has the
/// form and the headers of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are `limits.connections` already.
    Connections,
    /// The address has `limits.connections_per_ip` already.
    ConnectionsPerIp,
    /// It is no request of HTTP/1.1, or one that two readers could read differently; what is wrong.
    Malformed(&'static str),
    /// Its target is far longer than `limits.header_bytes`.
    TargetTooLong,
    /// Its head is far larger than `limits.header_bytes`, or has far more fields than `limits.header_fields`.
    HeadTooLarge,
}

impl From<Refused> for Fault {
    /// The connection is closed afterwards.
    fn from(refused: Refused) -> Fault {
        let crowd = "too_many_connections";
        let (status, code, message) = match refused {
            Refused::Connections => {
                (StatusCode::SERVICE_UNAVAILABLE, crowd, "there are too many connections")
            }
            Refused::ConnectionsPerIp => {
                (StatusCode::TOO_MANY_REQUESTS, crowd, "there are too many connections from this address")
            }
            Refused::Malformed(what) => (StatusCode::BAD_REQUEST, "bad_request", what),
            Refused::TargetTooLong => (StatusCode::URI_TOO_LONG, "uri_too_long", "the URL is too long"),
            Refused::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "header_too_large",
                "the request's head is far too large",
            ),
        };
        let fault =
            Fault::new(status, code, message).with_header(CONNECTION, HeaderValue::from_static("close"));
        match code == crowd {
            true => fault.with_header(RETRY_AFTER, HeaderValue::from_static("1")),
            false => fault,
        }
    }
}
