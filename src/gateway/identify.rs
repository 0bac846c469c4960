//! Who asks, and the request's id, which goes upstream, to the client, into the log and into the handshake.

use http::{HeaderMap, HeaderName, Request};
use uuid::Uuid;

use crate::cors::SiteInfo;
use crate::engineio::Caller;
use crate::headers::{Forwarded, TrustedProxies};
use crate::server::Peer;

/// `X-Request-Id`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks.
#[derive(Debug)]
pub struct Identity {
    /// Address, scheme and host, as far as proxies are trusted.
    pub forwarded: Forwarded,
    /// `X-Request-Id`.
    pub request_id: String,
    /// Whether the client came over TLS, where that is known.
    secure: Option<bool>,
}

impl Identity {
    /// Finds out who sent a request.
    pub fn of<B>(request: &Request<B>, peer: Peer, trusted: &TrustedProxies) -> Identity {
        let headers = request.headers();
        let forwarded = Forwarded::identify(peer.addr.ip(), peer.secure, headers, trusted);
        let told = forwarded.trusted && headers.contains_key("x-forwarded-proto");
        let secure = (peer.secure || told).then_some(forwarded.secure);
        Identity { request_id: request_id(headers, forwarded.trusted), forwarded, secure }
    }

    /// What CORS compares a page's origin with.
    pub fn site(&self) -> SiteInfo<'_> {
        SiteInfo { host: &self.forwarded.host, secure: self.secure }
    }

    /// What a session remembers of it.
    pub fn caller(&self) -> Caller {
        Caller { forwarded: self.forwarded.clone(), request_id: self.request_id.clone() }
    }
}

/// A longer one is replaced.
const MAX_LENGTH: usize = 128;

/// The `X-Request-Id` that a trusted peer sent, if it is one token (RFC 9110 5.6.2) of at most 128
/// characters; else a new UUID of version 7, which sorts by time (RFC 9562).
pub fn request_id(headers: &HeaderMap, trusted_peer: bool) -> String {
    let given = trusted_peer.then(|| given_id(headers)).flatten();
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn given_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(REQUEST_ID).iter();
    let (first, second) = (values.next()?, values.next());
    let id = first.to_str().ok().filter(|_| second.is_none())?;
    (!id.is_empty() && id.len() <= MAX_LENGTH && id.bytes().all(is_token)).then_some(id)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn id(values: &[&str], trusted: bool) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request_id(&headers, trusted)
    }

    #[test]
    fn a_trusted_peers_id_is_kept() {
        let long = "x".repeat(128);
        for given in ["7d2f", "a-b_c.d~e", long.as_str()] {
            assert_eq!(id(&[given], true), given);
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
