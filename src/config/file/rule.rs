//! What happens on an event.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Tree;
use crate::config::value::{Duration, OneOrMany, Rate};

/// What happens on an event. Done in this order; the first failure ends the rule: `rate_limit`,
/// `schema`, `request` or `hook`, `state`, `leave`, `join`, `emit`, `ack`, `disconnect`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// How often one socket may send the event: `5/s`, `100/m`.
    pub rate_limit: Option<Rate>,
    /// JSON Schema that the first argument has to match.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub schema: Option<Tree>,
    /// REST request to make.
    pub request: Option<Request>,
    /// Body of the request. Default for POST, PUT and PATCH: the first argument.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub body: Option<Tree>,
    /// Path of a hook that decides.
    pub hook: Option<String>,
    /// Expression; where it is false, the keys after it are not done.
    pub when: Option<String>,
    /// Keys to set in the socket's state.
    pub state: Option<IndexMap<String, Tree>>,
    /// Rooms to leave.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub leave: Option<Tree>,
    /// Rooms to join.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub join: Option<Tree>,
    /// Events to send.
    pub emit: OneOrMany<Emit>,
    /// Arguments of the ack: a list is the arguments, anything else the only one; `false` never acks.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub ack: Option<Tree>,
    /// Whether the socket is disconnected from its namespace in the end.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub disconnect: Option<Tree>,
}

/// A rule's REST request, written `METHOD /path` or as a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path and query with templates.
    pub path: String,
    /// Name of the upstream. Default: what the routes say of the path.
    pub upstream: Option<String>,
    /// Headers with templates.
    pub headers: IndexMap<String, String>,
    /// Time to the whole response. Default: the upstream's `response_timeout`.
    pub timeout: Option<Duration>,
}

/// An event to send.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["event"]))]
pub struct Emit {
    /// Name of the event.
    pub event: String,
    /// Rooms to send to. In a rule, absent means this socket.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// To every socket of the namespace.
    pub everyone: bool,
    /// The only argument.
    #[serde(deserialize_with = "crate::config::value::present")]
    #[schemars(with = "Tree")]
    pub data: Option<Tree>,
    /// The arguments.
    pub args: Option<Vec<Tree>>,
    /// Namespace to send in. Default: the rule's own.
    pub namespace: Option<String>,
    /// Whether the event may be dropped for a client that is not ready for it.
    pub volatile: bool,
}
