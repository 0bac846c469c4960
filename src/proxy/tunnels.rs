//! Tunnels that whoever carries them can end, one after another, before it goes itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::telemetry::metrics;

/// A cheap handle on open tunnels.
#[derive(Debug, Clone, Default)]
pub struct Tunnels(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    ends: HashMap<u64, End>,
}

/// Ends its tunnel when it is dropped.
#[derive(Debug)]
pub struct End(#[allow(dead_code, reason = "it speaks by being dropped")] oneshot::Sender<()>);

/// An open tunnel, listed until it is dropped.
#[derive(Debug)]
pub(super) struct Tunnel {
    tunnels: Tunnels,
    id: u64,
    end: oneshot::Receiver<()>,
}

impl Tunnels {
    /// What ends each tunnel that is open now.
    pub fn take(&self) -> Vec<End> {
        self.open().ends.drain().map(|(_, end)| end).collect()
    }

    pub(super) fn enter(&self) -> Tunnel {
        let (sender, end) = oneshot::channel();
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        open.ends.insert(id, End(sender));
        metrics::cluster_tunnels(1.0);
        Tunnel { tunnels: self.clone(), id, end }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tunnel {
    /// Waits until it is to end.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.end).await;
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.tunnels.open().ends.remove(&self.id);
        metrics::cluster_tunnels(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_tunnel_ends_when_it_is_told_and_is_forgotten_when_it_has_ended() {
        let tunnels = Tunnels::default();
        let (mut one, other) = (tunnels.enter(), tunnels.enter());
        drop(other);
        assert!(tokio::time::timeout(Duration::from_millis(5), one.ended()).await.is_err());
        let ends = tunnels.take();
        assert_eq!(ends.len(), 1);
        drop(ends);
        one.ended().await;
        assert!(tunnels.take().is_empty());
    }
}
