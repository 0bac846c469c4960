//! Publishes what waits, in order, over one connection.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use tokio::time::{Instant, sleep};

use super::outbox::Parcel;
use super::recent::Recent;
use super::{Outbox, Patience, Stream};
use crate::cluster::registry::Registry;
use crate::cluster::store::{Commands, Store};
use crate::socketio::Hub;
use crate::telemetry::metrics;

/// How long is waited for the others to hear again, once Redis is back.
const GATHER: Duration = Duration::from_secs(2);

/// How often that is asked.
const LOOK: Duration = Duration::from_millis(50);

/// Publishes for ever.
pub(in crate::cluster) struct Publisher {
    outbox: Arc<Outbox>,
    store: Arc<Store>,
    registry: Arc<Registry>,
    stream: Stream,
    hub: Arc<Hub>,
    /// Number of the last batch that the stream knows.
    number: u64,
    /// Taken, and perhaps not published.
    pending: Vec<Parcel>,
    recent: Recent,
}

impl Publisher {
    /// Nothing is published yet.
    pub(in crate::cluster) fn new(
        outbox: Arc<Outbox>,
        store: Arc<Store>,
        registry: Arc<Registry>,
        stream: Stream,
        hub: Arc<Hub>,
    ) -> Publisher {
        let recent = Recent::new(outbox.max_bytes());
        Publisher { outbox, store, registry, stream, hub, number: 0, pending: Vec::new(), recent }
    }

    /// Publishes for ever.
    pub(in crate::cluster) async fn publish(mut self) {
        let (mut patience, mut again) = (Patience::new(), false);
        loop {
            match self.store.publisher().await {
                Ok(mut redis) => {
                    if again {
                        gather(&mut redis, &self.outbox, &self.registry).await;
                    }
                    let error = self.publish_over(&mut redis).await;
                    self.outbox.set_connected(false);
                    tracing::warn!(%error, "nothing can be published to the other nodes; it is tried again");
                    (patience, again) = (Patience::new(), true);
                }
                Err(error) => tracing::debug!(%error, "the cluster's Redis is away"),
            }
            metrics::cluster_connection_lost("publish");
            patience.wait().await;
        }
    }

    /// Publishes until it fails.
    async fn publish_over(&mut self, redis: &mut MultiplexedConnection) -> redis::RedisError {
        let mut commands = None;
        if self.hub.reached().is_some() {
            match self.begin_again().await {
                Ok(begun) => commands = Some(begun),
                Err(error) => return error,
            }
        }
        self.outbox.set_connected(true);
        loop {
            if self.pending.is_empty() {
                self.pending = self.outbox.next().await;
                self.number += 1;
            }
            let published = match self.hub.reached() {
                Some((_, age)) => self.publish_kept(&mut commands, age).await,
                None => self.publish_plain(redis).await,
            };
            match published {
                Ok(()) => metrics::cluster_published(self.pending.len() as u64),
                Err(error) => return error,
            }
            let batch = std::mem::take(&mut self.pending);
            self.recent.add(batch);
        }
    }

    /// A connection for the stream. Redis may have lost what was published last: then it is told again, and those who
    /// have heard it know.
    async fn begin_again(&mut self) -> RedisResult<Commands> {
        let mut redis = self.store.commands().await?;
        let last = self.stream.last_batch(&mut redis, self.outbox.id()).await?;
        let done = self.number - u64::from(!self.pending.is_empty());
        if last < done && last < self.number {
            let mut all = self.recent.take();
            all.append(&mut self.pending);
            if !all.is_empty() {
                self.number += 1;
                self.pending = all;
            }
        }
        Ok(redis)
    }

    async fn publish_kept(&self, commands: &mut Option<Commands>, age: Duration) -> RedisResult<()> {
        let commands = match commands {
            Some(commands) => commands,
            None => commands.insert(self.store.commands().await?),
        };
        self.stream.publish(commands, (self.outbox.id(), self.number), &self.pending, age).await
    }

    async fn publish_plain(&mut self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut pipeline = pipe();
        for Parcel { channel, message, .. } in &self.pending {
            pipeline.cmd("PUBLISH").arg(&**channel).arg(&message[..]).ignore();
        }
        pipeline.query_async::<()>(redis).await.inspect_err(|_| {
            // Perhaps some have gone out: none may go out twice.
            metrics::cluster_dropped("connection_lost", self.pending.len() as u64);
            self.pending.clear();
        })
    }
}

/// Waits until the other nodes hear again, at most for a while: what is published before is missed.
async fn gather(redis: &mut MultiplexedConnection, outbox: &Outbox, registry: &Registry) {
    let deadline = Instant::now() + GATHER;
    let channel = &outbox.channels().all;
    while Instant::now() < deadline {
        let asked: RedisResult<(String, usize)> =
            cmd("PUBSUB").arg("NUMSUB").arg(&**channel).query_async(redis).await;
        match asked {
            Ok((_, listening)) if listening > registry.others().len() => return,
            Ok(_) => sleep(LOOK).await,
            Err(_) => return,
        }
    }
}
