//! Keeps what is written down from whoever reads Redis: it holds tokens, cookies and what rules remember.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Encrypts with a key that all nodes have: AES-256-GCM (NIST SP 800-38D), the nonce before the text. Keys of the
/// newest secret first: it encrypts, all of them decrypt.
pub(super) struct Safe(Vec<LessSafeKey>);

impl std::fmt::Debug for Safe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Safe")
    }
}

impl Safe {
    /// With keys made of what all nodes know, for one purpose.
    pub(super) fn new(secrets: &[String], purpose: &str) -> Option<Safe> {
        let key = |secret: &String| {
            let mut key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            key.update(purpose.as_bytes());
            let key = UnboundKey::new(&AES_256_GCM, &key.finalize().into_bytes()).ok()?;
            Some(LessSafeKey::new(key))
        };
        secrets.iter().map(key).collect::<Option<Vec<_>>>().map(Safe)
    }

    /// Encrypts a record. It can only be read together with `place`, which is not in it.
    pub(super) fn close(&self, place: &[u8], record: &impl Serialize) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = serde_json::to_vec(record).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.first()?.seal_in_place_append_tag(unique, Aad::from(place), &mut text).ok()?;
        Some([&nonce[..], &text].concat())
    }

    /// Decrypts one.
    pub(super) fn open<T: DeserializeOwned>(&self, place: &[u8], closed: &[u8]) -> Option<T> {
        let (nonce, text) = closed.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut text = text.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let text = key.open_in_place(nonce, Aad::from(place), &mut text).ok()?;
            serde_json::from_slice(text).ok()
        })
    }
}
