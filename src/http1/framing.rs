//! Where a body ends (RFC 9112 6.3).

use http::HeaderValue;

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// By its last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// The number that a line of `Content-Length` says: digits and nothing else.
pub(crate) fn content_length(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}
