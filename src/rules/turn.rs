//! One run of a rule for one socket: asks whom it names, then does what it says.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::json::Json;
use crate::socketio::{Command, EventName, Hub, Outgoing, Socket};

use super::Rules;
use super::actions::{Actions, Emission, Here};
use super::context::{Context, Facts};
use super::effects::Ack;
use super::emit::Doer;
use super::failure::Failure;
use super::hook::{self, Told};
use super::reply::Reply;
use super::request::{Prepared, carried};
use super::rule::{Call, Rule};
use super::template::Scope;

/// How long a client may take to answer an emit that a hook wants answered.
const ACK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// The token a socket carries, found once and replaced by `frontroom:auth`.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) Option<Arc<str>>);

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
}

impl Doer for Hands {
    fn state(&mut self, changes: Map<String, Value>) {
        self.socket.state().extend(changes);
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

    fn here(&self) -> Here {
        let socket = self.socket();
        Here { namespace: Arc::clone(socket.namespace()), socket: Some(Arc::clone(socket.id())) }
    }

    /// Runs a rule, in the contract's order. The first failure ends it.
    pub(crate) async fn run(&self, rule: &Rule, hands: &mut Hands) -> Result<Done, Failure> {
        if let Some(schema) = &rule.schema {
            schema.check(self.context.args.first())?;
        }
        let scope: Arc<dyn Scope> = Arc::clone(&self.context) as Arc<dyn Scope>;
        let mut done = Done::default();
        match &rule.call {
            Some(Call::Request(request)) => {
                let reply = self.request(request.fill(&scope)?).await?;
                let _ = self.context.reply.set(reply);
            }
            Some(Call::Hook(url)) => done = self.hook(url.render(&scope)?, hands).await?,
            None => {}
        }
        let goes_on = rule.when.as_ref().map_or(Ok(true), |when| when.is_true(&scope))?;
        if goes_on {
            rule.effects.perform(&scope, &self.here(), hands)?;
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
            // A client that waits for an ack is not left waiting where `when` is false.
            _ => Ack::Default.args(&scope, reply)?,
        };
        Ok(Done { ack, ..done })
    }

    async fn request(&self, prepared: Prepared) -> Result<Reply, Failure> {
        let headers = self.headers(&Uuid::now_v7().to_string());
        let way = self.rules.client.way(&prepared, &self.socket().handshake().forwarded.host)?;
        let reply = self.rules.client.send(prepared, way, headers, &self.hub).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(Failure::from_reply(&reply)) }
    }

    /// What every request of this socket carries.
    fn headers(&self, id: &str) -> HeaderMap {
        let (socket, credentials) = (self.socket(), &self.rules.credentials);
        let handshake = socket.handshake();
        let known = socket.extensions().get::<Token>().cloned();
        let token = known.unwrap_or_else(|| {
            let found = credentials.token(&handshake.headers, &handshake.query, socket.auth());
            let token = Token(found.map(Into::into));
            socket.extensions().insert(token.clone());
            token
        });
        let mut headers = carried(handshake, socket.id(), token.0.as_deref(), credentials.cookies, id);
        handshake.forwarded.apply(&mut headers);
        headers
    }

    async fn hook(&self, url: PathAndQuery, hands: &mut Hands) -> Result<Done, Failure> {
        let context = &self.context;
        let told = match (&context.event, context.reason) {
            (Some(name), _) => Told::Event { name, args: &context.args, ack: self.wants_ack },
            (None, Some(reason)) => Told::Disconnect { reason },
            (None, None) => Told::Connect,
        };
        let (reply, actions) = self.tell(&url, &told).await?;
        let _ = self.context.reply.set(reply);
        self.act(&url, actions, hands).await
    }

