//! Holding back a client that sends faster than its messages are handled.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Options;
use super::session::{Session, State};
use crate::telemetry::metrics;

/// Bytes that a waiting message takes beside its own, so that a flood of empty ones is bounded too.
const OVERHEAD: usize = 256;

/// Bytes of messages that are being handled. While too many are, the session is not read from.
#[derive(Debug)]
pub struct Hold {
    session: Arc<Session>,
    bytes: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let reader = {
            let mut state = self.session.state();
            state.held -= self.bytes;
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Session {
    /// Counts `bytes` and what else a message takes as being handled until the hold is dropped.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Hold {
        let bytes = bytes + OVERHEAD;
        let fell_deaf = {
            let mut state = self.state();
            let before = state.deaf(self.options());
            state.held += bytes;
            !before && state.deaf(self.options())
        };
        if fell_deaf {
            metrics::held_back();
        }
        Hold { session: self.clone(), bytes }
    }

    /// Whether more may be read: `Pending` while as much as a largest message is being handled.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.ended.is_none() && state.is_deaf(self.options(), cx) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Waits, as a reader, for the end.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.ended.is_some() {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    /// Whether nothing more may be read for now; the reader is woken when that changes.
    pub(super) fn is_deaf(&mut self, options: &Options, cx: &Context<'_>) -> bool {
        let deaf = self.deaf(options);
        if deaf {
            self.reader = Some(cx.waker().clone());
        }
        deaf
    }

    /// Whether so much is being handled that nothing more is read.
    pub(super) fn deaf(&self, options: &Options) -> bool {
        self.held > 0 && self.held >= options.max_payload
    }
}
