//! Sends a request on to the node that its session belongs to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::link::{MAX_BODY, Roads, Ticket};
use super::links::{Bounds, Links};
use super::pass::{self, Passes, Signed};
use super::seal::{Owner, Seal};
use crate::body::{Body, Interrupted};
use crate::cluster::{NodeId, Registry};
use crate::engineio::{
    Answer, Asked, Patience, Refusal, is_polling, is_websocket, refuse, refuse_websocket, session_id,
};
use crate::fault::Fault;
use crate::headers::Forwarded;
use crate::message::{Fields, Request, Response};
use crate::proxy::{self, Tunnels};
use crate::telemetry::metrics;

/// What a session's node needs of a request. The rest was for the handshake, or for this node; cookies and
/// tokens do not travel.
const NEEDED: [HeaderName; 11] = [
    HOST,
    ORIGIN,
    CONTENT_TYPE,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
];

/// Who makes a request, as the gateway identified it.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Address, scheme and host.
    pub forwarded: &'a Forwarded,
    /// `X-Request-Id`.
    pub request_id: &'a HeaderValue,
}

/// Names this node's sessions, and sends requests for others' on.
pub struct Forwarder {
    seal: Seal,
    passes: Passes,
    /// For what clients that poll ask.
    roads: Arc<Roads>,
    /// For everything else.
    links: Links,
    tunnels: Tunnels,
}

/// Why the owner has not answered.
enum Lost {
    /// It lives no more, it cannot be reached, or it did not answer; a word for metrics.
    Owner(&'static str),
    /// The client's own request failed.
    Client(Fault),
}

impl Forwarder {
    /// For the node of `registry`. `secrets`: the newest first.
    pub fn new(secrets: &[String], registry: Arc<Registry>, bounds: Bounds) -> Forwarder {
        let (seal, passes) = (Seal::new(secrets, registry.id()), Passes::new(secrets));
        let roads = Roads { registry: registry.clone(), passes: passes.clone(), bounds: bounds.clone() };
        Forwarder {
            seal,
            passes,
            roads: Arc::new(roads),
            links: Links::new(registry, bounds),
            tunnels: Tunnels::default(),
        }
    }

    /// The id of a new session of this node.
    pub fn new_id(&self) -> Arc<str> {
        self.seal.new_id()
    }

    /// The WebSockets of other nodes' sessions that go through this one.
    pub fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }

    /// The other node whose session a request names. A forged id is nobody's: no node is looked for.
    pub fn owner(&self, uri: &Uri) -> Option<NodeId> {
        match self.seal.owner(&session_id(uri)?) {
            Owner::There(node) => Some(node),
            Owner::Here => None,
            Owner::Forged => {
                metrics::cluster_forwarded("forged");
                None
            }
        }
    }

    /// Sends a request on to `owner`, whose answer comes back as it is. Where the owner has none, the session is
    /// unknown, and its client opens another.
    pub async fn forward(
        &self,
        owner: NodeId,
        request: &mut Request<Body>,
        asker: Asker<'_>,
        patience: Patience,
    ) -> Response<Body> {
        if is_light(request) {
            let body = match *request.method() {
                Method::POST => match Box::pin(read(request.body_mut(), patience.body)).await {
                    Ok(body) => Some(body),
                    Err(status) => return given_up(status, Vec::new()),
                },
                _ => None,
            };
            let asked = Asked::of(request.headers(), body);
            if let Some(ticket) = self.ask(owner, request.uri(), &asked, patience) {
                // Its fields lie in the connection's read buffer, which can be used again without them.
                *request = Request::default();
                return answered(owner, ticket).await;
            }
            if let Asked::Post { body, .. } = asked {
                *request.body_mut() = Body::from(body);
            }
        }
        let request = std::mem::take(request);
        Box::pin(self.send(owner, request, asker, patience.news)).await
    }

    /// Asks by a link, if it fits.
    fn ask(&self, owner: NodeId, uri: &Uri, asked: &Asked, patience: Patience) -> Option<Ticket> {
        let time = self.links.bounds().response_timeout;
        let time = if *asked == Asked::Get { time + patience.news } else { time };
        self.roads.ask(owner, &session_id(uri)?, asked, time)
    }

    /// Sends a request of its own. A GET may be held for `hold`.
    async fn send(
        &self,
        owner: NodeId,
        mut request: Request<Body>,
        asker: Asker<'_>,
        hold: Duration,
    ) -> Response<Body> {
        let upgrade = is_websocket(request.headers());
        match self.exchange(owner, &mut request, asker, hold).await {
            Ok(response) => {
                metrics::cluster_forwarded("ok");
                response
            }
            Err(Lost::Owner(why)) => {
                unanswered(owner, why);
                let refusal = Refusal::UnknownSession;
                if upgrade { refuse_websocket(refusal) } else { refuse(refusal) }
            }
            Err(Lost::Client(fault)) => given_up(fault.status, fault.headers),
        }
    }

