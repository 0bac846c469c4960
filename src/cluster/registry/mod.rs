//! Which nodes live: each holds a lease in Redis, renews it, and learns of the others while it does.
//!
//! A node whose lease has ended is lost: the first that renews its own lease afterwards says so. To judge, a node must
//! have held its own lease for a whole lease without a break: where Redis was away from all of them, each gets
//! the time to say that it lives.

mod id;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use redis::{RedisResult, Script};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

pub use id::NodeId;

use super::Options;
use super::key::{Keys, WHOLE};
use super::store::{Commands, Store};
use crate::telemetry::metrics;

/// How long the dead are remembered, and what they left behind.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// Least time between two looks that somebody asked for.
const HASTE: Duration = Duration::from_millis(200);

/// What the script says of this node as it was before.
const WAS_LOST: u8 = 1;
const WAS_UNKNOWN: u8 = 2;

/// What a node tells of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    advertise: String,
    /// When it started, in milliseconds since 1970.
    since: u64,
    /// Code of its name and where it is reached: whoever writes to Redis sends nobody anywhere.
    #[serde(default)]
    seal: String,
}

impl Told {
    /// Seals where the node `id` is reached.
    fn seal(keys: &Keys, id: NodeId, advertise: &str) -> String {
        URL_SAFE_NO_PAD.encode(keys.code(&[&id.number().to_be_bytes(), advertise.as_bytes()]))
    }

    /// Whether a node has sealed it for `id`.
    fn is_sealed(&self, keys: &Keys, id: NodeId) -> bool {
        let code = URL_SAFE_NO_PAD.decode(&self.seal).unwrap_or_default();
        code.len() == WHOLE && keys.knows(&[&id.number().to_be_bytes(), self.advertise.as_bytes()], &code)
    }
}

/// A node that lives.
#[derive(Debug, Clone)]
struct Known {
    advertise: Uri,
    until: Instant,
}

/// What the last look at Redis said.
#[derive(Debug, Default)]
struct View {
    living: HashMap<NodeId, Known>,
    /// When Redis last answered.
    seen: Option<Instant>,
    /// Since when this node has held its lease without a break.
    held_since: Option<Instant>,
    /// Redis did not answer when it was asked last.
    away: bool,
}

/// What changes with each look.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    /// Counts the looks.
    pub(super) looks: u64,
    /// Counts the times that this node found itself declared lost.
    pub(super) own_losses: u64,
    /// Counts the times that Redis did not know this node any more: it has lost what was written.
    pub(super) restarts: u64,
    /// Who is lost.
    pub(super) lost: Arc<[NodeId]>,
}

/// Which nodes live.
#[derive(Debug)]
pub struct Registry {
    id: NodeId,
    keys: Keys,
    store: Arc<Store>,
    key: String,
    lease: Duration,
    told: String,
    view: Mutex<View>,
    hasten: Notify,
    standing: watch::Sender<Standing>,
    ended: Notify,
}

impl Registry {
    /// This process as a node that nobody knows yet.
    pub fn new(options: &Options) -> Registry {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let (id, keys) = (NodeId::random(), Keys::derive(&options.secrets.0, "frontroom node address 1"));
        let advertise = options.advertise.to_string().trim_end_matches('/').to_owned();
        let seal = Told::seal(&keys, id, &advertise);
        let told = Told { advertise, since: u64::try_from(since).unwrap_or_default(), seal };
        Registry {
            id,
            keys,
            store: options.store.clone(),
            // One slot of a Redis Cluster for all keys that scripts see together.
            key: format!("{{{}}}:nodes", options.prefix),
            lease: options.lease,
            told: serde_json::to_string(&told).unwrap_or_default(),
            view: Mutex::default(),
            hasten: Notify::new(),
            standing: watch::Sender::default(),
            ended: Notify::new(),
        }
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The others that live, as far as is known.
    pub fn others(&self) -> Vec<NodeId> {
        let (view, now) = (self.view(), Instant::now());
        let living = view.living.iter().filter(|(id, known)| **id != self.id && known.until > now);
        living.map(|(id, _)| *id).collect()
    }

    /// Where a node is reached that lives, as far as is known. While Redis is away those live that lived when
    /// it was last asked: their leases end since nobody can renew them.
    pub fn known(&self, id: NodeId) -> Option<Uri> {
        let (view, now) = (self.view(), Instant::now());
        let seen = view.seen?;
        let time = if now - seen > self.lease / 2 { seen } else { now };
        view.living.get(&id).filter(|known| known.until > time).map(|known| known.advertise.clone())
    }

    /// Where a node is reached; Redis is asked where it is not known. `None` for one that does not live.
    pub async fn advertise_of(&self, id: NodeId) -> Option<Uri> {
        if let Some(known) = self.known(id) {
            return Some(known);
        }
        self.look_for(id, HASTE * 3).await;
        self.known(id)
    }

    /// Waits until the others can find this node, at most `patience`.
    pub async fn joined(&self, patience: Duration) {
        let mut standing = self.standing.subscribe();
        let _ = timeout(patience, standing.wait_for(|standing| standing.looks > 0)).await;
    }

    /// Has a look whether a node lives, within `time`; whoever asks at the same time shares it. One look may be
    /// under way that began before the node was there, so there is a second.
    async fn look_for(&self, id: NodeId, time: Duration) {
        let mut standing = self.standing.subscribe();
        let looks = async {
            for _ in 0..2 {
                self.hasten.notify_one();
                if standing.changed().await.is_err() || self.known(id).is_some() {
                    return;
                }
            }
        };
        let _ = timeout(time, looks).await;
    }

    /// Redis was away, or is back: it may not know this node any more.
    pub(super) fn check(&self) {
        self.hasten.notify_one();
    }

    /// A node has said that it is there: it is looked for.
    pub(super) fn heard_of(&self, id: NodeId) {
        if self.known(id).is_none() {
            self.hasten.notify_one();
        }
    }

    /// Whether this node holds its lease, as far as it knows: nobody has declared it lost.
    pub(super) fn holds_lease(&self) -> bool {
        self.view().seen.is_some_and(|seen| seen.elapsed() < self.lease)
    }

    /// Whether Redis did not answer when it was asked last.
    pub(super) fn is_away(&self) -> bool {
        let view = self.view();
        view.seen.is_none() || view.away
    }

    /// A node has ended.
    pub(super) fn forget(&self, id: NodeId) {
        self.view().living.remove(&id);
    }

    /// What changes with each look.
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the lease until `leave`.
    pub async fn keep(&self) {
        let step = self.lease / 3;
        loop {
            let kept = tokio::select! {
                kept = self.keep_by_one_connection(step) => kept,
                () = self.ended.notified() => return,
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "the cluster's Redis is away; it is tried again");
            }
            {
                let mut view = self.view();
                (view.held_since, view.away) = (None, true);
            }
            metrics::cluster_connection_lost("lease");
            let pause = step.min(Duration::from_secs(1)).mul_f64(rand::random_range(0.2..1.0));
            let _ = timeout(pause, self.hasten.notified()).await;
        }
    }

