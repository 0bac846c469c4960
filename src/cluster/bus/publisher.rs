//! Publishes what waits, in order, over one connection.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};
use tokio::time::{Instant, sleep};

use super::outbox::Parcel;
use super::{Outbox, Patience};
use crate::cluster::registry::Registry;
use crate::cluster::store::Store;
use crate::telemetry::metrics;

/// How long is waited for the others to hear again, once Redis is back.
const GATHER: Duration = Duration::from_secs(2);

/// How often that is asked.
const LOOK: Duration = Duration::from_millis(50);

/// Publishes for ever.
pub(in crate::cluster) async fn publish(outbox: Arc<Outbox>, store: Arc<Store>, registry: Arc<Registry>) {
    let (mut patience, mut again) = (Patience::new(), false);
    loop {
        match store.publisher().await {
            Ok(mut redis) => {
                if again {
                    gather(&mut redis, &outbox, &registry).await;
                }
                outbox.set_connected(true);
                let error = publish_over(&mut redis, &outbox).await;
                outbox.set_connected(false);
                tracing::warn!(%error, "nothing can be published to the other nodes; it is tried again");
                (patience, again) = (Patience::new(), true);
            }
            Err(error) => tracing::debug!(%error, "the cluster's Redis is away"),
        }
        metrics::cluster_connection_lost("publish");
        patience.wait().await;
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

/// Publishes until it fails.
async fn publish_over(redis: &mut MultiplexedConnection, outbox: &Outbox) -> redis::RedisError {
    loop {
        let batch = outbox.next().await;
        let mut pipeline = pipe();
        for Parcel { channel, message } in &batch {
            pipeline.cmd("PUBLISH").arg(&**channel).arg(&message[..]).ignore();
        }
        match pipeline.query_async::<()>(redis).await {
            Ok(()) => metrics::cluster_published(batch.len() as u64),
            Err(error) => {
                // Perhaps some have gone out: none may go out twice.
                metrics::cluster_dropped("connection_lost", batch.len() as u64);
                return error;
            }
        }
    }
}
