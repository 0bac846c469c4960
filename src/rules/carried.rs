//! What every request that a socket causes carries of it.

use http::header::{self, HeaderName, HeaderValue};

use crate::engineio::Handshake;
use crate::headers::{joined_cookies, new_id};
use crate::message::Fields;
use crate::socketio::Socket;

pub(crate) const X_SOCKET_ID: HeaderName = HeaderName::from_static("x-socket-id");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Stands where each request has its own.
const LATER: HeaderValue = HeaderValue::from_static("");

/// What all requests of a socket carry alike, put together for the first one.
#[derive(Debug, Clone)]
struct Alike {
    headers: Fields,
    /// Whether cookies are among it, which a reload may change.
    cookies: bool,
}

/// What a request of `socket` with a body of JSON carries. `id` is the same on a retry.
pub(super) fn carried(socket: &Socket, token: Option<&str>, cookies: bool, id: HeaderValue) -> Fields {
    let mut headers = {
        let mut extensions = socket.extensions();
        match extensions.get::<Alike>().filter(|alike| alike.cookies == cookies) {
            Some(alike) => alike.headers.clone(),
            None => {
                let headers = alike(socket.handshake(), socket.id(), cookies);
                extensions.insert(Alike { headers: headers.clone(), cookies });
                headers
            }
        }
    };
    set_own(&mut headers, token, id);
    headers
}

/// What is the same in all requests of a socket.
pub(super) fn alike(handshake: &Handshake, socket: &str, cookies: bool) -> Fields {
    let mut headers = Fields::new();
    for (name, value) in [(header::HOST, &*handshake.forwarded.host), (X_SOCKET_ID, socket)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(X_REQUEST_ID, LATER);
    headers.insert(IDEMPOTENCY_KEY, LATER);
    headers.insert(header::ACCEPT, JSON);
    headers.insert(header::CONTENT_TYPE, JSON);
    if let Some(agent) = handshake.headers.get(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, agent.clone());
    }
    if cookies && let Some(cookie) = joined_cookies(&handshake.headers) {
        headers.insert(header::COOKIE, cookie);
    }
    handshake.forwarded.apply(&mut headers);
    headers
}

/// Sets what is each request's own.
pub(super) fn set_own(headers: &mut Fields, token: Option<&str>, id: HeaderValue) {
    headers.insert(X_REQUEST_ID, new_id());
    headers.insert(IDEMPOTENCY_KEY, id);
    if let Some(mut bearer) = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok()) {
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
}
