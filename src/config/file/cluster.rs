//! Several nodes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany, Size};

/// Several nodes that act as one, with Redis (or Valkey) between them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["redis", "node"]))]
pub struct Cluster {
    /// What is between the nodes.
    pub redis: ClusterRedis,
    /// This node, as the others reach it.
    pub node: ClusterNode,
    /// How long the answers of other nodes are waited for. Default 1s.
    pub request_timeout: Option<Duration>,
    /// How long after its last sign of life a node counts as dead. Default 10s.
    pub lease: Option<Duration>,
}

/// The Redis between the nodes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["url"]))]
pub struct ClusterRedis {
    /// `redis://`, `rediss://` (TLS) or `unix://` URL; `redis-cluster://HOST:PORT,HOST:PORT` for a Redis
    /// Cluster, `redis-sentinel://HOST:PORT,HOST:PORT/MASTER` for one that sentinels watch.
    pub url: String,
    /// Begins the names of keys and channels. Default `frontroom`.
    pub prefix: Option<String>,
    /// Bytes that may wait to be published, say while Redis is away. Default 16MB.
    pub max_queue: Option<Size>,
    /// Messages kept in Redis for clients that come back, where `socketio.recovery` is on. Redis may keep some more.
    /// Default 100000.
    pub max_stream: Option<u64>,
}

/// This node, as the others reach it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["advertise", "secret"]))]
pub struct ClusterNode {
    /// Address to listen on for other nodes. Default `0.0.0.0:4002`.
    pub listen: Option<String>,
    /// `http://HOST:PORT` where other nodes reach it.
    pub advertise: String,
    /// The same for all nodes, and nobody else's. Several while one takes the place of another: the first is
    /// used, all are known.
    pub secret: OneOrMany<String>,
    /// Time to connect to another node. Default 1s.
    pub connect_timeout: Option<Duration>,
    /// Time from the end of a request that was sent on to its node's answer, beyond what a polling GET waits
    /// for news. Default 30s.
    pub response_timeout: Option<Duration>,
    /// Connections to one other node beside those that polls share: for each WebSocket and each long POST in
    /// flight. Default 20000.
    pub max_connections: Option<usize>,
    /// Requests to one other node that may wait for a connection. Default 1024.
    pub max_pending: Option<usize>,
}
