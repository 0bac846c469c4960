//! Bytes both ways. Memory is held only while one side does not take what the other has sent: a WebSocket idles
//! for hours.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at once.
const READ: usize = 16 * 1024;

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// What was read and is not written.
    held: Bytes,
    /// Whether something may wait for a flush, as in TLS.
    unflushed: bool,
    /// Whether the reading end has ended.
    read: bool,
    /// Whether the writing end was told so.
    shut: bool,
}

/// Copies both ways until both ends have ended or one has failed. `said` is what `right` has said already.
/// Notes in `moved` that bytes came.
pub(super) async fn splice(
    mut left: impl AsyncRead + AsyncWrite + Unpin,
    mut right: impl AsyncRead + AsyncWrite + Unpin,
    said: Bytes,
    moved: &AtomicBool,
) -> io::Result<()> {
    let (mut there, mut back) = (Way::default(), Way { held: said, ..Way::default() });
    poll_fn(|cx| {
        let there = there.poll(&mut left, &mut right, moved, cx)?;
        let back = back.poll(&mut right, &mut left, moved, cx)?;
        if there.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

impl Way {
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        moved: &AtomicBool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.held.has_remaining() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.held))?;
                self.wrote(written)?;
                self.held.advance(written);
                if self.held.is_empty() {
                    self.held = Bytes::new();
                }
            }
            if self.read {
                if !self.shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.shut = true;
                }
                return Poll::Ready(Ok(()));
            }
            let mut room = [const { MaybeUninit::uninit() }; READ];
            let mut room = ReadBuf::uninit(&mut room);
            if Pin::new(&mut *from).poll_read(cx, &mut room)?.is_pending() {
                if self.unflushed {
                    ready!(Pin::new(&mut *to).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            }
            let came = room.filled();
            if came.is_empty() {
                self.read = true;
                continue;
            }
            moved.store(true, Ordering::Relaxed);
            let written = match Pin::new(&mut *to).poll_write(cx, came)? {
                Poll::Ready(written) => self.wrote(written).map(|()| written)?,
                Poll::Pending => 0,
            };
            self.held = Bytes::copy_from_slice(came.get(written..).unwrap_or_default());
        }
    }

    fn wrote(&mut self, count: usize) -> io::Result<()> {
        self.unflushed = true;
        if count == 0 { Err(ErrorKind::WriteZero.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn all_bytes_arrive_in_order_both_ways_however_slowly_they_are_taken() {
        let ((mut left, inner_left), (inner_right, mut right)) = (duplex(700), duplex(90));
        let moved = AtomicBool::new(false);
        let sent: Vec<u8> = (0..300_000_u32).map(|count| (count % 251) as u8).collect();
        let talk = async {
            let (mut here, mut there) = (Vec::new(), Vec::new());
            let (mut left_in, mut left_out) = tokio::io::split(&mut left);
            let (mut right_in, mut right_out) = tokio::io::split(&mut right);
            let (a, b, c, d) = tokio::join!(
                async { left_out.write_all(&sent).await.and(left_out.shutdown().await) },
                async { right_out.write_all(&sent).await.and(right_out.shutdown().await) },
                left_in.read_to_end(&mut here),
                right_in.read_to_end(&mut there),
            );
            a.unwrap();
            b.unwrap();
            assert_eq!((c.unwrap(), d.unwrap()), (sent.len() + 5, sent.len()));
            assert_eq!((&here[..5], &here[5..], &there[..]), (&b"hello"[..], &sent[..], &sent[..]));
        };
        let (done, ()) = tokio::join!(splice(inner_left, inner_right, Bytes::from("hello"), &moved), talk);
        done.unwrap();
        assert!(moved.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn one_end_may_end_before_the_other() {
        let ((mut left, inner_left), (inner_right, mut right)) = (duplex(100), duplex(100));
        let moved = AtomicBool::new(false);
        let talk = async {
            left.shutdown().await.unwrap();
            assert_eq!(right.read(&mut [0; 8]).await.unwrap(), 0);
            right.write_all(b"still").await.unwrap();
            let mut got = [0; 5];
            left.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"still");
            drop(right);
        };
        let both = async { tokio::join!(splice(inner_left, inner_right, Bytes::new(), &moved), talk) };
        tokio::time::timeout(Duration::from_secs(5), both).await.unwrap().0.unwrap();
    }
}
