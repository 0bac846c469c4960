//! The sessions of this node by id.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dashmap::DashMap;

use super::session::Session;

/// The sessions of this node by id.
#[derive(Debug, Default)]
pub(super) struct Registry {
    sessions: DashMap<Arc<str>, Arc<Session>>,
}

impl Registry {
    pub(super) fn insert(&self, session: Arc<Session>) {
        self.sessions.insert(session.id().clone(), session);
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.get(id).map(|entry| entry.value().clone())
    }

    pub(super) fn remove(&self, id: &str) {
        self.sessions.remove(id);
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
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
