//! Tells of the ends of lost nodes' sockets.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt;
use redis::{RedisResult, Script};
use tokio::time::sleep;

use super::{Departures, LOOK, sockets_of};
use crate::cluster::registry::NodeId;
use crate::cluster::store::Commands;
use crate::socketio::Record;
use crate::telemetry::metrics;

/// Sockets that are taken at a time: what a node has taken is lost with it.
const BATCH: usize = 50;

impl Departures {
    /// Tells for ever, with other nodes.
    pub(super) async fn inherit(self: Arc<Self>) {
        let mut standing = self.registry.standing();
        let mut done: HashSet<NodeId> = HashSet::new();
        while standing.changed().await.is_ok() {
            let lost = standing.borrow_and_update().lost.clone();
            done.retain(|node| lost.contains(node));
            for node in lost.iter().filter(|node| **node != self.registry.id()) {
                if done.contains(node) {
                    continue;
                }
                match self.tell_of(*node).await {
                    Ok(count) => {
                        tracing::warn!(%node, sockets = count, "a node is lost");
                        done.insert(*node);
                    }
                    // Tried again at the next look.
                    Err(error) => tracing::warn!(%error, %node, "a lost node's sockets cannot be read"),
                }
            }
        }
    }

    /// Tells of all that a node has left, beside others that do the same; how many this one told of.
    async fn tell_of(&self, node: NodeId) -> RedisResult<usize> {
        let mut redis = self.store.commands().await?;
        let mut count = 0;
        loop {
            let taken = self.take(&mut redis, node).await?;
            if taken.is_empty() {
                return Ok(count);
            }
            count += taken.len();
            let told =
                futures_util::stream::iter(taken).for_each_concurrent(BATCH, |closed| self.tell(closed));
            told.await;
            sleep(LOOK).await;
        }
    }

    async fn take(&self, redis: &mut Commands, node: NodeId) -> RedisResult<Vec<Vec<u8>>> {
        let script = Script::new(include_str!("take.lua"));
        let mut script = script.prepare_invoke();
        script.key(self.registry.key()).key(sockets_of(&self.prefix, node)).arg(node.to_string()).arg(BATCH);
        script.invoke_async(redis).await
    }

    pub(super) async fn tell(&self, closed: Vec<u8>) {
        if closed.is_empty() {
            // Another node has told of it.
            return;
        }
        let record = self.safe.as_ref().and_then(|safe| safe.open::<Record>(&[], &closed));
        match record {
            Some(record) => {
                metrics::cluster_departure("told");
                record.lost(&self.hub).await;
            }
            None => metrics::cluster_departure("unreadable"),
        }
    }
}
