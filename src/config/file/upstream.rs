//! Backends: groups of addresses, how one is chosen, and what happens when one fails.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany, Ratio};

/// A group of backend addresses.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["endpoints"]))]
pub struct Upstream {
    /// `http://HOST:PORT`, `https://HOST:PORT`, `h2c://HOST:PORT` (HTTP/2 without TLS) or `unix:/PATH`.
    pub endpoints: OneOrMany<String>,
    /// How an endpoint is chosen. Default `round_robin`.
    pub balance: Balance,
    /// Time to connect, TLS included; as long may a request wait for a connection. Default 3s.
    pub connect_timeout: Option<Duration>,
    /// Time from the end of the request's body to the response's head. Default 30s.
    pub response_timeout: Option<Duration>,
    /// How long a response's body, or a WebSocket that is passed through, may stand still. Default 5m.
    pub stream_idle_timeout: Option<Duration>,
    /// How long an idle connection is kept for reuse. Default 4s.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may be used for further requests; those on it are not cut short. Default 1h.
    pub max_connection_age: Option<Duration>,
    /// Connections to all endpoints together. Default 1024.
    pub max_connections: Option<usize>,
    /// Requests that may wait for a connection; further ones are answered 503. Default 1024.
    pub max_pending: Option<usize>,
    /// Trying again where that is safe.
    pub retry: Retry,
    /// Asking the endpoints whether they are well. Default: they are not asked.
    pub health_check: Option<HealthCheck>,
    /// Leaving out endpoints that fail, where there are several.
    pub outlier: Outlier,
    /// TLS to `https://` endpoints.
    pub tls: Option<UpstreamTls>,
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after another.
    #[default]
    RoundRobin,
    /// Of two at random the one with fewer requests in flight.
    LeastRequests,
    /// Of two at random the one with the smaller product of recent latency and requests in flight.
    PeakEwma,
}

/// Trying again where that is safe: what was never sent, or is idempotent and can be sent twice.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries after the first. Default 1.
    pub attempts: Option<u32>,
    /// Retries in ten seconds as a share of the requests, beyond three. Default 0.2.
    pub budget: Option<Ratio>,
}

/// Asking each endpoint whether it is well. Any answer from 200 to 399 says yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["path"]))]
pub struct HealthCheck {
    /// Path and query to GET.
    pub path: String,
    /// Time between two checks. Default 10s.
    pub interval: Option<Duration>,
    /// Time for the answer. Default 2s.
    pub timeout: Option<Duration>,
    /// Failed checks in a row until no request goes there. Default 3.
    pub unhealthy_after: Option<u32>,
    /// Good checks in a row until requests go there again. Default 2.
    pub healthy_after: Option<u32>,
}

/// Leaving out endpoints whose requests fail: at most half of them, never the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outlier {
    /// Failed requests in a row (no connection, no answer in time, 502, 503, 504); 0 never. Default 5.
    pub consecutive_failures: Option<u32>,
    /// How long, times the number of ejections in a row, at most 300s. Default 30s.
    pub eject_for: Option<Duration>,
}

/// TLS to an upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// PEM file of the authorities to trust in place of the system's.
    pub ca: Option<String>,
    /// PEM file of our certificate and its chain, for upstreams that ask for one.
    pub cert: Option<String>,
    /// PEM file of its private key.
    pub key: Option<String>,
    /// Name that the certificate must have, sent as SNI. Default: the endpoint's host.
    pub server_name: Option<String>,
    /// Takes any certificate: for tests alone. Default false.
    pub insecure: bool,
}
