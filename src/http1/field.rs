//! Fields of heads and of trailers.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

use crate::headers::Decimal;

/// Fields that are taken of what an upstream says, and of trailers.
pub(crate) const MAX_FIELDS: usize = 100;

/// A name or a value that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("a field that is not valid")]
pub(crate) struct Invalid;

/// A field that was read. The value shares the memory it was read to.
pub(crate) fn read(name: &[u8], value: Bytes) -> Result<(HeaderName, HeaderValue), Invalid> {
    let name = HeaderName::from_bytes(name).map_err(|_| Invalid)?;
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| Invalid)?;
    Ok((name, value))
}

/// Appends the line of `Content-Length`.
pub(crate) fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(Decimal::of(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a field's line.
pub(crate) fn write(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
