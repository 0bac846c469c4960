//! The orderly end.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::Duration;

/// Orderly end.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// Time between readiness off and the end of accepting. Default 0s.
    pub delay: Option<Duration>,
    /// Time for requests to finish and sockets to close. Default 30s.
    pub grace: Option<Duration>,
}
