//! The config file as it is written: one struct a section, one field a key.
//!
//! Nothing here is compiled. Each feature builds itself from its section and reports
//! [`Problem`](super::Problem)s, so that `check`, start and reload run the same builders.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::value::OneOrMany;

mod admin;
mod admin_ui;
mod cluster;
mod cors;
mod credentials;
mod emitters;
mod hooks;
mod limits;
mod listen;
mod log;
mod reload;
mod route;
mod rule;
mod shutdown;
mod socketio;
mod tap;
mod tracing;
mod upstream;

pub use admin::Admin;
pub use admin_ui::{AdminUi, AdminUiAuth, AdminUiMode};
pub use cluster::{Cluster, ClusterNode, ClusterRedis};
pub use cors::{AllowOrigin, Cors, WebsocketOrigin};
pub use credentials::{Credentials, Jwt, OnExpiry, Require};
pub use emitters::{Emitter, EmitterFormat};
pub use hooks::Hooks;
pub use limits::Limits;
pub use listen::{Certificate, Listen, ListenTls, MinVersion};
pub use log::{Log, LogFormat};
pub use reload::Reload;
pub use route::{Route, RouteMatch};
pub use rule::{Emit, Request, Rule};
pub use shutdown::Shutdown;
pub use socketio::{Namespace, OnFull, Recovery, SendQueue, SocketIo, Transport};
pub use tap::{Disconnect, Movement, Tap};
pub use tracing::Tracing;
pub use upstream::{Balance, HealthCheck, Outlier, Retry, Upstream, UpstreamTls};

/// A value that may hold templates: any YAML value, kept with its key order and number spelling.
pub type Tree = serde_json::Value;

/// The config file of frontroom, a gateway that gives Socket.IO to a REST API that already exists.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "frontroom config")]
pub struct File {
    /// Addresses to listen on: `HOST:PORT`, `{address, tls, proxy_protocol}`, or a list of them. Default
    /// `0.0.0.0:4000`.
    pub listen: Option<OneOrMany<Listen>>,
    /// Shorthand for one upstream (named `default`) behind every path.
    pub upstream: Option<String>,
    /// Upstreams by name.
    pub upstreams: IndexMap<String, Upstream>,
    /// Which upstream serves which host and path; the longest prefix wins.
    #[schemars(with = "OneOrMany<Route>")]
    pub routes: Vec<Route>,
    /// CIDRs whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed. Default: none.
    pub trusted_proxies: OneOrMany<String>,
    /// One CORS policy for REST and Socket.IO.
    pub cors: Option<Cors>,
    /// Where a client's token is found, what makes it good, and how it goes upstream.
    pub credentials: Credentials,
    /// The Socket.IO endpoint and the rules of its namespaces.
    pub socketio: SocketIo,
    /// REST answers that become events.
    #[schemars(with = "OneOrMany<Tap>")]
    pub taps: Vec<Tap>,
    /// Signing and timeout of hook requests.
    pub hooks: Hooks,
    /// Who else may publish events over Redis.
    #[schemars(with = "OneOrMany<Emitter>")]
    pub emitters: Vec<Emitter>,
    /// Several nodes that act as one, with Redis between them.
    pub cluster: Option<Cluster>,
    /// The admin listener.
    pub admin: Option<Admin>,
    /// Bounds on clients.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// Traces for an OpenTelemetry collector.
    pub tracing: Tracing,
    /// What happens when this file changes.
    pub reload: Reload,
    /// Orderly end.
    pub shutdown: Shutdown,
}
