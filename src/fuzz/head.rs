//! The head of a request: what is refused of it, and what goes on.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderName, HeaderValue, Method, Version};

use crate::headers::{
    Forwarded, Intent, TrustedProxies, is_chunked, is_hop_by_hop, remove_hop_by_hop, tokens,
};
use crate::message::Request;
use crate::proxy::{self, HeadBounds};

/// Bytes of a head that are taken.
const MAX: usize = 2000;

/// A request's head as bytes. What is let through names one host and one path and has one end; what goes
/// upstream carries nothing of this hop and no forged origin.
pub(super) fn head(bytes: &[u8]) {
    let Some(mut request) = crate::server::fuzz::head(bytes) else { return };
    if proxy::check(&mut request, HeadBounds { bytes: MAX, fields: 100 }).is_err() {
        return;
    }
    sound(&request);
    let intent = Intent::read(&request);
    assert!(!intent.websocket || request.method() == Method::GET);
    let nominated: Vec<Vec<u8>> =
        tokens(request.headers(), &http::header::CONNECTION).map(<[u8]>::to_ascii_lowercase).collect();
    let headers = request.headers_mut();
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let forwarded = Forwarded::identify(peer, false, headers, &TrustedProxies::default());
    remove_hop_by_hop(headers);
    for name in headers.keys() {
        let named = nominated.iter().any(|token| token == name.as_str().as_bytes());
        assert!(!is_hop_by_hop(name) && (!named || is_end_to_end(name)), "{name} goes on");
    }
    forwarded.apply(headers);
    let said: Vec<&HeaderValue> = headers.get_all("x-forwarded-for").collect();
    assert_eq!(said, ["192.0.2.1"]);
    let forged = |name: &HeaderName| {
        let plain = name.as_str().replace('_', "-");
        plain == "forwarded" || plain == "x-real-ip" || plain == "x-forwarded-prefix"
    };
    assert!(!headers.keys().any(forged), "{headers:?}");
}

/// What [`proxy::check`] promises.
fn sound(request: &Request<()>) {
    let (uri, headers) = (request.uri(), request.headers());
    assert!(uri.authority().is_none() && uri.scheme().is_none(), "{uri}");
    assert!(
        uri.path().starts_with('/') || (uri.path() == "*" && request.method() == Method::OPTIONS),
        "{uri}"
    );
    let hosts = headers.get_all("host").count();
    assert!(hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10));
    let host = headers.get("host").map_or(&b""[..], HeaderValue::as_bytes);
    assert!(!host.iter().any(|byte| b"/@ ,?#\\".contains(byte)), "{}", host.escape_ascii());
    assert!(!headers.contains_key("transfer-encoding") || is_chunked(headers));
    assert!(!matches!(request.method().as_str(), "CONNECT" | "TRACE" | "TRACK"));
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(size <= MAX && uri.to_string().len() <= MAX);
}

fn is_end_to_end(name: &HeaderName) -> bool {
    let kept =
        ["host", "content-length", "content-type", "cookie", "authorization", "cache-control", "origin"];
    kept.contains(&name.as_str())
}
