//! The chat page and its assets, carried in the binary so that it works offline.

use bytes::Bytes;
use http::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http_body_util::Full;

use super::reply::Reply;

/// The page runs nothing and reaches nothing but what this origin serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page at `/`.
pub(super) fn index() -> Reply {
    file(HTML, include_str!("../assets/index.html"))
}

/// A file below `/assets/`.
pub(super) fn asset(name: &str) -> Option<Reply> {
    Some(match name {
        "api.js" => file(SCRIPT, include_str!("../assets/api.js")),
        "app.js" => file(SCRIPT, include_str!("../assets/app.js")),
        "conversation.js" => file(SCRIPT, include_str!("../assets/conversation.js")),
        "dom.js" => file(SCRIPT, include_str!("../assets/dom.js")),
        "live.js" => file(SCRIPT, include_str!("../assets/live.js")),
        "rooms.js" => file(SCRIPT, include_str!("../assets/rooms.js")),
        "thread.js" => file(SCRIPT, include_str!("../assets/thread.js")),
        "wire.js" => file(SCRIPT, include_str!("../assets/wire.js")),
        "socket.io.min.js" => file(SCRIPT, include_str!("../assets/socket.io.min.js")),
        "style.css" => file(STYLE, include_str!("../assets/style.css")),
        "icon.svg" => file(SVG, include_str!("../assets/icon.svg")),
        _ => return None,
    })
}

/// Asked for again each time, so that a newer binary's page never meets an older script.
fn file(content_type: &'static str, text: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}
