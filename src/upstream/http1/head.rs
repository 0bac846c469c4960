//! Heads: a request's as bytes, a response's from bytes.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes};
use http::{StatusCode, Version};
use hyper::ext::ReasonPhrase;

use crate::http1::field::{self, Invalid, MAX_FIELDS};
use crate::http1::is_persistent;
use crate::message::{Fields, Request, ResponseHead, StatusLine};

/// Bytes of a response's head that are taken.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Room for the fields that an answer gets besides its upstream's: CORS, request id.
const MORE_FIELDS: usize = 6;

/// A response's head, as read.
pub(super) struct Head {
    pub(super) parts: ResponseHead,
    /// Whether the connection may carry another exchange, as far as the head tells (RFC 9112 9.3).
    pub(super) persistent: bool,
}

/// Why bytes are no response's head.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("not HTTP: {0}")]
    Syntax(#[from] httparse::Error),
    #[error("the head is too large")]
    TooLarge,
    #[error(transparent)]
    Field(#[from] Invalid),
}

/// Appends a request's head to `out`, with its `length` where the fields do not say it. The target is its
/// path and query, byte for byte.
pub(super) fn write<B>(request: &Request<B>, length: Option<u64>, out: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        field::write(name, value, out);
    }
    if let Some(length) = length {
        field::write_length(length, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Takes a response's head out of `unread`, maybe an interim one's (1xx); none while it is not complete.
/// Its fields take the memory of `spare`, which is left as it is until then.
pub(super) fn read(unread: &mut Bytes, spare: &mut Fields) -> Result<Option<Head>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut response, unread, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_BYTES => length,
        Ok(httparse::Status::Partial) if unread.len() <= MAX_BYTES => return Ok(None),
        Ok(_) => return Err(Malformed::TooLarge),
        Err(error) => return Err(error.into()),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Invalid)?;
    let mut parts = ResponseHead { line: StatusLine { status }, ..ResponseHead::default() };
    parts.version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    if let Some(reason) = response.reason.filter(|reason| Some(*reason) != status.canonical_reason())
        && let Ok(reason) = ReasonPhrase::try_from(unread.slice_ref(reason.as_bytes()))
    {
        parts.extensions.insert(reason);
    }
    parts.headers = std::mem::take(spare);
    parts.headers.clear();
    parts.headers.reserve(response.headers.len() + MORE_FIELDS);
    for read in response.headers.iter() {
        let (name, value) = field::read(read.name.as_bytes(), unread.slice_ref(read.value))?;
        parts.headers.append(name, value);
    }
    unread.advance(length);
    let persistent = is_persistent(&parts.headers, parts.version == Version::HTTP_11);
    Ok(Some(Head { parts, persistent }))
}
