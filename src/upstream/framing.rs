//! How an upstream's response ends: what hyper leaves open and a proxy must not (RFC 9112 6.3).

use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use crate::headers::is_chunked;

/// Refuses a response whose end two readers could see at different places, and removes what
/// contradicts the framing that hyper chose. `upgrading` tells whether an upgrade was asked for.
pub(super) fn check<B>(response: &mut Response<B>, upgrading: bool) -> Result<(), &'static str> {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS && !upgrading {
        return Err("101 without an upgrade");
    }
    let headers = response.headers_mut();
    if headers.contains_key(TRANSFER_ENCODING) {
        // hyper reads any other coding to the connection's end; passing that on would lose it.
        if !is_chunked(headers) {
            return Err("a transfer coding other than chunked");
        }
        headers.remove(CONTENT_LENGTH);
    }
    if !one_length(headers) {
        return Err("more than one Content-Length, or none that is a number");
    }
    if status == StatusCode::NO_CONTENT || status == StatusCode::SWITCHING_PROTOCOLS {
        headers.remove(CONTENT_LENGTH);
    }
    Ok(())
}

/// Whether `Content-Length` is absent or one plain number.
fn one_length(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_LENGTH).into_iter();
    let Some(first) = lines.next() else { return true };
    let digits = first.as_bytes();
    lines.next().is_none() && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
