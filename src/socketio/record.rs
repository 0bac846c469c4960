//! What is to be known of a socket so that another node can tell the rules of its end.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::conversation::Talk;
use super::recovery::Identity;
use super::{Hub, Socket, life};
use crate::engineio::{Handshake, Reason, Session, Transport};
use crate::headers::Forwarded;
use crate::json::Json;
use crate::message::Fields;

/// What is to be known of a socket so that another node can tell the rules of its end. It holds credentials: the
/// handshake's headers, and the token.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    id: Arc<str>,
    namespace: Arc<str>,
    rooms: Vec<Arc<str>>,
    state: Map<String, Value>,
    auth: String,
    recovered: bool,
    websocket: bool,
    handshake: Asked,
    /// What the rules hold for it.
    held: Value,
}

/// The request that opened the session.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    headers: Vec<(String, String)>,
    url: String,
    query: Vec<(String, String)>,
    request_id: String,
    issued: u64,
    client: IpAddr,
    peer: IpAddr,
    hops: String,
    secure: bool,
    host: String,
    port: u16,
    trusted: bool,
}

impl Record {
    /// What is to be known of a socket; `None` where its namespace's rules are not told of ends.
    pub fn of(socket: &Socket) -> Option<Record> {
        let events = socket.talk.hub().events();
        events.is_told_of_ends(socket.namespace()).then(|| Record {
            id: socket.id().clone(),
            namespace: socket.namespace().clone(),
            rooms: socket.rooms().into_iter().skip(1).collect(),
            state: socket.state().clone(),
            auth: socket.auth().as_str().to_owned(),
            recovered: socket.recovered(),
            websocket: socket.transport() == Transport::Websocket,
            handshake: Asked::of(socket.handshake()),
            held: events.held(socket),
        })
    }

    /// Tells the rules that the socket's node is lost. Nothing is told where the rules know its namespace no more.
    pub async fn lost(self, hub: &Arc<Hub>) {
        let Some(captures) = hub.events().namespace(&self.namespace) else { return };
        let Ok(auth) = Json::parse(Bytes::from(self.auth)) else { return };
        let transport = if self.websocket { Transport::Websocket } else { Transport::Polling };
        let session = Arc::new(Session::of_another_node(transport, self.handshake.handshake()));
        let who = Identity {
            id: self.id,
            rooms: self.rooms,
            state: self.state,
            recovered: self.recovered,
            ..Identity::default()
        };
        let talk = Arc::new(Talk::new(hub.clone()));
        let socket = Arc::new(Socket::new(talk, session, self.namespace, captures, auth, who));
        hub.events().hold(&socket, &self.held);
        life::Busy::begin(hub.clone()).during(hub.events().disconnect(hub, socket, Reason::NodeLost)).await;
    }
}

impl Asked {
    fn of(handshake: &Handshake) -> Asked {
        let Forwarded { client, peer, hops, secure, host, port, trusted } = handshake.forwarded.clone();
        let headers = handshake.headers.iter();
        Asked {
            headers: headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            url: handshake.url.clone(),
            query: handshake.query.clone(),
            request_id: handshake.request_id.clone(),
            issued: handshake.issued,
            client,
            peer,
            hops,
            secure,
            host,
            port,
            trusted,
        }
    }

    fn handshake(self) -> Handshake {
        let mut headers = Fields::new();
        for (name, written) in &self.headers {
            if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value(written)) {
                headers.append(name, value);
            }
        }
        Handshake {
            headers,
            url: self.url,
            query: self.query,
            forwarded: Forwarded {
                client: self.client,
                peer: self.peer,
                hops: self.hops,
                secure: self.secure,
                host: self.host,
                port: self.port,
                trusted: self.trusted,
            },
            request_id: self.request_id,
            issued: self.issued,
        }
    }
}

/// A header's bytes, each as the character of that number: any value survives.
fn text(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

fn value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}
