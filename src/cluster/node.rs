//! This node among the others: what is done here is done there, and what they ask is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::bus::{Channel, Channels, Ear, Hearing, Outbox, publish, subscribe};
use super::departures::Departures;
use super::registry::{NodeId, Registry};
use super::requests::Requests;
use super::wire::{self, Action, Asked, Given, Said, Seal};
use super::{Options, sockets};
use crate::headers::Said as Saying;
use crate::socketio::{Command, Hub, Outgoing, Peers, Socket};
use crate::telemetry::metrics;

/// How long the last words may take at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often it is looked whether they have gone out.
const LOOK: Duration = Duration::from_millis(10);

/// This node among the others.
pub struct Cluster {
    pub(super) hub: Arc<Hub>,
    pub(super) registry: Arc<Registry>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) requests: Arc<Requests>,
    pub(super) request_timeout: Duration,
    hearing: Arc<Hearing>,
    departures: Arc<Departures>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Joins the others, with tasks on the current runtime.
    pub fn start(options: &Options, registry: Arc<Registry>, hub: Arc<Hub>) -> Arc<Cluster> {
        let seal = Seal::new(&options.secrets.0);
        let channels = Channels::new(&options.prefix);
        let outbox = Outbox::new(registry.id(), seal.clone(), channels.clone(), options.max_queue);
        let hearing = Arc::new(Hearing {
            store: options.store.clone(),
            registry: registry.clone(),
            seal,
            channels,
            silence: options.lease,
            listens: AtomicBool::new(false),
        });
        let departures = Arc::new(Departures::new(options, registry.clone(), hub.clone()));
        let cluster = Arc::new(Cluster {
            hub: hub.clone(),
            registry: registry.clone(),
            outbox: Arc::new(outbox),
            requests: Arc::default(),
            request_timeout: options.request_timeout,
            hearing: hearing.clone(),
            departures: departures.clone(),
        });
        hub.join_peers(cluster.clone());
        tokio::spawn(publish(cluster.outbox.clone(), options.store.clone(), registry.clone()));
        tokio::spawn(subscribe(hearing, cluster.clone()));
        tokio::spawn(say_that_it_lives(Arc::downgrade(&cluster), options.lease / 3));
        tokio::spawn(async move { registry.keep().await });
        departures.start();
        cluster
    }

    /// The rules are others than before: other sockets may have to be remembered.
    pub fn rules_changed(&self) {
        self.departures.begin_anew();
    }

    /// Leaves the others in order: what is left to tell of sockets is theirs.
    pub fn leave(self: &Arc<Self>) -> BoxFuture<'static, ()> {
        let cluster = self.clone();
        async move { cluster.say_goodbye().await }.boxed()
    }

    async fn say_goodbye(&self) {
        let deadline = Instant::now() + FAREWELL;
        self.departures.finish(FAREWELL).await;
        let left = self.registry.leave(self.departures.key());
        if let Ok(Err(error)) = tokio::time::timeout_at(deadline, left).await {
            tracing::warn!(%error, "the lease could not be given back: it ends by itself");
        }
        self.outbox.push(Channel::All, &wire::bye());
        while self.outbox.is_connected() && !self.outbox.is_settled() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// Whether other nodes can be asked.
    pub(super) fn is_connected(&self) -> bool {
        self.outbox.is_connected() && self.hearing.listens.load(Ordering::Relaxed)
    }

    /// Whether what sends this event may wait for Redis: what is volatile is dropped instead, and counted.
    pub(super) fn has_time_for(&self, event: Option<&Outgoing>) -> bool {
        let drops = event.is_some_and(|event| event.volatile) && !self.outbox.is_connected();
        if drops {
            metrics::cluster_dropped("volatile", 1);
        }
        !drops
    }

    /// A command of another node.
    fn command(&self, action: Action) -> Option<Command> {
        Some(match action {
            Action::Do(command) => command,
            Action::Ask { namespace, target, event, place } => {
                let asking = self.hub.asking(&place)?;
                Command::Ask { namespace, target, event, asking }
            }
        })
    }

    fn run(&self, action: Action) -> usize {
        self.command(action).map_or(0, |command| self.hub.run_here(&command))
    }

    fn answer(&self, sender: NodeId, number: u64, given: &Given) {
        self.outbox.push(Channel::One(sender), &wire::answer(number, given));
    }

    /// Answers a question; what takes long is done beside.
    fn asked(&self, sender: NodeId, number: u64, asked: Asked) {
        let (hub, outbox) = (self.hub.clone(), self.outbox.clone());
        let answer = move |given: &Given| outbox.push(Channel::One(sender), &wire::answer(number, given));
        match asked {
            Asked::Perform(action) => self.answer(sender, number, &Given::Count(self.run(action))),
            Asked::Question(question) => {
                // The event goes out now, in its place among the others.
                let answers = hub.ask_here(&question);
                tokio::spawn(async move { answer(&Given::Answers(answers.await)) });
            }
            Asked::Find(id) => {
                answer(&Given::Found(hub.member_here(&id).map(Box::new)));
            }
            Asked::Heed(id, said) => answer(&Given::Heeded(hub.heed_here(&id, &said))),
            Asked::List(query) => {
                tokio::task::spawn_blocking(move || answer(&Given::Members(hub.members_here(&query))));
            }
            Asked::Rooms(query) => {
                tokio::task::spawn_blocking(move || answer(&sockets::rooms_here(&hub, &query)));
            }
        }
    }
}

/// Says at every step that this node lives: so the others notice what they missed, and this node that it is heard.
async fn say_that_it_lives(cluster: Weak<Cluster>, step: Duration) {
    loop {
        sleep(step).await;
        let Some(cluster) = cluster.upgrade() else { return };
        if cluster.outbox.is_connected() {
            cluster.outbox.push(Channel::All, &wire::here());
        }
    }
}

impl Ear for Cluster {
    fn listening(&self) {
        self.outbox.push(Channel::All, &wire::here());
    }

    fn heard(&self, sender: NodeId, said: Said) {
        match said {
            Said::Here => self.registry.heard_of(sender),
            Said::Bye => self.registry.forget(sender),
            Said::Do(action) => drop(self.run(action)),
            Said::Ask(number, asked) => self.asked(sender, number, asked),
            Said::Answer(number, given) => self.requests.answer(number, sender, given),
        }
    }
}

impl Peers for Cluster {
    fn pass_on(&self, command: &Command) {
        if self.has_time_for(command.event()) {
            self.outbox.push(Channel::All, &wire::act(command));
        }
    }

    fn heed(&self, socket: &str, said: &Saying) {
        let open = self.ask_all(|number| wire::heed(number, socket, said));
        let (hub, said, time) = (self.hub.clone(), said.clone(), self.time());
        tokio::spawn(async move {
            let mut heeded = false;
            let take = |given| {
                heeded |= matches!(given, Given::Heeded(true));
                heeded
            };
            open.gather(time, take).await;
            if !heeded {
                hub.heed_alone(&said);
            }
        });
    }

    fn changed(&self, socket: &Arc<Socket>) {
        self.departures.changed(socket);
    }

    fn ended(&self, socket: &Socket) {
        self.departures.ended(socket);
    }

    fn settled(&self) -> Option<BoxFuture<'static, ()>> {
        self.departures.settled()
    }
}
