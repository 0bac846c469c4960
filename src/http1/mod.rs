//! HTTP/1.1 on the wire (RFC 9112), as servers and clients have it in common: fields, where bodies end, chunks,
//! and connections that leave HTTP. What a request or a response is stands where it is read.

mod buffer;
mod chunked;
mod decoder;
pub(crate) mod field;
mod framing;
mod outbox;
mod read;
pub mod upgrade;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use chunked::Chunked;
pub(crate) use decoder::Decoder;
pub(crate) use framing::{Framing, content_length};
pub(crate) use outbox::{Coding, Outbox};
pub(crate) use read::poll_small;

use std::io;

use http::header::CONNECTION;

use crate::headers::tokens;
use crate::message::Fields;

/// Whether a connection goes on behind a message with these fields; `by_itself`, as in HTTP/1.1, where none of them
/// says so (RFC 9112 9.3).
pub(crate) fn is_persistent(headers: &Fields, by_itself: bool) -> bool {
    let (mut close, mut keep_alive) = (false, false);
    tokens(headers, &CONNECTION).for_each(|token| {
        close |= token.eq_ignore_ascii_case(b"close");
        keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
    });
    !close && (by_itself || keep_alive)
}

/// What is said where the other side ended the connection too early.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed before the message was complete")
}
