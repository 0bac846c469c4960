//! Memory that sockets are read into, one piece after the other used again by its thread.

use std::cell::RefCell;

use bytes::Bytes;

/// Bytes of a buffer: what is read at once where little is expected.
pub(super) const SMALL: usize = 16 * 1024;

/// More than this much is given away with its buffer, without a copy: at most half of the memory is held for nothing.
const WHOLE: usize = SMALL / 2;

/// Buffers that a thread keeps. More are given back to the allocator.
const KEPT: usize = 64;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// [`SMALL`] bytes to read into, with whatever was read before. It goes back to its thread when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// How much was read.
    filled: usize,
}

impl Buffer {
    /// The one that was used last, whose memory the processor is likeliest to have at hand.
    pub(super) fn take() -> Buffer {
        let kept = BUFFERS.with_borrow_mut(Vec::pop);
        Buffer { bytes: kept.unwrap_or_else(|| vec![0; SMALL]), filled: 0 }
    }

    /// Where to read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// What was read, which are the first `filled` bytes. Little of it takes the memory it needs and no more.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled;
        if filled > WHOLE { Bytes::from_owner(self) } else { Bytes::copy_from_slice(self.as_ref()) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A thread that ends keeps nothing any more.
        let _ = BUFFERS.try_with(|buffers| {
            let mut kept = buffers.borrow_mut();
            if kept.len() < KEPT {
                kept.push(std::mem::take(&mut self.bytes));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Bytes {
        let mut buffer = Buffer::take();
        buffer.room()[..text.len()].copy_from_slice(text);
        buffer.freeze(text.len())
    }

    fn kept() -> usize {
        BUFFERS.with_borrow(Vec::len)
    }

    #[test]
    fn what_is_held_is_not_written_over() {
        let (large, small) = (vec![b'a'; SMALL], b"small");
        let (first, second) = (read(&large), read(small));
        let third = read(&vec![b'b'; WHOLE + 1]);
        assert_eq!((first, second), (Bytes::from(large), Bytes::from_static(small)));
        assert_eq!(third, vec![b'b'; WHOLE + 1]);
    }

    #[test]
    fn a_buffer_comes_back_with_the_last_who_holds_of_it() {
        let whole = read(&vec![b'a'; WHOLE + 1]);
        let (part, before) = (whole.slice(10..20), kept());
        drop(whole);
        assert_eq!(kept(), before);
        drop(part);
        assert_eq!(kept(), before + 1);
        let _little = read(&vec![b'a'; WHOLE]);
        assert_eq!(kept(), before + 1);
    }

    #[test]
    fn a_thread_keeps_so_many_and_no_more() {
        let held: Vec<Bytes> = (0..2 * KEPT).map(|_| read(&[b'a'; SMALL])).collect();
        drop(held);
        assert_eq!(kept(), KEPT);
    }
}
