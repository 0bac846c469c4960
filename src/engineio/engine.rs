//! The way in: checks a request in the order Node does, then opens, finds or upgrades a session.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode, Uri};
use sha1::{Digest, Sha1};

use super::answer::{self, Answer, Refusal};
use super::asked::{Asked, Patience};
use super::dialect::{Dialect, Protocol};
use super::frame::Frame;
use super::outlet::Carrier;
use super::pipe::Pipe;
use super::query::Query;
use super::queue::Parcel;
use super::registry::{Crowded, Registry};
use super::session::{Conversation, Session, Transport};
use super::traffic::Traffic;
use super::{Handshake, Options, Reason, polling, websocket};
use crate::body::Body;
use crate::headers::Forwarded;
use crate::http1::upgrade::{self, Upgraded};
use crate::message::{Fields, Request, Response};

/// Opens a conversation for every new session.
pub trait Application: Send + Sync + 'static {
    /// A client has opened a session.
    fn open(&self, session: &Arc<Session>) -> Box<dyn Conversation>;
}

/// Makes the id of a new session: unguessable, and of characters that stand in a query as they are.
pub type NewId = Box<dyn Fn() -> Arc<str> + Send + Sync>;

/// Finds the socket under an upgraded connection.
pub type Unwrap = fn(Upgraded) -> Carrier;

/// Who makes a request, as the gateway identified it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Address, scheme and host.
    pub forwarded: Forwarded,
    /// The request's id.
    pub request_id: String,
}

/// All sessions of this node, and the way in to them.
pub struct Engine {
    options: ArcSwap<Options>,
    registry: Arc<Registry>,
    traffic: Arc<Traffic>,
    closing: AtomicBool,
    application: Arc<dyn Application>,
    unwrap: Unwrap,
    new_id: NewId,
}

/// A request whose `transport` and `sid` were understood.
struct Checked {
    transport: Transport,
    dialect: Dialect,
    session: Option<Arc<Session>>,
}

impl Engine {
    /// An engine without sessions. `unwrap` finds the socket under a WebSocket, `new_id` names sessions.
    pub fn new(options: Options, application: Arc<dyn Application>, unwrap: Unwrap, new_id: NewId) -> Engine {
        Engine {
            options: ArcSwap::from_pointee(options),
            registry: Arc::default(),
            traffic: Arc::default(),
            closing: AtomicBool::new(false),
            application,
            unwrap,
            new_id,
        }
    }

    /// How long a GET may be held for want of news, since then comes a ping; and how long a POST's body may take.
    pub fn patience(&self) -> Patience {
        let options = self.options.load();
        Patience { news: options.ping_interval, body: options.post_timeout }
    }

    /// Sets the options of sessions opened from now on.
    pub fn set_options(&self, options: Options) {
        self.options.store(Arc::new(options));
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.registry.len()
    }

    /// How many of them poll.
    pub fn polling_sessions(&self) -> usize {
        self.registry.polling()
    }

