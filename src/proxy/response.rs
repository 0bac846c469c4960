//! What becomes of an upstream's response on its way to the client.

use http::{HeaderMap, HeaderName, HeaderValue, Response, Version};

use crate::headers::remove_hop_by_hop;

static ACTIONS: HeaderName = HeaderName::from_static("frontroom-actions");

/// The values of `Frontroom-Actions`, which no client gets to see. In the extensions of a forwarded
/// response that had some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions(pub Vec<HeaderValue>);

impl Actions {
    /// Takes the header out of `headers`.
    pub fn take(headers: &mut HeaderMap) -> Option<Actions> {
        if !headers.contains_key(&ACTIONS) {
            return None;
        }
        let values = headers.get_all(&ACTIONS).into_iter().cloned().collect();
        headers.remove(&ACTIONS);
        Some(Actions(values))
    }
}

/// Removes what speaks to us and not to the client.
pub(super) fn prepare<B>(response: &mut Response<B>) {
    // The version is that of the upstream's connection; the client's may be another.
    *response.version_mut() = Version::HTTP_11;
    remove_hop_by_hop(response.headers_mut());
    if let Some(actions) = Actions::take(response.headers_mut()) {
        response.extensions_mut().insert(actions);
    }
}
