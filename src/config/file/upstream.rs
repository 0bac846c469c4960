//! Backends: groups of addresses, and how one is chosen.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany};

/// A group of backend addresses.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["endpoints"]))]
pub struct Upstream {
    /// `http://HOST:PORT` URLs, used in turn.
    pub endpoints: OneOrMany<String>,
    /// How an endpoint is chosen. Default `round_robin`.
    pub balance: Balance,
    /// Time to connect. Default 3s.
    pub connect_timeout: Option<Duration>,
    /// Time from the end of the request's body to the response's head. Default 30s.
    pub response_timeout: Option<Duration>,
    /// How long a response's body, or a WebSocket that is passed through, may stand still. Default 5m.
    pub stream_idle_timeout: Option<Duration>,
    /// How long an idle connection is kept for reuse. Default 4s.
    pub idle_timeout: Option<Duration>,
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after another.
    #[default]
    RoundRobin,
}
