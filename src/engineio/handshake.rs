//! The request that opened a session.

use crate::headers::Forwarded;
use crate::message::Fields;

/// What is kept of the request that opened a session. Headers are copied, so that the
/// connection's read buffer is not kept alive.
#[derive(Debug)]
pub struct Handshake {
    /// Its headers.
    pub headers: Fields,
    /// Its path and query as received.
    pub url: String,
    /// Its decoded query, in order.
    pub query: Vec<(String, String)>,
    /// Who asked: address, scheme, host.
    pub forwarded: Forwarded,
    /// The request's id.
    pub request_id: String,
    /// When it came: milliseconds since the Unix epoch.
    pub issued: u64,
}
