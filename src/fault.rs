//! Errors that frontroom answers itself, and how they look on the wire.

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

use crate::body::{Body, Interrupted};

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
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { status, code, message: message.into(), headers: Vec::new() }
    }

    /// Adds a header.
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
