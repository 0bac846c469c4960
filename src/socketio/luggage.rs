//! What a client brought along when it opened its session, without what may be a secret.

use http::header::REFERER;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::engineio::Handshake;

/// The request that opened a socket's session, without its secrets. Headers and parameters whose names
/// or values may hold one are named in `hidden` and left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luggage {
    /// Its raw path.
    pub path: String,
    /// Its headers, in lower case; several lines of one are joined by `, `.
    pub headers: IndexMap<String, String>,
    /// Its decoded query.
    pub query: IndexMap<String, String>,
    /// Its id, as it went to the upstream.
    pub request_id: String,
    /// What was left out: `header:NAME` and `query:NAME`.
    pub hidden: Vec<String>,
}

/// Parts of the names of what holds credentials, and of what identity proxies add.
const SECRET: [&str; 25] = [
    "auth",
    "token",
    "secret",
    "passw",
    "pwd",
    "cookie",
    "session",
    "sid",
    "pid",
    "signature",
    "credential",
    "jwt",
    "key",
    "access",
    "ticket",
    "csrf",
    "xsrf",
    "bearer",
    "otp",
    "oidc",
    "assertion",
    "protocol",
    "nonce",
    "hmac",
    "api",
];

impl Luggage {
    pub(super) fn of(handshake: &Handshake) -> Luggage {
        let (mut headers, mut query) = (IndexMap::<String, String>::new(), IndexMap::new());
        for (name, value) in &handshake.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = if name == REFERER { without_query(&value) } else { &value };
            match headers.get_mut(name.as_str()) {
                Some(before) => *before = format!("{before}, {value}"),
                None => drop(headers.insert(name.as_str().to_owned(), value.to_owned())),
            }
        }
        for (name, value) in &handshake.query {
            query.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let path = without_query(&handshake.url).to_owned();
        let mut luggage =
            Luggage { path, headers, query, request_id: handshake.request_id.clone(), hidden: Vec::new() };
        luggage.hide("header", may_be_secret);
        luggage.hide("query", may_be_secret);
        luggage
    }

    /// Leaves out what `secret` says of a name and its value; `kind` is `header` or `query`.
    pub fn hide(&mut self, kind: &str, secret: impl Fn(&str, &str) -> bool) {
        let shown = match kind {
            "header" => &mut self.headers,
            "query" => &mut self.query,
            _ => return,
        };
        let hidden = &mut self.hidden;
        shown.retain(|name, value| {
            let leaves = secret(name, value);
            if leaves {
                hidden.push(format!("{kind}:{name}"));
            }
            !leaves
        });
    }
}

/// Whether a name or a value looks like a credential. Rather too much is hidden than too little.
fn may_be_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = SECRET.iter().any(|part| name.contains(part));
    let lower = value.get(..7).unwrap_or_default().to_ascii_lowercase();
    named || lower.starts_with("bearer ") || lower.starts_with("basic ") || value.contains("eyJ")
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_credential_is_hidden() {
        for (name, value) in [
            ("authorization", "x"),
            ("Proxy-Authorization", "x"),
            ("cookie", "x"),
            ("x-api-key", "x"),
            ("access_token", "x"),
            ("PHPSESSID", "x"),
            ("x-amzn-oidc-data", "x"),
            ("sec-websocket-protocol", "x"),
            ("x-user", "Bearer abc"),
            ("x-user", "eyJhbGciOiJub25lIn0.e30."),
        ] {
            assert!(may_be_secret(name, value), "{name}");
        }
        for name in [
            "host",
            "origin",
            "user-agent",
            "accept",
            "accept-encoding",
            "accept-language",
            "referer",
            "connection",
            "upgrade",
            "sec-fetch-site",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-request-id",
            "EIO",
            "transport",
            "t",
        ] {
            assert!(!may_be_secret(name, "polling"), "{name}");
        }
    }
}
