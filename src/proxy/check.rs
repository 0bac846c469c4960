//! What is refused of a request before anything else is done with it.

use http::header::{ALLOW, CONNECTION, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderValue, Method, StatusCode, Version};

use crate::body::Body;
use crate::fault::Fault;
use crate::headers::is_chunked;
use crate::message::{Fields, Request, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// How large a request's head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadBounds {
    /// Bytes, and those of the target alone.
    pub bytes: usize,
    /// Fields.
    pub fields: usize,
}

/// Refuses what is no valid request, or one that the upstream could read as another than we do: a head
/// larger than `bounds`, methods that are not for gateways, wrong targets, `Host` missing or
/// doubled (RFC 9112 3.2), ambiguous ends (RFC 9112 6.1), expectations that nobody can meet.
///
/// Afterwards the target is a path with its query, or `*`, and the authority of an absolute target, or
/// of an HTTP/2 request, is in `Host`.
pub fn check<B>(request: &mut Request<B>, bounds: HeadBounds) -> Result<(), Fault> {
    check_size(request, bounds)?;
    if matches!(request.method().as_str(), "CONNECT" | "TRACE" | "TRACK") {
        let fault =
            Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this method is not served");
        return Err(fault.with_header(ALLOW, HeaderValue::from_static(METHODS)));
    }
    to_origin_form(request)?;
    check_path(request)?;
    let headers = request.headers();
    check_host(request.version(), headers)?;
    if headers.contains_key(TRANSFER_ENCODING) && !is_chunked(headers) {
        return Err(closing(bad("Transfer-Encoding must be chunked")));
    }
    if headers.get_all(EXPECT).any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Fault::new(
            StatusCode::EXPECTATION_FAILED,
            "expectation_failed",
            "only 100-continue can be expected",
        ));
    }
    Ok(())
}

#[cold]
pub(super) fn bad(message: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

/// The connection ends with the answer: nobody can tell where the next request would begin.
#[cold]
pub(super) fn closing(fault: Fault) -> Fault {
    fault.with_header(CONNECTION, HeaderValue::from_static("close"))
}

/// A head of which the server has taken more than we want; far larger ones never get here.
fn check_size<B>(request: &Request<B>, bounds: HeadBounds) -> Result<(), Fault> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    if target > bounds.bytes {
        return Err(closing(Fault::new(StatusCode::URI_TOO_LONG, "uri_too_long", "the URL is too long")));
    }
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let head = target + request.headers().iter().map(line).sum::<usize>();
    if head > bounds.bytes || request.headers().len() > bounds.fields {
        let HeadBounds { bytes, fields } = bounds;
        let message = format!("the request's head is larger than {bytes} bytes or {fields} fields");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(closing(Fault::new(status, "header_too_large", message)));
    }
    Ok(())
}

fn check_host(version: Version, headers: &Fields) -> Result<(), Fault> {
    let mut hosts = headers.get_all(HOST);
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
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%' | b'!'
        | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=' | 0x80..)
}

/// `*` speaks of the server as a whole, and only OPTIONS may (RFC 9112 3.2.4).
fn check_path<B>(request: &Request<B>) -> Result<(), Fault> {
    let uri = request.uri();
    let asterisk = uri.path() == "*" && request.method() == Method::OPTIONS && uri.query().is_none();
    if asterisk || uri.path().starts_with('/') { Ok(()) } else { Err(bad_target()) }
}

fn bad_target() -> Fault {
    bad("the request's target is not valid")
}

/// Takes scheme and authority out of an absolute target; the authority becomes `Host`.
fn to_origin_form<B>(request: &mut Request<B>) -> Result<(), Fault> {
    let uri = request.uri();
    let (scheme, authority) = match (uri.scheme_str(), uri.authority()) {
        (None, None) => return Ok(()),
        (Some(scheme @ ("http" | "https")), Some(authority)) => (scheme, authority),
        _ => return Err(bad_target()),
    };
    check_authority(scheme, authority, request.headers())?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad_target())?;
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// In an absolute target the authority counts; a `Host` that differs tells of somebody between us
/// and the client who read it otherwise.
fn check_authority(scheme: &str, authority: &Authority, headers: &Fields) -> Result<(), Fault> {
    if authority.as_str().contains('@') {
        return Err(bad("the request's target holds a user name"));
    }
    let default = if scheme == "https" { ":443" } else { ":80" };
    let plain = |host: &str| host.strip_suffix(default).unwrap_or(host).to_ascii_lowercase();
    let mut hosts = headers.get_all(HOST);
    match (hosts.next().map(|host| host.to_str()), hosts.next()) {
        (_, Some(_)) => Err(bad("there is more than one Host")),
        (Some(Ok(host)), None) if plain(host) != plain(authority.as_str()) => {
            Err(bad("Host differs from the request's target"))
        }
        (Some(Err(_)), None) => Err(bad("Host is not valid")),
        _ => Ok(()),
    }
}

/// The answer to `OPTIONS *`, which asks of the server as a whole and goes to no upstream.
pub fn asterisk() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}
