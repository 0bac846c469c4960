//! Who asks, and the request's id, which goes upstream, to the client, into the log and into the handshake.

use http::{HeaderName, HeaderValue};

use crate::cors::SiteInfo;
use crate::engineio::Caller;
use crate::headers::{Forwarded, TrustedProxies, new_id};
use crate::message::{Fields, Request};
use crate::server::Peer;

/// `X-Request-Id`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks.
#[derive(Debug)]
pub struct Identity {
    /// Address, scheme and host, as far as proxies are trusted.
    pub forwarded: Forwarded,
    /// `X-Request-Id`: a token, ready to be sent.
    pub request_id: HeaderValue,
    /// Whether the client came over TLS, where that is known.
    secure: Option<bool>,
}

impl Identity {
    /// Finds out who sent a request.
    pub fn of<B>(request: &Request<B>, peer: &Peer, trusted: &TrustedProxies) -> Identity {
        let headers = request.headers();
        let forwarded = Forwarded::identify(peer.addr.ip(), peer.secure, headers, trusted);
        let told = forwarded.trusted && headers.contains_key("x-forwarded-proto");
        let secure = (peer.secure || told).then_some(forwarded.secure);
        Identity { request_id: request_id(headers, forwarded.trusted), forwarded, secure }
    }

    /// `X-Request-Id` as text.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// What CORS compares a page's origin with.
    pub fn site(&self) -> SiteInfo<'_> {
        SiteInfo { host: &self.forwarded.host, secure: self.secure }
    }

    /// What a session remembers of it.
    pub fn caller(&self) -> Caller {
        Caller { forwarded: self.forwarded.clone(), request_id: self.request_id().to_owned() }
    }
}

/// A longer one is replaced.
const MAX_LENGTH: usize = 128;

/// The `X-Request-Id` that a trusted peer sent, if it is one token (RFC 9110 5.6.2) of at most 128
/// characters; else a new UUID of version 7, which sorts by time (RFC 9562).
pub fn request_id(headers: &Fields, trusted_peer: bool) -> HeaderValue {
    let given = trusted_peer.then(|| given_id(headers)).flatten();
    given.map_or_else(new_id, HeaderValue::clone)
}

fn given_id(headers: &Fields) -> Option<&HeaderValue> {
    headers.get_only(REQUEST_ID).filter(|id| {
        let id = id.as_bytes();
        !id.is_empty() && id.len() <= MAX_LENGTH && id.iter().all(is_token)
    })
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use http::HeaderValue;
    use uuid::Uuid;

    use super::*;

    fn id(values: &[&str], trusted: bool) -> String {
        let mut headers = Fields::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request_id(&headers, trusted).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_trusted_peers_id_is_kept() {
        let long = "x".repeat(128);
        for given in ["7d2f", "a-b_c.d~e", long.as_str()] {
            assert_eq!(id(&[given], true), given);
        }
    }

    #[test]
    fn ids_sort_by_time_to_the_microsecond() {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut last = String::new();
        for _ in 0..100 {
            let before = now();
            let new = id(&[], false);
            let uuid = Uuid::parse_str(&new).unwrap();
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            let millis = uuid.as_u128() >> 80;
            assert!((before.as_millis()..=now().as_millis()).contains(&millis));
            // The finer part has steps of a quarter of a microsecond.
            while (now() - before).as_nanos() < 500 {}
            assert!(new > last, "{new} after {last}");
            last = new;
        }
    }

    #[test]
    fn anything_else_gets_a_new_one() {
        let long = "x".repeat(129);
        for given in [&[][..], &[""], &["a b"], &["a\"b"], &["ä"], &["a", "b"], &[long.as_str()], &["a,b"]] {
            let fresh = id(given, true);
            assert_eq!(Uuid::parse_str(&fresh).unwrap().get_version_num(), 7, "{given:?}");
        }
        let untrusted = id(&["7d2f"], false);
        assert_ne!(untrusted, "7d2f");
        assert_ne!(untrusted, id(&["7d2f"], false));
    }
}