    /// What went over the sessions that were opened under `count_traffic`.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// All sessions, to be closed one by one.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.registry.all()
    }

    /// Opens no session from now on: clients are to go elsewhere.
    pub fn refuse_handshakes(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Answers a request to the endpoint's path. The caller has applied its Origin policy; `caller` tells
    /// who asks, for a new session.
    pub async fn call(&self, request: &mut Request<Body>, caller: impl FnOnce() -> Caller) -> Response<Body> {
        let upgrade = is_websocket(request.headers());
        let checked = match self.check(request, upgrade) {
            Ok(checked) => checked,
            Err(refusal) if upgrade => return answer::refuse_websocket(refusal),
            Err(refusal) => return answer::refuse(refusal),
        };
        if checked.session.is_none() && self.closing.load(Ordering::Acquire) {
            return answer::closing();
        }
        if upgrade {
            return self.websocket(request, caller, checked);
        }
        match (checked.session, request.method().clone()) {
            (Some(session), Method::GET) => {
                // Its headers lie in the connection's read buffer, which can be used again without them.
                *request = Request::default();
                polling::get(&session).await.into_response()
            }
            (Some(session), Method::POST) => polling::post(&session, request).await.into_response(),
            (Some(_), _) => Answer::Bare(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
            (None, _) => self.open_polling(request, caller(), checked.dialect),
        }
    }

    /// Answers what was asked of a session that polls, and came in at another node: there its policies were
    /// applied, and its query was read.
    pub async fn ask(&self, sid: &str, asked: Asked) -> Answer {
        if !self.options.load().polling {
            return Answer::Refused(Refusal::UnknownTransport);
        }
        let Some(session) = self.registry.get(sid) else { return Answer::Refused(Refusal::UnknownSession) };
        if session.transport() != Transport::Polling {
            return Answer::Refused(Refusal::BadRequest);
        }
        match asked {
            Asked::Get => polling::get(&session).await,
            Asked::Post { body, binary } => {
                let mut request = Request::new(Body::from(body));
                if binary {
                    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(polling::BINARY));
                }
                Box::pin(polling::post(&session, &mut request)).await
            }
        }
    }

    /// Engine.IO's checks, in the order of engine.io `Server.verify`.
    fn check(&self, request: &Request<Body>, upgrade: bool) -> Result<Checked, Refusal> {
        let options = self.options.load();
        let query = Query::new(request.uri().query().unwrap_or_default());
        let transport = match query.get("transport").as_deref() {
            Some("polling") if options.polling => Transport::Polling,
            Some("websocket") if options.websocket => Transport::Websocket,
            _ => return Err(Refusal::UnknownTransport),
        };
        let headers = request.headers();
        if headers.get(ORIGIN).is_some_and(|origin| origin.to_str().is_err()) {
            return Err(Refusal::BadRequest);
        }
        let session = match session_id(request.uri()) {
            Some(sid) => Some(self.registry.get(&sid).ok_or(Refusal::UnknownSession)?),
            None => None,
        };
        match &session {
            Some(session) if !upgrade && session.transport() != transport => return Err(Refusal::BadRequest),
            None if request.method() != Method::GET => return Err(Refusal::BadHandshakeMethod),
            _ => {}
        }
        // A WebSocket is asked for by the header and the parameter, or by neither.
        if upgrade != (transport == Transport::Websocket) {
            return Err(Refusal::BadRequest);
        }
        let dialect = match &session {
            Some(session) => session.dialect,
            None => dialect(&query, options.eio3)?,
        };
        if upgrade && !acceptable(request) {
            return Err(Refusal::BadRequest);
        }
        Ok(Checked { transport, dialect, session })
    }

    fn open_polling(&self, request: &Request<Body>, caller: Caller, dialect: Dialect) -> Response<Body> {
        match self.open(Transport::Polling, dialect, handshake(request, caller)) {
            Ok(session) => Answer::from(dialect.payload(&[open_packet(&session)])).into_response(),
            Err(crowded) => answer::crowded(crowded),
        }
    }

    fn open(
        &self,
        transport: Transport,
        dialect: Dialect,
        handshake: Handshake,
    ) -> Result<Arc<Session>, Crowded> {
        let options = self.options.load_full();
        let traffic = options.count_traffic.then(|| Arc::clone(&self.traffic));
        let session = Arc::new(Session::new(
            (self.new_id)(),
            transport,
            dialect,
            handshake,
            options,
            (Arc::downgrade(&self.registry), traffic),
        ));
        self.registry.insert(&session)?;
        if transport == Transport::Websocket {
            session.send(&Parcel::new(open_packet(&session), false));
        }
        session.begin(self.application.open(&session));
        Ok(session)
    }

    /// Answers 101 and goes on behind it: a new session, an upgrade, or nothing at all.
    fn websocket(
        &self,
        request: &mut Request<Body>,
        caller: impl FnOnce() -> Caller,
        checked: Checked,
    ) -> Response<Body> {
        let response = switching_protocols(request.headers());
        let upgrade = upgrade::on(request);
        let options = self.options.load_full();
        let unwrap = self.unwrap;
        let pipe = move |upgraded| Pipe::new(unwrap(upgraded), options.max_payload, options.max_fragments);
        let Some(session) = checked.session else {
            let session = match self.open(checked.transport, checked.dialect, handshake(request, caller())) {
                Ok(session) => session,
                Err(crowded) => return answer::crowded(crowded),
            };
            tokio::spawn(async move {
                match upgrade.await {
                    Ok(upgraded) => websocket::run(session, pipe(upgraded)).await,
                    Err(_) => session.end(Reason::TransportError, super::session::Farewell::Drop),
                }
            });
            return response;
        };
        let probing = session.begin_probe();
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) if probing => websocket::upgrade(session, pipe(upgraded)).await,
                // Already upgraded or upgrading: the first WebSocket stays, this one goes.
                Ok(upgraded) => websocket::turn_away(pipe(upgraded)).await,
                Err(_) if probing => session.end_probe(),
                Err(_) => {}
            }
        });
        response
    }
}