    async fn exchange(
        &self,
        owner: NodeId,
        request: &mut Request<Body>,
        asker: Asker<'_>,
        hold: Duration,
    ) -> Result<Response<Body>, Lost> {
        let upstream = self.links.to(owner).await.ok_or(Lost::Owner("gone"))?;
        let signs = self.sign(request, asker);
        let upgrade = is_websocket(request.headers());
        let patience = self.links.bounds().response_timeout;
        let waits = request.method() == Method::GET && !upgrade;
        *request.headers_mut() = needed(request.headers());
        let context = proxy::Context {
            forwarded: asker.forwarded,
            request_id: asker.request_id,
            target: None,
            response_timeout: Some(if waits { hold + patience } else { patience }),
            max_body: None,
            claims: &signs,
            tunnels: Some(&self.tunnels),
        };
        let answer = tokio::select! {
            biased;
            answer = proxy::forward(&upstream, request, &context) => answer.map_err(lost)?,
            () = self.links.gone(owner) => return Err(Lost::Owner("gone")),
        };
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(Lost::Owner("refused"));
        }
        Ok(told(answer, upgrade))
    }

    /// The fields that show the owner who sends, and for whom.
    fn sign(&self, request: &Request<Body>, asker: Asker<'_>) -> [(HeaderName, HeaderValue); 2] {
        let client = asker.forwarded.client.to_string();
        let signed = Signed {
            method: request.method(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()),
            fields: [
                client.as_bytes(),
                asker.forwarded.scheme().as_bytes(),
                asker.forwarded.host.as_bytes(),
                asker.request_id.as_bytes(),
            ],
        };
        let pass = self.passes.make(&signed);
        let client = HeaderValue::try_from(client).unwrap_or(HeaderValue::from_static(""));
        [(pass::PASS.clone(), pass), (pass::CLIENT.clone(), client)]
    }
}

/// Whether a request is plainly polling and short: it goes by a link.
fn is_light(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let short = match *request.method() {
        Method::GET => true,
        Method::POST => length.is_some_and(|length: usize| length <= MAX_BODY),
        _ => false,
    };
    let readable = headers.get(ORIGIN).is_none_or(|origin| origin.to_str().is_ok());
    short && readable && is_polling(request.uri()) && !is_websocket(headers)
}

/// Reads the body of a POST, as its session would: within `time`.
async fn read(body: &mut Body, time: Duration) -> Result<Bytes, StatusCode> {
    match timeout(time, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if Interrupted::find(&*error) == Some(Interrupted::TimedOut) => {
            Err(StatusCode::REQUEST_TIMEOUT)
        }
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The answer that came over a link.
async fn answered(owner: NodeId, ticket: Ticket) -> Response<Body> {
    let answer = match ticket.answer().await {
        Ok(answer) => {
            metrics::cluster_forwarded("ok");
            answer
        }
        Err(why) => {
            unanswered(owner, why);
            Answer::Refused(Refusal::UnknownSession)
        }
    };
    answer.into_response()
}

/// Counts a request that the owner has not answered.
fn unanswered(owner: NodeId, why: &'static str) {
    metrics::cluster_forwarded(why);
    if why == "refused" {
        tracing::error!(%owner, "a node refuses this one: is cluster.node.secret the same, are the clocks?");
    } else {
        tracing::debug!(%owner, why, "a session's node has not answered");
    }
}

/// The answer to a client that broke its request off, if it still hears it.
fn given_up(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>) -> Response<Body> {
    metrics::cluster_forwarded("client");
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

fn needed(headers: &Fields) -> Fields {
    let mut kept = Fields::with_capacity(16);
    for (name, value) in headers.iter().filter(|(name, _)| NEEDED.contains(name)) {
        kept.append(name, value.clone());
    }
    kept
}

/// What the client is told. A refused upgrade ends its connection too, as it would have at home.
fn told(mut answer: Response<Body>, upgrade: bool) -> Response<Body> {
    if upgrade && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn lost(fault: Fault) -> Lost {
    match fault.code {
        "upstream_connect_timeout" | "upstream_timeout" => Lost::Owner("timeout"),
        "upstream_unreachable" | "upstream_unresolved" | "upstream_unavailable" => Lost::Owner("unreachable"),
        "upstream_busy" => Lost::Owner("busy"),
        code if code.starts_with("upstream_") => Lost::Owner("broken"),
        _ => Lost::Client(fault),
    }
}
