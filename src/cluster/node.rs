//! This node among the others: what is done here is done there, and what they ask is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::bus::{Channel, Channels, Ear, Heard, Hearing, Outbox, Publisher, Stream, subscribe};
use super::comeback::Comeback;
use super::departures::Departures;
use super::registry::{NodeId, Registry};
use super::requests::Requests;
use super::wire::{self, Action, Asked, Given, Numbers, Said, Seal};
use super::{Options, sockets};
use crate::headers::Said as Saying;
use crate::socketio::{Command, Hub, Origin, Outgoing, Past, Peers, Place, Socket};
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
    comeback: Arc<Comeback>,
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
        let outbox = Arc::new(Outbox::new(registry.id(), seal.clone(), channels.clone(), options.max_queue));
        let stream = Stream::new(&options.prefix, options.max_stream);
        let requests = Arc::<Requests>::default();
        let hearing = Arc::new(Hearing {
            store: options.store.clone(),
            registry: registry.clone(),
            seal,
            channels,
            silence: options.lease,
            listens: AtomicBool::new(false),
            stream: stream.clone(),
            has_begun: AtomicBool::new(false),
            hub: hub.clone(),
        });
        let departures = Arc::new(Departures::new(options, registry.clone(), hub.clone()));
        let others = (outbox.clone(), requests.clone());
        let comeback = Comeback::new(options, (registry.clone(), hub.clone()), others, departures.clone());
        let comeback = Arc::new(comeback);
        let cluster = Arc::new(Cluster {
            hub: hub.clone(),
            registry: registry.clone(),
            outbox: outbox.clone(),
            requests,
            request_timeout: options.request_timeout,
            hearing: hearing.clone(),
            departures: departures.clone(),
            comeback: comeback.clone(),
        });
        hub.join_peers(registry.id().number(), cluster.clone());
        let publisher = Publisher::new(outbox, options.store.clone(), registry.clone(), stream, hub);
        tokio::spawn(publisher.publish());
        tokio::spawn(comeback.keep_written());
        tokio::spawn(subscribe(hearing, cluster.clone()));
        tokio::spawn(say_that_it_lives(Arc::downgrade(&cluster), options.lease / 3));
        tokio::spawn(async move { registry.keep().await });
        departures.start();
        cluster
    }

    /// The rules are others than before: other sockets may have to be remembered.
    pub fn rules_changed(&self) {
        self.departures.begin_anew();
        self.comeback.begin_anew();
    }

    /// Leaves the others in order: what is left to tell of sockets is theirs.
    pub fn leave(self: &Arc<Self>) -> BoxFuture<'static, ()> {
        let cluster = self.clone();
        async move { cluster.say_goodbye().await }.boxed()
    }

    async fn say_goodbye(&self) {
        let deadline = Instant::now() + FAREWELL;
        self.departures.finish(FAREWELL).await;
        self.comeback.finish(deadline).await;
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

    /// Does what another node did; what is kept there is kept here.
    fn run(&self, action: Action, origin: Origin) -> usize {
        self.command(action).map_or(0, |command| self.hub.run_there(&command, origin))
    }

    /// Queues what was done here for the others.
    pub(super) fn push(&self, command: &Command, place: Option<Place>, body: &[u8]) {
        // What changes rooms is read from the stream as well by who did not hear it.
        let is_kept = place.is_some() || command.event().is_none() && self.hub.may_come_back();
        if is_kept { self.outbox.push_kept(body) } else { self.outbox.push(Channel::All, body) }
    }

    /// Keeps an event of before this node was there.
    fn remember(&self, sender: NodeId, said: Said, id: u64) {
        if let Some((command, numbers)) = kept(&said) {
            self.hub.remember(command, origin(sender, Some(numbers), Some(id)));
        }
    }

    /// This node has heard itself: its event has a place in the stream.
    fn settle(&self, said: &Said, id: u64) {
        match kept(said) {
            Some((_, (number, _))) => self.hub.settle(number, id),
            None => self.hub.reach(id),
        }
    }

    fn answer(&self, sender: NodeId, number: u64, given: &Given) {
        self.outbox.push(Channel::One(sender), &wire::answer(number, given));
    }

    /// Answers a question; what takes long is done beside.
    fn asked(&self, sender: NodeId, number: u64, asked: Asked, id: Option<u64>) {
        let (hub, outbox) = (self.hub.clone(), self.outbox.clone());
        let answer = move |given: &Given| outbox.push(Channel::One(sender), &wire::answer(number, given));
        match asked {
            Asked::Perform(action, numbers) => {
                let count = self.run(action, origin(sender, numbers, id));
                self.answer(sender, number, &Given::Count(count));
            }
            Asked::Recall(who) => {
                let comeback = self.comeback.clone();
                tokio::spawn(async move { answer(&Given::Past(comeback.give_up(&who).await)) });
            }
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

/// What names an event of another node.
fn origin(sender: NodeId, numbers: Option<Numbers>, id: Option<u64>) -> Origin {
    match (numbers, id) {
        (Some((number, count)), Some(id)) => {
            Origin::There(Place { node: sender.number(), number, count }, id)
        }
        _ => Origin::Passing,
    }
}

/// The event that a message sends and that is kept, if it does.
fn kept(said: &Said) -> Option<(&Command, Numbers)> {
    match said {
        Said::Do(Action::Do(command), Some(numbers))
        | Said::Ask(_, Asked::Perform(Action::Do(command), Some(numbers))) => Some((command, *numbers)),
        _ => None,
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

    fn heard(&self, heard: Heard) {
        let (sender, said, id) = match heard {
            Heard::Other(sender, said, id) => (sender, said, id),
            Heard::Before(sender, said, id) => return self.remember(sender, said, id),
            Heard::Own(said, id) => return self.settle(&said, id),
            Heard::Again(id) => return self.hub.reach(id),
        };
        match said {
            Said::Here => self.registry.heard_of(sender),
            Said::Bye => self.registry.forget(sender),
            Said::Do(action, numbers) => drop(self.run(action, origin(sender, numbers, id))),
            Said::Ask(number, asked) => self.asked(sender, number, asked, id),
            Said::Answer(number, given) => self.requests.answer(number, sender, given),
        }
        if let Some(id) = id {
            self.hub.reach(id);
        }
    }
}

impl Peers for Cluster {
    fn pass_on(&self, command: &Command, place: Option<Place>) {
        if self.has_time_for(command.event()) {
            self.push(command, place, &wire::act(command, place));
        }
    }

    fn session_changed(&self, pid: &Arc<str>) {
        self.comeback.changed(pid);
    }

    fn recall(&self, pid: &str, namespace: &str) -> BoxFuture<'static, Option<Past>> {
        self.comeback.clone().recall(pid.into(), namespace.into()).boxed()
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

    fn settled(&self, socket: &Arc<Socket>) -> Option<BoxFuture<'static, ()>> {
        self.departures.settled(socket)
    }
}
