//! Writes down what changes, for as long as the process lives.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use redis::{RedisResult, Script};
use tokio::time::{Instant, sleep, sleep_until};

use super::Comeback;
use super::vault::Vault;
use crate::cluster::registry::millis;
use crate::cluster::store::Commands;
use crate::socketio::Hub;
use crate::telemetry::metrics;

/// Wait before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(300);

/// Clients that are written in one go.
const BATCH: usize = 500;

/// A client's key and what is written there: for how long, of which life, and the rest; nothing where it goes.
struct Entry {
    pid: Arc<str>,
    key: String,
    time: Duration,
    life: u64,
    value: Vec<u8>,
}

impl Comeback {
    /// Writes for ever.
    pub(in crate::cluster) async fn keep_written(self: Arc<Self>) {
        loop {
            let kept = match self.store.commands().await {
                Ok(mut redis) => self.keep_over(&mut redis).await,
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                tracing::debug!(%error, "the cluster's Redis is away");
            }
            self.book().writing = false;
            metrics::cluster_connection_lost("sessions");
            sleep(PAUSE).await;
        }
    }

    /// Writes until it fails.
    async fn keep_over(&self, redis: &mut Commands) -> RedisResult<()> {
        let mut standing = self.registry.standing();
        let mut restarts = standing.borrow_and_update().restarts;
        self.begin_anew();
        let mut refreshed = Instant::now();
        loop {
            while let Some(changes) = self.next() {
                self.write(redis, changes).await?;
            }
            // Half of its time before what is written of somebody connected ends.
            let refresh = refreshed + self.hub.time_to_come_back().unwrap_or(PAUSE * 100) / 2;
            tokio::select! {
                () = self.wake.notified() => {}
                _ = standing.changed() => {
                    let now = standing.borrow_and_update().restarts;
                    if std::mem::replace(&mut restarts, now) < now {
                        self.begin_anew();
                    }
                }
                () = sleep_until(refresh) => {
                    refreshed = Instant::now();
                    self.refresh();
                }
            }
        }
    }

    /// Who is connected is written again, and who is gone for good goes.
    fn refresh(&self) {
        let comers: HashSet<Arc<str>> = self.hub.comers().into_iter().collect();
        let mut changes: Vec<Arc<str>> =
            comers.iter().filter(|pid| self.hub.connected_as(pid).is_some()).cloned().collect();
        let mut book = self.book();
        changes.extend(book.written.keys().filter(|pid| !comers.contains(*pid)).cloned());
        book.changes.extend(changes);
    }

    /// The next changes, if there are any.
    fn next(&self) -> Option<Vec<Arc<str>>> {
        let mut book = self.book();
        let some: Vec<Arc<str>> = book.changes.iter().take(BATCH).cloned().collect();
        for pid in &some {
            book.changes.remove(pid);
        }
        book.writing = !some.is_empty();
        book.writing.then_some(some)
    }

    async fn write(&self, redis: &mut Commands, changes: Vec<Arc<str>>) -> RedisResult<()> {
        let mut groups = HashMap::<usize, Vec<Entry>>::new();
        for entry in changes.iter().filter_map(|pid| self.entry(pid)) {
            let group = if redis.is_many() { self.vault.group(&entry.key) } else { 0 };
            groups.entry(group).or_default().push(entry);
        }
        for entries in groups.values() {
            if let Err(error) = self.write_group(redis, entries).await {
                self.book().changes.extend(changes);
                return Err(error);
            }
        }
        self.book().writing = false;
        Ok(())
    }

    async fn write_group(&self, redis: &mut Commands, entries: &[Entry]) -> RedisResult<()> {
        let script = Script::new(include_str!("keep.lua"));
        let mut script = script.prepare_invoke();
        for Entry { key, time, life, value, .. } in entries {
            script.key(key).arg(millis(*time)).arg(Vault::life(*life)).arg(&value[..]);
        }
        let refused: Vec<usize> = script.invoke_async(redis).await?;
        let (mut book, mut lost) = (self.book(), Vec::new());
        for (place, entry) in entries.iter().enumerate() {
            let is_lost = refused.contains(&(place + 1)) && !entry.value.is_empty();
            if entry.value.is_empty() || is_lost {
                book.written.remove(&entry.pid);
            } else {
                book.written.insert(entry.pid.clone(), (entry.key.clone(), entry.life));
            }
            lost.extend(is_lost.then(|| (entry.pid.clone(), entry.life)));
        }
        drop(book);
        lost.iter().for_each(|(pid, life)| self.hub.note_taken(pid, *life));
        if !lost.is_empty() {
            tokio::spawn(lose(Arc::clone(&self.hub), lost, self.request_timeout * 2));
        }
        Ok(())
    }

    /// What is to be written of a client; nothing for one that never was written and needs not be.
    fn entry(&self, pid: &Arc<str>) -> Option<Entry> {
        let past = self.hub.time_to_come_back().zip(self.hub.past(pid));
        let Some((time, past)) = past else {
            let (key, life) = self.book().written.get(pid).cloned()?;
            return Some(Entry { pid: pid.clone(), key, time: Duration::ZERO, life, value: Vec::new() });
        };
        // Somebody connected is written again before half of this is left.
        let time = if past.is_connected() { time * 3 / 2 } else { time };
        let key = self.vault.keys(pid, past.socket().0).into_iter().next()?;
        let value = self.vault.close(&key, self.registry.id(), &past)?;
        Some(Entry { pid: pid.clone(), key, time, life: past.life(), value })
    }
}

/// Lets clients go that others have taken. Those ask for them first: what is known here is newer than what was written.
async fn lose(hub: Arc<Hub>, lost: Vec<(Arc<str>, u64)>, patience: Duration) {
    sleep(patience).await;
    lost.iter().for_each(|(pid, life)| hub.lose(pid, *life));
}
