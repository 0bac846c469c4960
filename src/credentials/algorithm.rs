//! Names of signature algorithms (RFC 7518 3.1, RFC 8037, RFC 9864), and which kind of key each needs.

pub(super) use jsonwebtoken::Algorithm;

/// Every name, for messages.
pub(super) const KNOWN: &str =
    "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";

/// The algorithm of a name, exactly as the standard spells it. `none` is no algorithm.
pub(super) fn parse(name: &str) -> Option<Algorithm> {
    match name {
        // What RFC 9864 calls EdDSA with this curve, the only one there is here.
        "Ed25519" => Some(Algorithm::EdDSA),
        name => name.parse().ok(),
    }
}

/// The kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    /// Whether a key of this kind verifies signatures of an algorithm. Without this a public key could
    /// be taken for the secret of an HMAC (RFC 8725 2.1).
    pub(super) fn fits(self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Kind::Secret => matches!(algorithm, HS256 | HS384 | HS512),
            Kind::Rsa => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Kind::P256 => algorithm == ES256,
            Kind::P384 => algorithm == ES384,
            Kind::Ed25519 => algorithm == EdDSA,
        }
    }
}
