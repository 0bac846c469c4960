//! What becomes of a client's request on its way to the upstream.

use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderName, HeaderValue, StatusCode, Version};
use http_body::Body as _;

use super::Context;
use super::check::{bad, closing};
use super::trailers;
use crate::body::Body;
use crate::fault::Fault;
use crate::headers::{Intent, join_cookies, remove_hop_by_hop, tokens};
use crate::message::{Fields, Request};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Our `Via` (RFC 9110 7.6.3).
const VIA_US: &str = "1.1 frontroom";

/// A request that came through us so often runs in a circle.
const MAX_PASSES: usize = 5;

/// Makes of a client's request the one for the upstream.
pub(super) fn prepare(
    request: &mut Request<Body>,
    intent: Intent,
    context: &Context<'_>,
) -> Result<(), Fault> {
    if intent.websocket && has_body(request) {
        return Err(closing(bad("a WebSocket request has no body")));
    }
    if let Some(target) = context.target {
        *request.uri_mut() = target.parse().map_err(|_| bad("the request's target is not valid"))?;
    }
    let version = request.version();
    let body = std::mem::replace(request.body_mut(), Body::Empty);
    *request.body_mut() = trailers::filter(body, version, request.headers());
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    if version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if intent.websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    } else if intent.trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("TE"));
    }
    context.forwarded.apply(headers);
    headers.insert(&REQUEST_ID, context.request_id.clone());
    for (name, value) in context.claims {
        headers.insert(name, value.clone());
    }
    sign(headers)
}

/// Whether this `Content-Type` is that of a gRPC call, gRPC-Web among them.
pub fn is_grpc(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/grpc")
}

/// Bytes that follow a WebSocket request would be taken for frames by one side and for a body by the other.
fn has_body(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING) || !request.body().is_end_stream()
}

/// Appends our `Via`.
fn sign(headers: &mut Fields) -> Result<(), Fault> {
    let passes =
        tokens(headers, &VIA).filter(|member| member.eq_ignore_ascii_case(VIA_US.as_bytes())).count();
    if passes >= MAX_PASSES {
        return Err(Fault::new(
            StatusCode::LOOP_DETECTED,
            "loop_detected",
            "the request came through here too often",
        ));
    }
    headers.append(VIA, HeaderValue::from_static(VIA_US));
    Ok(())
}
