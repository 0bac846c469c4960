//! What becomes of an upstream's response on its way to the client.

use http::Version;
use http::header::ALT_SVC;

use super::trailers;
use crate::body::Body;
use crate::headers::{Said, remove_hop_by_hop};
use crate::message::Response;

/// Removes what speaks to us and not to the client.
pub(super) fn prepare(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let body = trailers::filter(body, parts.version, &parts.headers);
    // The version is that of the upstream's connection; the client's may be another.
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    // Browsers would go to the upstream's other address, past the policies that frontroom is there for.
    parts.headers.remove(ALT_SVC);
    if let Some(said) = Said::take(&mut parts.headers) {
        parts.extensions.insert(said);
    }
    Response::from_parts(parts, body)
}
