//! Work that goes on when its client leaves.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Work that goes on when whoever waits for it leaves: what a backend has done, others are to hear of.
/// While somebody waits, it costs no task.
pub(super) struct Outlive<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>)
where
    T: Send + 'static;

impl<T: Send + 'static> Outlive<T> {
    /// Wraps work.
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Outlive<T> {
        Outlive(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Outlive<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Work that panics is gone: nobody polls it again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Outlive<T> {
    fn drop(&mut self) {
        let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(work);
    }
}
