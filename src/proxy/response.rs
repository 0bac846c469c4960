//! What becomes of an upstream's response on its way to the client.

use http::{Response, Version};

use crate::headers::{Said, remove_hop_by_hop};

/// Removes what speaks to us and not to the client.
pub(super) fn prepare<B>(response: &mut Response<B>) {
    // The version is that of the upstream's connection; the client's may be another.
    *response.version_mut() = Version::HTTP_11;
    remove_hop_by_hop(response.headers_mut());
    if let Some(said) = Said::take(response.headers_mut()) {
        response.extensions_mut().insert(said);
    }
}
