//! The event log: one line for each connect, event and disconnect.

use std::borrow::Cow;
use std::time::Duration;

use super::escape::escape;

/// Longest name in a line, in bytes. Clients choose the names of dynamic namespaces.
const MAX_NAME: usize = 200;

/// What the event log says of one connect, event or disconnect.
#[derive(Debug, Clone, Copy)]
pub struct Handled<'a> {
    /// `connect`, `event` or `disconnect`.
    pub kind: &'static str,
    /// The socket's namespace.
    pub namespace: &'a str,
    /// The event as its rule is written; none without a rule: clients invent names.
    pub event: Option<&'a str>,
    /// The socket's id, where it gives no access.
    pub socket: Option<&'a str>,
    /// The room of its user, `user:42`.
    pub user: Option<&'a str>,
    /// `polling` or `websocket`.
    pub transport: &'static str,
    /// The metrics' word: `ok`, `refused`, `failed` or `rate_limited`.
    pub result: &'static str,
    /// Why, where it is not `ok`: the failure's status and a word of our own for it.
    pub why: Option<(Option<u16>, &'a str)>,
    /// Why a client left, in Node's words.
    pub reason: Option<&'static str>,
    /// How long it was handled; the time it waited for earlier events is not counted.
    pub duration: Duration,
}

impl Handled<'_> {
    /// Writes the line. It never holds a token, a cookie or a message's content.
    pub fn log(&self) {
        tracing::info!(
            target: "frontroom::events",
            namespace = %name(self.namespace),
            event = self.event.map(|event| display(name(event))),
            socket = self.socket.map(|socket| display(name(socket))),
            user = self.user.map(|user| display(name(user))),
            transport = self.transport,
            result = self.result,
            status = self.why.and_then(|(status, _)| status),
            code = self.why.map(|(_, code)| code),
            reason = self.reason,
            ms = self.duration.as_micros() as f64 / 1000.0,
            "{}", self.kind,
        );
    }
}

/// A name that a line can hold.
fn name(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_NAME {
        return escape(text);
    }
    let end = (0..=MAX_NAME).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(escape(text.get(..end).unwrap_or_default()).into_owned() + "...")
}
