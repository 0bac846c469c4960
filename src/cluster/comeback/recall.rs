//! Takes clients over from the nodes that they were on.

use std::sync::Arc;

use bytes::Bytes;
use redis::{RedisResult, Script};
use tokio::time::timeout;

use super::Comeback;
use super::vault::Who;
use crate::cluster::bus::Channel;
use crate::cluster::registry::{KEPT, NodeId, millis};
use crate::cluster::wire::{self, Given};
use crate::socketio::Past;
use crate::telemetry::metrics;

impl Comeback {
    /// Takes what is known of a client that was on another node. That gives it up where it lives; where it does not
    /// answer, what was written down counts, and this node tells of the end that the client had there.
    pub(in crate::cluster) async fn recall(
        self: Arc<Self>,
        pid: Arc<str>,
        namespace: Arc<str>,
    ) -> Option<Past> {
        if self.registry.is_away() {
            // It would only wait for what cannot be had.
            return None;
        }
        let taken = self.take(&pid, &namespace).await;
        let taken = taken.inspect_err(|error| tracing::debug!(%error, "a client cannot be looked for"));
        let (node, past) = taken.ok()??;
        if node == self.registry.id() {
            // It has been forgotten here.
            return None;
        }
        match self.ask(node, &pid, &namespace).await {
            Some(answer) => {
                let past = self.vault.open_between(&answer?)?;
                metrics::cluster_recovery("node");
                Some(past)
            }
            None => {
                self.departures.tell_of_one(node, past.socket()).await;
                metrics::cluster_recovery("redis");
                Some(past)
            }
        }
    }

    async fn take(&self, pid: &str, namespace: &str) -> RedisResult<Option<(NodeId, Past)>> {
        for key in self.vault.keys(pid, namespace) {
            let script = Script::new(include_str!("take.lua"));
            let mut script = script.prepare_invoke();
            let found: Option<Vec<u8>> =
                self.line.run(&self.store, script.key(&key).arg(millis(KEPT))).await?;
            if let Some(found) = found {
                return Ok(self.vault.open(&key, &found));
            }
        }
        Ok(None)
    }

    /// Asks a node to give a client up. None where it does not live, or does not answer; nothing in it where the
    /// client may not come back.
    async fn ask(&self, node: NodeId, pid: &str, namespace: &str) -> Option<Option<Bytes>> {
        self.registry.known(node)?;
        let who = Who { pid: pid.to_owned(), namespace: namespace.to_owned() };
        let who = self.vault.close_between(&who)?;
        let open = self.requests.begin(vec![node]);
        self.outbox.push(Channel::One(node), &wire::recall(open.number(), &who));
        let mut answer = None;
        let take = |given| {
            if let Given::Past(past) = given {
                answer = Some(past);
            }
            answer.is_some()
        };
        open.gather(self.request_timeout, take).await;
        answer
    }

    /// Gives up a client that has come back to another node, and answers what is known of it.
    pub(in crate::cluster) async fn give_up(&self, who: &[u8]) -> Option<Bytes> {
        let Who { pid, namespace } = self.vault.open_between(who)?;
        let (past, finished) = self.hub.give_up(&namespace, &pid)?;
        if let Some(finished) = finished {
            // What the client did before it was gone comes before what it does now.
            let _ = timeout(self.request_timeout / 2, finished).await;
        }
        self.vault.close_between(&past)
    }
}
