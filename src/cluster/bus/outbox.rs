//! What waits to be published: bounded in bytes, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Channels;
use crate::cluster::registry::NodeId;
use crate::cluster::wire::{MAX_MESSAGE, Seal};
use crate::telemetry::metrics;

/// Messages and bytes that are published in one go.
const BATCH: (usize, usize) = (512, 4_000_000);

/// Who is to hear a message.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) enum Channel {
    All,
    One(NodeId),
}

/// What waits to be published.
#[derive(Debug)]
pub(in crate::cluster) struct Outbox {
    id: NodeId,
    seal: Seal,
    channels: Channels,
    max_bytes: usize,
    queue: Mutex<Queue>,
    wake: Notify,
    /// Whether there is a connection to publish over.
    connected: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Parcel>,
    bytes: usize,
    /// Number of the last message to all.
    number: u64,
    /// A batch is on its way.
    publishing: bool,
}

/// A message and its channel.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) channel: Arc<str>,
    pub(super) message: Bytes,
    /// Whether it goes into the stream as well.
    pub(super) kept: bool,
}

impl Outbox {
    /// Nothing waits.
    pub(in crate::cluster) fn new(id: NodeId, seal: Seal, channels: Channels, max_bytes: usize) -> Outbox {
        Outbox {
            id,
            seal,
            channels,
            max_bytes,
            queue: Mutex::default(),
            wake: Notify::new(),
            connected: AtomicBool::new(false),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message to all that the stream keeps as well.
    pub(in crate::cluster) fn push_kept(&self, body: &[u8]) {
        self.queue_up(Channel::All, body, true);
    }

    /// Queues a message behind those that wait.
    pub(in crate::cluster) fn push(&self, to: Channel, body: &[u8]) {
        self.queue_up(to, body, false);
    }

    /// Queues a message. One that does not fit is dropped and counted: its number is
    /// missing, so that the others count it as well.
    fn queue_up(&self, to: Channel, body: &[u8], kept: bool) {
        if body.len() > MAX_MESSAGE / 2 {
            // Half of it leaves room for the head and for Redis' own bounds.
            return self.lose("too_large");
        }
        let fits = {
            let mut queue = self.queue();
            let (channel, number) = match to {
                Channel::All => {
                    queue.number += 1;
                    (self.channels.all.clone(), queue.number)
                }
                Channel::One(node) => (self.channels.of(node).into(), 0),
            };
            // One alone is always let in.
            let fits = queue.waiting.is_empty() || queue.bytes + body.len() <= self.max_bytes;
            if fits {
                let message = self.seal.seal(&channel, self.id, number, body);
                queue.bytes += message.len();
                queue.waiting.push_back(Parcel { channel, message, kept });
            }
            fits
        };
        if fits {
            self.wake.notify_one();
        } else {
            metrics::cluster_dropped("queue_full", 1);
        }
    }

    /// Counts a message that nobody will get.
    pub(in crate::cluster) fn lose(&self, reason: &str) {
        self.queue().number += 1;
        metrics::cluster_dropped(reason, 1);
    }

    /// Whether what is pushed goes out soon.
    pub(in crate::cluster) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// The next messages, once there are any.
    pub(super) async fn next(&self) -> Vec<Parcel> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Vec<Parcel> {
        let mut queue = self.queue();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH.0 && bytes < BATCH.1 {
            let Some(parcel) = queue.waiting.pop_front() else { break };
            bytes += parcel.message.len();
            batch.push(parcel);
        }
        queue.bytes -= bytes.min(queue.bytes);
        queue.publishing = !batch.is_empty();
        batch
    }

    /// Whether nothing waits, nor is on its way.
    pub(in crate::cluster) fn is_settled(&self) -> bool {
        let queue = self.queue();
        queue.waiting.is_empty() && !queue.publishing
    }

    /// This node.
    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn channels(&self) -> &Channels {
        &self.channels
    }
}
