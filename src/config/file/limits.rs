//! Bounds on clients.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, Size};

/// Bounds on clients.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all. Default 0: as many as the process may have files.
    pub connections: Option<usize>,
    /// Connections of one address (one /64 for IPv6); peers in `trusted_proxies` are not counted. Default 0:
    /// no bound.
    pub connections_per_ip: Option<usize>,
    /// Requests a second of one client (one /64 for IPv6). Default 0: no bound.
    pub requests_per_second_per_ip: Option<u32>,
    /// TLS handshakes at a time; more wait for their turn. Default 1000.
    pub tls_handshakes: Option<usize>,
    /// Bytes of a request's head, and of its path with query. Default 32KB.
    pub header_bytes: Option<Size>,
    /// Fields of a request's head. Default 100.
    pub header_fields: Option<usize>,
    /// Time to send a request's head; also, each for itself, to do a TLS handshake and to send a PROXY
    /// protocol header (at most 5s). Default 10s.
    pub header_timeout: Option<Duration>,
    /// How long a request's body may stand still. Default 60s.
    pub body_timeout: Option<Duration>,
    /// Largest REST request body. Default: none.
    pub max_body: Option<Size>,
    /// Bytes of answers that wait for their taps. Default 64MB.
    pub tap_backlog: Option<Size>,
}
