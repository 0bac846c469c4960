//! Errors that frontroom answers itself, and how they look on the wire.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

use crate::body::{Body, Interrupted};
use crate::message::Response;

/// An error that frontroom answers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable word for programs: `upstream_unreachable`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Further headers, such as `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Fault {
    /// An error without further headers.
    #[cold]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { status, code, message: message.into(), headers: Vec::new() }
    }

    /// Adds a header.
    #[cold]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Fault {
        self.headers.push((name, value));
        self
    }

    /// `{"error":{"status","code","message","request_id"}}`, not to be cached.
    pub fn into_response(self, request_id: &str) -> Response<Body> {
        let body = json!({"error": {
            "status": self.status.as_u16(),
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
        }});
        let mut response = Response::new(Body::Full(body.to_string().into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }

    /// The same for a gRPC call, whose clients read no HTTP status: 200 and nothing but the status in the
    /// head (gRPC over HTTP/2, "Trailers-Only"). `content_type` is the call's own.
    pub fn into_grpc(self, content_type: HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("grpc-status", HeaderValue::from(grpc_status(self.status)));
        let message = utf8_percent_encode(&self.message, MESSAGE).to_string();
        if let Ok(message) = HeaderValue::try_from(message) {
            headers.insert("grpc-message", message);
        }
        headers.extend(self.headers);
        response
    }
}

/// What `grpc-message` cannot hold as it is: all but printable ASCII, and `%`.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// The codes that clients would make of the statuses themselves, but for timeouts and sizes, of which we
/// know more than they can guess.
fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 | 508 => 13,
        401 => 16,
        403 => 7,
        404 | 405 => 12,
        408 | 504 => 4,
        413 | 414 | 431 => 8,
        429 | 502 | 503 => 14,
        _ => 2,
    }
}

impl From<Interrupted> for Fault {
    /// The connection is closed afterwards: the rest of the body still stands in it.
    fn from(interrupted: Interrupted) -> Fault {
        let (status, code) = match interrupted {
            Interrupted::TimedOut => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Interrupted::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        };
        Fault::new(status, code, interrupted.to_string())
            .with_header(CONNECTION, HeaderValue::from_static("close"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_client_reads_the_status_in_the_head() {
        let fault = Fault::new(StatusCode::SERVICE_UNAVAILABLE, "upstream_busy", "100% busy: ä\r\nX: y")
            .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
        let response = fault.into_grpc(HeaderValue::from_static("application/grpc+proto"));
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", "application/grpc+proto"),
            ("cache-control", "no-store"),
            ("grpc-status", "14"),
            ("grpc-message", "100%25 busy: %C3%A4%0D%0AX: y"),
            ("retry-after", "1"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        assert!(http_body::Body::is_end_stream(response.body()));
    }

    #[test]
    fn every_status_of_ours_has_a_grpc_code() {
        let table = [
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (405, 12),
            (408, 4),
            (413, 8),
            (414, 8),
            (417, 2),
            (429, 14),
            (431, 8),
            (502, 14),
            (503, 14),
            (504, 4),
            (508, 13),
        ];
        for (status, code) in table {
            assert_eq!(grpc_status(StatusCode::from_u16(status).unwrap()), code, "{status}");
        }
    }
}
