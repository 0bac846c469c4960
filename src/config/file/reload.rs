//! A changed file.

use schemars::JsonSchema;
use serde::Deserialize;

/// What happens when the config file changes. SIGHUP always reads it again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reload {
    /// Whether the file is watched and read again by itself. Default true.
    pub auto: Option<bool>,
}
