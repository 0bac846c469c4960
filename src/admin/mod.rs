//! The admin listener's calls: alive, ready, metrics.

mod guard;
mod readiness;
#[cfg(test)]
mod tests;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use uuid::Uuid;

use crate::body::Body;
use crate::config::{Problems, defaults, file};
use crate::fault::Fault;
use crate::telemetry::metrics::Metrics;

use guard::Guard;
pub use readiness::{Readiness, State};

/// The compiled `admin` section.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `HOST:PORT` to listen on.
    pub listen: String,
    guard: Guard,
}

impl Settings {
    /// Compiles the `admin` section, which may be absent.
    pub fn build(admin: Option<&file::Admin>, problems: &mut Problems) -> Settings {
        let listen = admin.and_then(|admin| admin.listen.as_deref()).unwrap_or(defaults::ADMIN_LISTEN);
        let token = admin.and_then(|admin| admin.token.as_deref());
        Settings { listen: listen.to_owned(), guard: Guard::build(listen, token, problems) }
    }
}

/// Answers the admin listener's requests.
#[derive(Debug)]
pub struct Admin {
    guard: Guard,
    readiness: Readiness,
    metrics: Metrics,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anybody who reaches the listener: a kubelet has no token.
    Open,
    /// Whom the guard admits.
    Guarded,
}

/// What a call does.
#[derive(Debug, Clone, Copy)]
enum Call {
    Healthz,
    Readyz,
    Metrics,
}

/// Every call there is.
const ROUTES: [(&str, Method, Access, Call); 3] = [
    ("/healthz", Method::GET, Access::Open, Call::Healthz),
    ("/readyz", Method::GET, Access::Open, Call::Readyz),
    ("/metrics", Method::GET, Access::Guarded, Call::Metrics),
];

impl Admin {
    /// Serves as `settings` say.
    pub fn new(settings: &Settings, readiness: Readiness, metrics: Metrics) -> Admin {
        Admin { guard: settings.guard.clone(), readiness, metrics }
    }

    /// Answers one request. Never fails: what is wrong with the request is the answer.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        self.answer(&request).unwrap_or_else(|fault| fault.into_response(&Uuid::now_v7().to_string()))
    }

    fn answer(&self, request: &Request<Body>) -> Result<Response<Body>, Fault> {
        let found = find(request.method(), request.uri().path());
        if !matches!(found, Ok((Access::Open, _))) {
            // Before the fault too: a stranger does not learn which calls there are.
            self.guard.check(request)?;
        }
        let (_, call) = found?;
        Ok(match call {
            Call::Healthz => json(StatusCode::OK, r#"{"status":"ok"}"#),
            Call::Readyz => match self.readiness.get() {
                State::Starting => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"starting"}"#),
                State::Ready => json(StatusCode::OK, r#"{"status":"ready"}"#),
                State::Draining => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#),
            },
            Call::Metrics => respond(
                StatusCode::OK,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
                self.metrics.render().into(),
            ),
        })
    }
}

/// The call that a method and path name; HEAD does for GET.
fn find(method: &Method, path: &str) -> Result<(Access, Call), Fault> {
    let asked = if method == Method::HEAD { &Method::GET } else { method };
    let here: Vec<_> = ROUTES.iter().filter(|(route, ..)| *route == path).collect();
    if let Some((.., access, call)) = here.iter().find(|(_, method, ..)| method == asked) {
        return Ok((*access, *call));
    }
    if here.is_empty() {
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_found", "there is no such call"));
    }
    let mut allowed: Vec<&str> = here.iter().map(|(_, method, ..)| method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let fault =
        Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("this call is {allowed}"));
    Err(match HeaderValue::try_from(allowed) {
        Ok(value) => fault.with_header(ALLOW, value),
        Err(_) => fault,
    })
}

fn json(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(status, HeaderValue::from_static("application/json"), text.into())
}

fn respond(status: StatusCode, content_type: HeaderValue, text: bytes::Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
