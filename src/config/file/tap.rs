//! REST answers that become events.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Emit, Tree};
use crate::config::value::{OneOrMany, Size};

/// A REST answer that becomes an event.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["on"]))]
pub struct Tap {
    /// `METHOD /pattern`: `{name}` one segment, `{*name}` the rest, `POST|PUT` several methods.
    pub on: String,
    /// Statuses that count: `2xx` (default), `201`, a list.
    pub status: Option<OneOrMany<String>>,
    /// Expression; where it is false nothing happens.
    pub when: Option<String>,
    /// Events to send.
    pub emit: OneOrMany<Emit>,
    /// Sockets that join rooms.
    pub join: OneOrMany<Movement>,
    /// Sockets that leave rooms.
    pub leave: OneOrMany<Movement>,
    /// Sockets to disconnect.
    pub disconnect: OneOrMany<Disconnect>,
    /// Namespace the tap acts in. Default `/`.
    pub namespace: Option<String>,
    /// Largest response body looked at. Default 1MB.
    pub max_body: Option<Size>,
    /// Log what would be sent, send nothing.
    pub dry_run: bool,
}

/// Sockets that join or leave rooms.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Movement {
    /// Rooms whose sockets move.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// The rooms joined or left.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub rooms: Option<Tree>,
}

/// Sockets to disconnect.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disconnect {
    /// Rooms whose sockets are disconnected.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// Whether the whole connection is closed.
    pub close: bool,
}
