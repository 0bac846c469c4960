//! The admin listener.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::Size;

/// The admin listener.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address. Default `127.0.0.1:4001`.
    pub listen: Option<String>,
    /// Bearer token; must be set beyond loopback.
    pub token: Option<String>,
    /// Largest body of a call. Default 1MB.
    pub max_body: Option<Size>,
    /// Sockets that are followed at a time. Default 16.
    pub max_followers: Option<usize>,
    /// What may wait for one who follows a socket, in bytes. Default 1MB.
    pub follow_queue: Option<Size>,
}
