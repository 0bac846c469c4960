//! The namespace of the official Admin UI.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, Rate, Size};

/// A namespace that the official Socket.IO Admin UI connects to.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminUi {
    /// Whether there is one. Default false.
    pub enabled: bool,
    /// Its name. Default `/admin`.
    pub namespace: Option<String>,
    /// Who may log in. Default `basic`.
    pub auth: AdminUiAuth,
    /// Name to log in with.
    pub username: Option<String>,
    /// Bcrypt hash of the password, as `htpasswd -nbBC 10 admin` prints it behind the colon.
    pub password: Option<String>,
    /// How long who has logged in may come back without the password. Default 24h.
    pub session: Option<Duration>,
    /// What is told. Default `production`.
    pub mode: AdminUiMode,
    /// Whether nothing can be done from there. Default false.
    pub read_only: bool,
    /// This node's name among the servers that are shown. Default: the host's name, with `cluster` the process's
    /// number behind it.
    pub server_id: Option<String>,
    /// Passwords checked at a time. Default 2.
    pub max_logins: Option<usize>,
    /// Wrong passwords that one address (one /64 for IPv6) may try. Default 10/m.
    pub failed_logins: Option<Rate>,
    /// Sockets that are listed for who has logged in. Default 10000.
    pub max_sockets: Option<usize>,
    /// Bytes that may wait to be told. Default 4MB.
    pub max_queue: Option<Size>,
}

/// The hash stays out of logs.
impl std::fmt::Debug for AdminUi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminUi").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// Who may log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminUiAuth {
    /// Who knows `username` and the password.
    #[default]
    Basic,
    /// Whoever can reach it.
    None,
}

/// What is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminUiMode {
    /// Sums alone.
    #[default]
    Production,
    /// Every socket, and every event with its content.
    Development,
}
