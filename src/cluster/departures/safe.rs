//! Keeps records from whoever reads Redis: they hold tokens and cookies.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::socketio::Record;

/// Encrypts with a key that all nodes have: AES-256-GCM (NIST SP 800-38D), the nonce before the text. Keys of the
/// newest secret first: it encrypts, all of them decrypt.
pub(super) struct Safe(Vec<LessSafeKey>);

/// What a socket's record is found by. It tells nothing of it.
pub(super) type Field = [u8; 16];

impl std::fmt::Debug for Safe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Safe")
    }
}

impl Safe {
    /// With keys made of what all nodes know.
    pub(super) fn new(secrets: &[String]) -> Option<Safe> {
        let key = |secret: &String| {
            let mut key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            key.update(b"frontroom cluster records");
            let key = UnboundKey::new(&AES_256_GCM, &key.finalize().into_bytes()).ok()?;
            Some(LessSafeKey::new(key))
        };
        secrets.iter().map(key).collect::<Option<Vec<_>>>().map(Safe)
    }

    /// Encrypts a record.
    pub(super) fn close(&self, record: &Record) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = serde_json::to_vec(record).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.first()?.seal_in_place_append_tag(unique, Aad::empty(), &mut text).ok()?;
        Some([&nonce[..], &text].concat())
    }

    /// Decrypts one.
    pub(super) fn open(&self, closed: &[u8]) -> Option<Record> {
        let (nonce, text) = closed.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut text = text.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let text = key.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
            serde_json::from_slice(text).ok()
        })
    }
}

/// The field of a socket.
pub(super) fn field(namespace: &str, id: &str) -> Field {
    let digest = Sha256::digest(format!("{id} {namespace}").as_bytes());
    let mut field = Field::default();
    field.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    field
}
