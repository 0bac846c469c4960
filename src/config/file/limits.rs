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
    /// Bytes of a request's head. Default 32KB.
    pub header_bytes: Option<Size>,
    /// Time to send a request's head. Default 10s.
    pub header_timeout: Option<Duration>,
    /// How long a request's body may stand still. Default 60s.
    pub body_timeout: Option<Duration>,
    /// Largest REST request body. Default: none.
    pub max_body: Option<Size>,
}
