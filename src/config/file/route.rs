//! Which upstream serves which request.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, Size};

/// One route.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["upstream"]))]
pub struct Route {
    /// What the route matches.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
    /// Name of the upstream.
    pub upstream: String,
    /// Prefix taken off the path before it goes upstream.
    pub strip_prefix: Option<String>,
    /// Prefix put before the path (after stripping).
    pub add_prefix: Option<String>,
    /// Overrides the upstream's `response_timeout`.
    pub response_timeout: Option<Duration>,
    /// Largest request body. Overrides `limits.max_body`.
    pub max_body: Option<Size>,
}

/// What a route matches; an absent key matches everything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteMatch {
    /// Host name, compared without port and case.
    pub host: Option<String>,
    /// Path prefix, matched on segment boundaries.
    pub path_prefix: Option<String>,
}