    /// Tells a hook, and reads its actions.
    async fn tell(&self, url: &PathAndQuery, told: &Told<'_>) -> Result<(Reply, Actions), Failure> {
        let (socket, hooks) = (self.socket(), &self.rules.hooks);
        let id = Uuid::now_v7().to_string();
        let body = {
            let rooms = socket.rooms();
            let state = socket.state().clone();
            hook::envelope(told, &id, &Facts::new(socket, &rooms), &state)
        };
        let prepared = Prepared {
            method: Method::POST,
            target: url.clone(),
            upstream: None,
            headers: HeaderMap::new(),
            body: Some(body.clone()),
            timeout: Some(hooks.timeout),
        };
        let way = self.rules.client.way(&prepared, &socket.handshake().forwarded.host)?;
        let mut headers = self.headers(&id);
        let signature = hooks.signature("POST", way.target.as_str(), body.bytes());
        if let Some(signature) = signature.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(hook::SIGNATURE, signature);
        }
        let reply = self.rules.client.send(prepared, way, headers, &self.hub).await?;
        let actions = hook::answer(&reply)?;
        Ok((reply, actions))
    }

    /// Does what a hook answered.
    async fn act(&self, url: &PathAndQuery, actions: Actions, hands: &mut Hands) -> Result<Done, Failure> {
        if let Some(rejection) = actions.error {
            return Err(rejection.failure());
        }
        let here = self.here();
        if !actions.state.is_empty() {
            hands.state(actions.state);
        }
        let moves = [here.leave(actions.leave), here.join(actions.join)];
        moves.into_iter().flatten().for_each(|command| hands.command(command));
        for mut emission in actions.emit {
            if emission.ack && hands.later.is_none() {
                self.ask(url, &mut emission).await;
            }
            if let Some(command) = emission.command(&here) {
                hands.command(command);
            }
        }
        Ok(Done { ack: actions.ack, disconnect: actions.disconnect })
    }

    /// Sends an emission to the sockets that it names one by one and tells the hook what each of
    /// them answers. What is left in `to` are rooms, whose sockets are not asked.
    async fn ask(&self, url: &PathAndQuery, emission: &mut Emission) {
        let own = self.socket();
        let namespace = emission.namespace.clone().unwrap_or_else(|| Arc::clone(own.namespace()));
        let to = emission.to.take().unwrap_or_else(|| vec![Arc::clone(own.id())]);
        let mut rooms = Vec::new();
        for room in to {
            match self.hub.socket(&namespace, &room) {
                Some(socket) => self.ask_one(url, socket, emission.outgoing()).await,
                None => rooms.push(room),
            }
        }
        emission.to = Some(rooms);
    }

    async fn ask_one(&self, url: &PathAndQuery, socket: Arc<Socket>, event: Outgoing) {
        let context = Arc::new(Context::new(Arc::clone(&socket)));
        let turn = Turn { context, wants_ack: false, ..self.clone() };
        let (url, name) = (url.clone(), event.name.clone());
        let mut answer = Box::pin(async move { socket.emit_with_ack(&event, ACK_TIMEOUT).await });
        // The first poll sends the event, which keeps the order of what the hook emits.
        let args = match std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Ready(args) => Box::pin(std::future::ready(args)) as BoxFuture<'static, _>,
            Poll::Pending => answer,
        };
        tokio::spawn(turn.answered(url, name, args));
    }

    /// Tells the hook what the socket answered, and does what the hook says to that. Boxed, as a
    /// hook may ask again.
    fn answered(
        self,
        url: PathAndQuery,
        name: EventName,
        args: BoxFuture<'static, Option<Vec<Json>>>,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let args = args.await;
            let told = Told::Ack { name: &name, args: args.as_deref() };
            let (socket, hub) = (Arc::clone(self.socket()), Arc::clone(&self.hub));
            let mut hands = Hands { socket, hub, later: None };
            let done = match self.tell(&url, &told).await {
                Ok((_, actions)) => self.act(&url, actions, &mut hands).await,
                Err(failure) => Err(failure),
            };
            match done {
                Ok(done) if done.disconnect => self.socket().disconnect(false),
                Ok(_) => {}
                Err(failure) => {
                    tracing::warn!(status = failure.status, code = %failure.code, "hook told of an ack");
                }
            }
        })
    }
}
