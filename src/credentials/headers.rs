//! `claims_to_headers`: request headers that only frontroom may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderName, HeaderValue};
use indexmap::IndexMap;
use serde_json::Value;

use super::claims::Claims;
use crate::config::Problems;
use crate::message::Fields;

/// Headers that are about the connection, the message or its sender, and so no place for a claim.
const TAKEN: &[&str] = &[
    "accept",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "frontroom-signature",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "origin",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
    "x-request-id",
    "x-socket-id",
];

/// Headers with the claims that they tell.
#[derive(Debug, Default)]
pub(super) struct ClaimHeaders(Vec<ClaimHeader>);

#[derive(Debug)]
struct ClaimHeader {
    name: HeaderName,
    claim: String,
    /// Whether a value that does not fit was logged: once is enough.
    told: AtomicBool,
}

/// Headers for the upstream.
pub(super) type Told = Arc<[(HeaderName, HeaderValue)]>;

impl ClaimHeaders {
    /// Reads `credentials.claims_to_headers`.
    pub(super) fn build(written: &IndexMap<String, String>, problems: &mut Problems) -> ClaimHeaders {
        let mut headers: Vec<ClaimHeader> = Vec::new();
        for (text, claim) in written {
            let key = format!("credentials.claims_to_headers.{text}");
            let Ok(name) = text.to_ascii_lowercase().parse::<HeaderName>() else {
                problems.add(key, "is no name of a header", "letters, digits and hyphens");
                continue;
            };
            let forwarding = name.as_str().get(..12).is_some_and(|start| alike(start, "x-forwarded-"));
            if forwarding || TAKEN.iter().any(|taken| alike(taken, name.as_str())) {
                problems.add(key, "has another meaning", "a header of your own, such as x-user-id");
                continue;
            }
            if let Some(other) = headers.iter().find(|other| alike(other.name.as_str(), name.as_str())) {
                problems.add(key, format!("looks like {} to many servers", other.name), "keep one of them");
                continue;
            }
            if claim.is_empty() {
                problems.add(key, "names no claim", "the name of a claim, such as sub");
            }
            headers.push(ClaimHeader { name, claim: claim.clone(), told: AtomicBool::new(false) });
        }
        ClaimHeaders(headers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of that name could be taken for one of these.
    pub(super) fn owns(&self, name: &str) -> bool {
        self.0.iter().any(|header| alike(header.name.as_str(), name))
    }

    /// Removes what a client sent under these names, or under names that some servers cannot tell from them.
    pub(super) fn strip(&self, headers: &mut Fields) {
        if self.0.is_empty() {
            return;
        }
        headers.retain(|name| !self.owns(name.as_str()));
    }

    /// What these claims say. Null and absent claims have no header.
    pub(super) fn told(&self, claims: &Claims) -> Told {
        self.0.iter().filter_map(|header| Some((header.name.clone(), header.value(claims)?))).collect()
    }
}

impl ClaimHeader {
    fn value(&self, claims: &Claims) -> Option<HeaderValue> {
        let text = match claims.find(&self.claim)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => claims.find(&self.claim)?.to_string(),
            nested @ (Value::Array(_) | Value::Object(_)) => ascii(&nested.to_string()),
        };
        // Spaces at the ends would not arrive: another value than was signed. What is beyond ASCII is read
        // in many ways.
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let whole = plain && !text.is_empty() && text.trim() == text;
        let value = HeaderValue::from_str(&text).ok().filter(|_| whole);
        if value.is_none() && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                header = self.name.as_str(),
                claim = self.claim,
                "a claim's value cannot be a header, and is left out"
            );
        }
        value
    }
}

/// Whether two names are one to CGI, Rack or WSGI, which cannot tell `x_user_id` from `X-User-Id`.
fn alike(one: &str, other: &str) -> bool {
    let mark = |byte: u8| !byte.is_ascii_alphanumeric();
    let same = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (mark(a) && mark(b));
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(same)
}

/// JSON text with everything beyond ASCII as escapes.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}
