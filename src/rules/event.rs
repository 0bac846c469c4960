//! Connects, events and disconnects, from the socket's side.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::engineio::Reason;
use crate::socketio::{Acknowledge, Command, Event, EventName, Hub, Outgoing, Refusal, Socket};
use crate::telemetry::{caught, metrics};

use super::Rules;
use super::context::Context;
use super::effects::Ack;
use super::failure::Failure;
use super::grants;
use super::limit::Buckets;
use super::namespace::Namespace;
use super::record::{Timer, What, Why};
use super::rule::Rule;
use super::seats::Seats;
use super::turn::{Done, Hands, Turn};

/// Begins the names of frontroom's own events.
const OWN: &str = "frontroom:";

/// Whether a client may join: its token first, then the rule. Without a rule it may.
pub(super) async fn connect(
    rules: Arc<Rules>,
    seats: Arc<Seats>,
    hub: Arc<Hub>,
    socket: Arc<Socket>,
) -> Result<Vec<Command>, Refusal> {
    let timer = Timer::begin(&rules, true);
    let admission = async {
        let admitted = grants::admit(&rules, &seats, &socket).await;
        admitted.map_err(Denied::plain)?;
        ask(&rules, hub, &socket).await
    };
    let admission = caught("event", pin!(admission)).await.unwrap_or_else(|panicked| {
        let failure = Failure::defect(&panicked, &socket, "connect");
        Err(Denied { why: Why::from(&failure), refusal: failure.refusal() })
    });
    let (commands, why) = match &admission {
        Ok(commands) => (commands.as_slice(), None),
        Err(denied) => (Default::default(), Some(&denied.why)),
    };
    timer.end(&socket, What::Connect(commands), why);
    if admission.is_err() {
        grants::release(&seats, &socket);
    }
    admission.map_err(|denied| denied.refusal)
}

/// Why a client may not join: for the client, and for the log.
struct Denied {
    refusal: Refusal,
    why: Why,
}

impl Denied {
    /// A refusal that no rule said.
    fn plain(refusal: Refusal) -> Denied {
        Denied { why: Why::refused(&refusal), refusal }
    }
}

async fn ask(rules: &Arc<Rules>, hub: Arc<Hub>, socket: &Arc<Socket>) -> Result<Vec<Command>, Denied> {
    let Some(namespace) = rules.namespaces.get(socket.namespace()) else {
        return Err(Denied::plain(Refusal { message: "Invalid namespace".to_owned(), data: None }));
    };
    let Some(rule) = &namespace.connect else { return Ok(Vec::new()) };
    let mut hands = Hands::later(socket, &hub);
    let context = Arc::new(Context::new(Arc::clone(socket)));
    let turn = Turn { rules: Arc::clone(rules), hub, context, wants_ack: false };
    let done = run(&turn, rule, &mut hands).await;
    metrics::socket_event(&namespace.label, &rule.label, result(&done));
    let done = done.map_err(|failure| Denied { why: Why::from(&failure), refusal: failure.refusal() })?;
    let mut commands = hands.later.unwrap_or_default();
    if done.disconnect {
        commands.push(leave(socket));
    }
    Ok(commands)
}

/// Runs a rule, and counts how long it took if it asks a backend.
async fn run(turn: &Turn, rule: &Rule, hands: &mut Hands) -> Result<Done, Failure> {
    let timer = rule.call.is_some().then(|| Timer::begin(&turn.rules, true));
    let done = turn.run(rule, hands).await;
    timer.into_iter().for_each(Timer::asked);
    done
}

fn leave(socket: &Socket) -> Command {
    let target = crate::socketio::Target::socket(Arc::clone(socket.id()));
    Command::Disconnect { namespace: Arc::clone(socket.namespace()), target, close: false }
}

/// Handles one event: its rule, then the ack or the error. What asks nobody is done when this returns;
/// otherwise what is left is given back.
pub(super) fn event(
    rules: Arc<Rules>,
    seats: &Arc<Seats>,
    hub: &Arc<Hub>,
    socket: Arc<Socket>,
    event: Event,
) -> Option<BoxFuture<'static, ()>> {
    let found = Found::by(&rules, &socket, &event.name);
    if found.rule.map_or(event.name.as_text() == grants::AUTH, |rule| rule.call.is_some()) {
        return Some(Box::pin(asked(rules, Arc::clone(seats), Arc::clone(hub), socket, event)));
    }
    let timer = Timer::begin(&rules, false);
    let Event { name, args, ack } = event;
    let ack = found.wanted(ack);
    let mut hands = Hands::at_once(&socket, hub);
    let done = match found.rule {
        None => Err(Failure::no_rule(name.as_text())),
        Some(rule) if !may_send(&socket, rule) => Err(Failure::rate_limited()),
        Some(rule) => {
            let event = Some(name.clone());
            let context = Arc::new(Context { event, args, ..Context::new(Arc::clone(&socket)) });
            let (rules, hub) = (Arc::clone(&rules), Arc::clone(hub));
            Turn { rules, hub, context, wants_ack: ack.is_some() }.run_alone(rule, &mut hands)
        }
    };
    found.conclude(&hands, &name, ack, done, timer);
    None
}

