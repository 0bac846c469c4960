//! Writes down what changes, for as long as the process lives.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use redis::{RedisResult, Script, cmd};
use tokio::time::sleep;

use super::{Change, Departures, Field, field};
use crate::cluster::registry::{KEPT, millis};
use crate::cluster::store::Commands;
use crate::socketio::{Record, Socket};
use crate::telemetry::metrics;

/// Wait before a connection is tried again, or a lease that is not held.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

/// Sockets that are written in one go.
const BATCH: usize = 500;

/// A batch on its way to Redis.
#[derive(Debug, Default)]
struct Batch {
    changes: HashMap<Field, Change>,
    anew: bool,
}

impl Departures {
    /// Writes for ever.
    pub(super) async fn keep_written(self: Arc<Self>) {
        loop {
            self.book().anew = true;
            let kept = match self.store.commands().await {
                Ok(mut redis) => self.keep_over(&mut redis).await,
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                tracing::debug!(%error, "the cluster's Redis is away");
            }
            self.book().writing = false;
            metrics::cluster_connection_lost("sockets");
            sleep(PAUSE).await;
        }
    }

    /// Writes until it fails.
    async fn keep_over(&self, redis: &mut Commands) -> RedisResult<()> {
        let mut standing = self.registry.standing();
        loop {
            let (losses, restarts) = {
                let standing = standing.borrow_and_update();
                (standing.own_losses, standing.restarts)
            };
            if losses > *self.settled.borrow() {
                self.part_from_the_told(redis).await?;
                self.settled.send_replace(losses);
                self.begin_anew();
            }
            if restarts > self.book().restarts {
                let mut book = self.book();
                (book.restarts, book.anew) = (restarts, true);
            }
            while let Some(batch) = self.next() {
                if !self.write(redis, batch).await? {
                    // The lease comes first.
                    sleep(PAUSE).await;
                    break;
                }
            }
            tokio::select! {
                () = self.wake.notified() => {}
                _ = standing.changed() => {}
            }
        }
    }

    /// The next changes, if there are any.
    fn next(&self) -> Option<Batch> {
        let mut book = self.book();
        let anew = std::mem::take(&mut book.anew);
        if anew {
            book.written.clear();
            book.changes.clear();
            for socket in self.hub.everybody() {
                if self.hub.is_told_of_ends(socket.namespace()) {
                    let field = field(socket.namespace(), socket.id());
                    book.changes.insert(field, Change::Write(Arc::downgrade(&socket)));
                }
            }
        }
        let fields: Vec<Field> = book.changes.keys().take(BATCH).copied().collect();
        let taken = fields.into_iter().filter_map(|field| book.changes.remove_entry(&field));
        let changes: HashMap<Field, Change> = taken.collect();
        book.writing = anew || !changes.is_empty();
        book.writing.then_some(Batch { changes, anew })
    }

    /// Writes a batch; false where this node does not hold its lease, and nothing was written.
    async fn write(&self, redis: &mut Commands, batch: Batch) -> RedisResult<bool> {
        let script = Script::new(include_str!("keep.lua"));
        let mut script = script.prepare_invoke();
        script.key(self.registry.key()).key(&self.key).arg(self.registry.id().to_string());
        script.arg(millis(KEPT)).arg(u8::from(batch.anew));
        let (mut gone, mut known) = (Vec::new(), Vec::new());
        for (field, change) in &batch.changes {
            match self.record(change) {
                Some((socket, record)) => known.push((*field, socket, record)),
                None => gone.push(*field),
            }
        }
        script.arg(gone.len());
        for field in &gone {
            script.arg(&field[..]);
        }
        for (field, _, record) in &known {
            script.arg(&field[..]).arg(&record[..]);
        }
        let done: RedisResult<u8> = script.invoke_async(redis).await;
        let mut book = self.book();
        book.writing = false;
        if !matches!(done, Ok(1)) {
            book.anew |= batch.anew;
            for (field, change) in batch.changes {
                book.changes.entry(field).or_insert(change);
            }
            return done.map(|_| false);
        }
        gone.iter().for_each(|field| drop(book.written.remove(field)));
        book.written.extend(known.into_iter().map(|(field, socket, _)| (field, socket)));
        Ok(true)
    }

    /// What is written of a socket; nothing once it is gone.
    fn record(&self, change: &Change) -> Option<(Weak<Socket>, Vec<u8>)> {
        let Change::Write(weak) = change else { return None };
        let record = Record::of(&*weak.upgrade()?)?;
        Some((weak.clone(), self.safe.as_ref()?.close(&[], &record)?))
    }

    /// Closes the sockets whose end others have told while this node was away, and which its clients still use.
    async fn part_from_the_told(&self, redis: &mut Commands) -> RedisResult<()> {
        let left: Vec<Vec<u8>> = cmd("HKEYS").arg(&self.key).query_async(redis).await?;
        let told: Vec<Arc<Socket>> = {
            let book = self.book();
            let told = book.written.iter().filter(|(field, _)| !left.iter().any(|key| key[..] == field[..]));
            told.filter_map(|(_, socket)| socket.upgrade()).collect()
        };
        told.iter().for_each(|socket| socket.part());
        Ok(())
    }
}
