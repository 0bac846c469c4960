//! Catches panics where one request or event can end and everything else goes on.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use super::metrics;

/// Longest message that is kept, in bytes.
const MAX_MESSAGE: usize = 1000;

/// A panic that was caught: a defect of frontroom's own. Where it happened stands on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    /// What it says.
    pub message: String,
}

/// Does some work of a `request` or an `event`, to its end or its panic. What the work held is dropped then;
/// locks are not poisoned, since nobody asks whether they are. The work stays where it is pinned: a request's future is
/// too large to be moved.
pub fn caught<T>(
    kind: &'static str,
    mut work: impl Future<Output = T> + Unpin,
) -> impl Future<Output = Result<T, Panicked>> + Unpin {
    poll_fn(move |cx| match caught_at_once(kind, || Pin::new(&mut work).poll(cx)) {
        Ok(done) => done.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
}

/// The same for work that waits for nothing.
pub fn caught_at_once<T>(kind: &str, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked::of(kind, &*panic))
}

impl Panicked {
    fn of(kind: &str, panic: &(dyn Any + Send)) -> Panicked {
        metrics::panic(kind);
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message: String = text.unwrap_or("it says nothing").chars().take(MAX_MESSAGE).collect();
        Panicked { message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_what_it_says() {
        let said = |result: Result<(), Panicked>| result.unwrap_err().message;
        assert_eq!(said(caught_at_once("event", || panic!("plain"))), "plain");
        assert_eq!(said(caught_at_once("event", || panic!("of {}", 2))), "of 2");
        assert_eq!(said(caught_at_once("event", || std::panic::panic_any(7))), "it says nothing");
        assert_eq!(said(caught_at_once("event", || panic!("{}", "é".repeat(2000)))).chars().count(), 1000);
        assert_eq!(caught_at_once("event", || 7), Ok(7));
    }
}
