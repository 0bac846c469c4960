//! Questions to all other nodes, and their answers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::registry::NodeId;
use super::wire::Given;

/// Answers that may wait to be read. There is one of each node.
const MAX_ANSWERS: usize = 1_024;

/// The questions that are open.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: AtomicU64,
    open: Mutex<HashMap<u64, mpsc::Sender<(NodeId, Given)>>>,
}

/// An open question. It closes when this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    requests: Arc<Requests>,
    number: u64,
    answers: mpsc::Receiver<(NodeId, Given)>,
    /// Who has not answered.
    waited_for: HashSet<NodeId>,
}

impl Requests {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<(NodeId, Given)>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a question to these nodes.
    pub(super) fn begin(self: &Arc<Self>, nodes: Vec<NodeId>) -> Open {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answers) = mpsc::channel(MAX_ANSWERS);
        self.open().insert(number, sender);
        Open { requests: self.clone(), number, answers, waited_for: nodes.into_iter().collect() }
    }

    /// Hands an answer to whoever asked.
    pub(super) fn answer(&self, number: u64, sender: NodeId, given: Given) {
        let asker = self.open().get(&number).cloned();
        if let Some(asker) = asker {
            // More answers than fit are of nobody that was asked.
            let _ = asker.try_send((sender, given));
        }
    }
}

impl Open {
    /// What the answers refer to.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the answers of all, or until `enough`; how many did not answer within `time`.
    pub(super) async fn gather(mut self, time: Duration, mut take: impl FnMut(Given) -> bool) -> usize {
        let deadline = Instant::now() + time;
        while !self.waited_for.is_empty() {
            let Ok(Some((sender, given))) = timeout_at(deadline, self.answers.recv()).await else { break };
            // One that nobody knew yet is heard as well.
            self.waited_for.remove(&sender);
            if take(given) {
                return 0;
            }
        }
        self.waited_for.len()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.requests.open().remove(&self.number);
    }
}
