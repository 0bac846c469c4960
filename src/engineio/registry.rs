//! The sessions of this node by id, bounded in all and by address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dashmap::DashMap;

use super::session::{Session, Transport};
use crate::headers::network;
use crate::telemetry::metrics;

/// The sessions of this node by id.
#[derive(Debug, Default)]
pub(super) struct Registry {
    sessions: DashMap<Arc<str>, Arc<Session>>,
    count: AtomicUsize,
    /// Those of them that poll.
    polling: AtomicUsize,
    /// How many sessions an address has, kept for those that are opened under a bound.
    addresses: DashMap<IpAddr, usize>,
}

/// No room for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowded {
    /// On this node.
    Node,
    /// For this address.
    Address,
}

impl Registry {
    /// Adds a session, within the bounds it is opened under.
    pub(super) fn insert(&self, session: &Arc<Session>) -> Result<(), Crowded> {
        let max = session.options().max_sessions;
        if self.count.fetch_add(1, Ordering::Relaxed) >= max && max > 0 {
            self.count.fetch_sub(1, Ordering::Relaxed);
            metrics::refused("socketio.max_sessions");
            return Err(Crowded::Node);
        }
        if !self.enter(session) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            metrics::refused("socketio.max_sessions_per_ip");
            return Err(Crowded::Address);
        }
        self.polling.fetch_add(usize::from(session.transport() == Transport::Polling), Ordering::Relaxed);
        self.sessions.insert(session.id().clone(), session.clone());
        Ok(())
    }

    /// A session polls no more.
    pub(super) fn upgraded(&self) {
        self.polling.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn polling(&self) -> usize {
        self.polling.load(Ordering::Relaxed)
    }

    /// Counts a session for its address; false when there are too many.
    fn enter(&self, session: &Session) -> bool {
        let max = session.options().max_sessions_per_ip;
        if max == 0 {
            return true;
        }
        let mut count = self.addresses.entry(network(session.handshake().forwarded.client)).or_default();
        let fits = *count < max;
        *count += usize::from(fits);
        fits
    }

    fn leave(&self, session: &Session) {
        if session.options().max_sessions_per_ip == 0 {
            return;
        }
        self.addresses.remove_if_mut(&network(session.handshake().forwarded.client), |_, count| {
            *count -= 1;
            *count == 0
        });
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.get(id).map(|entry| entry.value().clone())
    }

    pub(super) fn remove(&self, id: &str) {
        if let Some((_, session)) = self.sessions.remove(id) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.polling.fetch_sub(usize::from(session.transport() == Transport::Polling), Ordering::Relaxed);
            self.leave(&session);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.iter().map(|entry| entry.value().clone()).collect()
    }
}

/// An unguessable id of 20 base64url characters (120 random bits), as long as Node's.
pub fn random_id() -> Arc<str> {
    let bytes: [u8; 15] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes).into()
}
