//! Reading from a socket into what is kept of it.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::buffer::poll_behind;

/// Bytes that are read at once of a large body, without a copy.
pub(crate) const LARGE: usize = 128 * 1024;

/// Reads what is there, at most [`SMALL`](super::buffer::SMALL) bytes, behind what is `unread`. Ready with 0 at the
/// end. A head and a small body take the memory they need, and an idle connection none.
pub(crate) fn poll_small<S: AsyncRead + Unpin>(
    stream: &mut S,
    unread: &mut Bytes,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    poll_behind(unread, |room| {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    })
}

/// Reads at most `want` bytes into `buffer`, whose memory is used again once nobody holds what was
/// read before. `unread` must be empty.
pub(crate) fn poll_large<S: AsyncRead + Unpin>(
    stream: &mut S,
    unread: &mut Bytes,
    buffer: &mut BytesMut,
    want: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    buffer.reserve(want);
    let mut limited = bytes::BufMut::limit(&mut *buffer, want);
    let read = ready!(pin!(stream.read_buf(&mut limited)).poll(cx))?;
    *unread = buffer.split().freeze();
    Poll::Ready(Ok(read))
}
