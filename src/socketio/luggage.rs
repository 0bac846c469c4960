//! What a client brought along when it opened its session, without what may be a secret.

use http::header::REFERER;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::engineio::Handshake;

/// The request that opened a socket's session, without its secrets. Headers and parameters whose names
/// or values may hold one are named in `hidden` and left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luggage {
    /// Twelve characters that all sockets of one connection have in common. They give no access: the rest of the
    /// session's id has some 50 random bits at least.
    #[serde(default)]
    pub client: String,
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
    pub(super) fn of(handshake: &Handshake, session: &str) -> Luggage {
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
        let mut luggage = Luggage {
            client: client(session),
            path,
            headers,
            query,
            request_id: handshake.request_id.clone(),
            hidden: Vec::new(),
        };
        luggage.hide("header", may_be_secret);
        luggage.hide("query", may_be_secret);
        luggage
    }

    /// Leaves out what holds clients' tokens, as `credentials.token` says: `header:NAME`, `query:NAME`.
    pub fn hide_tokens(&mut self, tokens: &[String]) {
        for (kind, token) in tokens.iter().filter_map(|token| token.split_once(':')) {
            let is_header = kind == "header";
            self.hide(kind, |name, _| name == token || is_header && name.eq_ignore_ascii_case(token));
        }
    }

    /// Leaves out what `secret` says of a name and its value; `kind` is `header` or `query`.
    fn hide(&mut self, kind: &str, secret: impl Fn(&str, &str) -> bool) {
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

/// The first twelve of the last twenty characters of a session's id: those of Node's where the id is of twenty, and
/// not the name of the node that long ones begin with.
fn client(session: &str) -> String {
    let start = session.chars().count().saturating_sub(20);
    session.chars().skip(start).take(12).collect()
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_name_is_a_part_of_the_sessions_id() {
        assert_eq!(client("abcdefghijklmnopqrst"), "abcdefghijkl");
        assert_eq!(client(&format!("{}abcdefghijklmnopqrst", "N".repeat(32))), "abcdefghijkl");
        assert_eq!(client(""), "");
    }

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
