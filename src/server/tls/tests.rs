//! Tests of what is refused of certificates; handshakes need sockets and are in `tests/tls.rs`.
