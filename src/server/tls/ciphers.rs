//! Whose order of cipher suites counts: ours, unless the client computes AES slowly.

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{DEFAULT_CIPHER_SUITES, default_provider};

/// The default suites, AES-128 with SHA-256 first: processors have instructions for both. Clients that use OpenSSL
/// offer AES-256 with SHA-384 first, for which few have any, and a handshake hashes a lot.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = default_provider();
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite.suite()));
    provider
}

/// Whether a client offers ChaCha20 before what else we know, as those do that have no instructions for AES.
pub(super) fn want_chacha(offered: &[CipherSuite]) -> bool {
    // Chrome begins with one that nobody knows (RFC 8701).
    let known = |suite: &&CipherSuite| DEFAULT_CIPHER_SUITES.iter().any(|known| known.suite() == **suite);
    offered.iter().find(known).is_some_and(|first| is_chacha(*first))
}

fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

fn is_chacha(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}
