//! Events that clients are to answer: whom they were sent to, and what came back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{EventName, Socket};
use crate::json::Json;

/// What one socket answered.
#[derive(Debug)]
pub struct Answer {
    /// Who.
    pub socket: Arc<Socket>,
    /// What it was sent.
    pub event: EventName,
    /// The arguments of its ack; `None` where none came in time, or the socket was gone before, or it
    /// owes as many as it may, so that it was not asked.
    pub args: Option<Vec<Json>>,
}

/// How long answers are waited for, and what is done with each.
#[derive(Clone)]
pub struct Asking {
    /// From the sending.
    pub timeout: Duration,
    /// Where answers go, so that another node can hand them on as well: what [`Events::asking`](super::Events::asking)
    /// makes an asking of.
    pub place: Arc<str>,
    /// Called once for every socket.
    pub then: Arc<dyn Fn(Answer) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A socket that was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) socket: Arc<Socket>,
    pub(super) event: EventName,
    /// The ack that it owes; `None` where it was not asked.
    pub(super) waiting: Option<(u64, oneshot::Receiver<Vec<Json>>)>,
}

impl Asked {
    /// Whether the event was queued for it.
    pub(super) fn is_sent(&self) -> bool {
        self.waiting.is_some()
    }

    /// Waits for its answer.
    pub(super) async fn answer(self, deadline: Instant) -> Answer {
        let Asked { socket, event, waiting } = self;
        let args = match waiting {
            None => None,
            Some((id, receiver)) => match timeout_at(deadline, receiver).await {
                Ok(answer) => answer.ok(),
                Err(_) => {
                    socket.forget_ack(id);
                    None
                }
            },
        };
        Answer { socket, event, args }
    }
}

/// Waits for all of them and hands each answer on as it comes; no answer waits for what is done with
/// another.
pub(super) async fn hand_on(asked: Vec<Asked>, asking: Asking) {
    let deadline = Instant::now() + asking.timeout;
    let each = asked.into_iter().map(|asked| async { (asking.then)(asked.answer(deadline).await).await });
    let mut each: FuturesUnordered<_> = each.collect();
    while each.next().await.is_some() {}
}
