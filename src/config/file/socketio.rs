//! The Socket.IO endpoint.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{AdminUi, Rule};
use crate::config::value::{Duration, OneOrMany, Size};

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
    /// Sockets that one user (`claims.sub`) may have on this node, in all namespaces. Default 0: no bound.
    pub max_sockets_per_user: Option<usize>,
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
    /// A namespace that the official Admin UI connects to.
    pub admin_ui: AdminUi,
    /// Rule for a client that joins the namespace `/`.
    pub connect: Option<Rule>,
    /// Rules by event name; `"*"` matches what no other does.
    pub events: IndexMap<String, Rule>,
    /// Rule for a client that left.
    pub disconnect: Option<Rule>,
    /// Rules of other namespaces; `/org-{id}` captures into `namespace.id`.
    pub namespaces: IndexMap<String, Namespace>,
}

impl SocketIo {
    /// Every rule with the dotted path of its key.
    pub fn rules(&self) -> impl Iterator<Item = (String, &Rule)> {
        let root = of_namespace("socketio".to_owned(), &self.connect, &self.events, &self.disconnect);
        root.chain(self.namespaces.iter().flat_map(|(name, of)| {
            of_namespace(format!("socketio.namespaces.{name}"), &of.connect, &of.events, &of.disconnect)
        }))
    }
}

fn of_namespace<'a>(
    key: String,
    connect: &'a Option<Rule>,
    events: &'a IndexMap<String, Rule>,
    disconnect: &'a Option<Rule>,
) -> impl Iterator<Item = (String, &'a Rule)> {
    let ends = [("connect", connect), ("disconnect", disconnect)];
    let ends = ends.into_iter().filter_map(|(name, rule)| Some((name.to_owned(), rule.as_ref()?)));
    let events = events.iter().map(|(event, rule)| (format!("events.{event}"), rule));
    ends.chain(events).map(move |(name, rule)| (format!("{key}.{name}"), rule))
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