/// The same for an event whose rule asks somebody, or that renews a token.
async fn asked(rules: Arc<Rules>, seats: Arc<Seats>, hub: Arc<Hub>, socket: Arc<Socket>, event: Event) {
    let timer = Timer::begin(&rules, false);
    let found = Found::by(&rules, &socket, &event.name);
    let Event { name, args, ack } = event;
    let ack = found.wanted(ack);
    let mut hands = Hands::at_once(&socket, &hub);
    let done = match found.rule {
        None => {
            let renewed = caught("event", pin!(grants::renew(&rules, &seats, &socket, &args))).await;
            let renewed =
                renewed.unwrap_or_else(|panicked| Err(Failure::defect(&panicked, &socket, grants::AUTH)));
            renewed.map(|()| Done { ack: Some(Vec::new()), disconnect: false })
        }
        Some(rule) if !may_send(&socket, rule) => Err(Failure::rate_limited()),
        Some(rule) => {
            let event = Some(name.clone());
            let context = Arc::new(Context { event, args, ..Context::new(socket) });
            let turn = Turn { rules: Arc::clone(&rules), hub, context, wants_ack: ack.is_some() };
            run(&turn, rule, &mut hands).await
        }
    };
    found.conclude(&hands, &name, ack, done, timer);
}

/// What an event's name stands for.
struct Found<'a> {
    namespace: Option<&'a Namespace>,
    rule: Option<&'a Rule>,
}

impl<'a> Found<'a> {
    fn by(rules: &'a Rules, socket: &Socket, name: &EventName) -> Found<'a> {
        let namespace = rules.namespaces.get(socket.namespace());
        let rule = match name.as_text() {
            own if own.starts_with(OWN) => None,
            other => namespace.and_then(|namespace| namespace.rule(other)),
        };
        Found { namespace, rule }
    }

    /// The ack that the client asked for, unless the rule never acks.
    fn wanted(&self, ack: Option<Acknowledge>) -> Option<Acknowledge> {
        ack.filter(|_| !self.rule.is_some_and(|rule| matches!(rule.effects.ack, Ack::Never)))
    }

    /// Counts the event, writes it down, and tells the client what came of it.
    fn conclude(
        &self,
        hands: &Hands,
        name: &EventName,
        ack: Option<Acknowledge>,
        done: Result<Done, Failure>,
        timer: Timer,
    ) {
        if let (Some(namespace), Some(rule)) = (self.namespace, self.rule) {
            metrics::socket_event(&namespace.label, &rule.label, result(&done));
        }
        let own = (name.as_text() == grants::AUTH).then_some(grants::AUTH);
        let label = self.rule.map(|rule| &*rule.label).or(own);
        timer.end(&hands.socket, What::Event(label), done.as_ref().err().map(Why::from).as_ref());
        let leaves = hands.leaves || done.as_ref().is_ok_and(|done| done.disconnect);
        match (done, ack) {
            (Ok(done), ack) => {
                if let (Some(args), Some(ack)) = (done.ack, ack) {
                    ack.send(&args);
                }
            }
            (Err(failure), Some(ack)) => ack.send(&[failure.ack()]),
            (Err(failure), None) => {
                let args = vec![failure.exception(name)];
                let exception = EventName::Text("exception".into());
                hands.socket.emit(&Outgoing { name: exception, args, volatile: false });
            }
        }
        if leaves {
            hands.socket.disconnect(false);
        }
    }
}

/// Runs the rule for a client that left. Nobody is left to tell of a failure.
pub(super) async fn disconnect(rules: Arc<Rules>, hub: Arc<Hub>, socket: Arc<Socket>, reason: Reason) {
    let timer = Timer::begin(&rules, false);
    let failure = match rules.namespaces.get(socket.namespace()) {
        Some(namespace) => farewell(&rules, namespace, hub, &socket, reason).await.err(),
        None => None,
    };
    timer.end(&socket, What::Disconnect(reason), failure.as_ref().map(Why::from).as_ref());
}

async fn farewell(
    rules: &Arc<Rules>,
    namespace: &Namespace,
    hub: Arc<Hub>,
    socket: &Arc<Socket>,
    reason: Reason,
) -> Result<(), Failure> {
    let Some(rule) = &namespace.disconnect else { return Ok(()) };
    let mut hands = Hands::at_once(socket, &hub);
    let context = Arc::new(Context { reason: Some(reason.as_str()), ..Context::new(Arc::clone(socket)) });
    let turn = Turn { rules: Arc::clone(rules), hub, context, wants_ack: false };
    let done = run(&turn, rule, &mut hands).await;
    metrics::socket_event(&namespace.label, &rule.label, result(&done));
    done.map(|_| ()).inspect_err(|failure| {
        let namespace = &*namespace.label;
        tracing::warn!(namespace, status = failure.status, code = %failure.code, "disconnect rule failed");
    })
}

fn may_send(socket: &Socket, rule: &Rule) -> bool {
    let Some(rate) = rule.rate_limit else { return true };
    let mut extensions = socket.extensions();
    let buckets = extensions.get_or_insert_default::<Buckets>();
    buckets.take(&rule.label, rate, Instant::now())
}

/// A word for metrics.
fn result(done: &Result<Done, Failure>) -> &'static str {
    done.as_ref().err().map_or("ok", |failure| Why::from(failure).result)
}
