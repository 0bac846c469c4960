//! The way between nodes: every node hears what is published for all, and what is published for it alone.

mod outbox;
mod publisher;
mod recent;
mod senders;
mod stream;
mod subscriber;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

pub(super) use outbox::{Channel, Outbox};
pub(super) use publisher::Publisher;
pub(super) use stream::Stream;
pub(super) use subscriber::{Ear, Heard, Hearing, subscribe};

/// Wait before a connection is tried again: doubled from the first to the second, and never the same for two nodes.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Waits, longer each time.
#[derive(Debug)]
struct Patience(Duration);

impl Patience {
    fn new() -> Patience {
        Patience(BACK_OFF.0)
    }

    async fn wait(&mut self) {
        sleep(self.0.mul_f64(rand::random_range(0.5..1.0))).await;
        self.0 = (self.0 * 2).min(BACK_OFF.1);
    }
}

/// Names of the channels.
#[derive(Debug, Clone)]
pub(super) struct Channels {
    /// What all nodes hear.
    pub(super) all: Arc<str>,
    prefix: Arc<str>,
}

impl Channels {
    pub(super) fn new(prefix: &Arc<str>) -> Channels {
        Channels { all: format!("{prefix}:bus").into(), prefix: prefix.clone() }
    }

    /// What one node hears.
    pub(super) fn of(&self, node: super::NodeId) -> String {
        format!("{}:to:{node}", self.prefix)
    }
}
