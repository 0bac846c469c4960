//! Sockets whose end rules are told of, written down in Redis: when their node is lost, another one tells.
//!
//! Only sockets of namespaces with a `disconnect` rule are written down. A record goes when the rule begins, and
//! whoever takes it from a lost node takes it out in the same step, so that nobody else can.

mod claims;
mod heirs;
mod ledger;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Options;
use super::registry::Registry;
use super::safe::Safe;
use super::store::{Line, Store};
use crate::socketio::{Hub, Socket};

/// How long an end waits to know whether another node has told of it.
const DOUBT: Duration = Duration::from_secs(2);

/// How often it is looked whether everything is written.
const LOOK: Duration = Duration::from_millis(10);

/// What a socket's record is found by. It tells nothing of it.
type Field = [u8; 16];

/// Sockets whose end rules are told of.
#[derive(Debug)]
pub(super) struct Departures {
    hub: Arc<Hub>,
    registry: Arc<Registry>,
    store: Arc<Store>,
    line: Line,
    /// Without a key nothing is written.
    safe: Option<Safe>,
    prefix: Arc<str>,
    /// The key of this node's sockets.
    key: String,
    book: Mutex<Book>,
    wake: Notify,
    /// How many of the times that this node was declared lost are dealt with.
    settled: watch::Sender<u64>,
}

/// What is written, and what is to be.
#[derive(Debug, Default)]
struct Book {
    written: HashMap<Field, Weak<Socket>>,
    changes: HashMap<Field, Change>,
    /// What is written counts for nothing: everything is written again.
    anew: bool,
    /// Changes are on their way to Redis.
    writing: bool,
    /// How many of the times that Redis had forgotten this node are dealt with.
    restarts: u64,
}

#[derive(Debug, Clone)]
enum Change {
    Write(Weak<Socket>),
    Remove,
}

impl Departures {
    /// Nothing is written.
    pub(super) fn new(options: &Options, registry: Arc<Registry>, hub: Arc<Hub>) -> Departures {
        let key = sockets_of(&options.prefix, registry.id());
        Departures {
            hub,
            registry,
            store: options.store.clone(),
            line: Line::default(),
            safe: Safe::new(&options.secrets.0, "frontroom cluster records"),
            prefix: options.prefix.clone(),
            key,
            book: Mutex::default(),
            wake: Notify::new(),
            settled: watch::Sender::default(),
        }
    }

    /// Writes, and tells of lost nodes' sockets, with tasks on the current runtime.
    pub(super) fn start(self: &Arc<Self>) {
        tokio::spawn(self.clone().keep_written());
        tokio::spawn(self.clone().inherit());
    }

    /// The key of this node's sockets.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket is connected, or its rooms or state are others than before.
    pub(super) fn changed(&self, socket: &Arc<Socket>) {
        if socket.has_left() || !self.hub.is_told_of_ends(socket.namespace()) {
            return;
        }
        let field = field_of(socket);
        self.book().changes.insert(field, Change::Write(Arc::downgrade(socket)));
        self.wake.notify_one();
    }

    /// This node tells of a socket's end.
    pub(super) fn ended(&self, socket: &Socket) {
        let field = field_of(socket);
        {
            let mut book = self.book();
            let written = book.written.contains_key(&field) || book.writing;
            match book.changes.remove(&field) {
                None if !written => return,
                _ => drop(book.changes.insert(field, Change::Remove)),
            }
        }
        self.wake.notify_one();
    }

    /// Everything is written again.
    pub(super) fn begin_anew(&self) {
        self.book().anew = true;
        self.wake.notify_one();
    }

    /// Waits until what is known is written, at most so long.
    pub(super) async fn finish(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let is_done = |book: &Book| book.changes.is_empty() && !book.writing;
        while !is_done(&self.book()) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// What an end waits for: until it is known that no other node has told of it. Where Redis is away nothing is
    /// known, and nobody waits.
    pub(super) fn settled(self: &Arc<Self>, socket: &Arc<Socket>) -> Option<BoxFuture<'static, ()>> {
        let doubt = self.doubt();
        let claims = self.hub.may_come_back() && self.book().written.contains_key(&field_of(socket));
        if doubt.is_none() && (!claims || self.registry.is_away()) {
            return None;
        }
        let (departures, socket) = (self.clone(), socket.clone());
        let wait = async move {
            if let Some(doubt) = doubt {
                doubt.await;
            }
            if claims {
                departures.claim_own(&socket).await;
            }
        };
        Some(timeout(DOUBT, wait).map(drop).boxed())
    }

    /// This node may have been declared lost without knowing it: its process was stopped for a while.
    fn doubt(self: &Arc<Self>) -> Option<BoxFuture<'static, ()>> {
        let mut standing = self.registry.standing();
        let losses = standing.borrow_and_update().own_losses;
        let (known, away) = (self.registry.holds_lease(), self.registry.is_away());
        if away || (known && *self.settled.borrow() >= losses) {
            return None;
        }
        let departures = self.clone();
        let wait = async move {
            if !known {
                let _ = standing.changed().await;
            }
            let losses = standing.borrow().own_losses;
            let _ = departures.settled.subscribe().wait_for(|settled| *settled >= losses).await;
        };
        Some(wait.boxed())
    }
}

fn field_of(socket: &Socket) -> Field {
    field(socket.namespace(), socket.id())
}

/// The field of a socket.
fn field(namespace: &str, id: &str) -> Field {
    let digest = Sha256::digest(format!("{id} {namespace}").as_bytes());
    let mut field = Field::default();
    field.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    field
}

/// The key of a node's sockets, in the slot of the key of all nodes.
fn sockets_of(prefix: &str, node: super::NodeId) -> String {
    format!("{{{prefix}}}:sockets:{node}")
}
