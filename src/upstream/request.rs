//! What a request needs for the protocol it goes upstream by, and its body for another try.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Version};
use http_body::Body as _;

use super::body::Tape;
use crate::body::Body;
use crate::headers::{Decimal, join_cookies};
use crate::message::{Fields, Request};

/// Largest body that is remembered for another try, in bytes.
const MAX_SPARE: u64 = 64 * 1024;

/// Makes of a request one for HTTP/1.1. `authority` is for one that names no host.
pub(super) fn for_http1(request: &mut Request<Body>, authority: &Authority) {
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    let (has_body, length) = (!request.body().is_end_stream(), request.body().size_hint().exact());
    let headers = request.headers_mut();
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    match length {
        _ if !has_body => (),
        Some(length) if is_only(headers, &CONTENT_LENGTH, Decimal::of(length).as_bytes()) => (),
        // It is written with the head.
        Some(_) => drop(headers.remove(CONTENT_LENGTH)),
        None if headers.contains_key(CONTENT_LENGTH) => (),
        None => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// Whether there is one line of that name, and it says this.
fn is_only(headers: &Fields, name: &HeaderName, value: &[u8]) -> bool {
    headers.get_only(name).is_some_and(|line| line.as_bytes() == value)
}

/// A copy of a request's head for HTTP/2: `Host` becomes `:authority` (RFC 9113 8.3.1), and what
/// speaks of one connection goes (8.2.2), but `te: trailers` stays.
pub(super) fn for_http2(
    request: &Request<Body>,
    scheme: &Scheme,
    authority: &Authority,
) -> http::Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.version_mut() = Version::HTTP_2;
    *copy.headers_mut() = request.headers().clone();
    let headers = copy.headers_mut();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let host = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let host = host.unwrap_or_else(|| authority.clone());
    if let Ok(whole) = Uri::builder().scheme(scheme.clone()).authority(host).path_and_query(path).build() {
        *copy.uri_mut() = whole;
    }
    copy.into()
}

/// Whether a request does the same when it is sent twice (RFC 9110 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// A body that can be sent once more.
#[derive(Debug)]
pub(super) enum Spare {
    Empty,
    Full(Bytes),
    Tape(Tape),
}

impl Spare {
    /// Keeps what `body` needs to be sent once more, unless it is too large or of unknown length.
    pub(super) fn keep(body: &mut Body) -> Option<Spare> {
        if body.is_end_stream() {
            return Some(Spare::Empty);
        }
        if body.size_hint().exact().is_none_or(|length| length > MAX_SPARE) {
            return None;
        }
        if let Body::Full(bytes) = body {
            return Some(Spare::Full(bytes.clone()));
        }
        let (recorded, tape) = Tape::record(std::mem::replace(body, Body::Empty));
        *body = recorded;
        Some(Spare::Tape(tape))
    }

    /// The body once more.
    pub(super) fn into_body(self) -> Option<Body> {
        match self {
            Spare::Empty => Some(Body::Empty),
            Spare::Full(bytes) => Some(Body::Full(bytes)),
            Spare::Tape(tape) => tape.rewind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, headers: &[(&'static str, &'static str)]) -> Request<Body> {
        let mut request = Request::from(
            http::Request::builder().version(version).uri("/a%2Fb?x=%20").body(Body::Empty).unwrap(),
        );
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    fn lines(headers: &Fields) -> Vec<String> {
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn host_becomes_the_authority() {
        let own = Authority::from_static("10.0.0.1:3000");
        let asked = request(
            Version::HTTP_11,
            &[
                ("host", "App.Example:80"),
                ("te", "trailers"),
                ("connection", "TE"),
                ("transfer-encoding", "chunked"),
            ],
        );
        let copy = for_http2(&asked, &Scheme::HTTPS, &own);
        assert_eq!(copy.uri(), "https://App.Example:80/a%2Fb?x=%20");
        assert_eq!(lines(Request::from(copy).headers()), ["te: trailers"]);
        assert_eq!(asked.uri(), "/a%2Fb?x=%20");
        let mut nameless = request(Version::HTTP_10, &[]);
        assert_eq!(for_http2(&nameless, &Scheme::HTTP, &own).uri(), "http://10.0.0.1:3000/a%2Fb?x=%20");
        for_http1(&mut nameless, &own);
        assert_eq!(lines(nameless.headers()), ["host: 10.0.0.1:3000"]);
    }

    #[test]
    fn crumbs_of_http2_become_one_cookie_and_lines_of_http1_stay() {
        let own = Authority::from_static("a");
        let cookies = [("host", "h"), ("cookie", "a=1"), ("cookie", "b=2; c=3")];
        let mut asked = request(Version::HTTP_2, &cookies);
        for_http1(&mut asked, &own);
        assert_eq!(lines(asked.headers()), ["host: h", "cookie: a=1; b=2; c=3"]);
        let mut asked = request(Version::HTTP_11, &cookies);
        for_http1(&mut asked, &own);
        assert_eq!(lines(asked.headers()), ["host: h", "cookie: a=1", "cookie: b=2; c=3"]);
    }

    #[test]
    fn only_small_bodies_of_known_length_are_kept() {
        let kept = |mut body: Body| Spare::keep(&mut body).and_then(Spare::into_body);
        assert!(matches!(kept(Body::Empty), Some(Body::Empty)));
        assert!(matches!(kept(Bytes::from(vec![0; 64 * 1024]).into()), Some(Body::Full(_))));
        assert!(kept(Bytes::from(vec![0; 64 * 1024 + 1]).into()).is_none());
        let endless =
            futures_util::stream::pending::<Result<http_body::Frame<Bytes>, crate::body::BodyError>>();
        assert!(kept(Body::boxed(http_body_util::StreamBody::new(endless))).is_none());
        assert!(kept(Body::boxed(http_body_util::Full::new(Bytes::from("x")))).is_some());
    }
}
