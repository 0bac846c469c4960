//! What is refused of a request, and what becomes of it on its way to the upstream.

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;

use super::Context;
use crate::body::Body;
use crate::fault::Fault;
use crate::headers::{Intent, is_chunked, remove_hop_by_hop, tokens};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Our `Via` (RFC 9110 7.6.3).
const VIA_US: &str = "1.1 frontroom";

/// A request that came through us so often runs in a circle.
const MAX_PASSES: usize = 5;

/// Refuses what is no valid HTTP/1 request, or one that the upstream could read as another than we do:
/// methods that are not for gateways, wrong targets, `Host` missing or doubled (RFC 9112 3.2),
/// ambiguous ends (RFC 9112 6.1).
pub fn check<B>(request: &Request<B>) -> Result<(), Fault> {
    if matches!(request.method().as_str(), "CONNECT" | "TRACE" | "TRACK") {
        let fault =
            Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this method is not served");
        return Err(fault.with_header(ALLOW, HeaderValue::from_static(METHODS)));
    }
    let headers = request.headers();
    check_host(request.version(), headers)?;
    check_target(request)?;
    if headers.contains_key(TRANSFER_ENCODING) && !is_chunked(headers) {
        return Err(bad("Transfer-Encoding must be chunked")
            .with_header(CONNECTION, HeaderValue::from_static("close")));
    }
    if headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Fault::new(
            StatusCode::EXPECTATION_FAILED,
            "expectation_failed",
            "only 100-continue can be expected",
        ));
    }
    Ok(())
}

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

fn bad(message: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Fault> {
    let mut hosts = headers.get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(bad("there is more than one Host")),
        (Some(host), None) if host.as_bytes().iter().all(|byte| may_stand_in_host(*byte)) => Ok(()),
        (Some(_), None) => Err(bad("Host is not valid")),
        (None, _) if version >= Version::HTTP_11 => Err(bad("Host is missing")),
        (None, _) => Ok(()),
    }
}

/// Letters, digits and the marks of names, IP literals and ports (RFC 3986 3.2.2); no user name.
fn may_stand_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&byte) || byte >= 0x80
}

fn check_target<B>(request: &Request<B>) -> Result<(), Fault> {
    let uri = request.uri();
    match (uri.scheme_str(), uri.authority()) {
        (None, None) if uri.path() == "*" && request.method() == Method::OPTIONS && uri.query().is_none() => {
            Ok(())
        }
        (None, None) if uri.path().starts_with('/') => Ok(()),
        (Some(scheme @ ("http" | "https")), Some(authority)) => {
            check_authority(scheme, authority, request.headers())
        }
        _ => Err(bad("the request's target is not valid")),
    }
}

/// In an absolute target the authority counts; a `Host` that differs tells of somebody between us
/// and the client who read it otherwise.
fn check_authority(scheme: &str, authority: &Authority, headers: &HeaderMap) -> Result<(), Fault> {
    if authority.as_str().contains('@') {
        return Err(bad("the request's target holds a user name"));
    }
    let default = if scheme == "https" { ":443" } else { ":80" };
    let plain = |host: &str| host.strip_suffix(default).unwrap_or(host).to_ascii_lowercase();
    match headers.get(HOST).map(|host| host.to_str()) {
        Some(Ok(host)) if plain(host) != plain(authority.as_str()) => {
            Err(bad("Host differs from the request's target"))
        }
        Some(Err(_)) => Err(bad("Host is not valid")),
        _ => Ok(()),
    }
}

/// The answer to `OPTIONS *`, which asks of the server as a whole.
pub(super) fn asterisk() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}

/// Makes of a client's request the one for the upstream.
pub(super) fn prepare(
    request: &mut Request<Body>,
    intent: Intent,
    context: &Context<'_>,
) -> Result<(), Fault> {
    if intent.websocket && has_body(request) {
        return Err(
            bad("a WebSocket request has no body").with_header(CONNECTION, HeaderValue::from_static("close"))
        );
    }
    to_origin_form(request)?;
    if let Some(target) = context.target {
        *request.uri_mut() = target.parse().map_err(|_| bad("the request's target is not valid"))?;
    }
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
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

/// Bytes that follow a WebSocket request would be taken for frames by one side and for a body by the other.
fn has_body(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING) || !request.body().is_end_stream()
}

/// Appends our `Via`.
fn sign(headers: &mut HeaderMap) -> Result<(), Fault> {
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

/// Takes scheme and authority out of an absolute target; the authority becomes `Host`.
fn to_origin_form(request: &mut Request<Body>) -> Result<(), Fault> {
    let Some(authority) = request.uri().authority() else { return Ok(()) };
    let host =
        HeaderValue::from_str(authority.as_str()).map_err(|_| bad("the request's target is not valid"))?;
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(path);
    Ok(())
}
