//! Takes clients over from the nodes that they were on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{RedisResult, Script};
use tokio::time::{Instant, sleep, timeout};

use super::vault::Who;
use super::{Comeback, LOOK};
use crate::cluster::bus::Channel;
use crate::cluster::registry::{KEPT, NodeId, millis};
use crate::cluster::wire::{self, Given};
use crate::socketio::{Asker, Past};
use crate::telemetry::metrics;

/// How long a node may take to write down a client that has just connected there, or moved.
const WRITING: Duration = Duration::from_millis(250);

/// What is written of a client.
enum Taken {
    Found(NodeId, Box<Past>),
    /// Somebody took it and has not written it down again.
    ByAnother,
    Nobody,
}

/// What a node said that was to give a client up.
enum Parted {
    Gave(Box<Past>),
    /// It does not have it any more: the client has moved on, or may not come back.
    Nobody,
    /// It does not live, or does not answer.
    Silent,
}

impl Comeback {
    /// Takes what is known of a client, wherever it was. Redis says where it was last, for what a node has of a client
    /// may be what another one has taken already. That node gives it up where it lives; where it does not answer, what
    /// was written down counts, and this node tells of the end that the client had there. While Redis is away,
    /// what this node knows counts.
    pub(in crate::cluster) async fn recall(
        self: Arc<Self>,
        pid: Arc<str>,
        namespace: Arc<str>,
    ) -> Option<Past> {
        let begun = Instant::now();
        let mut pause = LOOK;
        while !self.registry.is_away() {
            let taken = self.take(&pid, &namespace).await;
            let taken = taken.inspect_err(|error| tracing::debug!(%error, "a client cannot be looked for"));
            let Ok(taken) = taken else { break };
            let patience = match taken {
                Taken::Found(node, past) => match self.part(node, &pid, &namespace).await {
                    Parted::Gave(past) => return Some(*past),
                    Parted::Silent => {
                        self.departures.tell_of_one(node, past.socket()).await;
                        metrics::cluster_recovery("redis");
                        return Some(*past);
                    }
                    Parted::Nobody => self.request_timeout,
                },
                Taken::ByAnother => self.request_timeout,
                // Who was here a moment ago is not written down yet.
                Taken::Nobody => match self.let_go(&namespace, &pid, Asker::Client).await {
                    Some(past) => return Some(past),
                    None => WRITING.min(self.request_timeout),
                },
            };
            if begun.elapsed() >= patience {
                return None;
            }
            sleep(pause).await;
            pause *= 2;
        }
        self.let_go(&namespace, &pid, Asker::Client).await
    }

    async fn take(&self, pid: &str, namespace: &str) -> RedisResult<Taken> {
        for key in self.vault.keys(pid, namespace) {
            let script = Script::new(include_str!("take.lua"));
            let mut script = script.prepare_invoke();
            let found: Option<Vec<u8>> =
                self.line.run(&self.store, script.key(&key).arg(millis(KEPT))).await?;
            match found {
                Some(found) if found.is_empty() => return Ok(Taken::ByAnother),
                Some(found) => {
                    let opened = self.vault.open(&key, &found);
                    return Ok(
                        opened.map_or(Taken::Nobody, |(node, past)| Taken::Found(node, Box::new(past)))
                    );
                }
                None => {}
            }
        }
        Ok(Taken::Nobody)
    }

    /// Parts a client from the node that it was on, which may be this one by now.
    async fn part(&self, node: NodeId, pid: &str, namespace: &str) -> Parted {
        let past = if node == self.registry.id() {
            self.let_go(namespace, pid, Asker::Client).await
        } else {
            let Some(answer) = self.ask(node, pid, namespace).await else { return Parted::Silent };
            let past = answer.and_then(|answer| self.vault.open_between(&answer));
            past.inspect(|_| metrics::cluster_recovery("node"))
        };
        past.map_or(Parted::Nobody, |past| Parted::Gave(Box::new(past)))
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
        self.vault.close_between(&self.let_go(&namespace, &pid, Asker::Node).await?)
    }

    async fn let_go(&self, namespace: &str, pid: &str, asker: Asker) -> Option<Past> {
        let (past, finished) = self.hub.give_up(namespace, pid, asker)?;
        if let Some(finished) = finished {
            // What the client did before it was gone comes before what it does now.
            let _ = timeout(self.request_timeout / 2, finished).await;
        }
        Some(past)
    }
}
