//! A response's head, and how its body is told from what follows (RFC 9112 6.3).

use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, TRAILER, TRANSFER_ENCODING};
use http_body::Body as _;
use hyper::ext::ReasonPhrase;

use super::date;
use crate::body::Body;
use crate::headers::{has_token, tokens};
use crate::http1::{Coding, Outbox, content_length, field};
use crate::message::{Fields, Response};

/// How a request is to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// It is a HEAD: the answer has no body, whatever its head says.
    pub(super) head_only: bool,
    /// It came over HTTP/1.0, which knows no chunks.
    pub(super) old: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
    /// The connection goes on behind the answer.
    pub(super) persistent: bool,
}

/// How the end of a body is told in the head.
enum Said {
    Nothing,
    Length(u64),
    Chunks,
}

/// Encodes the head of `response` into `out`, and how its body follows. Tells whether the connection goes on
/// behind it. A body that must not be sent is taken out.
pub(super) fn begin(response: &mut Response<Body>, manner: Manner, out: &mut Outbox) -> bool {
    let status = response.status();
    let bodiless = manner.head_only || is_bodiless(status);
    let (said, coding) = coding(response, manner);
    let close = matches!(coding, Coding::Close);
    let persistent = manner.persistent && !close && !has_token(response.headers(), &CONNECTION, "close");
    let front = out.front();
    status_line(response, manner, front);
    let chunks = matches!(said, Said::Chunks);
    fields(response.headers(), (status, persistent, chunks), front);
    match said {
        Said::Nothing => (),
        Said::Length(length) => field::write_length(length, front),
        Said::Chunks => front.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if status != StatusCode::SWITCHING_PROTOCOLS && !persistent {
        front.extend_from_slice(b"connection: close\r\n");
    } else if persistent && manner.old {
        front.extend_from_slice(b"connection: keep-alive\r\n");
    }
    front.extend_from_slice(b"\r\n");
    if bodiless {
        *response.body_mut() = Body::Empty;
    }
    out.begin(coding, response.body().is_end_stream() && !chunks);
    persistent
}

/// Statuses whose answers end with their head.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

fn coding(response: &Response<Body>, manner: Manner) -> (Said, Coding) {
    let (status, headers, body) = (response.status(), response.headers(), response.body());
    let said = || headers.get(CONTENT_LENGTH).and_then(content_length);
    let exact = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    if is_bodiless(status) {
        return (Said::Nothing, Coding::Length(0));
    }
    if manner.head_only {
        // An empty body says nothing of what a GET would get.
        let length = said().or(exact.filter(|length| *length > 0));
        return (length.map_or(Said::Nothing, Said::Length), Coding::Length(0));
    }
    match exact.or_else(said) {
        Some(length) => (Said::Length(length), Coding::Length(length)),
        None if manner.old => (Said::Nothing, Coding::Close),
        None => {
            let wanted = manner.trailers && headers.contains_key(TRAILER);
            let names = wanted.then(|| tokens(headers, &TRAILER)).into_iter().flatten();
            (
                Said::Chunks,
                Coding::Chunked(names.filter_map(|name| HeaderName::from_bytes(name).ok()).collect()),
            )
        }
    }
}

fn status_line(response: &Response<Body>, manner: Manner, out: &mut Vec<u8>) {
    let (status, reason) = (response.status(), response.extensions().get::<ReasonPhrase>());
    if status == StatusCode::OK && reason.is_none() && !manner.old {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(if manner.old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let known = || status.canonical_reason().unwrap_or("<none>").as_bytes();
    out.extend_from_slice(reason.map_or_else(known, ReasonPhrase::as_bytes));
    out.extend_from_slice(b"\r\n");
}

/// Writes the fields, but for those that say where the body ends and what becomes of the connection: they are
/// written from what is true.
fn fields(headers: &Fields, (status, persistent, chunks): (StatusCode, bool, bool), out: &mut Vec<u8>) {
    let mut dated = false;
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING => continue,
            TRAILER if !chunks => continue,
            CONNECTION if status != StatusCode::SWITCHING_PROTOCOLS && !persistent => continue,
            DATE => dated = true,
            _ => (),
        }
        field::write(name, value, out);
    }
    if !dated {
        date::write(out);
    }
}
