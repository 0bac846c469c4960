//! Clients that come back where there are several nodes, to the one that they were on or to another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::Receiver;
use tokio::time::timeout;

use super::sessions::{Asker, Seen};
use super::{Identity, Key, Offset, Origin, Past, Recovery, Remains, remains};
use crate::socketio::socket::lock;
use crate::socketio::{Command, Hub, Socket};
use crate::telemetry::metrics;

/// How long a client waits for this node to have heard of others what it has heard of them.
const CATCHING_UP: Duration = Duration::from_secs(2);

impl Recovery {
    /// Who a client is that says it was here or on another node; none if it is not known, or cannot be told all it
    /// missed.
    pub(in crate::socketio) async fn recall(
        &self,
        hub: &Hub,
        namespace: &str,
        key: &Key,
    ) -> Option<Identity> {
        let asked = hub.peers().map(|peers| peers.recall(&key.pid, namespace));
        let past = match asked {
            Some(asked) => asked.await,
            None => None,
        };
        let Some(Past { life, remains, .. }) = past.filter(|past| *past.namespace == *namespace) else {
            metrics::recovery("unknown");
            return None;
        };
        self.catch_up(&remains, key).await;
        self.revive(key, life, remains)
    }

    /// Waits until everything that the client can have heard over Redis has been heard here too.
    async fn catch_up(&self, remains: &Remains, key: &Key) {
        let given = key.offset.as_deref().and_then(Offset::parse).filter(|given| given.node == remains.node);
        let most = given.map_or(0, |given| given.others).max(remains.base.others);
        let caught_up = async {
            loop {
                let advanced = self.advanced.notified();
                tokio::pin!(advanced);
                advanced.as_mut().enable();
                if lock(&self.log).last().others >= most {
                    return;
                }
                advanced.await;
            }
        };
        // Who says something that never was is at the last that is known.
        let _ = timeout(CATCHING_UP, caught_up).await;
    }

    /// Everybody who may come back.
    fn everybody(&self) -> Vec<Arc<str>> {
        lock(&self.sessions).all()
    }

    /// What another node is to know of a client.
    fn see(&self, pid: &str) -> Option<Past> {
        let gone = |namespace: &Arc<str>, life, gone: &Remains| Past {
            namespace: namespace.clone(),
            life,
            remains: gone.copy(),
            connected: false,
        };
        let seen = lock(&self.sessions).see(pid, gone);
        match seen {
            Seen::Nobody => None,
            Seen::Gone(past) => Some(past),
            Seen::Connected(socket) => {
                let socket = socket.upgrade()?;
                let trail = socket.trail.as_ref()?;
                let (_, life) = lock(trail).name();
                let remains = remains(&socket, trail);
                Some(Past { namespace: socket.namespace().clone(), life, remains, connected: true })
            }
        }
    }
}

/// Clients that come back, as whoever joins several nodes sees them.
impl Hub {
    /// Whether clients may come back at all.
    pub fn may_come_back(&self) -> bool {
        self.recovery().is_on()
    }

    /// How long after its disconnect a client may come back; none while nobody may.
    pub fn time_to_come_back(&self) -> Option<Duration> {
        self.recovery().is_on().then(|| lock(&self.recovery().sessions).time())
    }

    /// Everybody who may come back, by the `pid`, which is a secret.
    pub fn comers(&self) -> Vec<Arc<str>> {
        self.recovery().everybody()
    }

    /// What another node is to know of a client; none if it may not come back.
    pub fn past(&self, pid: &str) -> Option<Past> {
        self.recovery().see(pid)
    }

    /// The socket that a client with this `pid` is connected as.
    pub fn connected_as(&self, pid: &str) -> Option<Arc<Socket>> {
        match lock(&self.recovery().sessions).see(pid, |_, _, _| ()) {
            Seen::Connected(socket) => socket.upgrade(),
            Seen::Nobody | Seen::Gone(()) => None,
        }
    }

    /// Gives a client up to whoever asks. A connection that is believed to be alive ends, and what is answered besides
    /// resolves when the last work of it is done.
    pub fn give_up(&self, namespace: &str, pid: &str, asker: Asker) -> Option<(Past, Option<Receiver<()>>)> {
        let (life, mut remains) = self.recovery().take((namespace, pid), asker)?;
        let finished = remains.finished.take();
        Some((Past { namespace: namespace.into(), life, remains, connected: false }, finished))
    }

    /// Another node has taken a client that had this life here, and will ask for it: nobody else gets it.
    pub fn note_taken(&self, pid: &str, life: u64) {
        lock(&self.recovery().sessions).note_taken(pid, life);
    }

    /// Somebody else has a client by now: what is here of that life goes. A later one may be here too.
    pub fn lose(&self, pid: &str, life: u64) {
        let lives =
            |socket: &Arc<Socket>| socket.trail.as_ref().is_some_and(|trail| lock(trail).name().1 == life);
        let socket = self.connected_as(pid).filter(lives);
        lock(&self.recovery().sessions).forget(pid, life);
        if let Some(socket) = socket {
            socket.part();
        }
    }

    /// Does on this node what another one has done.
    pub fn run_there(&self, command: &Command, origin: Origin) -> usize {
        let count = self.run_as(command, origin.tagged());
        self.recovery().advanced.notify_waiters();
        count
    }

    /// Keeps an event of before this node was there for those who come back.
    pub fn remember(&self, command: &Command, origin: Origin) {
        if let (Command::Emit { namespace, target, event }, Some(log)) =
            (command, self.recovery().log().as_deref_mut())
        {
            log.append(Instant::now(), origin.tagged(), (namespace, target), |offset| {
                crate::socketio::packet::event_parcel_at(namespace, event, offset)
            });
        }
    }

    /// Everything of other nodes up to this place in Redis' stream has been heard.
    pub fn reach(&self, id: u64) {
        if let Some(log) = self.recovery().log().as_deref_mut() {
            log.reach(id);
        }
        self.recovery().advanced.notify_waiters();
    }

    /// Redis has given this node's own event a place in its stream.
    pub fn settle(&self, number: u64, id: u64) {
        if let Some(log) = self.recovery().log().as_deref_mut() {
            log.settle(number, id);
        }
        self.recovery().advanced.notify_waiters();
    }

    /// Up to where in Redis' stream everything has been heard, and how far back events are kept; none while
    /// nobody may come back.
    pub fn reached(&self) -> Option<(u64, Duration)> {
        let log = self.recovery().log()?;
        Some((log.last().others, log.max_age()))
    }

    /// The stream begins at `id`: nobody knows what was before.
    pub fn begin_at(&self, id: u64) {
        if let Some(log) = self.recovery().log().as_deref_mut() {
            log.begin_at(id);
        }
    }

    /// What was published before this node was there is remembered: who was connected before that is no witness of it.
    pub fn has_begun(&self) {
        if let Some(log) = self.recovery().log().as_deref_mut() {
            log.has_begun();
        }
    }

    /// Events of other nodes before `id` were lost: nobody can be told what it missed before this.
    pub fn lose_track(&self, id: u64) {
        if let Some(log) = self.recovery().log().as_deref_mut() {
            log.lose(id);
        }
    }
}
