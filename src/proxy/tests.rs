//! Tests of what is refused before anything is sent; the rest needs sockets and is in `tests/proxy`.

use http::StatusCode;
use http::header::HeaderValue;

use super::*;
use crate::message::Request;

const BOUNDS: HeadBounds = HeadBounds { bytes: 1000, fields: 100 };

#[test]
fn a_request_is_refused_with_the_status_that_says_why() {
    let table = [
        ("GET", "/", "host: h", None),
        ("GET", "/", "x: y", Some(400)),
        ("CONNECT", "h:80", "host: h", Some(405)),
        ("OPTIONS", "*", "host: h", None),
        ("GET", "*", "host: h", Some(400)),
        ("GET", "http://h/", "host: H:80", None),
        ("GET", "http://h/", "host: other", Some(400)),
        ("GET", "http://u@h/", "host: h", Some(400)),
        ("GET", "h:80", "host: h", Some(400)),
        ("GET", "/", "host: [::1]:80", None),
        ("GET", "/", "host: a b", Some(400)),
    ];
    for (method, target, line, expected) in table {
        let (name, value) = line.split_once(": ").unwrap();
        let mut request = Request::from(
            http::Request::builder().method(method).uri(target).header(name, value).body(()).unwrap(),
        );
        let status = check(&mut request, BOUNDS).err().map(|fault| fault.status.as_u16());
        assert_eq!(status, expected, "{method} {target} {line}");
    }
}

#[test]
fn a_refusal_of_the_framing_closes_the_connection() {
    let request = http::Request::builder().header("host", "h").header("transfer-encoding", "x, chunked");
    let mut request = Request::from(request.body(()).unwrap());
    let fault = check(&mut request, BOUNDS).unwrap_err();
    assert_eq!(fault.status, StatusCode::BAD_REQUEST);
    assert_eq!(fault.headers, [(http::header::CONNECTION, HeaderValue::from_static("close"))]);
}
