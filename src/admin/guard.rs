//! Who may make admin calls: whoever has the token, or without one, whoever is on this machine and
//! no web page.

use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::config::Problems;
use crate::fault::Fault;
use crate::message::{Fields, Request};

/// Admits admin calls.
#[derive(Clone)]
pub(super) struct Guard {
    /// Digest of the token. Comparing digests tells nothing of the token, not even its length.
    token: Option<[u8; 32]>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("token", &self.token.is_some()).finish()
    }
}

impl Guard {
    /// Compiles `admin.token`, which must be set where `listen` is reached from other machines.
    pub(super) fn build(listen: &str, token: Option<&str>, problems: &mut Problems) -> Guard {
        let loopback = is_loopback(listen);
        match (loopback, token) {
            (None, _) => {
                let wrong = format!("`{listen}` is not an address");
                problems.add("admin.listen", wrong, "write it as 127.0.0.1:4001");
            }
            (Some(false), None) => problems.add(
                "admin.listen",
                format!("`{listen}` is open to other machines, and there is no `admin.token`"),
                "set `admin.token`, or listen on 127.0.0.1:4001",
            ),
            (_, Some(token)) if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) => {
                let right = "write some 32 random letters and digits, or drop the key on loopback";
                problems.add("admin.token", "is empty, or has characters no header can carry", right);
            }
            _ => {}
        }
        Guard { token: token.map(|token| digest(token.as_bytes())) }
    }

    /// Whether another token is asked for than by `other`.
    pub(super) fn differs(&self, other: &Guard) -> bool {
        self.token != other.token
    }

    /// The same for the console's own files, in which nothing is secret: where there is a token, the page
    /// asks for it.
    pub(super) fn check_page<B>(&self, request: &Request<B>) -> Result<(), Fault> {
        if self.token.is_some() { Ok(()) } else { self.check(request) }
    }

    /// Whether the request may go on. Without a token, a page of a browser may not: neither one
    /// that says so by its Origin, nor one whose name was rebound to this address. The console may.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Fault> {
        let Some(token) = &self.token else {
            let stranger = request.headers().contains_key(ORIGIN) && !is_console(request.headers());
            if stranger || !is_asked_locally(request) {
                let message = "web pages may not call the admin listener; set admin.token to call it by name";
                return Err(Fault::new(StatusCode::FORBIDDEN, "forbidden", message));
            }
            return Ok(());
        };
        let (code, challenge, message) = match bearer(request.headers()) {
            Some(given) if same(&digest(given), token) => return Ok(()),
            Some(_) => ("token_invalid", r#"Bearer error="invalid_token""#, "the admin token is another"),
            None => ("token_missing", "Bearer", "send `Authorization: Bearer` with the admin token"),
        };
        let fault = Fault::new(StatusCode::UNAUTHORIZED, code, message);
        Err(fault.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge)))
    }
}

/// Whether it is a page of this very listener that asks, of which there is none but the console. Only a
/// browser sets `Sec-Fetch-Site`, and no script can (Fetch Metadata); the origin's host, with its port, must be
/// the one that is asked.
fn is_console(headers: &Fields) -> bool {
    let one = |name: &str| headers.get_only(name)?.to_str().ok();
    let (Some(origin), Some(host), Some(site)) = (one("origin"), one("host"), one("sec-fetch-site")) else {
        return false;
    };
    site == "same-origin" && origin.strip_prefix("http://") == Some(host)
}

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
fn bearer(headers: &Fields) -> Option<&[u8]> {
    let value = headers.get_only(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Compares in constant time.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// Whether only this machine reaches a `HOST:PORT`; `None` where it is none.
fn is_loopback(listen: &str) -> Option<bool> {
    if let Ok(address) = listen.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical().is_loopback());
    }
    let (host, port) = listen.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|_| !host.is_empty() && !host.contains(':'))?;
    Some(host.eq_ignore_ascii_case("localhost"))
}

/// Whether every host that the request names is this machine.
fn is_asked_locally<B>(request: &Request<B>) -> bool {
    let named = request.headers().get_all(HOST).all(|host| {
        host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()).is_some_and(|host| is_local(&host))
    });
    named && request.uri().authority().is_none_or(is_local)
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}
