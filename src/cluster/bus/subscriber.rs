//! Hears what the other nodes say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::RedisResult;
use tokio::time::timeout;

use super::senders::{Arrival, Senders};
use super::stream::read_published;
use super::{Channels, Patience, Stream};
use crate::cluster::registry::{NodeId, Registry};
use crate::cluster::store::Store;
use crate::cluster::wire::{Said, Seal, Unreadable};
use crate::socketio::Hub;
use crate::telemetry::metrics;

/// Who does what other nodes say.
pub(in crate::cluster) trait Ear: Send + Sync + 'static {
    /// The channels are heard from now on.
    fn listening(&self);
    /// Somebody said something.
    fn heard(&self, heard: Heard);
}

/// What somebody said.
#[derive(Debug)]
pub(in crate::cluster) enum Heard {
    /// Another node, and the message's place in the stream where it is kept.
    Other(NodeId, Said, Option<u64>),
    /// Another node, before this one was there.
    Before(NodeId, Said, u64),
    /// This node itself.
    Own(Said, u64),
    /// Another node, and it has been heard before at another place of the stream.
    Again(u64),
}

/// When a message was published.
#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    /// While this node did not hear.
    Missed,
    /// Before it was there.
    Before,
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
    pub(in crate::cluster) stream: Stream,
    /// The stream has been read from its beginning.
    pub(in crate::cluster) has_begun: AtomicBool,
    /// Knows whether clients may come back, and up to where the stream has been heard.
    pub(in crate::cluster) hub: Arc<Hub>,
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
        let keeps = self.hub.reached();
        if let Some((reached, age)) = keeps {
            self.catch_up(ear, senders, reached, age).await?;
        }
        self.listens.store(true, Ordering::Relaxed);
        self.registry.check();
        tracing::info!("listening to the other nodes");
        ear.listening();
        let mut messages = redis.on_message();
        while let Ok(Some(message)) = timeout(self.silence, messages.next()).await {
            let (id, message_bytes) = read_published(message.get_payload_bytes());
            let bytes = Bytes::copy_from_slice(message_bytes);
            self.take(ear, senders, (message.get_channel_name(), &bytes), id, When::Now);
            if self.hub.may_come_back() != keeps.is_some() {
                // Recovery was turned on or off: the stream is read, or is not.
                break;
            }
        }
        Ok(())
    }

    /// Reads what was published and not heard: since this node was there, or before where it has just come.
    async fn catch_up(
        &self,
        ear: &dyn Ear,
        senders: &mut Senders,
        reached: u64,
        age: Duration,
    ) -> RedisResult<()> {
        let mut redis = self.store.commands().await?;
        let first = self.stream.first(&mut redis, age).await?;
        let when = if self.has_begun.load(Ordering::Relaxed) { When::Missed } else { When::Before };
        let mut at = reached;
        if matches!(when, When::Before) {
            self.hub.begin_at(first.id);
            at = first.id;
        } else if first.id > reached && !first.is_beginning {
            self.hub.lose_track(first.id);
        }
        while let Some((messages, last)) = self.stream.page(&mut redis, at).await? {
            for (id, message) in messages.into_iter().filter(|(_, message)| !message.is_empty()) {
                self.take(ear, senders, (&self.channels.all, &message.into()), Some(id), when);
            }
            self.hub.reach(last);
            at = last;
        }
        if matches!(when, When::Before) {
            self.hub.has_begun();
            self.has_begun.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn take(
        &self,
        ear: &dyn Ear,
        senders: &mut Senders,
        (channel, message): (&str, &Bytes),
        id: Option<u64>,
        when: When,
    ) {
        match self.read((channel, message), senders, id, when) {
            Ok(heard) => heard.into_iter().for_each(|heard| ear.heard(heard)),
            Err(Unreadable) => metrics::cluster_unreadable(),
        }
    }

    /// What a message says; nothing for what this node said itself, or what has come before.
    fn read(
        &self,
        (channel, message): (&str, &Bytes),
        senders: &mut Senders,
        id: Option<u64>,
        when: When,
    ) -> Result<Option<Heard>, Unreadable> {
        let opened = self.seal.open(channel, message)?;
        let sender = opened.sender;
        if sender == self.registry.id() {
            return id.map(|id| Ok(Heard::Own(opened.said()?, id))).transpose();
        }
        if opened.number > 0 {
            match senders.note(sender, opened.number) {
                // What was not for it when it was not there is no loss.
                Arrival::New(missed) if !matches!(when, When::Before) => metrics::cluster_missed(missed),
                Arrival::New(_) => {}
                Arrival::Again => return Ok(id.map(Heard::Again)),
            }
        }
        let said = opened.said()?;
        if matches!(said, Said::Bye) {
            senders.forget(sender);
        }
        match (when, id) {
            (When::Before, Some(id)) => return Ok(Some(Heard::Before(sender, said, id))),
            (When::Before | When::Missed, _) => metrics::cluster_replayed(),
            (When::Now, _) => {}
        }
        metrics::cluster_received();
        Ok(Some(Heard::Other(sender, said, id)))
    }
}
