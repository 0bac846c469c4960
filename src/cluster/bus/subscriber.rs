//! Hears what the other nodes say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::{Msg, RedisResult};
use tokio::time::timeout;

use super::senders::{Arrival, Senders};
use super::{Channels, Patience};
use crate::cluster::registry::{NodeId, Registry};
use crate::cluster::store::Store;
use crate::cluster::wire::{Said, Seal, Unreadable};
use crate::telemetry::metrics;

/// Who does what other nodes say.
pub(in crate::cluster) trait Ear: Send + Sync + 'static {
    /// The channels are heard from now on.
    fn listening(&self);
    /// Another node said something.
    fn heard(&self, sender: NodeId, said: Said);
}

/// How the bus is listened to.
#[derive(Debug)]
pub(in crate::cluster) struct Hearing {
    pub(in crate::cluster) store: Arc<Store>,
    pub(in crate::cluster) registry: Arc<Registry>,
    pub(in crate::cluster) seal: Seal,
    pub(in crate::cluster) channels: Channels,
    /// Whoever hears nothing for so long, not even itself, has lost its connection.
    pub(in crate::cluster) silence: Duration,
    pub(in crate::cluster) listens: AtomicBool,
}

/// Listens for ever.
pub(in crate::cluster) async fn subscribe(hearing: Arc<Hearing>, ear: Arc<dyn Ear>) {
    let (mut patience, mut senders) = (Patience::new(), Senders::default());
    loop {
        let heard = hearing.hear(&*ear, &mut senders).await;
        if hearing.listens.swap(false, Ordering::Relaxed) {
            patience = Patience::new();
        }
        match heard {
            Ok(()) => tracing::warn!("the other nodes cannot be heard; it is tried again"),
            Err(error) => tracing::debug!(%error, "the cluster's Redis is away"),
        }
        hearing.registry.check();
        metrics::cluster_connection_lost("subscribe");
        patience.wait().await;
    }
}

impl Hearing {
    /// Hears messages until the connection ends.
    async fn hear(&self, ear: &dyn Ear, senders: &mut Senders) -> RedisResult<()> {
        let mut redis = self.store.subscriber().await?;
        redis.subscribe(&*self.channels.all).await?;
        redis.subscribe(self.channels.of(self.registry.id())).await?;
        self.listens.store(true, Ordering::Relaxed);
        self.registry.check();
        tracing::info!("listening to the other nodes");
        ear.listening();
        let mut messages = redis.on_message();
        while let Ok(Some(message)) = timeout(self.silence, messages.next()).await {
            match self.read(message, senders) {
                Ok(Some((sender, said))) => {
                    if matches!(said, Said::Bye) {
                        senders.forget(sender);
                    }
                    ear.heard(sender, said);
                }
                Ok(None) => {}
                Err(Unreadable) => metrics::cluster_unreadable(),
            }
        }
        Ok(())
    }

    /// What a message says; nothing for what this node said itself, or what has come before.
    fn read(&self, message: Msg, senders: &mut Senders) -> Result<Option<(NodeId, Said)>, Unreadable> {
        let bytes = Bytes::copy_from_slice(message.get_payload_bytes());
        let opened = self.seal.open(message.get_channel_name(), &bytes)?;
        let sender = opened.sender;
        if sender == self.registry.id() {
            return Ok(None);
        }
        if opened.number > 0 {
            match senders.note(sender, opened.number) {
                Arrival::New(missed) => metrics::cluster_missed(missed),
                Arrival::Again => return Ok(None),
            }
        }
        let said = opened.said()?;
        metrics::cluster_received();
        Ok(Some((sender, said)))
    }
}
