//! Connections beyond a bound, which are told so.

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
}

impl From<Refused> for Fault {
    /// The connection is closed afterwards.
    fn from(refused: Refused) -> Fault {
        let (status, message) = match refused {
            Refused::Connections => (StatusCode::SERVICE_UNAVAILABLE, "there are too many connections"),
            Refused::ConnectionsPerIp => {
                (StatusCode::TOO_MANY_REQUESTS, "there are too many connections from this address")
            }
        };
        Fault::new(status, "too_many_connections", message)
            .with_header(CONNECTION, HeaderValue::from_static("close"))
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }
}
