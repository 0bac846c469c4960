//! What a client holds: a token, and what it says where it was verified.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::claims::Claims;
use super::headers::Told;
use crate::json::Json;

/// What a client holds. Cheap to clone.
#[derive(Clone, Default)]
pub struct Grant {
    token: Option<Arc<str>>,
    verified: Option<Arc<Verified>>,
}

/// What a verified token says.
struct Verified {
    claims: Json,
    subject: Option<String>,
    end: Option<SystemTime>,
    headers: Told,
}

/// The token stays out of logs, and so does what it says.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (token, verified) = (self.token.is_some(), self.verified.is_some());
        f.debug_struct("Grant").field("token", &token).field("verified", &verified).finish()
    }
}

impl Grant {
    /// A token that nobody verified, or none.
    pub(super) fn carried(token: Option<String>) -> Grant {
        Grant { token: token.map(Into::into), verified: None }
    }

    pub(super) fn verified(token: String, claims: Claims, end: Option<SystemTime>, headers: Told) -> Grant {
        let subject = claims.subject();
        let claims = Json::from_value(&Value::Object(claims.0));
        let verified = Arc::new(Verified { claims, subject, end, headers });
        Grant { token: Some(token.into()), verified: Some(verified) }
    }

    /// Everything it holds, for another node.
    pub fn to_value(&self) -> Value {
        let verified = self.verified.as_ref().map(|verified| {
            let told = verified
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
            let told: Vec<(&str, &str)> = told.collect();
            json!({ "claims": verified.claims.as_str(), "subject": verified.subject, "headers": told })
        });
        json!({ "token": self.token.as_deref(), "verified": verified })
    }

    /// What another node held, which has verified it. It does not end by itself.
    pub fn from_value(value: &Value) -> Grant {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let verified = value.get("verified").filter(|verified| verified.is_object()).and_then(|verified| {
            let claims = Json::parse(text(verified.get("claims")?)?.into()).ok()?;
            let headers = verified.get("headers")?.as_array()?.iter();
            let header = |pair: &Value| {
                let name = pair.get(0)?.as_str()?.parse().ok()?;
                Some((name, pair.get(1)?.as_str()?.parse().ok()?))
            };
            let subject = verified.get("subject").and_then(text);
            Some(Arc::new(Verified {
                claims,
                subject,
                end: None,
                headers: headers.filter_map(header).collect(),
            }))
        });
        Grant { token: value.get("token").and_then(text).map(Into::into), verified }
    }

    /// The token, without `Bearer`.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The claims of a verified token; `{}` where there is none.
    pub fn claims(&self) -> Json {
        self.verified.as_ref().map_or_else(|| Json::from_static("{}"), |verified| verified.claims.clone())
    }

    /// Whom a verified token is about: its claim `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.verified.as_ref()?.subject.as_deref()
    }

    /// When a verified token is no longer good, leeway included; `None` for one that always is.
    pub fn end(&self) -> Option<SystemTime> {
        self.verified.as_ref()?.end
    }

    /// The headers of `claims_to_headers`.
    pub fn headers(&self) -> &[(http::HeaderName, http::HeaderValue)] {
        self.verified.as_ref().map_or(&[], |verified| &verified.headers)
    }
}
