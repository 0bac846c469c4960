//! Reading from a socket into what is kept of it.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Bytes that are read at once where little is expected. They are read into a buffer of the thread
/// and copied out: a head and a small body then take the memory they need, and an idle connection none.
pub(crate) const SMALL: usize = 16 * 1024;

/// Bytes that are read at once of a large body, without a copy.
pub(crate) const LARGE: usize = 128 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SMALL]);
}

/// Reads what is there, at most [`SMALL`] bytes, behind what is `unread`. Ready with 0 at the end.
pub(crate) fn poll_small<S: AsyncRead + Unpin>(
    stream: &mut S,
    unread: &mut Bytes,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        *unread = if unread.is_empty() {
            Bytes::copy_from_slice(read)
        } else {
            [unread.as_ref(), read].concat().into()
        };
        Poll::Ready(Ok(read.len()))
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
