//! Clients that may come back to any node: what is to be known of each is written down in Redis, while it is connected
//! and for some time after.
//!
//! It is written when a client connects, when its rooms or its state change and when its connection ends, so that it is
//! there when its node is killed. It is encrypted, under a key that comes of the `pid`: who reads Redis comes back as
//! nobody. Each connection of a client has a life, a number that grows: whoever takes a client over leaves the next
//! one behind, and what is of an earlier life is refused.

mod ledger;
mod recall;
mod vault;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Options;
use super::bus::Outbox;
use super::departures::Departures;
use super::registry::Registry;
use super::requests::Requests;
use super::store::{Line, Store};
use crate::socketio::Hub;
use vault::Vault;

/// How often it is looked whether something is written.
const LOOK: Duration = Duration::from_millis(10);

/// Clients that may come back to any node.
pub(super) struct Comeback {
    hub: Arc<Hub>,
    registry: Arc<Registry>,
    store: Arc<Store>,
    line: Line,
    outbox: Arc<Outbox>,
    requests: Arc<Requests>,
    departures: Arc<Departures>,
    request_timeout: Duration,
    vault: Vault,
    book: Mutex<Book>,
    wake: Notify,
}

/// What is written, and what is to be. A `pid` is a secret: nothing here can be printed.
#[derive(Default)]
struct Book {
    /// The key of each, and the life that was written.
    written: HashMap<Arc<str>, (String, u64)>,
    changes: HashSet<Arc<str>>,
    /// Changes are on their way to Redis.
    writing: bool,
}

impl Comeback {
    /// Nothing is written.
    pub(super) fn new(
        options: &Options,
        (registry, hub): (Arc<Registry>, Arc<Hub>),
        (outbox, requests): (Arc<Outbox>, Arc<Requests>),
        departures: Arc<Departures>,
    ) -> Comeback {
        Comeback {
            hub,
            registry,
            store: options.store.clone(),
            line: Line::default(),
            outbox,
            requests,
            departures,
            request_timeout: options.request_timeout,
            vault: Vault::new(&options.secrets.0, &options.prefix),
            book: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something else is to be known of a client.
    pub(super) fn changed(&self, pid: &Arc<str>) {
        self.book().changes.insert(pid.clone());
        self.wake.notify_one();
    }

    /// Everything is written again.
    pub(super) fn begin_anew(&self) {
        let all = self.hub.comers();
        self.book().changes.extend(all);
        self.wake.notify_one();
    }

    /// Waits until what is known is written, at most until then.
    pub(super) async fn finish(&self, deadline: Instant) {
        let is_done = |book: &Book| book.changes.is_empty() && !book.writing;
        while !is_done(&self.book()) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }
}
