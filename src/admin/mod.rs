//! The admin listener: alive, ready, metrics, and what may be done to sockets from outside.

mod body;
mod calls;
mod console;
mod drain;
mod follow;
mod guard;
mod lists;
mod readiness;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::body::Body;
use crate::config::value::OneOrMany;
use crate::config::{Problems, defaults, file};
use crate::fault::Fault;
use crate::message::{Request, Response};
use crate::socketio::{Hub, Sockets};
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::recent;

pub use drain::{Ending, Progress, Status};
use guard::Guard;
pub use readiness::{Readiness, State};
use routes::{Access, Call, Route};

/// The description of all calls, for tools.
const OPENAPI: &str = include_str!("openapi.json");

/// The least `admin.follow_queue`.
const MIN_FOLLOW_QUEUE: u64 = 64_000;

/// The compiled `admin` section.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `HOST:PORT` to listen on.
    pub listen: String,
    guard: Guard,
    /// Largest request body, in bytes.
    max_body: usize,
    follow: follow::Bounds,
    /// Where clients' tokens are, as `credentials.token` says: not shown.
    tokens: Vec<String>,
}

impl Settings {
    /// Compiles the `admin` section, which may be absent; `tokens` is `credentials.token`.
    pub fn build(
        admin: Option<&file::Admin>,
        tokens: Option<&OneOrMany<String>>,
        problems: &mut Problems,
    ) -> Settings {
        let listen = admin.and_then(|admin| admin.listen.as_deref()).unwrap_or(defaults::ADMIN_LISTEN);
        let token = admin.and_then(|admin| admin.token.as_deref());
        let max_body = admin.and_then(|admin| admin.max_body).map_or(defaults::ADMIN_MAX_BODY, |max| max.0);
        let most = admin.and_then(|admin| admin.max_followers).unwrap_or(defaults::ADMIN_MAX_FOLLOWERS);
        let queue =
            admin.and_then(|admin| admin.follow_queue).map_or(defaults::ADMIN_FOLLOW_QUEUE, |max| max.0);
        if queue < MIN_FOLLOW_QUEUE {
            let wrong = "what one event may show does not fit";
            problems.add("admin.follow_queue", wrong, format!("at least {MIN_FOLLOW_QUEUE} bytes"));
        }
        Settings {
            listen: listen.to_owned(),
            guard: Guard::build(listen, token, problems),
            max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
            follow: follow::Bounds {
                max_followers: most,
                max_queue: usize::try_from(queue).unwrap_or(usize::MAX),
            },
            tokens: tokens.map_or_else(Vec::new, |tokens| tokens.0.clone()),
        }
    }
}

/// Answers the admin listener's requests.
pub struct Admin {
    settings: ArcSwap<Settings>,
    readiness: Readiness,
    metrics: Metrics,
    sockets: Arc<dyn Sockets>,
    hub: Arc<Hub>,
    ending: Arc<dyn Ending>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Admin {
    /// Serves as `settings` say. `sockets` are those that calls speak of, those of `hub` can be followed,
    /// `ending` is what a drain begins.
    pub fn new(
        settings: Settings,
        readiness: Readiness,
        metrics: Metrics,
        sockets: Arc<dyn Sockets>,
        hub: Arc<Hub>,
        ending: Arc<dyn Ending>,
    ) -> Admin {
        Admin { settings: ArcSwap::from_pointee(settings), readiness, metrics, sockets, hub, ending }
    }

    /// Serves as these settings say from now on; the address stays. Who follows a socket under a token that
    /// is none any more stops.
    pub fn set(&self, settings: Settings) {
        let before = self.settings.swap(Arc::new(settings));
        if before.guard.differs(&self.settings.load().guard) {
            self.hub.end_following();
        }
    }

    /// Answers one request. Never fails: what is wrong with the request is the answer.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let found = routes::find(request.method(), request.uri().path());
        let name = found.as_ref().map_or("none", |(route, _)| route.path);
        let answer = self.answer(request, found).await;
        let response = answer.unwrap_or_else(|fault| fault.into_response(&Uuid::now_v7().to_string()));
        metrics::admin_call(name, response.status().as_str());
        response
    }

    async fn answer(
        &self,
        request: Request<Body>,
        found: Result<(&'static Route, Option<String>), Fault>,
    ) -> Result<Response<Body>, Fault> {
        let settings = self.settings.load_full();
        match found.as_ref().map(|(route, _)| route.access) {
            Ok(Access::Open) => {}
            Ok(Access::Page) => settings.guard.check_page(&request)?,
            // Before the fault too: a stranger does not learn which calls there are.
            Ok(Access::Guarded) | Err(_) => settings.guard.check(&request)?,
        }
        let (route, id) = found?;
        let sockets = &*self.sockets;
        match route.call {
            Call::Lead => Ok(console::lead()),
            Call::Console(asset) => Ok(console::asset(asset)),
            Call::Healthz => Ok(json(StatusCode::OK, r#"{"status":"ok"}"#.into())),
            Call::Readyz => Ok(self.ready()),
            Call::Metrics => {
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                Ok(respond(StatusCode::OK, kind, self.metrics.render().into()))
            }
            Call::Openapi => Ok(json(StatusCode::OK, OPENAPI.into())),
            Call::Do(verb) => {
                let body = body::read(request.into_body(), settings.max_body).await?;
                written(&calls::one(sockets, verb, &body).await?)
            }
            Call::Batch => {
                let body = body::read(request.into_body(), settings.max_body).await?;
                written(&calls::batch(sockets, &body).await?)
            }
            Call::Sockets => written(&lists::sockets(sockets, request.uri().query()).await?),
            Call::Socket => {
                written(&lists::socket(sockets, &id.unwrap_or_default(), &settings.tokens).await?)
            }
            Call::Follow => {
                let (id, query) = (id.unwrap_or_default(), request.uri().query());
                follow::follow(&self.hub, &id, query, settings.follow)
            }
            Call::Errors => written(&recent()),
            Call::Rooms => written(&lists::rooms(sockets, request.uri().query()).await?),
            Call::Drain => written(&self.ending.begin()),
        }
    }

    fn ready(&self) -> Response<Body> {
        match self.readiness.get() {
            State::Starting => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"starting"}"#.into()),
            State::Ready => json(StatusCode::OK, r#"{"status":"ready"}"#.into()),
            State::Draining => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#.into()),
        }
    }
}

fn written(answer: &impl Serialize) -> Result<Response<Body>, Fault> {
    let text = serde_json::to_vec(answer);
    text.map(|text| json(StatusCode::OK, text.into())).map_err(|_| {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the answer cannot be written")
    })
}

fn json(status: StatusCode, text: bytes::Bytes) -> Response<Body> {
    respond(status, HeaderValue::from_static("application/json"), text)
}

fn respond(status: StatusCode, content_type: HeaderValue, text: bytes::Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
