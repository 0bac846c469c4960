//! Connects, events and disconnects, from the socket's side.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::engineio::Reason;
use crate::socketio::{Acknowledge, Command, Event, EventName, Hub, Outgoing, Refusal, Socket};
use crate::telemetry::metrics;

use super::Rules;
use super::context::Context;
use super::effects::Ack;
use super::failure::Failure;
use super::grants;
use super::limit::Buckets;
use super::namespace::Namespace;
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
    let admission = async {
        grants::admit(&rules, &seats, &socket).await?;
        ask(&rules, hub, Arc::clone(&socket)).await
    };
    let admission = admission.await;
    if admission.is_err() {
        grants::release(&seats, &socket);
    }
    admission
}

async fn ask(rules: &Arc<Rules>, hub: Arc<Hub>, socket: Arc<Socket>) -> Result<Vec<Command>, Refusal> {
    let Some(namespace) = rules.namespaces.get(socket.namespace()) else {
        return Err(Refusal { message: "Invalid namespace".to_owned(), data: None });
    };
    let Some(rule) = &namespace.connect else { return Ok(Vec::new()) };
    let mut hands = Hands::later(&socket, &hub);
    let context = Arc::new(Context::new(socket));
    let turn = Turn { rules: Arc::clone(rules), hub, context, wants_ack: false };
    let done = turn.run(rule, &mut hands).await;
    metrics::socket_event(&namespace.label, &rule.label, result(&done));
    let done = done.map_err(Failure::refusal)?;
    let mut commands = hands.later.unwrap_or_default();
    if done.disconnect {
        commands.push(leave(&turn.context.socket));
    }
    Ok(commands)
}

fn leave(socket: &Socket) -> Command {
    let target = crate::socketio::Target { rooms: vec![Arc::clone(socket.id())], ..Default::default() };
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
    found.conclude(&hands, &name, ack, done);
    None
}

/// The same for an event whose rule asks somebody, or that renews a token.
async fn asked(rules: Arc<Rules>, seats: Arc<Seats>, hub: Arc<Hub>, socket: Arc<Socket>, event: Event) {
    let found = Found::by(&rules, &socket, &event.name);
    let Event { name, args, ack } = event;
    let ack = found.wanted(ack);
    let mut hands = Hands::at_once(&socket, &hub);
    let done = match found.rule {
        None => {
            let renewed = grants::renew(&rules, &seats, &socket, &args).await;
            renewed.map(|()| Done { ack: Some(Vec::new()), disconnect: false })
        }
        Some(rule) if !may_send(&socket, rule) => Err(Failure::rate_limited()),
        Some(rule) => {
            let event = Some(name.clone());
            let context = Arc::new(Context { event, args, ..Context::new(socket) });
            let turn = Turn { rules: Arc::clone(&rules), hub, context, wants_ack: ack.is_some() };
            turn.run(rule, &mut hands).await
        }
    };
    found.conclude(&hands, &name, ack, done);
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

    /// Counts the event, and tells the client what came of it.
    fn conclude(
        &self,
        hands: &Hands,
        name: &EventName,
        ack: Option<Acknowledge>,
        done: Result<Done, Failure>,
    ) {
        if let (Some(namespace), Some(rule)) = (self.namespace, self.rule) {
            metrics::socket_event(&namespace.label, &rule.label, result(&done));
        }
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
    let Some(namespace) = rules.namespaces.get(socket.namespace()) else { return };
    let Some(rule) = &namespace.disconnect else { return };
    let mut hands = Hands::at_once(&socket, &hub);
    let context = Arc::new(Context { reason: Some(reason.as_str()), ..Context::new(socket) });
    let turn = Turn { rules: Arc::clone(&rules), hub, context, wants_ack: false };
    let done = turn.run(rule, &mut hands).await;
    metrics::socket_event(&namespace.label, &rule.label, result(&done));
    if let Err(failure) = done {
        let namespace = &*namespace.label;
        tracing::warn!(namespace, status = failure.status, code = %failure.code, "disconnect rule failed");
    }
}

fn may_send(socket: &Socket, rule: &Rule) -> bool {
    let Some(rate) = rule.rate_limit else { return true };
    let mut extensions = socket.extensions();
    let buckets = extensions.get_or_insert_default::<Buckets>();
    buckets.take(&rule.label, rate, Instant::now())
}

/// A word for metrics.
fn result(done: &Result<Done, Failure>) -> &'static str {
    match done {
        Ok(_) => "ok",
        Err(failure) if failure.code == "rate_limited" => "rate_limited",
        Err(failure) if failure.status < 500 => "refused",
        Err(_) => "failed",
    }
}
