//! `Frontroom-Actions`: what a backend says to sockets beside its answer.

use http::{HeaderName, HeaderValue};

use crate::message::Fields;

static ACTIONS: HeaderName = HeaderName::from_static("frontroom-actions");

/// The values of a response's `Frontroom-Actions`, which no client and no template gets to see. They
/// travel in the extensions of a forwarded response that had some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(pub Vec<HeaderValue>);

impl Said {
    /// Takes the header out of `headers`.
    pub fn take(headers: &mut Fields) -> Option<Said> {
        if !headers.contains_key(&ACTIONS) {
            return None;
        }
        let values = headers.get_all(&ACTIONS).cloned().collect();
        headers.remove(&ACTIONS);
        Some(Said(values))
    }
}
