//! Trailers (RFC 9110 6.5): they go on where they are announced, but for fields that must be known
//! before the body, or that only frontroom may set.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderName, TRAILER};
use http::{HeaderMap, Version};
use http_body::{Body as _, Frame};

use crate::body::{Body, BodyError, Layer, Layered};
use crate::headers::{is_forwarding, is_hop_by_hop};
use crate::message::Fields;

/// Framing, routing, authentication and content (RFC 9110 6.5.1): whoever merges trailers into the head
/// would be told another request than we checked.
static FORBIDDEN: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::SET_COOKIE,
    header::TRAILER,
    header::ORIGIN,
];

/// Takes forbidden fields out of the body's trailers. HTTP/1.1 passes only trailers that are announced;
/// HTTP/2 announces none.
pub(super) fn filter(body: Body, version: Version, headers: &Fields) -> Body {
    let possible = || version >= Version::HTTP_2 || headers.contains_key(TRAILER);
    if matches!(body, Body::Empty | Body::Full(_)) || body.is_end_stream() || !possible() {
        return body;
    }
    Body::boxed(Layered::new(body, Filter))
}

struct Filter;

impl Layer<Body> for Filter {
    fn poll_frame(
        &mut self,
        body: Pin<&mut Body>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        body.poll_frame(cx).map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                remove_forbidden(trailers);
            }
            frame
        })
    }
}

pub(super) fn remove_forbidden(trailers: &mut HeaderMap) {
    let forbidden = |name: &HeaderName| {
        let text = name.as_str();
        FORBIDDEN.contains(name)
            || text == "frontroom-actions"
            || is_hop_by_hop(name)
            || is_forwarding(text)
            || text == "x-request-id"
            || text.starts_with("access-control-")
    };
    let names: Vec<HeaderName> = trailers.keys().filter(|name| forbidden(name)).cloned().collect();
    for name in names {
        trailers.remove(name);
    }
}
