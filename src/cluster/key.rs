//! Keys that come of the cluster's secrets, each for one purpose.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256, ready for a message.
type Code = Hmac<Sha256>;

/// Bytes of a whole code.
pub(super) const WHOLE: usize = 32;

/// The keys of one purpose, of the newest secret first: it makes codes, all of them know codes. A new secret
/// is added as the second at every node, then made the first, then the old one is taken away.
#[derive(Clone)]
pub struct Keys(Vec<Code>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Derives them: what is made for one purpose is of no use for another.
    pub fn derive(secrets: &[String], purpose: &str) -> Keys {
        // Any length of key is a key, so this never skips one.
        let code = |key: &[u8]| Code::new_from_slice(key).ok();
        let derived = secrets.iter().filter_map(|secret| {
            let whole = code(secret.as_bytes())?.chain_update(purpose.as_bytes()).finalize();
            code(&whole.into_bytes())
        });
        Keys(derived.collect())
    }

    /// The code of a message, whose parts are one after another.
    pub fn code(&self, parts: &[&[u8]]) -> [u8; WHOLE] {
        self.0.first().map_or([0; WHOLE], |key| of(key, parts).finalize().into_bytes().into())
    }

    /// The codes of a message by all secrets, the newest first.
    pub(super) fn codes(&self, parts: &[&[u8]]) -> Vec<[u8; WHOLE]> {
        self.0.iter().map(|key| of(key, parts).finalize().into_bytes().into()).collect()
    }

    /// Whether `code` is the beginning of the message's, or all of it. Takes as long for a wrong one as for another.
    pub fn knows(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        self.0.iter().any(|key| of(key, parts).verify_truncated_left(code).is_ok())
    }
}

fn of(key: &Code, parts: &[&[u8]]) -> Code {
    parts.iter().fold(key.clone(), |code, part| code.chain_update(part))
}
