//! Fields that speak of one connection only, and what a client asks with them.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, Method, Version};

use crate::message::{Fields, Request};

/// Never removed because `Connection` names them: they are end to end, and a client could
/// otherwise hide them from the upstream.
static END_TO_END: [HeaderName; 7] =
    [HOST, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, AUTHORIZATION, CACHE_CONTROL, ORIGIN];

/// What a request asks of this hop. Read before [`remove_hop_by_hop`] takes the fields away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intent {
    /// An upgrade to WebSocket (RFC 6455 4.1). Every other upgrade is ignored, as RFC 9110 7.8 allows.
    pub websocket: bool,
    /// The client takes trailers (`TE: trailers`).
    pub trailers: bool,
}

impl Intent {
    /// Reads what `request` asks.
    pub fn read<B>(request: &Request<B>) -> Intent {
        let headers = request.headers();
        let websocket = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && has_token(headers, &UPGRADE, "websocket")
            && has_token(headers, &CONNECTION, "upgrade");
        Intent { websocket, trailers: has_token(headers, &TE, "trailers") }
    }
}

/// The comma-separated members of all lines of `name`, without the white space around them.
pub fn tokens<'a>(headers: &'a Fields, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).flat_map(|line| line.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii)
}

/// Whether one of the members of `name` is `token`, in any case and without parameters.
pub fn has_token(headers: &Fields, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether `Transfer-Encoding` is one value, exactly `chunked`.
pub fn is_chunked(headers: &Fields) -> bool {
    let only = headers.get_only(TRANSFER_ENCODING);
    only.is_some_and(|line| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// Whether the field speaks of one connection only: it is removed whether `Connection` names it or not.
/// `Trailer` is not among them (RFC 9110 7.6.1). `Proxy` would become `HTTP_PROXY` in a CGI program.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy"
    )
}

/// Removes the fields that `Connection` names in any of its lines, then the hop-by-hop fields.
/// Add own fields after it: a client's `Connection: X-Forwarded-Host` must not remove ours.
pub fn remove_hop_by_hop(headers: &mut Fields) {
    for name in nominated(headers) {
        headers.remove(name);
    }
    headers.retain(|name| !is_hop_by_hop(name));
}

/// Fields named by `Connection` beyond those that are removed or kept anyway.
fn nominated(headers: &Fields) -> Vec<HeaderName> {
    tokens(headers, &CONNECTION)
        .filter(|token| !token.eq_ignore_ascii_case(b"keep-alive") && !token.eq_ignore_ascii_case(b"close"))
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !END_TO_END.contains(name))
        .collect()
}
