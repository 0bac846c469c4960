//! What is in force, who has logged in, and what they are told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, spawn_blocking};

use super::login::{Denied, Entry, Failures, Logins};
use super::options::Options;
use super::{orders, told};
use crate::engineio::{Reason, random_id};
use crate::json::Json;
use crate::socketio::{
    Command, Event, Follower, Heard, Hub, Outgoing, Query, Refusal, Socket, Sockets, Target,
};
use crate::telemetry::{Handled, metrics};

/// After so many things told at a stretch, others have their turn.
const STRETCH: usize = 64;

/// What outlives a change of the config.
pub(super) struct Shared {
    pub(super) force: ArcSwapOption<Force>,
    failures: Failures,
    /// Sockets of this node that have logged in.
    guests: AtomicUsize,
    /// Tells what happens to sockets, while somebody is told.
    telling: Mutex<Option<AbortHandle>>,
    place: OnceLock<Place>,
    /// Seals session ids where there is no cluster.
    own_secret: Arc<str>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            force: ArcSwapOption::empty(),
            failures: Failures::default(),
            guests: AtomicUsize::new(0),
            telling: Mutex::default(),
            place: OnceLock::new(),
            own_secret: random_id(),
        }
    }
}

/// What a socket that has logged in is known by: what was in force then.
#[derive(Clone)]
pub(super) struct Guest(Arc<Force>);

/// The options in force, and what is made of them.
pub(super) struct Force {
    pub(super) options: Options,
    logins: Logins,
}

/// Where it is.
pub(super) struct Place {
    pub(super) hub: Arc<Hub>,
    /// Those of all nodes.
    pub(super) sockets: Arc<dyn Sockets>,
    /// Where what is told is written, away from the workers.
    pub(super) runtime: Handle,
    pub(super) clustered: bool,
}

impl Force {
    pub(super) fn to_everybody(&self, event: Outgoing) -> Command {
        let target = Target { everyone: true, ..Target::default() };
        Command::Emit { namespace: self.options.namespace.clone(), target, event }
    }
}

impl Shared {
    pub(super) fn put_in_force(&self, options: Option<Options>) {
        if options.as_ref().is_some_and(|options| options.account.is_none()) {
            tracing::warn!(
                "the Admin UI's namespace asks nobody for a password: socketio.admin_ui.auth is `none`"
            );
        }
        let force = |options| Force { logins: Logins::new(&options, &self.own_secret), options };
        self.force.store(options.map(force).map(Arc::new));
    }

    /// Says where it is, once; false where that was said before.
    pub(super) fn settle(&self, place: Place) -> bool {
        let first = self.place.set(place).is_ok();
        self.tell_if_needed();
        first
    }

    /// Puts other options in force, and tells those who are here or makes them leave.
    pub(super) fn change(&self, options: Option<Options>) {
        let before = self.force.load_full();
        if before.as_ref().map(|force| &force.options) == options.as_ref() {
            return;
        }
        self.put_in_force(options);
        self.tell_no_more();
        if let Some(place) = self.place.get() {
            self.greet_or_expel(before.as_deref(), &place.hub);
        }
        self.tell_if_needed();
    }

    /// Tells a guest which sockets there are, where that is to be told. One whose account was changed while it logged
    /// in leaves again.
    pub(super) fn welcome(&self, Guest(entered): Guest, socket: &Arc<Socket>) {
        let force = self.force.load_full();
        let Some(force) = force.filter(|force| force.options.admits_those_of(&entered.options)) else {
            return socket.disconnect(false);
        };
        if let Some(place) = self.place.get().filter(|_| force.options.development) {
            place.runtime.spawn(list(place.sockets.clone(), force, socket.clone()));
        }
    }

    pub(super) fn has_guests(&self) -> bool {
        self.guests.load(Ordering::Acquire) > 0
    }

    /// Tells those who were here before that something has changed, or makes them leave: all who are in a namespace
    /// that is the Admin UI's no more, or only now.
    fn greet_or_expel(&self, before: Option<&Force>, hub: &Arc<Hub>) {
        let force = self.force.load_full();
        let stays =
            |force: &&Arc<Force>| before.is_some_and(|before| force.options.admits_those_of(&before.options));
        if let Some(force) = force.as_ref().filter(stays) {
            let config = told::config(force.options.read_only, force.options.development);
            hub.run_here(&force.to_everybody(config));
            return;
        }
        let concerned =
            before.into_iter().chain(force.as_deref()).map(|force| force.options.namespace.clone());
        for namespace in concerned.collect::<HashSet<_>>() {
            let target = Target { everyone: true, ..Target::default() };
            hub.run_here(&Command::Disconnect { namespace, target, close: false });
        }
    }

    /// Begins to tell what happens to sockets, if that is to be told and somebody listens: with a cluster, that may be
    /// on any node. From when this returns, nothing is left out.
    fn tell_if_needed(&self) {
        let (Some(force), Some(place)) = (self.force.load_full(), self.place.get()) else { return };
        if !force.options.development || !(place.clustered || self.has_guests()) {
            return;
        }
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if telling.is_none() {
            let follower = place.hub.watch(force.options.namespace.clone(), force.options.max_queue);
            *telling = Some(place.runtime.spawn(tell(place.hub.clone(), force, follower)).abort_handle());
        }
    }

