//! Keys that verify signatures, and sets of them.

use jsonwebtoken::DecodingKey;

use super::algorithm::{Algorithm, Kind};

/// Keys that one token without a `kid` is tried with: each costs as much as a signature.
const MAX_TRIES: usize = 16;

/// Least bits of an RSA modulus (RFC 7518 3.3).
const MIN_RSA_BITS: usize = 2048;

/// A key that verifies signatures.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The only algorithm it is for, where that is said.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) kind: Kind,
    decoding: DecodingKey,
}

impl Key {
    fn new(kind: Kind, decoding: DecodingKey) -> Key {
        Key { id: None, algorithm: None, kind, decoding }
    }

    pub(super) fn secret(secret: &[u8]) -> Key {
        Key::new(Kind::Secret, DecodingKey::from_secret(secret))
    }

    /// An RSA key of big-endian numbers. The error is what is wrong.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Key, &'static str> {
        let plain = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
        let (modulus, exponent) = (plain(modulus), plain(exponent));
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if (modulus.len() * 8).saturating_sub(unused) < MIN_RSA_BITS {
            return Err("an RSA key below 2048 bits");
        }
        Ok(Key::new(Kind::Rsa, DecodingKey::from_rsa_raw_components(&modulus, &exponent)))
    }

    /// A point on P-256 or P-384, not compressed (SEC 1 2.3.3).
    pub(super) fn elliptic(kind: Kind, point: &[u8]) -> Result<Key, &'static str> {
        let coordinate = match kind {
            Kind::P256 => 32,
            Kind::P384 => 48,
            _ => return Err("a curve that is not supported"),
        };
        if point.first() != Some(&4) || point.len() != 1 + 2 * coordinate {
            return Err("an EC key that is no uncompressed point of its curve");
        }
        Ok(Key::new(kind, DecodingKey::from_ec_der(point)))
    }

    pub(super) fn ed25519(bytes: &[u8]) -> Result<Key, &'static str> {
        if bytes.len() != 32 {
            return Err("an Ed25519 key that has not 32 bytes");
        }
        Ok(Key::new(Kind::Ed25519, DecodingKey::from_ed_der(bytes)))
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// Keys, one of which verifies a token.
#[derive(Debug)]
pub(super) struct KeySet(pub(super) Vec<Key>);

/// What a set of keys says of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Verified,
    /// The key that is named, or the only ones there are, did not make it.
    Refused,
    /// A newer set may have the key.
    UnknownKey,
}

impl KeySet {
    /// Verifies a signature (base64url) over `message`. With a `kid` by the key of that name, else by any
    /// that fits.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &str,
    ) -> Answer {
        let named = id.is_some_and(|id| self.0.iter().any(|key| key.id.as_deref() == Some(id)));
        let meant = |key: &&Key| match (id, key.id.as_deref()) {
            (Some(id), Some(own)) => id == own,
            // A key without a name stands for those that no other key has.
            (Some(_), None) => !named,
            (None, _) => true,
        };
        let fitting = self.0.iter().filter(meant).filter(|key| key.fits(algorithm)).take(MAX_TRIES);
        let made = |key: &Key| {
            jsonwebtoken::crypto::verify(signature, message, &key.decoding, algorithm).unwrap_or(false)
        };
        match fitting.into_iter().any(made) {
            true => Answer::Verified,
            false if named => Answer::Refused,
            false => Answer::UnknownKey,
        }
    }
}
