//! What a verified token says, and whether it is for us and for now (RFC 7519 4.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What a token must say beside its signature.
#[derive(Debug, Default)]
pub(super) struct Demands {
    /// One of them must be `iss`; none: whatever it is.
    pub(super) issuers: Vec<String>,
    /// One of them must be in `aud`; none: whatever it is.
    pub(super) audiences: Vec<String>,
    pub(super) leeway: Duration,
}

/// What a verified token says.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Demands {
    /// Whether these claims are for us and for `now`. What has expired says so only if all else is right.
    pub(super) fn check(&self, claims: &Claims, now: SystemTime) -> Result<(), (Refusal, &'static str)> {
        let invalid = |why| Err((Refusal::Invalid, why));
        if !self.issuers.is_empty() && !self.issuers.iter().any(|it| claims.text("iss") == Some(it)) {
            return invalid("its issuer is another");
        }
        if !self.audiences.is_empty() && !self.audiences.iter().any(|it| claims.is_for(it)) {
            return invalid("its audience is another");
        }
        let (now, leeway) = (seconds(now), self.leeway.as_secs_f64());
        match claims.date("nbf") {
            Err(()) => return invalid("its `nbf` is no number"),
            Ok(Some(begin)) if now + leeway < begin => return invalid("it is not valid yet"),
            Ok(_) => {}
        }
        match claims.date("exp") {
            Err(()) => invalid("its `exp` is no number"),
            Ok(Some(end)) if now >= end + leeway => Err((Refusal::Expired, "it has expired")),
            Ok(_) => Ok(()),
        }
    }

    /// When a token is no longer good; `None` for one that always is.
    pub(super) fn end(&self, claims: &Claims) -> Option<SystemTime> {
        let end = claims.date("exp").ok()?? + self.leeway.as_secs_f64();
        UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(end).ok()?)
    }
}

impl Claims {
    /// A claim by its whole name, else by a path with dots: `sub`, `https://example.com/roles`,
    /// `realm_access.roles`.
    pub(super) fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |value, key| value.get(key))
        })
    }

    /// Whom the token is about: `sub`, as text also where it is a number.
    pub(super) fn subject(&self) -> Option<String> {
        match self.0.get("sub")? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<&String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(list)) => list.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// Seconds since the epoch, with or without a fraction. `null` is as good as absent.
    fn date(&self, name: &str) -> Result<Option<f64>, ()> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_f64().filter(|date| date.is_finite()).map(Some).ok_or(()),
        }
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
