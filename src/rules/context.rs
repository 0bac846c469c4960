//! What the templates of an event's rule see, and how a socket looks as JSON.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::credentials::Grant;
use crate::engineio::Handshake;
use crate::json::Json;
use crate::socketio::{EventName, Socket};

use super::failure;
use super::object::{self, Object};
use super::reply::Reply;
use super::template::{Path, Scope, Step, follow};

/// What the templates of an event's rule see.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) socket: Arc<Socket>,
    /// The event's name; none in `connect` and `disconnect`.
    pub(crate) event: Option<EventName>,
    pub(crate) args: Vec<Json>,
    /// Why the socket left, in `disconnect`.
    pub(crate) reason: Option<&'static str>,
    /// The answer to the rule's request, once it is there.
    pub(crate) reply: OnceLock<Reply>,
}

impl Context {
    pub(crate) fn new(socket: Arc<Socket>) -> Context {
        Context { socket, event: None, args: Vec::new(), reason: None, reply: OnceLock::new() }
    }
}

impl Scope for Context {
    fn root(&self, name: &str) -> Option<Json> {
        match name {
            "event" => self.event.as_ref().map(failure::name),
            "data" => self.args.first().cloned(),
            "args" => Some(object::list(&self.args)),
            "socket" => Some(Facts::new(&self.socket, &self.socket.rooms()).json(None)),
            "state" => Some(Json::from_value(&Value::Object(self.socket.state().clone()))),
            "claims" => Some(claims(&self.socket)),
            "namespace" => Some(object::strings(self.socket.captures())),
            "response" => self.reply.get().map(Reply::whole),
            "reason" => self.reason.map(object::string),
            _ => None,
        }
    }

    fn find(&self, path: &Path) -> Option<Json> {
        match (&*path.root, path.steps.as_slice()) {
            ("data", steps) => follow(self.args.first()?, steps),
            ("args", [Step::Index(index), rest @ ..]) => follow(self.args.get(*index)?, rest),
            ("socket", [Step::Key(key)]) if &**key == "id" => Some(object::string(self.socket.id())),
            ("state", [Step::Key(key), rest @ ..]) => {
                let top = self.socket.state().get(&**key).map(Json::from_value);
                follow(&top?, rest)
            }
            ("response", _) => self.reply.get()?.find(path),
            (root, steps) => follow(&self.root(root)?, steps),
        }
    }
}

/// What a socket's verified token says; `{}` where there is none.
fn claims(socket: &Socket) -> Json {
    socket.extensions().get::<Grant>().map_or_else(|| Json::from_static("{}"), Grant::claims)
}

/// What is told of a socket.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) id: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) rooms: &'a [Arc<str>],
    pub(crate) handshake: &'a Handshake,
    pub(crate) auth: &'a Json,
    pub(crate) claims: Json,
    /// Whether the client came back to what it was.
    pub(crate) recovered: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(socket: &'a Socket, rooms: &'a [Arc<str>]) -> Facts<'a> {
        Facts {
            id: socket.id(),
            namespace: socket.namespace(),
            rooms,
            handshake: socket.handshake(),
            auth: socket.auth(),
            claims: claims(socket),
            recovered: socket.recovered(),
        }
    }

    /// `socket` as templates see it; with its state as hooks get it.
    pub(crate) fn json(&self, state: Option<&Map<String, Value>>) -> Json {
        let rooms: Vec<Json> = self.rooms.iter().map(|room| object::string(room)).collect();
        let mut socket =
            Object::new().string("id", self.id).string("namespace", self.namespace).list("rooms", &rooms);
        if let Some(state) = state {
            socket = socket
                .json("state", Json::from_value(&Value::Object(state.clone())).as_str())
                .json("claims", self.claims.as_str());
        }
        let socket = socket.json("recovered", if self.recovered { "true" } else { "false" });
        socket.json("handshake", self.handshake().as_str()).finish()
    }

    fn handshake(&self) -> Json {
        let handshake = self.handshake;
        Object::new()
            .string("address", &handshake.forwarded.client.to_string())
            .string("url", &handshake.url)
            .json("secure", if handshake.forwarded.secure { "true" } else { "false" })
            .json("issued", &handshake.issued.to_string())
            .json("headers", object::headers(&handshake.headers).as_str())
            .json("query", object::query(&handshake.query).as_str())
            .json("auth", self.auth.as_str())
            .finish()
    }
}