    fn tell_no_more(&self) {
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner).take();
        telling.iter().for_each(AbortHandle::abort);
    }

    /// A guest has left.
    pub(super) fn left(&self) {
        self.guests.fetch_sub(1, Ordering::AcqRel);
        let clustered = self.place.get().is_some_and(|place| place.clustered);
        if !clustered && !self.has_guests() {
            self.tell_no_more();
            // Somebody may have come meanwhile.
            self.tell_if_needed();
        }
    }

    /// Lets a client in, or not: what it is told first.
    pub(super) async fn admit(
        self: Arc<Self>,
        force: Arc<Force>,
        socket: Arc<Socket>,
    ) -> Result<Vec<Command>, Refusal> {
        let started = Instant::now();
        let entry = force.logins.check(&self.failures, &socket).await;
        let result = match &entry {
            Ok(Entry::Open) => "open",
            Ok(Entry::Session) => "session",
            Ok(Entry::Password(_)) => "password",
            Err(Denied::Invalid) => "invalid",
            Err(Denied::TooMany) => "too_many",
        };
        metrics::admin_ui_login(result);
        let client = socket.handshake().forwarded.client;
        match &entry {
            Ok(_) => tracing::info!(%client, result, "somebody has logged in to the Admin UI"),
            Err(_) => tracing::warn!(%client, result, "somebody was refused by the Admin UI"),
        }
        let code = |denied: &Denied| match denied {
            Denied::Invalid => "invalid_credentials",
            Denied::TooMany => "rate_limited",
        };
        force.log(&socket, "connect", entry.as_ref().err().map(code), None, started.elapsed());
        let entry = entry.map_err(refusal)?;
        socket.extensions().insert(Guest(force.clone()));
        self.guests.fetch_add(1, Ordering::AcqRel);
        self.tell_if_needed();
        let session = if let Entry::Password(id) = &entry { Some(told::session(id)) } else { None };
        let config = told::config(force.options.read_only, force.options.development);
        let target = Target::socket(socket.id().clone());
        let say =
            |event| Command::Emit { namespace: socket.namespace().clone(), target: target.clone(), event };
        Ok(session.into_iter().chain([config]).map(say).collect())
    }
}

/// Node's word for whoever does not come in, and ours for who tries too often.
fn refusal(denied: Denied) -> Refusal {
    let (message, code) = match denied {
        Denied::Invalid => ("invalid credentials", None),
        Denied::TooMany => ("too many logins, try again in a minute", Some("rate_limited")),
    };
    let data = code.map(|code| Json::from_value(&json!({"code": code})));
    Refusal { message: message.to_owned(), data }
}

impl Force {
    /// Writes the line of the event log, if there is one.
    pub(super) fn log(
        &self,
        socket: &Socket,
        kind: &'static str,
        denied: Option<&str>,
        reason: Option<Reason>,
        duration: Duration,
    ) {
        if !self.options.event_log {
            return;
        }
        Handled {
            kind,
            namespace: socket.namespace(),
            event: None,
            socket: socket.public_id().map(|id| &**id),
            user: None,
            transport: socket.transport().as_str(),
            result: if denied.is_some() { "refused" } else { "ok" },
            why: denied.map(|code| (None, code)),
            reason: reason.map(Reason::as_str),
            duration,
        }
        .log();
    }

    /// Does what a guest wants done.
    pub(super) fn obey(&self, hub: &Hub, socket: &Socket, event: Event) {
        let order = match orders::read(&event) {
            _ if self.options.read_only => Err("socketio.admin_ui.read_only is true".to_owned()),
            order => order,
        };
        let client = socket.handshake().forwarded.client;
        match &order {
            Ok(command) => {
                let (order, namespace) = (event.name.as_text(), &**command.namespace());
                tracing::info!(%client, order, namespace, "the Admin UI has something done");
                hub.run(command);
            }
            Err(wrong) => tracing::debug!(%client, wrong, "the Admin UI wants what cannot be done"),
        }
        // Node never answers; who asks for an answer is told all the same.
        if let Some(ack) = event.ack {
            let error = |wrong| Json::from_value(&json!({"error": {"status": 400, "message": wrong}}));
            ack.send(&order.err().map(error).into_iter().collect::<Vec<_>>());
        }
    }
}

/// Tells what happens to sockets, for as long as it is polled.
async fn tell(hub: Arc<Hub>, force: Arc<Force>, mut follower: Follower) {
    let mut told = 0;
    while let Some(moment) = follower.next().await {
        for event in told::moment(moment, &force.options.tokens) {
            hub.run(&force.to_everybody(event));
        }
        told += 1;
        if told % STRETCH == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Tells a guest which sockets there are.
async fn list(sockets: Arc<dyn Sockets>, force: Arc<Force>, guest: Arc<Socket>) {
    let query = Query { limit: force.options.max_sockets, handshakes: true, ..Query::default() };
    // With many sockets this takes a while.
    let Ok(listed) = spawn_blocking(move || sockets.list(query)).await else { return };
    let Heard { said: page, .. } = listed.await;
    let told = spawn_blocking(move || guest.hand_over(&told::all_sockets(page.items, &force.options.tokens)));
    let _ = told.await;
}
