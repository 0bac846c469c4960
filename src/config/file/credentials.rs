//! Clients' tokens.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::OneOrMany;

/// Where a client's token is found and how it goes upstream.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// `header:NAME`, `auth:KEY`, `cookie:NAME`, `query:NAME`; the first one found counts.
    /// Default `["header:authorization", "auth:token"]`.
    pub token: Option<OneOrMany<String>>,
    /// Whether the handshake's cookies go along with event requests. Default true.
    pub cookies: Option<bool>,
}