/// The dialect a handshake asks for. What does not say version 4 means 3, as in Node.
fn dialect(query: &Query, eio3: bool) -> Result<Dialect, Refusal> {
    let protocol = match query.get("EIO").as_deref() {
        Some("4") => Protocol::V4,
        _ if !eio3 => return Err(Refusal::UnsupportedVersion),
        // Polling by script tags, for browsers without CORS.
        _ if query.get("j").is_some() => return Err(Refusal::BadRequest),
        _ => Protocol::V3,
    };
    Ok(Dialect { protocol, base64: query.get("b64").is_some_and(|b64| !b64.is_empty()) })
}

fn open_packet(session: &Session) -> Frame {
    let options = session.options();
    let upgradable = session.transport() == Transport::Polling && options.websocket;
    Frame::packet(&format!(
        r#"0{{"sid":"{}","upgrades":[{}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        session.id(),
        if upgradable { "\"websocket\"" } else { "" },
        options.ping_interval.as_millis(),
        options.ping_timeout.as_millis(),
        options.max_payload,
    ))
}

/// The session that a request to the endpoint's path names, as [`Engine::call`] reads it.
pub fn session_id(uri: &Uri) -> Option<Cow<'_, str>> {
    Query::new(uri.query().unwrap_or_default()).get("sid").filter(|sid| !sid.is_empty())
}

/// Whether a request to the endpoint's path asks for polling.
pub fn is_polling(uri: &Uri) -> bool {
    Query::new(uri.query().unwrap_or_default()).get("transport").as_deref() == Some("polling")
}

/// Copies what a session keeps, each header into memory of its own: a value sliced from the
/// connection's read buffer would keep all of it alive.
fn handshake(request: &Request<Body>, caller: Caller) -> Handshake {
    let headers = request.headers();
    let mut copy = Fields::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            copy.append(name, value);
        }
    }
    let query = request.uri().query().unwrap_or_default();
    let url = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let issued = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Handshake {
        headers: copy,
        url,
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        forwarded: caller.forwarded,
        request_id: caller.request_id,
        issued: u64::try_from(issued.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Whether the headers ask for a WebSocket (RFC 6455 4.2.1).
pub fn is_websocket(headers: &Fields) -> bool {
    let has = |name, token: &str| {
        headers.get_all(name).any(|value| {
            value
                .to_str()
                .is_ok_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
        })
    };
    has(UPGRADE, "websocket") && has(CONNECTION, "upgrade")
}

/// Whether the rest of the opening handshake is right: method, version 13, a key of 16 bytes.
fn acceptable(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key.as_bytes()).ok());
    request.method() == Method::GET
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
        && key.is_some_and(|key| key.len() == 16)
}

fn switching_protocols(headers: &Fields) -> Response<Body> {
    let mut hash = Sha1::new();
    hash.update(headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.finalize());
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_maybe_shared(Bytes::from(accept)) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