    async fn keep_by_one_connection(&self, step: Duration) -> RedisResult<()> {
        let mut redis = self.store.commands().await?;
        loop {
            self.renew(&mut redis).await?;
            let started = Instant::now();
            tokio::select! {
                () = sleep(step) => {}
                () = self.hasten.notified() => {
                    sleep(HASTE.saturating_sub(started.elapsed()).min(HASTE)).await;
                }
            }
        }
    }

    async fn renew(&self, redis: &mut Commands) -> RedisResult<()> {
        // From before the answer: the lease ends no earlier than that.
        let now = Instant::now();
        let may_judge = {
            let mut view = self.view();
            if view.seen.is_some_and(|seen| now - seen > self.lease) {
                view.held_since = None;
            }
            view.held_since.is_some_and(|since| now - since > self.lease)
        };
        let script = Script::new(include_str!("renew.lua"));
        let mut script = script.prepare_invoke();
        script.key(&self.key).arg(self.id.to_string()).arg(millis(self.lease)).arg(&self.told);
        let answer: Vec<redis::Value> =
            script.arg(u8::from(may_judge)).arg(millis(KEPT)).invoke_async(redis).await?;
        let Some((before, entries)) = answer.split_first() else { return Ok(()) };
        let before = redis::from_redis_value_ref::<u8>(before)?;
        let mut living = HashMap::new();
        let mut lost = Vec::new();
        for entry in entries.chunks_exact(4) {
            match read(entry, now, &self.keys) {
                Some((id, Some(known))) => drop(living.insert(id, known)),
                Some((id, None)) => lost.push(id),
                None => {}
            }
        }
        self.settle(now, living, lost, before);
        Ok(())
    }

    fn settle(&self, now: Instant, mut living: HashMap<NodeId, Known>, lost: Vec<NodeId>, before: u8) {
        let was_lost = before == WAS_LOST;
        let forgotten = {
            let mut view = self.view();
            let known = view.seen.is_some();
            // A Redis that was restarted knows nobody, and to one that was away nobody could say anything: whoever
            // has not said that it ends lives for its lease, or for a new one where it could not renew it.
            let returned = before == WAS_UNKNOWN || view.away;
            for (id, known) in std::mem::take(&mut view.living) {
                let until = if returned { now + self.lease } else { known.until };
                if until > now && !lost.contains(&id) {
                    let known = living.entry(id).or_insert(Known { until, ..known });
                    known.until = known.until.max(until);
                }
            }
            metrics::cluster_nodes(living.values().filter(|known| known.until > now).count() as f64);
            view.living = living;
            view.seen = Some(now);
            view.away = false;
            view.held_since.get_or_insert(now);
            known && before == WAS_UNKNOWN
        };
        if was_lost {
            tracing::warn!("this node was away for longer than cluster.lease and was declared lost");
        }
        self.standing.send_modify(|standing| {
            standing.looks += 1;
            standing.own_losses += u64::from(was_lost);
            standing.restarts += u64::from(forgotten);
            standing.lost = lost.into();
        });
    }

    /// Gives the lease back. What this node leaves behind under `sockets` is the others' to do.
    pub(super) async fn leave(&self, sockets: &str) -> RedisResult<()> {
        self.ended.notify_one();
        let mut redis = self.store.commands().await?;
        let script = Script::new(include_str!("leave.lua"));
        let mut script = script.prepare_invoke();
        script.key(&self.key).key(sockets).arg(self.id.to_string()).arg(millis(KEPT));
        script.invoke_async(&mut redis).await
    }

    /// The key of the nodes.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// A time as Redis takes it.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A node of the script's answer; without what is known of it where it is lost.
fn read(entry: &[redis::Value], now: Instant, keys: &Keys) -> Option<(NodeId, Option<Known>)> {
    let text = |value: &redis::Value| redis::from_redis_value_ref::<String>(value).ok();
    let [id, state, left, told] = entry else { return None };
    let id = text(id)?.parse().ok()?;
    if text(state)? == "l" {
        return Some((id, None));
    }
    let told: Told = serde_json::from_str(&text(told)?).ok()?;
    if !told.is_sealed(keys, id) {
        return None;
    }
    let advertise = told.advertise.parse().ok()?;
    // Whoever is late is not gone before somebody says so.
    let left = Duration::from_millis(u64::try_from(text(left)?.parse::<i64>().ok()?.max(0)).ok()?);
    Some((id, Some(Known { advertise, until: now + left })))
}
