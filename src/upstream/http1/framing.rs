//! Where a response's body ends (RFC 9112 6.3).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};

use crate::headers::is_chunked;
use crate::http1::{Framing, content_length};
use crate::message::{Fields, ResponseHead};

/// Refuses a response whose end two readers could see at different places, and removes what
/// contradicts its framing. `method` is the request's; `upgrading` tells whether it asked for an upgrade.
pub(super) fn of(head: &mut ResponseHead, method: &Method, upgrading: bool) -> Result<Framing, &'static str> {
    let (status, headers) = (head.status, &mut head.headers);
    if status == StatusCode::SWITCHING_PROTOCOLS && !upgrading {
        return Err("101 without an upgrade");
    }
    let coded = headers.contains_key(TRANSFER_ENCODING);
    if coded {
        // Whatever else it is could only be read to the connection's end, and passing that on would lose it.
        if head.version == Version::HTTP_10 || !is_chunked(headers) {
            return Err("a transfer coding other than chunked");
        }
        headers.remove(CONTENT_LENGTH);
    }
    let length = length(headers)?;
    if status == StatusCode::NO_CONTENT || status == StatusCode::SWITCHING_PROTOCOLS {
        headers.remove(CONTENT_LENGTH);
        return Ok(Framing::None);
    }
    Ok(match length {
        _ if status == StatusCode::NOT_MODIFIED || method == Method::HEAD => Framing::None,
        _ if coded => Framing::Chunked,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    })
}

/// `Content-Length`, if there is one: one plain number.
fn length(headers: &Fields) -> Result<Option<u64>, &'static str> {
    let mut lines = headers.get_all(CONTENT_LENGTH);
    let Some(first) = lines.next() else { return Ok(None) };
    match content_length(first) {
        Some(length) if lines.next().is_none() => Ok(Some(length)),
        _ => Err("more than one Content-Length, or none that is a number"),
    }
}
