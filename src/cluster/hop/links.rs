//! Connections to other nodes, for what does not go by a [`link`](super::link).

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use http::Uri;

use crate::cluster::{NodeId, Registry};
use crate::config::{Problems, defaults, file, value};
use crate::upstream::Upstream;

/// The upstreams' name in metrics and in the log.
const NAME: &str = "cluster";

/// How long an idle connection is kept: other nodes, unlike backends, keep theirs for longer.
const IDLE: Duration = Duration::from_secs(30);

/// How long a tunnel may stand still at least. The session's own heartbeat ends it sooner.
const STANDSTILL: Duration = Duration::from_secs(300);

/// Bounds on the requests to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time from the end of a request to its answer, beyond what a GET waits for news.
    pub response_timeout: Duration,
    /// Connections to one node that are no links: for each WebSocket, and each long POST in flight.
    pub max_connections: usize,
    /// Requests that may wait for one.
    pub max_pending: usize,
}

impl Bounds {
    /// Compiles them from `cluster.node`.
    pub fn build(node: &file::ClusterNode, problems: &mut Problems) -> Bounds {
        let mut time = |key: &str, written: Option<value::Duration>, default| {
            let time = written.map_or(default, |time| time.0);
            if time.is_zero() {
                problems.add(format!("cluster.node.{key}"), "no time at all", "write a duration such as 1s");
            }
            time
        };
        let connect_timeout =
            time("connect_timeout", node.connect_timeout, defaults::CLUSTER_CONNECT_TIMEOUT);
        let response_timeout =
            time("response_timeout", node.response_timeout, defaults::CLUSTER_RESPONSE_TIMEOUT);
        let max_connections = node.max_connections.unwrap_or(defaults::CLUSTER_MAX_CONNECTIONS);
        if max_connections == 0 {
            problems.add("cluster.node.max_connections", "nothing could be sent on", "write 1 or more");
        }
        let max_pending = node.max_pending.unwrap_or(defaults::CLUSTER_MAX_PENDING);
        Bounds { connect_timeout, response_timeout, max_connections, max_pending }
    }
}

/// The nodes that were sent to, by their name. Where each is comes from the registry alone.
pub(super) struct Links {
    registry: Arc<Registry>,
    bounds: Bounds,
    links: DashMap<NodeId, (Uri, Arc<Upstream>)>,
}

impl Links {
    pub(super) fn new(registry: Arc<Registry>, bounds: Bounds) -> Links {
        Links { registry, bounds, links: DashMap::new() }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The way to a node that lives.
    pub(super) async fn to(&self, node: NodeId) -> Option<Arc<Upstream>> {
        let Some(address) = self.registry.advertise_of(node).await else {
            self.links.remove(&node);
            return None;
        };
        if let Some(link) = self.links.get(&node).filter(|link| link.0 == address) {
            return Some(Arc::clone(&link.1));
        }
        let upstream = Upstream::unlisted(NAME, &self.raw(&address));
        let upstream = upstream.inspect_err(|why| tracing::error!("a node cannot be reached: {why}")).ok()?;
        upstream.start();
        // Who is gone is forgotten when somebody comes.
        self.links.retain(|node, _| self.registry.known(*node).is_some());
        self.links.insert(node, (address, Arc::clone(&upstream)));
        Some(upstream)
    }

    /// Waits until a node lives no more, as far as is known.
    pub(super) async fn gone(&self, node: NodeId) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.registry.known(node).is_none() {
                return;
            }
        }
    }

    fn raw(&self, address: &Uri) -> file::Upstream {
        let duration = |time| Some(value::Duration(time));
        file::Upstream {
            endpoints: value::OneOrMany(vec![address.to_string()]),
            connect_timeout: duration(self.bounds.connect_timeout),
            response_timeout: duration(self.bounds.response_timeout),
            stream_idle_timeout: duration(STANDSTILL.max(self.bounds.response_timeout)),
            idle_timeout: duration(IDLE),
            max_connections: Some(self.bounds.max_connections),
            max_pending: Some(self.bounds.max_pending),
            ..file::Upstream::default()
        }
    }
}

/// How often somebody who waits for a node looks whether it lives.
const LOOK: Duration = Duration::from_secs(2);
