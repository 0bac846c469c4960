//! What a client holds: a token, and what it says where it was verified.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

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
