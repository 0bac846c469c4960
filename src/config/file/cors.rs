//! The CORS policy of REST and Socket.IO.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany};

/// One CORS policy for REST and Socket.IO (Fetch standard, CORS protocol).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// `https://app.example.com`, `https://*.example.com`, `{regex: ...}` or `"*"`.
    pub allow_origins: OneOrMany<AllowOrigin>,
    /// Whether cookies and authorization may travel. Default false.
    pub allow_credentials: bool,
    /// Methods that preflights allow. Default: the method that was asked for.
    pub allow_methods: Option<OneOrMany<String>>,
    /// Headers that preflights allow; `"*"` (default) reflects what was asked.
    pub allow_headers: Option<OneOrMany<String>>,
    /// Response headers that pages may read.
    pub expose_headers: OneOrMany<String>,
    /// How long browsers may keep a preflight's answer. Default 10m.
    pub max_age: Option<Duration>,
    /// What a disallowed Origin means for WebSocket upgrades. Default `enforce`.
    pub websocket_origin: WebsocketOrigin,
}

/// One entry of `allow_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowOrigin {
    /// An origin, a wildcard pattern or `*`.
    Pattern(String),
    /// A regular expression, anchored at both ends.
    Regex(String),
}

/// What a disallowed Origin means for WebSocket upgrades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebsocketOrigin {
    /// 403.
    #[default]
    Enforce,
    /// Let through, counted and logged.
    Report,
    /// Not looked at.
    Off,
}
