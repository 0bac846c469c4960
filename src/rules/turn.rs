//! One run of a rule for one socket: asks whom it names, then does what it says.

use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use http::Method;
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use serde_json::{Map, Value};

use crate::headers::Said;
use crate::headers::new_id;
use crate::json::Json;
use crate::message::Fields;
use crate::socketio::{Answer, Asking, Command, Hub, Socket};
use crate::telemetry::trace::Span;
use crate::telemetry::{Panicked, caught, caught_at_once, metrics};

use super::Rules;
use super::actions::{Actions, Doer, Here};
use super::carried::carried;
use super::context::{Context, Facts};
use super::effects::Ack;
use super::failure::Failure;
use super::grants;
use super::header;
use super::hook::{self, Told};
use super::reply::Reply;
use super::request::Prepared;
use super::rule::{Call, Rule};
use super::template::Scope;

/// One run of a rule for one socket.
#[derive(Clone)]
pub(crate) struct Turn {
    pub(crate) rules: Arc<Rules>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) context: Arc<Context>,
    /// Whether the client asked for an ack.
    pub(crate) wants_ack: bool,
}

/// What is left to do after a rule has run.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Arguments of the ack, if one is sent.
    pub(crate) ack: Option<Vec<Json>>,
    /// Whether the socket leaves.
    pub(crate) disconnect: bool,
}

/// Does things at once, or keeps them until the socket is connected.
pub(crate) struct Hands {
    pub(crate) socket: Arc<Socket>,
    pub(crate) hub: Arc<Hub>,
    /// What is kept, while the socket is not connected yet.
    pub(crate) later: Option<Vec<Command>>,
    /// Whether the socket leaves though its rule may fail: a response's header said so.
    pub(crate) leaves: bool,
}

impl Hands {
    /// What does things at once.
    pub(crate) fn at_once(socket: &Arc<Socket>, hub: &Arc<Hub>) -> Hands {
        Hands { socket: Arc::clone(socket), hub: Arc::clone(hub), later: None, leaves: false }
    }

    /// What keeps them until the socket is connected.
    pub(crate) fn later(socket: &Arc<Socket>, hub: &Arc<Hub>) -> Hands {
        Hands { later: Some(Vec::new()), ..Hands::at_once(socket, hub) }
    }
}

impl Done {
    /// Both; the later ack counts.
    fn and(self, other: Done) -> Done {
        Done { ack: other.ack.or(self.ack), disconnect: self.disconnect | other.disconnect }
    }
}

impl Doer for Hands {
    fn state(&mut self, changes: Map<String, Value>) {
        self.socket.state().extend(changes);
        self.hub.note_state(&self.socket);
    }

    fn command(&mut self, command: Command) {
        match &mut self.later {
            Some(later) => later.push(command),
            None => drop(self.hub.run(&command)),
        }
    }
}

impl Turn {
    fn socket(&self) -> &Arc<Socket> {
        &self.context.socket
    }

    /// Runs a rule, within a span of its own.
    pub(crate) async fn run(&self, rule: &Rule, hands: &mut Hands) -> Result<Done, Failure> {
        let span = self.span(rule);
        let done = span.within(caught("event", pin!(self.perform(rule, hands)))).await;
        span.outcome(self.survived(rule, done), |failure| &failure.code)
    }

    /// The same for a rule that asks nobody.
    pub(crate) fn run_alone(&self, rule: &Rule, hands: &mut Hands) -> Result<Done, Failure> {
        let span = self.span(rule);
        let done = || self.check(rule).and_then(|()| self.finish(rule, Done::default(), hands));
        span.outcome(self.survived(rule, caught_at_once("event", done)), |failure| &failure.code)
    }

    /// A rule that panics fails like any other: nobody but its own event hears of it.
    fn survived(&self, rule: &Rule, done: Result<Result<Done, Failure>, Panicked>) -> Result<Done, Failure> {
        done.unwrap_or_else(|panicked| Err(Failure::defect(&panicked, self.socket(), &rule.label)))
    }

    fn span(&self, rule: &Rule) -> Span {
        let socket = self.socket();
        Span::event(socket.namespace(), &rule.label, &socket.handshake().headers)
    }

    /// Does what a rule says, in the contract's order. The first failure ends it.
    async fn perform(&self, rule: &Rule, hands: &mut Hands) -> Result<Done, Failure> {
        self.check(rule)?;
        let said = match &rule.call {
            Some(Call::Request(request)) => {
                let (reply, said) = self.request(request.fill(&self.scope())?, hands).await?;
                let _ = self.context.reply.set(reply);
                said
            }
            Some(Call::Hook(url)) => self.hook(url.render(&self.scope())?, hands).await?,
            None => Done::default(),
        };
        self.finish(rule, said, hands)
    }

    fn scope(&self) -> Arc<dyn Scope> {
        Arc::clone(&self.context) as Arc<dyn Scope>
    }

    fn check(&self, rule: &Rule) -> Result<(), Failure> {
        rule.schema.as_ref().map_or(Ok(()), |schema| schema.check(self.context.args.first()))
    }

    /// What comes after the question, and after what its answer said is `done`.
    fn finish(&self, rule: &Rule, mut done: Done, hands: &mut Hands) -> Result<Done, Failure> {
        let scope = self.scope();
        let goes_on = rule.when.as_ref().map_or(Ok(true), |when| when.is_true(&scope))?;
        if goes_on {
            rule.effects.perform(&scope, &Here::of(self.socket()), hands)?;
            done.disconnect |= rule.effects.disconnects(&scope)?;
        }
        let reply = self.context.reply.get();
        let ack = match (&rule.effects.ack, &rule.call) {
            (Ack::Never, _) => None,
            (Ack::Args(_), Some(Call::Hook(_))) if goes_on && done.ack.is_none() => {
                rule.effects.ack.args(&scope, reply)?
            }
            // What a hook does not ack is not acked.
            (_, Some(Call::Hook(_))) => done.ack,
            (ack @ Ack::Args(_), _) if goes_on => ack.args(&scope, reply)?,
            // What a response's header acks comes before its body.
            _ if done.ack.is_some() => done.ack,
            // A client that waits for an ack is not left waiting where `when` is false.
            _ => Ack::Default.args(&scope, reply)?,
        };
        Ok(Done { ack, ..done })
    }

