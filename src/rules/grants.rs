//! What sockets hold: the token they connected with, its renewal by `frontroom:auth`, its end.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::task::AbortHandle;

use super::Rules;
use super::failure::Failure;
use super::object::Object;
use super::seats::Seats;
use super::template::{member, string};
use crate::config::{Problems, file};
use crate::credentials::{Credentials, Grant, Refusal};
use crate::json::Json;
use crate::socketio::{self, Socket};
use crate::telemetry::metrics;

/// Renews the token that a socket holds.
pub(crate) const AUTH: &str = "frontroom:auth";

/// Longest sleep until the clock on the wall is asked again: it may have been set meanwhile.
const MAX_SLEEP: Duration = Duration::from_secs(3600);

/// How long a token that ends during the connect rule waits for the rule's end.
const CONNECTING: Duration = Duration::from_millis(50);

/// Notes what contradicts `credentials` in `socketio`.
pub(crate) fn check(file: &file::SocketIo, credentials: &Credentials, problems: &mut Problems) {
    if file.max_sockets_per_user.is_some_and(|most| most > 0) && !credentials.verifies() {
        let wrong = "without `credentials.jwt` nobody knows whose a socket is";
        problems.add("socketio.max_sockets_per_user", wrong, "add `credentials.jwt`, or leave it out");
    }
    for (key, rule) in file.rules() {
        let headers = rule.request.iter().flat_map(|request| request.headers.keys());
        for name in headers.filter(|name| credentials.owns(&name.to_ascii_lowercase())) {
            let wrong = "is set by `credentials.claims_to_headers`";
            problems.add(format!("{key}.request.headers.{name}"), wrong, "another header");
        }
    }
}

/// What a socket holds.
pub(crate) fn held(credentials: &Credentials, socket: &Socket) -> Grant {
    let known = socket.extensions().get::<Grant>().cloned();
    known.unwrap_or_else(|| {
        let handshake = socket.handshake();
        let grant = credentials.carry(&handshake.headers, &handshake.query, socket.auth());
        socket.extensions().insert(grant.clone());
        grant
    })
}

/// Judges the token that a socket connects with, and gives the socket its seat.
pub(crate) async fn admit(
    rules: &Rules,
    seats: &Seats,
    socket: &Arc<Socket>,
) -> Result<(), socketio::Refusal> {
    if !rules.credentials.concerns_sockets() {
        return Ok(());
    }
    let handshake = socket.handshake();
    let grant = rules.credentials.admit(&handshake.headers, &handshake.query, socket.auth()).await;
    let grant = grant.map_err(|refusal| refused(refusal.code(), refusal.message()))?;
    if !seated(rules, seats, socket, &grant) {
        return Err(refused(TOO_MANY, TOO_MANY_MESSAGE));
    }
    hold(&rules.credentials, socket, grant);
    Ok(())
}

/// Gives back what a socket has taken that left, or was not let in.
pub(crate) fn release(seats: &Seats, socket: &Arc<Socket>) {
    let grant = {
        let mut extensions = socket.extensions();
        extensions.remove::<Expiry>();
        extensions.get::<Grant>().cloned()
    };
    if let Some(user) = grant.as_ref().and_then(Grant::subject) {
        seats.free(user, socket);
    }
}

/// Renews a socket's token by the argument of `frontroom:auth`.
pub(crate) async fn renew(
    rules: &Rules,
    seats: &Seats,
    socket: &Arc<Socket>,
    args: &[Json],
) -> Result<(), Failure> {
    let none = || {
        let message = "`frontroom:auth` needs {\"token\": \"...\"}";
        Failure::new(StatusCode::BAD_REQUEST, "bad_event", message)
    };
    let token = args.first().and_then(|data| string(&member(data, "token")?)).ok_or_else(none)?;
    let credentials = &rules.credentials;
    let grant = match credentials.renew(&held(credentials, socket), &token).await {
        // What nobody judges must still be a text that can be sent.
        Err(Refusal::Invalid) if !credentials.verifies() => return Err(none()),
        renewed => renewed?,
    };
    if !seated(rules, seats, socket, &grant) {
        return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, TOO_MANY_MESSAGE));
    }
    hold(credentials, socket, grant);
    Ok(())
}

const TOO_MANY: &str = "too_many_sockets";
const TOO_MANY_MESSAGE: &str = "this user has as many sockets as one may have";

fn seated(rules: &Rules, seats: &Seats, socket: &Arc<Socket>, grant: &Grant) -> bool {
    let Some(user) = grant.subject().filter(|_| rules.max_sockets_per_user > 0) else { return true };
    let seated = seats.take(user, socket, rules.max_sockets_per_user);
    if !seated {
        metrics::refused("socketio.max_sockets_per_user");
    }
    seated
}

/// CONNECT_ERROR with `data: {"code": ..}`.
fn refused(code: &str, message: &str) -> socketio::Refusal {
    let data = Object::new().string("code", code).finish();
    socketio::Refusal { message: message.to_owned(), data: Some(data) }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::new(refusal.status(), refusal.code(), refusal.message())
    }
}

/// Gives a socket what it holds from now on, until its token ends.
fn hold(credentials: &Credentials, socket: &Arc<Socket>, grant: Grant) {
    let end = grant.end().filter(|_| credentials.disconnects());
    let expiry = end.map(|end| Expiry::begin(socket, end));
    let mut extensions = socket.extensions();
    extensions.insert(grant);
    match expiry {
        Some(expiry) => drop(extensions.insert(expiry)),
        None => drop(extensions.remove::<Expiry>()),
    }
}

/// Disconnects a socket when its token ends, unless it is dropped before. A socket has one at most.
#[derive(Clone)]
struct Expiry(#[expect(dead_code, reason = "it acts when it is dropped")] Arc<Timer>);

struct Timer(AbortHandle);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Expiry {
    fn begin(socket: &Arc<Socket>, end: SystemTime) -> Expiry {
        let task = tokio::spawn(expire(Arc::downgrade(socket), end));
        Expiry(Arc::new(Timer(task.abort_handle())))
    }
}

async fn expire(socket: Weak<Socket>, end: SystemTime) {
    while let Ok(left) = end.duration_since(SystemTime::now()) {
        tokio::time::sleep(left.min(MAX_SLEEP)).await;
    }
    while let Some(socket) = socket.upgrade().filter(|socket| !socket.has_left()) {
        if socket.is_connected() {
            tracing::debug!(namespace = &**socket.namespace(), "disconnected: its token has expired");
            return socket.disconnect(false);
        }
        drop(socket);
        tokio::time::sleep(CONNECTING).await;
    }
}
