//! A session's outgoing queue, bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::Frame;

/// Frames that belong together and leave together: a packet and its attachments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parcel {
    first: Frame,
    rest: Option<Arc<[Frame]>>,
    fate: Fate,
}

/// What becomes of a parcel whose client does not take it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It waits; where there is no room for it, the client is disconnected.
    Kept,
    /// It is dropped for a client that is not ready.
    Volatile,
    /// It waits; where there is no room for it, it is dropped.
    Spare,
}

impl Fate {
    fn new(volatile: bool) -> Fate {
        if volatile { Fate::Volatile } else { Fate::Kept }
    }
}

impl Parcel {
    /// One frame.
    pub fn new(frame: Frame, volatile: bool) -> Parcel {
        Parcel { first: frame, rest: None, fate: Fate::new(volatile) }
    }

    /// A frame and its attachments.
    pub fn with_attachments(frame: Frame, attachments: Vec<Frame>, volatile: bool) -> Parcel {
        let rest = (!attachments.is_empty()).then(|| attachments.into());
        Parcel { first: frame, rest, fate: Fate::new(volatile) }
    }

    /// The same, to be dropped where there is no room for it.
    pub fn spare(self) -> Parcel {
        Parcel { fate: Fate::Spare, ..self }
    }

    /// Whether it is dropped where there is no room for it.
    pub(super) fn is_spare(&self) -> bool {
        self.fate == Fate::Spare
    }

    /// How many frames it has.
    pub(super) fn frame_count(&self) -> usize {
        1 + self.attachments().len()
    }

    /// Whether it may be dropped for a client that is not ready.
    pub fn volatile(&self) -> bool {
        self.fate == Fate::Volatile
    }

    /// Never: a packet has a type.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn attachments(&self) -> &[Frame] {
        self.rest.as_deref().unwrap_or_default()
    }

    /// Bytes of its frames.
    pub fn len(&self) -> usize {
        self.first.len() + self.attachments().iter().map(Frame::len).sum::<usize>()
    }

    /// The text of the packet, behind its type.
    pub fn text(&self) -> &str {
        let text = self.first.payload().get(1..).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Bytes of the message and its attachments, without what transports put around them.
    pub fn payload_len(&self) -> usize {
        let frames = std::iter::once(&self.first).chain(self.attachments());
        frames.map(|frame| frame.payload().len()).sum::<usize>().saturating_sub(1)
    }

    /// The frames as a polling body.
    #[cfg(test)]
    pub(crate) fn polling_for_tests(&self) -> String {
        let mut body = bytes::BytesMut::new();
        self.frames().for_each(|frame| frame.polling(&mut body));
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Its frames, in order.
    #[cfg(test)]
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        std::iter::once(&self.first).chain(self.attachments())
    }
}

/// Parcels that wait for the client.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parcels: VecDeque<Parcel>,
    /// Bytes in `parcels`.
    waiting: usize,
    /// Bytes that a writer took and has not yet written.
    writing: usize,
    /// Bytes that may wait beside the bound until the queue is empty.
    extra: usize,
}

/// The parcel does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }

    /// Adds a parcel. One that finds nothing before it always fits, however large: it is not
    /// the client that is slow.
    pub(super) fn push(&mut self, parcel: &Parcel, max: usize, drop_volatile: bool) -> Result<usize, Full> {
        let length = parcel.len();
        let mut dropped = 0;
        if drop_volatile && !self.fits(length, max) {
            dropped = self.drop_volatile();
        }
        if !self.fits(length, max) {
            return Err(Full);
        }
        self.waiting += length;
        self.parcels.push_back(parcel.clone());
        Ok(dropped)
    }

    /// Adds what must fit: it was bounded by whoever kept it, and counts beside what follows.
    pub(super) fn push_extra(&mut self, parcel: &Parcel) {
        let length = parcel.len();
        self.extra += length;
        self.waiting += length;
        self.parcels.push_back(parcel.clone());
    }

    fn fits(&self, length: usize, max: usize) -> bool {
        let before = self.waiting + self.writing;
        before == 0 || before + length <= max.saturating_add(self.extra)
    }

    fn drop_volatile(&mut self) -> usize {
        let before = self.parcels.len();
        self.parcels.retain(|parcel| !parcel.volatile());
        self.waiting = self.parcels.iter().map(Parcel::len).sum();
        before - self.parcels.len()
    }

    /// Takes parcels for a writer until their frames pass `enough` bytes. They count as waiting
    /// until [`written`](Self::written).
    pub(super) fn take(&mut self, enough: usize, mut each: impl FnMut(Frame)) {
        let mut taken = 0;
        while taken < enough {
            let Some(parcel) = self.parcels.pop_front() else { break };
            taken += parcel.len();
            let Parcel { first, rest, .. } = parcel;
            each(first);
            rest.iter().flat_map(|rest| rest.iter()).for_each(|frame| each(frame.clone()));
        }
        self.waiting -= taken;
        self.writing += taken;
        if self.parcels.is_empty() && self.parcels.capacity() > KEEP_CAPACITY {
            self.parcels = VecDeque::new();
        }
    }

    /// What was taken has been written.
    pub(super) fn written(&mut self) {
        self.writing = 0;
        if self.waiting == 0 {
            self.extra = 0;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }
}

/// Parcels whose room is kept for the next burst; ten thousand idle sessions should not each
/// keep the room of their largest one.
const KEEP_CAPACITY: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(bytes: usize, volatile: bool) -> Parcel {
        // Two bytes of WebSocket header.
        Parcel::new(Frame::binary(&vec![0; bytes - 2]), volatile)
    }

    #[test]
    fn bytes_are_bounded_until_they_are_written() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(&parcel(60, false), 100, false), Ok(0));
        assert_eq!(queue.push(&parcel(40, false), 100, false), Ok(0));
        assert_eq!(queue.push(&parcel(2, false), 100, false), Err(Full));
        let mut frames = 0;
        queue.take(usize::MAX, |_| frames += 1);
        assert_eq!(frames, 2);
        assert_eq!(queue.push(&parcel(2, false), 100, false), Err(Full));
        queue.written();
        assert_eq!(queue.push(&parcel(100, false), 100, false), Ok(0));
    }

    #[test]
    fn one_large_parcel_alone_fits() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(&parcel(120, false), 100, false), Ok(0));
        assert_eq!(queue.push(&parcel(2, false), 100, false), Err(Full));
    }

    #[test]
    fn what_was_kept_for_a_client_counts_beside_the_bound_until_it_is_written() {
        let mut queue = Queue::default();
        queue.push_extra(&parcel(150, false));
        queue.push_extra(&parcel(150, false));
        assert_eq!(queue.push(&parcel(100, false), 100, false), Ok(0));
        assert_eq!(queue.push(&parcel(2, false), 100, false), Err(Full));
        queue.take(usize::MAX, |_| {});
        queue.written();
        assert_eq!(queue.push(&parcel(100, false), 100, false), Ok(0));
        assert_eq!(queue.push(&parcel(2, false), 100, false), Err(Full));
    }

    #[test]
    fn volatile_parcels_give_way_when_told_so() {
        let mut queue = Queue::default();
        for _ in 0..5 {
            assert_eq!(queue.push(&parcel(20, true), 100, true), Ok(0));
        }
        assert_eq!(queue.push(&parcel(80, false), 100, true), Ok(5));
        assert_eq!(queue.push(&parcel(80, false), 100, true), Err(Full));
    }
}
