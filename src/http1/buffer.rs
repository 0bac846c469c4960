//! Memory that sockets are read into, one piece after the other used again by its thread.

use std::cell::RefCell;
use std::io;
use std::task::Poll;

use bytes::Bytes;

/// Bytes of a buffer: what is read at once where little is expected.
pub(super) const SMALL: usize = 16 * 1024;

/// This much and more is given away with its buffer, without a copy: at most half of the memory is held for nothing.
const WHOLE: usize = SMALL / 2;

/// Buffers that a thread keeps. More are given back to the allocator.
const KEPT: usize = 64;

thread_local! {
    /// The one that was used last is the last, whose memory the processor is likeliest to have at hand.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Puts what `read` writes to a buffer of [`SMALL`] bytes behind what is `unread`; `read` says how much it is. Little of
/// it takes the memory it needs and no more.
pub(super) fn poll_behind(
    unread: &mut Bytes,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    BUFFERS.with_borrow_mut(|buffers| {
        let mut bytes = buffers.pop().unwrap_or_else(|| vec![0; SMALL]);
        let polled = read(&mut bytes);
        let Poll::Ready(Ok(filled)) = polled else {
            buffers.push(bytes);
            return polled;
        };
        if filled >= WHOLE && unread.is_empty() {
            *unread = Bytes::from_owner(Lent { bytes, filled });
        } else {
            let new = bytes.get(..filled).unwrap_or_default();
            *unread = [unread.as_ref(), new].concat().into();
            buffers.push(bytes);
        }
        polled
    })
}

/// A buffer of which somebody holds what was read. It goes back to the thread where the last one drops it.
struct Lent {
    bytes: Vec<u8>,
    filled: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // A thread that ends keeps nothing any more, and one that reads just now has what it needs.
        let _ = BUFFERS.try_with(|buffers| {
            let mut kept = buffers.try_borrow_mut().ok().filter(|kept| kept.len() < KEPT)?;
            kept.push(std::mem::take(&mut self.bytes));
            Some(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Bytes {
        let mut bytes = Bytes::new();
        read_behind(&mut bytes, text);
        bytes
    }

    fn read_behind(unread: &mut Bytes, text: &[u8]) {
        let read = poll_behind(unread, |room| {
            room[..text.len()].copy_from_slice(text);
            Poll::Ready(Ok(text.len()))
        });
        assert!(matches!(read, Poll::Ready(Ok(read)) if read == text.len()));
    }

    fn kept() -> usize {
        BUFFERS.with_borrow(Vec::len)
    }

    #[test]
    fn what_is_held_is_not_written_over() {
        let (large, small) = (vec![b'a'; SMALL], b"small");
        let (first, second) = (read(&large), read(small));
        let third = read(&vec![b'b'; WHOLE]);
        assert_eq!((first, second), (Bytes::from(large), Bytes::from_static(small)));
        assert_eq!(third, vec![b'b'; WHOLE]);
    }

    #[test]
    fn a_buffer_comes_back_with_the_last_who_holds_of_it() {
        let whole = read(&vec![b'a'; WHOLE]);
        let (part, before) = (whole.slice(10..20), kept());
        drop(whole);
        assert_eq!(kept(), before);
        drop(part);
        assert_eq!(kept(), before + 1);
        let _little = read(&vec![b'a'; WHOLE - 1]);
        assert_eq!(kept(), before + 1);
    }

    #[test]
    fn what_comes_later_stands_behind_what_came_before() {
        let mut unread = read(b"a");
        for more in [&b"b"[..], &[b'c'; SMALL], b"d"] {
            read_behind(&mut unread, more);
        }
        assert_eq!(unread, [b"ab", &[b'c'; SMALL][..], b"d"].concat());
    }

    #[test]
    fn a_thread_keeps_so_many_and_no_more() {
        let held: Vec<Bytes> = (0..2 * KEPT).map(|_| read(&[b'a'; SMALL])).collect();
        drop(held);
        assert_eq!(kept(), KEPT);
    }

    #[test]
    fn one_that_comes_back_while_another_is_read_to_disturbs_nobody() {
        let held = read(&[b'a'; SMALL]);
        let mut unread = Bytes::new();
        let read = poll_behind(&mut unread, |room| {
            drop(held);
            room.fill(b'b');
            Poll::Ready(Ok(room.len()))
        });
        assert!(matches!(read, Poll::Ready(Ok(SMALL))) && unread == vec![b'b'; SMALL]);
        assert!(matches!(poll_behind(&mut unread, |_| Poll::Pending), Poll::Pending));
        assert_eq!(unread.len(), SMALL);
    }
}
