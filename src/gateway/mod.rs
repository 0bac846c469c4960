//! The request path, on one page: identify, decide, route, answer, finish. Errors go the same way
//! out as everything else.

mod finish;
pub mod identify;
mod outlive;
mod rate;
pub mod route;
mod snapshot;
#[cfg(test)]
mod tests;
mod unwrap;

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};

use crate::body::Body;
use crate::cluster::{Asker, Forwarder};
use crate::cors::{Admission, Decision, Verdict};
use crate::engineio::{Engine, Refusal, is_websocket, refuse, refuse_websocket, too_many_requests};
use crate::fault::Fault;
use crate::headers::Said;
use crate::message::{Request, Response};
use crate::proxy;
use crate::rules::header::Hearing;
use crate::rules::tap::Watch;
use crate::server::{Handler, Peer};
use crate::socketio::Hub;
use crate::telemetry::trace::Span;
use crate::telemetry::{Panicked, caught, metrics};
use crate::upstream::Upstream;

use finish::Finish;
use identify::Identity;
use outlive::Outlive;
use rate::Rates;
pub use snapshot::{Routes, Snapshot};
pub use unwrap::unwrap;

/// Answers every request of a client.
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    /// Knows the sessions of other nodes, where there are any.
    forwarder: Option<Arc<Forwarder>>,
    rates: Rates,
}

impl Handler for Gateway {
    async fn call(&self, request: &mut Request<Body>, peer: &Peer) -> Response<Body> {
        let started = Instant::now();
        let snapshot = self.snapshot.load_full();
        let sound = proxy::check(request, snapshot.head_bounds());
        let who = Identity::of(request, peer, snapshot.trusted());
        let cors = snapshot.cors().decide(request.method(), request.headers(), &who.site());
        let mut finish = Finish::begin(request, &who, started, snapshot.logs_access());
        let span = Span::request(request);
        let answer = match peer.refused.map(Fault::from).or(sound.err()) {
            Some(fault) => Err(fault),
            None => {
                let answer = pin!(self.answer(&snapshot, request, &who, &cors, &mut finish));
                let answer = span.within(caught("request", answer)).await;
                answer.unwrap_or_else(|panicked| Err(defect(&panicked, &who)))
            }
        };
        finish.end(answer, &cors, &span)
    }
}

impl Gateway {
    /// A gateway over an engine whose application is `hub`, alone or among other nodes.
    pub fn new(
        snapshot: Snapshot,
        engine: Arc<Engine>,
        hub: Arc<Hub>,
        forwarder: Option<Arc<Forwarder>>,
    ) -> Gateway {
        let (snapshot, rates) = (ArcSwap::from_pointee(snapshot), Rates::new());
        Gateway { snapshot, engine, hub, forwarder, rates }
    }

    /// Puts another compiled config in force for the requests that come from now on.
    pub fn swap(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Begins what the config's upstreams do without requests (health checks, lookups of names), on
    /// the current runtime. What runs already goes on.
    pub fn start(&self) {
        self.snapshot.load().start();
    }

    async fn answer<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &mut Request<Body>,
        who: &Identity,
        cors: &Decision,
        finish: &mut Finish<'a>,
    ) -> Result<Response<Body>, Fault> {
        if let Some(preflight) = cors.preflight() {
            finish.route("preflight");
            metrics::preflight(if cors.verdict() == Verdict::Denied { "denied" } else { "allowed" });
            return Ok(preflight.map(|()| Body::Empty));
        }
        if request.uri().path() == "*" {
            return Ok(proxy::asterisk());
        }
        let upgrade = is_websocket(request.headers());
        let socketio = snapshot.router().is_socketio(request.uri().path());
        let in_time = snapshot.rate().is_none_or(|limit| self.rates.admit(who.forwarded.client, limit));
        if !in_time {
            metrics::refused("limits.requests_per_second_per_ip");
            return if socketio { Ok(too_many_requests()) } else { Err(too_fast()) };
        }
        let admitted = !(socketio || upgrade) || admits(cors, upgrade);
        if socketio {
            finish.route("socketio");
            // Templates and hooks see the handshake's headers.
            snapshot.credentials().strip(request.headers_mut());
            return Ok(match (admitted, upgrade) {
                (true, _) => self.session(request, who).await,
                (false, false) => refuse(Refusal::Forbidden),
                (false, true) => refuse_websocket(Refusal::Forbidden),
            });
        }
        if !admitted {
            return Err(Fault::new(
                StatusCode::FORBIDDEN,
                "origin_forbidden",
                "this origin may not open WebSockets here",
            ));
        }
        self.forward(snapshot, request, who, finish).await
    }