    async fn request(&self, prepared: Prepared, hands: &mut Hands) -> Result<(Reply, Done), Failure> {
        let headers = self.headers(new_id());
        let way = self.rules.client.way(&prepared, &self.socket().handshake().forwarded.host)?;
        let mut exchange = self.rules.client.send(prepared, way, headers).await?;
        let heard = self.heed(exchange.said(), hands);
        let reply = exchange.finish(&self.hub)?;
        if reply.status.is_success() { Ok((reply, heard?)) } else { Err(Failure::from_reply(&reply)) }
    }

    /// What every request of this socket carries.
    fn headers(&self, id: HeaderValue) -> Fields {
        let (socket, credentials) = (self.socket(), &self.rules.credentials);
        let grant = grants::held(credentials, socket);
        let mut headers = carried(socket, grant.token(), credentials.cookies(), id);
        for (name, value) in grant.headers() {
            headers.insert(name, value.clone());
        }
        headers
    }

    async fn hook(&self, url: PathAndQuery, hands: &mut Hands) -> Result<Done, Failure> {
        let context = &self.context;
        let told = match (&context.event, context.reason) {
            (Some(name), _) => Told::Event { name, args: &context.args, ack: self.wants_ack },
            (None, Some(reason)) => Told::Disconnect { reason },
            (None, None) => Told::Connect,
        };
        let (reply, done) = self.tell(&url, &told, hands).await?;
        let _ = self.context.reply.set(reply);
        Ok(done)
    }

    /// Tells a hook, and does what it answers.
    async fn tell(
        &self,
        url: &PathAndQuery,
        told: &Told<'_>,
        hands: &mut Hands,
    ) -> Result<(Reply, Done), Failure> {
        let (socket, hooks) = (self.socket(), &self.rules.hooks);
        let id = new_id();
        let body = {
            let rooms = socket.rooms();
            let state = socket.state().clone();
            hook::envelope(told, id.to_str().unwrap_or_default(), &Facts::new(socket, &rooms), &state)
        };
        let prepared = Prepared {
            method: Method::POST,
            target: url.clone(),
            upstream: None,
            headers: Fields::new(),
            body: Some(body.clone()),
            timeout: Some(hooks.timeout),
        };
        let way = self.rules.client.way(&prepared, &socket.handshake().forwarded.host)?;
        let mut headers = self.headers(id);
        let signature = hooks.signature("POST", way.target.as_str(), body.bytes());
        if let Some(signature) = signature.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(hook::SIGNATURE, signature);
        }
        let mut exchange = self.rules.client.send(prepared, way, headers).await?;
        let heard = self.heed(exchange.said(), hands);
        let reply = exchange.finish(&self.hub)?;
        let actions = hook::answer(&reply)?;
        let asking =
            actions.emit.iter().any(|emission| emission.ack).then(|| asking(&self.rules, &self.hub, url));
        let done = heard?.and(self.act(actions, asking, hands)?);
        Ok((reply, done))
    }

    /// Does what a response said in `Frontroom-Actions`.
    fn heed(&self, said: Option<Said>, hands: &mut Hands) -> Result<Done, Failure> {
        let mut done = Done::default();
        for actions in said.iter().flat_map(header::read) {
            let result = self.act(actions, None, hands);
            metrics::header_actions(if result.is_ok() { "done" } else { "refused" });
            done = done.and(result?);
        }
        hands.leaves |= done.disconnect;
        Ok(done)
    }

    /// Does what a backend says, or fails with what it objects.
    fn act(&self, mut actions: Actions, asking: Option<Asking>, hands: &mut Hands) -> Result<Done, Failure> {
        if let Some(rejection) = actions.error {
            return Err(rejection.failure());
        }
        let done = Done { ack: actions.ack.take(), disconnect: actions.disconnect };
        actions.perform(&Here { asking, ..Here::of(self.socket()) }, hands);
        Ok(done)
    }

    async fn answered(&self, url: &PathAndQuery, answer: &Answer) {
        let told = Told::Ack { name: &answer.event, args: answer.args.as_deref() };
        let mut hands = Hands::at_once(&answer.socket, &self.hub);
        match self.tell(url, &told, &mut hands).await {
            Ok((_, done)) if done.disconnect => answer.socket.disconnect(false),
            Ok(_) => {}
            Err(failure) => {
                tracing::warn!(status = failure.status, code = %failure.code, "hook told of an ack");
            }
        }
    }
}

/// Tells the hook at `url` what clients answer to what it emits, on whichever node they are.
pub(crate) fn asking(rules: &Arc<Rules>, hub: &Arc<Hub>, url: &PathAndQuery) -> Asking {
    let (place, timeout) = (url.as_str().into(), rules.hooks.ack_timeout);
    let (rules, hub, url) = (Arc::clone(rules), Arc::clone(hub), url.clone());
    let then = move |answer: Answer| {
        let context = Arc::new(Context::new(Arc::clone(&answer.socket)));
        let turn = Turn { rules: Arc::clone(&rules), hub: Arc::clone(&hub), context, wants_ack: false };
        let url = url.clone();
        async move { turn.answered(&url, &answer).await }.boxed()
    };
    Asking { timeout, place, then: Arc::new(then) }
}
