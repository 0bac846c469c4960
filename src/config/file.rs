//! The config file as it is written: one struct a section, one field a key.
//!
//! Nothing here is compiled. Each feature builds itself from its section and reports
//! [`Problem`](super::Problem)s, so that `check`, start and reload run the same builders.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{Duration, OneOrMany, Rate, Size};

/// A value that may hold templates: any YAML value, kept with its key order and number spelling.
pub type Tree = serde_json::Value;

/// The config file of frontroom, a gateway that gives Socket.IO to a REST API that already exists.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "frontroom config")]
pub struct File {
    /// Addresses to listen on: `HOST:PORT`, or a list of them. Default `0.0.0.0:4000`.
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
    /// Where a client's token is found and how it goes upstream.
    pub credentials: Credentials,
    /// The Socket.IO endpoint and the rules of its namespaces.
    pub socketio: SocketIo,
    /// REST answers that become events.
    #[schemars(with = "OneOrMany<Tap>")]
    pub taps: Vec<Tap>,
    /// Signing and timeout of hook requests.
    pub hooks: Hooks,
    /// The admin listener.
    pub admin: Option<Admin>,
    /// Bounds on clients.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// Orderly end.
    pub shutdown: Shutdown,
}

/// One listening address, written `HOST:PORT` or `{address: HOST:PORT}`.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `HOST:PORT`; port 0 takes a free one and tells which.
    pub address: String,
}

/// A group of backend addresses.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["endpoints"]))]
pub struct Upstream {
    /// `http://HOST:PORT` URLs, used in turn.
    pub endpoints: OneOrMany<String>,
    /// How an endpoint is chosen. Default `round_robin`.
    pub balance: Balance,
    /// Time to connect. Default 3s.
    pub connect_timeout: Option<Duration>,
    /// Time from the end of the request's body to the response's head. Default 30s.
    pub response_timeout: Option<Duration>,
    /// How long an idle connection is kept for reuse. Default 4s.
    pub idle_timeout: Option<Duration>,
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after another.
    #[default]
    RoundRobin,
}

/// One route.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["upstream"]))]
pub struct Route {
    /// What the route matches.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
    /// Name of the upstream.
    pub upstream: String,
    /// Prefix taken off the path before it goes upstream.
    pub strip_prefix: Option<String>,
    /// Prefix put before the path (after stripping).
    pub add_prefix: Option<String>,
    /// Overrides the upstream's `response_timeout`.
    pub response_timeout: Option<Duration>,
    /// Largest request body. Overrides `limits.max_body`.
    pub max_body: Option<Size>,
}

/// What a route matches; an absent key matches everything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteMatch {
    /// Host name, compared without port and case.
    pub host: Option<String>,
    /// Path prefix, matched on segment boundaries.
    pub path_prefix: Option<String>,
}

/// One CORS policy for REST and Socket.IO (Fetch standard, CORS protocol).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// `https://app.example.com`, `https://*.example.com`, `{regex: ...}` or `"*"`.
    pub allow_origins: OneOrMany<AllowOrigin>,
    /// Whether cookies and authorization may travel. Default false.
    pub allow_credentials: bool,
    /// Methods that preflights allow. Default: the method that was asked for.
    pub allow_methods: Option<OneOrMany<String>>,
    /// Headers that preflights allow; `"*"` (default) reflects what was asked.
    pub allow_headers: Option<OneOrMany<String>>,
    /// Response headers that pages may read.
    pub expose_headers: OneOrMany<String>,
    /// How long browsers may keep a preflight's answer. Default 10m.
    pub max_age: Option<Duration>,
    /// What a disallowed Origin means for WebSocket upgrades. Default `enforce`.
    pub websocket_origin: WebsocketOrigin,
}

/// One entry of `allow_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowOrigin {
    /// An origin, a wildcard pattern or `*`.
    Pattern(String),
    /// A regular expression, anchored at both ends.
    Regex(String),
}

/// What a disallowed Origin means for WebSocket upgrades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebsocketOrigin {
    /// 403.
    #[default]
    Enforce,
    /// Let through, counted and logged.
    Report,
    /// Not looked at.
    Off,
}

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

/// The Socket.IO endpoint and the rules of its namespaces.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SocketIo {
    /// Path of the endpoint. Default `/socket.io`.
    pub path: Option<String>,
    /// Time between pings. Default 25s.
    pub ping_interval: Option<Duration>,
    /// How long a pong may take. Default 20s.
    pub ping_timeout: Option<Duration>,
    /// How long an upgrade to WebSocket may take. Default 10s.
    pub upgrade_timeout: Option<Duration>,
    /// How long a session may stay without a namespace. Default 45s.
    pub connect_timeout: Option<Duration>,
    /// Largest message from a client, Node's `maxHttpBufferSize`. Default 1MB.
    pub max_payload: Option<Size>,
    /// Binary attachments a packet may have. Default 10.
    pub max_attachments: Option<usize>,
    /// How long the attachments of a packet may take to come. Default 30s.
    pub attachment_timeout: Option<Duration>,
    /// How long a POST's body may take to come. Default 60s.
    pub post_timeout: Option<Duration>,
    /// Packets that one POST may bring. Default 10000.
    pub max_packets_per_post: Option<usize>,
    /// Fragments that one WebSocket message may come in. Default 100000.
    pub max_fragments: Option<usize>,
    /// Sessions of this node; one more is told to come back later. Default 100000; 0 is no bound.
    pub max_sessions: Option<usize>,
    /// Sessions of one address (of one /64 for IPv6). Default 0: no bound.
    pub max_sessions_per_ip: Option<usize>,
    /// Namespaces that one session may be in. Default 100.
    pub max_namespaces: Option<usize>,
    /// Rooms that one socket may be in. Default 10000.
    pub max_rooms: Option<usize>,
    /// Acks that one socket may owe. Default 1000.
    pub max_pending_acks: Option<usize>,
    /// Transports on offer. Default `[polling, websocket]`.
    pub transports: Option<OneOrMany<Transport>>,
    /// Whether clients 1.x and 2.x (Engine.IO protocol 3) are served too. Their `socket.id` is, or ends
    /// with, the session's id, which they compute themselves: show it to nobody else. Default false.
    pub eio3: Option<bool>,
    /// Each session's outgoing queue.
    pub send_queue: SendQueue,
    /// Clients that come back after their connection was lost.
    pub recovery: Recovery,
    /// Rule for a client that joins the namespace `/`.
    pub connect: Option<Rule>,
    /// Rules by event name; `"*"` matches what no other does.
    pub events: IndexMap<String, Rule>,
    /// Rule for a client that left.
    pub disconnect: Option<Rule>,
    /// Rules of other namespaces; `/org-{id}` captures into `namespace.id`.
    pub namespaces: IndexMap<String, Namespace>,
}

