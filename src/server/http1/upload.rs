//! A request's body between the connection that reads it and whoever wants it: one frame at a time, read when
//! somebody asks, in whatever task that is.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::AsyncRead;

use crate::body::{BodyError, Interrupted, Standstill};
use crate::http1::{Decoder, Framing, closed};

type Item = Result<Frame<Bytes>, BodyError>;

/// What connection and reader share.
#[derive(Default)]
struct Slot {
    /// Read and not taken.
    item: Option<Item>,
    /// Nothing comes behind it.
    last: bool,
    /// Somebody waits for the next one.
    wanted: bool,
    reader: Option<Waker>,
    /// The connection, to be told that something is wanted, where another task wants it.
    connection: Option<Waker>,
}

#[derive(Default)]
struct Shared(Mutex<Slot>);

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's end of a body. Dropped before the body's end it fails the reader.
pub(super) struct Intake {
    decoder: Decoder,
    shared: Arc<Shared>,
    /// Whether the client waits for a 100 before it sends.
    expects: bool,
}

/// What came of looking for more of a body.
pub(super) enum Fed {
    /// Nobody waits, or nothing has come.
    Nothing,
    /// Somebody who waits in this task, too, has something now.
    Here,
    /// Another task was told.
    There,
}

/// A body that `framing` ends, and the reader's end of it, which may wait for `timeout` at most.
pub(super) fn open(framing: Framing, expects: bool, timeout: Duration) -> (Intake, Upload) {
    let (decoder, shared) = (Decoder::new(framing), Arc::<Shared>::default());
    let size = decoder.size_hint();
    let upload =
        Upload { shared: Arc::clone(&shared), size, standstill: Standstill::new(timeout), ended: false };
    (Intake { decoder, shared, expects }, upload)
}

impl Intake {
    /// Whether somebody waits for more. If not, the connection is woken when that changes.
    pub(super) fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let mut slot = self.shared.slot();
        if !slot.wanted && !slot.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            slot.connection = Some(cx.waker().clone());
        }
        slot.wanted
    }

    /// Whether the client is to be told to go on; true once.
    pub(super) fn take_expectation(&mut self) -> bool {
        std::mem::take(&mut self.expects)
    }

    pub(super) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether there is somebody to read it. The connection is woken when that changes.
    pub(super) fn is_read(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// Reads for whoever waits.
    pub(super) fn feed<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<(Fed, bool)> {
        let item = ready!(self.decoder.poll(stream, unread, cx));
        let broken = matches!(item, Some(Err(_)));
        let last = broken || self.decoder.is_done();
        let fed = match self.shared.give(item, last) {
            Some(reader) if reader.will_wake(cx.waker()) => Fed::Here,
            Some(reader) => {
                reader.wake();
                Fed::There
            }
            None => Fed::Nothing,
        };
        Poll::Ready((fed, broken))
    }

    /// Passes over what has come of a body that nobody reads, at most `max` bytes; true at its end.
    pub(super) fn swallow<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        mut max: usize,
        cx: &mut Context<'_>,
    ) -> bool {
        while max > 0 && !self.decoder.is_done() {
            let Poll::Ready(Some(Ok(frame))) = self.decoder.poll(stream, unread, cx) else { break };
            max = max.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
        self.decoder.is_done()
    }
}

impl Shared {
    /// Leaves something for the reader, or the end; who is to be told.
    fn give(&self, item: Option<Item>, last: bool) -> Option<Waker> {
        let mut slot = self.slot();
        (slot.item, slot.last, slot.wanted) = (item, last, false);
        slot.reader.take()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if !self.shared.slot().last
            && let Some(reader) = self.shared.give(Some(Err(closed().into())), true)
        {
            reader.wake();
        }
    }
}

/// The reader's end of a body. It fails when nothing comes for too long while somebody waits for it.
pub(super) struct Upload {
    shared: Arc<Shared>,
    size: SizeHint,
    standstill: Standstill,
    ended: bool,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = &mut *self;
        let mut slot = this.shared.slot();
        if slot.item.is_none() && !slot.last {
            slot.wanted = true;
            slot.reader = Some(cx.waker().clone());
            if let Some(connection) = slot.connection.take_if(|waker| !waker.will_wake(cx.waker())) {
                connection.wake();
            }
            drop(slot);
            ready!(this.standstill.poll(cx));
            return Poll::Ready(Some(Err(Interrupted::TimedOut.into())));
        }
        let item = slot.item.take();
        this.ended = slot.last;
        drop(slot);
        this.standstill.moved();
        if let (Some(Ok(frame)), Some(left)) = (&item, this.size.exact()) {
            let data = frame.data_ref().map_or(0, Bytes::len);
            this.size = SizeHint::with_exact(left.saturating_sub(data as u64));
        }
        Poll::Ready(item)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut slot = self.shared.slot();
        if let Some(connection) = slot.connection.take().filter(|_| !slot.last) {
            connection.wake();
        }
    }
}
