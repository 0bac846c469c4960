//! Hooks: requests that let the backend decide.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany};

/// Signing and timeout of hook requests.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Secrets that sign, newest first.
    pub secrets: OneOrMany<String>,
    /// Time to a hook's whole answer. Default 5s.
    pub timeout: Option<Duration>,
    /// How long clients may take to answer an emit with `"ack": true`. Default 10s.
    pub ack_timeout: Option<Duration>,
}