/// A transport of Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// HTTP long polling.
    Polling,
    /// WebSocket.
    Websocket,
}

/// Clients that come back after their connection was lost: connection state recovery of Socket.IO 4.6.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recovery {
    /// Whether they find their id, rooms and state, and get what they missed. Default false.
    pub enabled: bool,
    /// How long after the disconnect. Default 2m.
    pub max_disconnection: Option<Duration>,
    /// Bytes of events kept for all of them. Default 16MB.
    pub max_bytes: Option<Size>,
    /// How many clients may be gone at a time. Default 10000.
    pub max_sessions: Option<usize>,
}

/// Bounds of a session's outgoing queue.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SendQueue {
    /// Bytes that may wait for a slow client. Default 1MB.
    pub max_bytes: Option<Size>,
    /// What happens when more would wait. Default `disconnect`.
    pub on_full: OnFull,
}

/// What happens when a session's outgoing queue is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// The session is closed.
    #[default]
    Disconnect,
    /// Volatile events are dropped first; the session is closed if that is not enough.
    DropVolatileThenDisconnect,
}

/// The rules of one namespace.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Namespace {
    /// Rule for a client that joins.
    pub connect: Option<Rule>,
    /// Rules by event name; `"*"` matches what no other does.
    pub events: IndexMap<String, Rule>,
    /// Rule for a client that left.
    pub disconnect: Option<Rule>,
}

/// What happens on an event. Done in this order; the first failure ends the rule: `rate_limit`,
/// `schema`, `request` or `hook`, `state`, `leave`, `join`, `emit`, `ack`, `disconnect`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// How often one socket may send the event: `5/s`, `100/m`.
    pub rate_limit: Option<Rate>,
    /// REST request to make.
    pub request: Option<Request>,
    /// Body of the request. Default for POST, PUT and PATCH: the first argument.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub body: Option<Tree>,
    /// Path of a hook that decides.
    pub hook: Option<String>,
    /// Expression; where it is false, the keys after it are not done.
    pub when: Option<String>,
    /// Keys to set in the socket's state.
    pub state: Option<IndexMap<String, Tree>>,
    /// Rooms to leave.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub leave: Option<Tree>,
    /// Rooms to join.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub join: Option<Tree>,
    /// Events to send.
    pub emit: OneOrMany<Emit>,
    /// Arguments of the ack: a list is the arguments, anything else the only one; `false` never acks.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub ack: Option<Tree>,
    /// Whether the socket is disconnected from its namespace in the end.
    #[serde(deserialize_with = "super::value::present")]
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
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// To every socket of the namespace.
    pub everyone: bool,
    /// The only argument.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub data: Option<Tree>,
    /// The arguments.
    pub args: Option<Vec<Tree>>,
    /// Namespace to send in. Default: the rule's own.
    pub namespace: Option<String>,
    /// Whether the event may be dropped for a client that is not ready for it.
    pub volatile: bool,
}

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
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// The rooms joined or left.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub rooms: Option<Tree>,
}

/// Sockets to disconnect.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disconnect {
    /// Rooms whose sockets are disconnected.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub to: Option<Tree>,
    /// Rooms and sockets left out.
    #[serde(deserialize_with = "super::value::present")]
    #[schemars(with = "Tree")]
    pub except: Option<Tree>,
    /// Whether the whole connection is closed.
    pub close: bool,
}

/// Signing and timeout of hook requests.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Secrets that sign, newest first.
    pub secrets: OneOrMany<String>,
    /// Time to a hook's whole answer. Default 5s.
    pub timeout: Option<Duration>,
}

/// The admin listener.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address. Default `127.0.0.1:4001`.
    pub listen: Option<String>,
    /// Bearer token; must be set beyond loopback.
    pub token: Option<String>,
}

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

/// Logs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Default `text`.
    pub format: LogFormat,
    /// `error`, `warn`, `info` (default), `debug` or `trace`.
    pub level: Option<String>,
    /// One line a request. Default true.
    pub access: Option<bool>,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Orderly end.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// Time between readiness off and the end of accepting. Default 0s.
    pub delay: Option<Duration>,
    /// Time for requests to finish and sockets to close. Default 30s.
    pub grace: Option<Duration>,
}
