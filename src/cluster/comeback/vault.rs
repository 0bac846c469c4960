//! How what is known of a client is found and kept in Redis.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cluster::key::Keys;
use crate::cluster::registry::NodeId;
use crate::cluster::safe::Safe;
use crate::socketio::Past;

/// Groups of keys, each in one slot of a Redis Cluster.
pub(super) const GROUPS: usize = 16;

/// Hexadecimal digits of a life, which come first, and of a node behind it.
const DIGITS: usize = 16;

/// Names keys and encrypts values.
pub(super) struct Vault {
    keys: Keys,
    safe: Option<Safe>,
    prefix: String,
}

/// Who is asked for, between nodes.
#[derive(Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) pid: String,
    pub(super) namespace: String,
}

impl Vault {
    /// With keys made of what all nodes know.
    pub(super) fn new(secrets: &[String], prefix: &str) -> Vault {
        Vault {
            keys: Keys::derive(secrets, "frontroom clients that come back 1"),
            safe: Safe::new(secrets, "frontroom clients that come back 2"),
            prefix: prefix.to_owned(),
        }
    }

    /// The keys of a client by all secrets, the newest first. Nobody learns the `pid` from one.
    pub(super) fn keys(&self, pid: &str, namespace: &str) -> Vec<String> {
        let codes = self.keys.codes(&[pid.as_bytes(), &[0], namespace.as_bytes()]);
        let key = |code: [u8; 32]| {
            let [first, rest @ ..] = code;
            let group = usize::from(first) % GROUPS;
            let name = URL_SAFE_NO_PAD.encode(rest.get(..16).unwrap_or_default());
            format!("{{{}:{group:02}}}:client:{name}", self.prefix)
        };
        codes.into_iter().map(key).collect()
    }

    /// The group of a key.
    pub(super) fn group(&self, key: &str) -> usize {
        let digits = key.get(self.prefix.len() + 2..self.prefix.len() + 4);
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// A life as it is written.
    pub(super) fn life(life: u64) -> String {
        format!("{life:016x}")
    }

    /// What is written behind the life: the node, and the rest encrypted.
    pub(super) fn close(&self, key: &str, node: NodeId, past: &Past) -> Option<Vec<u8>> {
        let head = node.to_string();
        let place = format!("{key}{}{head}", Vault::life(past.life()));
        let closed = self.safe.as_ref()?.close(place.as_bytes(), past)?;
        Some([head.as_bytes(), &closed].concat())
    }

    /// Reads what was written: the node that had the client, and what it knew of it.
    pub(super) fn open(&self, key: &str, found: &[u8]) -> Option<(NodeId, Past)> {
        let (head, closed) = found.split_at_checked(2 * DIGITS)?;
        let head = std::str::from_utf8(head).ok()?;
        let past = self.safe.as_ref()?.open(format!("{key}{head}").as_bytes(), closed)?;
        Some((head.get(DIGITS..)?.parse().ok()?, past))
    }

    /// The same between nodes.
    pub(super) fn close_between(&self, said: &impl Serialize) -> Option<Bytes> {
        self.safe.as_ref()?.close(b"between nodes", said).map(Bytes::from)
    }

    pub(super) fn open_between<T: serde::de::DeserializeOwned>(&self, closed: &[u8]) -> Option<T> {
        self.safe.as_ref()?.open(b"between nodes", closed)
    }
}