    /// Answers a request to a session, or sends it on to the node that has the session.
    async fn session(&self, request: &mut Request<Body>, who: &Identity) -> Response<Body> {
        if let Some(forwarder) = &self.forwarder
            && let Some(owner) = forwarder.owner(request.uri())
        {
            let asker = Asker { forwarded: &who.forwarded, request_id: &who.request_id };
            return forwarder.forward(owner, request, asker, self.engine.patience()).await;
        }
        self.engine.call(request, || who.caller()).await
    }

    /// Sends the request upstream; taps look at what passes.
    async fn forward<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &mut Request<Body>,
        who: &Identity,
        finish: &mut Finish<'a>,
    ) -> Result<Response<Body>, Fault> {
        let target = path(request);
        let routes = snapshot.routes();
        let no_route = || Fault::new(StatusCode::NOT_FOUND, "no_route", "no route serves this host and path");
        let (route, upstream) = routes.find(&who.forwarded.host, target).ok_or_else(no_route)?;
        finish.route(&route.name);
        if snapshot.router().refuses(target) {
            return Err(Fault::new(StatusCode::BAD_REQUEST, "bad_path", "the path may not climb with `..`"));
        }
        let target = match route.rewrite(target) {
            Cow::Borrowed(_) => None,
            Cow::Owned(target) => Some(target),
        };
        let mut claims = Vec::new();
        if snapshot.credentials().concerns_requests() {
            let (mut parts, body) = std::mem::take(request).into_parts();
            claims = snapshot.credentials().judge(&mut parts).await?;
            *request = Request::from_parts(parts, body);
        }
        let context = proxy::Context {
            forwarded: &who.forwarded,
            request_id: &who.request_id,
            target: target.as_deref(),
            response_timeout: route.response_timeout,
            max_body: route.max_body,
            claims: &claims,
            tunnels: None,
        };
        let watched = snapshot.taps().watch(request.method(), path(request), request.headers());
        if let Some(mut watch) = watched {
            let request = std::mem::take(request).map(|body| watch.request(body));
            return outlive(upstream, request, &context, watch, &self.hub).await;
        }
        exchange(upstream, request, &context, &self.hub).await
    }
}

/// Asks the upstream; does what it says in `Frontroom-Actions`.
async fn exchange(
    upstream: &Upstream,
    request: &mut Request<Body>,
    context: &proxy::Context<'_>,
    hub: &Arc<Hub>,
) -> Result<Response<Body>, Fault> {
    let hearing = Hearing::of(request.headers());
    let mut response = proxy::forward(upstream, request, context).await?;
    if let Some(said) = response.extensions_mut().remove::<Said>() {
        hearing.heed(&said, hub);
    }
    Ok(response)
}

/// The same for a request that a tap matches, which is finished though its client leaves.
fn outlive(
    upstream: &Arc<Upstream>,
    mut request: Request<Body>,
    context: &proxy::Context<'_>,
    watch: Watch,
    hub: &Arc<Hub>,
) -> Outlive<Result<Response<Body>, Fault>> {
    let (upstream, hub) = (Arc::clone(upstream), Arc::clone(hub));
    let (forwarded, request_id) = (context.forwarded.clone(), context.request_id.clone());
    let (target, claims) = (context.target.map(str::to_owned), context.claims.to_vec());
    let (response_timeout, max_body) = (context.response_timeout, context.max_body);
    Outlive::new(async move {
        let context = proxy::Context {
            forwarded: &forwarded,
            request_id: &request_id,
            target: target.as_deref(),
            response_timeout,
            max_body,
            claims: &claims,
            tunnels: None,
        };
        let response = exchange(&upstream, &mut request, &context, &hub).await?;
        Ok(watch.response(response, &hub))
    })
}

/// The answer to a request that a defect of ours ended. The connection is closed: who knows what was read of it.
fn defect(panicked: &Panicked, who: &Identity) -> Fault {
    tracing::error!(request_id = who.request_id(), panic = panicked.message, "a request has panicked");
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the gateway failed: its log tells more")
        .with_header(CONNECTION, HeaderValue::from_static("close"))
}

/// The answer to a client beyond its rate.
fn too_fast() -> Fault {
    Fault::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "there are too many requests from this address",
    )
    .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
}

/// The raw path and query.
fn path<B>(request: &Request<B>) -> &str {
    request.uri().path_and_query().map_or("/", |target| target.as_str())
}

/// Whether the origin may use sockets, by polling or by upgrade.
fn admits(cors: &Decision, upgrade: bool) -> bool {
    let admission = match (upgrade, cors.admits_polling()) {
        (true, _) => cors.admits_upgrade(),
        (false, true) => Admission::Granted,
        (false, false) => Admission::Refused,
    };
    match admission {
        Admission::Granted => true,
        Admission::Reported => {
            metrics::origin_denied("reported");
            tracing::warn!(
                "a WebSocket from an origin that is not allowed was let through: websocket_origin is `report`"
            );
            true
        }
        Admission::Refused => {
            metrics::origin_denied("refused");
            false
        }
    }
}
