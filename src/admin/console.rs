//! The console: a page for the browser that shows what the admin API tells. Its files are in the binary and
//! load nothing from elsewhere.

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};

use crate::body::Body;
use crate::message::Response;

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asset {
    Page,
    Script,
    Style,
}

/// Nothing but the page's own files and calls of this listener; no other page may frame it (CSP level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers with a file.
pub(super) fn asset(asset: Asset) -> Response<Body> {
    let (kind, text) = match asset {
        Asset::Page => ("text/html; charset=utf-8", include_str!("console/index.html")),
        Asset::Script => ("text/javascript; charset=utf-8", include_str!("console/console.js")),
        Asset::Style => ("text/css; charset=utf-8", include_str!("console/console.css")),
    };
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        // A new version's page must not be driven by an old one's script.
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Leads to the page from where one would look first.
pub(super) fn lead() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SEE_OTHER;
    // Relative, for a proxy that has put a prefix before it.
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("console"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
