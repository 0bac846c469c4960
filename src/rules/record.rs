//! Times what is handled, and writes it down where the event log is on.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engineio::{Reason, Session};
use crate::socketio::{Command, Refusal, Socket};
use crate::telemetry::{Handled, metrics};

use super::Rules;
use super::failure::{Failure, default_code};
use super::template::{member, string};

/// Begins the names of rooms that are users.
const USER: &str = "user:";

/// Our word for a connect to a namespace that is not there.
const NO_NAMESPACE: &str = "invalid_namespace";

/// Measures one connect, event or disconnect, where somebody wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    /// `None` where nobody does: an event that asks nobody is too cheap for a look at the clock.
    started: Option<Instant>,
    logged: bool,
}

/// What was handled.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    /// A connect, with what its rule said.
    Connect(&'a [Command]),
    /// An event, by its rule's name.
    Event(Option<&'a str>),
    /// A disconnect.
    Disconnect(Reason),
}

impl Timer {
    /// Begins; `asks` where a backend is asked.
    pub(super) fn begin(rules: &Rules, asks: bool) -> Timer {
        let logged = rules.event_log;
        Timer { started: (asks || logged).then(Instant::now), logged }
    }

    /// Counts how long a rule took that asked a backend.
    pub(super) fn asked(self) {
        if let Some(started) = self.started {
            metrics::event_duration(started.elapsed().as_secs_f64());
        }
    }

    /// Writes the line of the event log, if there is one.
    pub(super) fn end(self, socket: &Socket, what: What<'_>, why: Option<&Why>) {
        let Some(started) = self.started.filter(|_| self.logged) else { return };
        let user = user(socket, what);
        let (kind, event, reason) = match what {
            What::Connect(_) => ("connect", None, None),
            What::Event(name) => ("event", name, None),
            What::Disconnect(reason) => ("disconnect", None, Some(reason.as_str())),
        };
        Handled {
            kind,
            namespace: socket.namespace(),
            event,
            socket: socket.public_id().map(|id| &**id),
            user: user.as_deref(),
            transport: socket.transport().as_str(),
            result: why.map_or("ok", |why| why.result),
            why: why.map(|why| (why.status, &*why.code)),
            reason,
            duration: started.elapsed(),
        }
        .log();
    }
}

/// Writes the line of a connect to a namespace that is not there.
pub(super) fn no_namespace(rules: &Rules, session: &Session, name: &str) {
    if !rules.event_log {
        return;
    }
    Handled {
        kind: "connect",
        namespace: name,
        event: None,
        socket: None,
        user: None,
        transport: session.transport().as_str(),
        result: "refused",
        why: Some((None, NO_NAMESPACE)),
        reason: None,
        duration: Duration::ZERO,
    }
    .log();
}

/// The room that a socket's user is; for one that connects, the room that its rule gives it.
fn user(socket: &Socket, what: What<'_>) -> Option<Arc<str>> {
    let is_user = |room: &Arc<str>| room.starts_with(USER);
    if let What::Connect(commands) = what {
        let joined = commands.iter().filter_map(|command| match command {
            Command::Join { rooms, .. } => Some(rooms),
            _ => None,
        });
        if let Some(room) = joined.flatten().find(|room| is_user(room)) {
            return Some(room.clone());
        }
    }
    socket.rooms().into_iter().find(is_user)
}

/// Why something was refused or failed, in words of our own alone: what a backend says may be anything.
#[derive(Debug, Clone)]
pub(super) struct Why {
    /// A word for metrics.
    pub(super) result: &'static str,
    status: Option<u16>,
    code: Cow<'static, str>,
}

impl Why {
    /// A refusal that no rule said: of a token, or of a namespace.
    pub(super) fn refused(refusal: &Refusal) -> Why {
        let code = refusal.data.as_ref().and_then(|data| string(&member(data, "code")?));
        let code = code.map_or(Cow::Borrowed(NO_NAMESPACE), Cow::Owned);
        Why { result: "refused", status: None, code }
    }
}

impl From<&Failure> for Why {
    fn from(failure: &Failure) -> Why {
        let result = match failure.status {
            _ if failure.code == "rate_limited" => "rate_limited",
            ..500 => "refused",
            _ => "failed",
        };
        let code = match &failure.code {
            Cow::Borrowed(code) => code,
            Cow::Owned(_) => http::StatusCode::from_u16(failure.status).map_or("rejected", default_code),
        };
        Why { result, status: Some(failure.status), code: Cow::Borrowed(code) }
    }
}
