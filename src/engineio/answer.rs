//! Engine.IO's own answers, with Node's statuses, texts and content types.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use super::dialect::Payload;
use super::polling;
use super::registry::Crowded;
use crate::body::Body;
use crate::message::Response;

/// Why a request is refused (engine.io `lib/server.ts`, `Server.errors`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `transport` is missing, unknown or not on offer.
    UnknownTransport,
    /// No session has this `sid`.
    UnknownSession,
    /// A handshake is a GET.
    BadHandshakeMethod,
    /// Anything else that is wrong.
    BadRequest,
    /// The policy forbids it.
    Forbidden,
    /// `EIO` is not a version on offer.
    UnsupportedVersion,
}

impl Refusal {
    const ALL: [Refusal; 6] = [
        Refusal::UnknownTransport,
        Refusal::UnknownSession,
        Refusal::BadHandshakeMethod,
        Refusal::BadRequest,
        Refusal::Forbidden,
        Refusal::UnsupportedVersion,
    ];

    /// The one of this number.
    pub fn from_code(code: u8) -> Option<Refusal> {
        Refusal::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// Node's number.
    pub fn code(self) -> u8 {
        match self {
            Refusal::UnknownTransport => 0,
            Refusal::UnknownSession => 1,
            Refusal::BadHandshakeMethod => 2,
            Refusal::BadRequest => 3,
            Refusal::Forbidden => 4,
            Refusal::UnsupportedVersion => 5,
        }
    }

    /// Node's text.
    pub fn message(self) -> &'static str {
        match self {
            Refusal::UnknownTransport => "Transport unknown",
            Refusal::UnknownSession => "Session ID unknown",
            Refusal::BadHandshakeMethod => "Bad handshake method",
            Refusal::BadRequest => "Bad request",
            Refusal::Forbidden => "Forbidden",
            Refusal::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    fn status(self) -> StatusCode {
        if self == Refusal::Forbidden { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Refuses a polling request: `{"code":1,"message":"Session ID unknown"}`.
pub fn refuse(refusal: Refusal) -> Response<Body> {
    let body = format!(r#"{{"code":{},"message":"{}"}}"#, refusal.code(), refusal.message());
    respond(refusal.status(), "application/json", body)
}

/// Refuses a WebSocket before any 101: the message as text, and the connection closes.
pub fn refuse_websocket(refusal: Refusal) -> Response<Body> {
    let mut response = respond(refusal.status(), "text/html", refusal.message());
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses a handshake while the node drains.
pub(super) fn closing() -> Response<Body> {
    let mut response =
        respond(StatusCode::SERVICE_UNAVAILABLE, "application/json", r#"{"code":3,"message":"Draining"}"#);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses a handshake at a bound of sessions: the node is full (503), or the address has enough (429).
pub(super) fn crowded(crowded: Crowded) -> Response<Body> {
    let (status, body) = match crowded {
        Crowded::Node => (StatusCode::SERVICE_UNAVAILABLE, r#"{"code":3,"message":"Too many sessions"}"#),
        Crowded::Address => {
            (StatusCode::TOO_MANY_REQUESTS, r#"{"code":3,"message":"Too many sessions from this address"}"#)
        }
    };
    let mut response = respond(status, "application/json", body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses a request of a client that makes too many.
pub fn too_many_requests() -> Response<Body> {
    let mut response = respond(
        StatusCode::TOO_MANY_REQUESTS,
        "application/json",
        r#"{"code":3,"message":"Too many requests from this address"}"#,
    );
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What a session that polls answers, at whichever node its client hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a GET: packets.
    Packets {
        /// As they are written.
        bytes: Bytes,
        /// Whether they are not text.
        binary: bool,
    },
    /// To a POST: its packets were handed on.
    Posted,
    /// To neither.
    Refused(Refusal),
    /// A status and no word.
    Bare(StatusCode),
}

impl Answer {
    /// As HTTP has it.
    pub fn into_response(self) -> Response<Body> {
        match self {
            Answer::Packets { bytes, binary } => {
                let kind = if binary { polling::BINARY } else { "text/plain; charset=UTF-8" };
                no_store(respond(StatusCode::OK, kind, bytes))
            }
            Answer::Posted => no_store(respond(StatusCode::OK, "text/html", "ok")),
            Answer::Refused(refusal) => refuse(refusal),
            Answer::Bare(status) => {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = status;
                response
            }
        }
    }
}

impl From<Payload> for Answer {
    fn from(Payload { bytes, binary }: Payload) -> Answer {
        Answer::Packets { bytes, binary }
    }
}

fn no_store(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
