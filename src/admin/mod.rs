//! The admin listener: alive, ready, metrics, and what may be done to sockets from outside.

mod body;
mod calls;
mod drain;
mod guard;
mod lists;
mod readiness;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::body::Body;
use crate::config::{Problems, defaults, file};
use crate::fault::Fault;
use crate::socketio::Sockets;
use crate::telemetry::metrics::{self, Metrics};

pub use drain::{Ending, Progress, Status};
use guard::Guard;
pub use readiness::{Readiness, State};
use routes::{Access, Call, Route};

/// The description of all calls, for tools.
const OPENAPI: &str = include_str!("openapi.json");

/// The compiled `admin` section.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `HOST:PORT` to listen on.
    pub listen: String,
    guard: Guard,
    /// Largest request body, in bytes.
    max_body: usize,
}

impl Settings {
    /// Compiles the `admin` section, which may be absent.
    pub fn build(admin: Option<&file::Admin>, problems: &mut Problems) -> Settings {
        let listen = admin.and_then(|admin| admin.listen.as_deref()).unwrap_or(defaults::ADMIN_LISTEN);
        let token = admin.and_then(|admin| admin.token.as_deref());
        let max_body = admin.and_then(|admin| admin.max_body).map_or(defaults::ADMIN_MAX_BODY, |max| max.0);
        Settings {
            listen: listen.to_owned(),
            guard: Guard::build(listen, token, problems),
            max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
        }
    }
}

/// Answers the admin listener's requests.
pub struct Admin {
    settings: ArcSwap<Settings>,
    readiness: Readiness,
    metrics: Metrics,
    sockets: Arc<dyn Sockets>,
    ending: Arc<dyn Ending>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Admin {
    /// Serves as `settings` say. `sockets` are those that calls speak of, `ending` is what a drain
    /// begins.
    pub fn new(
        settings: Settings,
        readiness: Readiness,
        metrics: Metrics,
        sockets: Arc<dyn Sockets>,
        ending: Arc<dyn Ending>,
    ) -> Admin {
        Admin { settings: ArcSwap::from_pointee(settings), readiness, metrics, sockets, ending }
    }

    /// Serves as these settings say from now on; the address stays.
    pub fn set(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
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
        if !matches!(found, Ok((Route { access: Access::Open, .. }, _))) {
            // Before the fault too: a stranger does not learn which calls there are.
            settings.guard.check(&request)?;
        }
        let (route, id) = found?;
        let sockets = &*self.sockets;
        match route.call {
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
            Call::Socket => written(&lists::socket(sockets, &id.unwrap_or_default()).await?),
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
