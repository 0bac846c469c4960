//! Every call there is.

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::console::Asset;
use crate::fault::Fault;
use crate::rules::actions::Verb;

/// A call, as it is written.
#[derive(Debug)]
pub(super) struct Route {
    /// `{id}` stands for one segment.
    pub(super) path: &'static str,
    pub(super) method: Method,
    pub(super) access: Access,
    pub(super) call: Call,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody who reaches the listener: a kubelet has no token.
    Open,
    /// Whoever is not a stranger's page: a browser that opens the console has no token yet.
    Page,
    /// Whom the guard admits.
    Guarded,
}

/// What a call does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    Lead,
    Console(Asset),
    Healthz,
    Readyz,
    Metrics,
    Openapi,
    Do(Verb),
    Batch,
    Sockets,
    Socket,
    Follow,
    Rooms,
    Errors,
    Drain,
}

const fn route(method: Method, path: &'static str, access: Access, call: Call) -> Route {
    Route { path, method, access, call }
}

/// Every call there is.
pub(super) const ROUTES: &[Route] = &[
    route(Method::GET, "/", Access::Page, Call::Lead),
    route(Method::GET, "/console", Access::Page, Call::Console(Asset::Page)),
    route(Method::GET, "/console.js", Access::Page, Call::Console(Asset::Script)),
    route(Method::GET, "/console.css", Access::Page, Call::Console(Asset::Style)),
    route(Method::GET, "/healthz", Access::Open, Call::Healthz),
    route(Method::GET, "/readyz", Access::Open, Call::Readyz),
    route(Method::GET, "/metrics", Access::Guarded, Call::Metrics),
    route(Method::GET, "/openapi.json", Access::Guarded, Call::Openapi),
    route(Method::POST, "/v1/emit", Access::Guarded, Call::Do(Verb::Emit)),
    route(Method::POST, "/v1/join", Access::Guarded, Call::Do(Verb::Join)),
    route(Method::POST, "/v1/leave", Access::Guarded, Call::Do(Verb::Leave)),
    route(Method::POST, "/v1/disconnect", Access::Guarded, Call::Do(Verb::Disconnect)),
    route(Method::POST, "/v1/batch", Access::Guarded, Call::Batch),
    route(Method::GET, "/v1/sockets", Access::Guarded, Call::Sockets),
    route(Method::GET, "/v1/sockets/{id}", Access::Guarded, Call::Socket),
    route(Method::GET, "/v1/sockets/{id}/events", Access::Guarded, Call::Follow),
    route(Method::GET, "/v1/rooms", Access::Guarded, Call::Rooms),
    route(Method::GET, "/v1/errors", Access::Guarded, Call::Errors),
    route(Method::POST, "/v1/drain", Access::Guarded, Call::Drain),
];

impl Route {
    /// Whether a path is this call's; with what `{id}` stands for.
    fn matches(&self, path: &str) -> Option<Option<String>> {
        let Some((before, behind)) = self.path.split_once("{id}") else {
            return (path == self.path).then_some(None);
        };
        let id = path.strip_prefix(before)?.strip_suffix(behind)?;
        if id.is_empty() || id.contains('/') {
            return None;
        }
        Some(Some(percent_decode_str(id).decode_utf8_lossy().into_owned()))
    }
}

/// The call that a method and path name; HEAD does for GET.
pub(super) fn find(method: &Method, path: &str) -> Result<(&'static Route, Option<String>), Fault> {
    let asked = if method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(id) = route.matches(path) else { continue };
        if route.method == *asked {
            return Ok((route, id));
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() {
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_found", "there is no such call"));
    }
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
