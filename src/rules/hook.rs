//! Hooks: the backend is told what happened, and answers with actions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use http::header::HeaderName;
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::config::{Problems, defaults, file, value};
use crate::json::Json;
use crate::socketio::EventName;

use super::actions::Actions;
use super::context::Facts;
use super::failure::{self, Failure};
use super::object::Object;
use super::reply::Reply;

pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("frontroom-signature");

/// Signing and timeouts of hook requests.
pub(crate) struct Hooks {
    secrets: Vec<String>,
    pub(crate) timeout: Duration,
    /// How long clients may take to answer an emit with `"ack": true`.
    pub(crate) ack_timeout: Duration,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What a hook is told.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// A client joins.
    Connect,
    /// A client sent an event.
    Event {
        name: &'a EventName,
        args: &'a [Json],
        /// Whether the client asked for an ack.
        ack: bool,
    },
    /// A client left.
    Disconnect { reason: &'a str },
    /// A client answered an emit, or did not in time.
    Ack { name: &'a EventName, args: Option<&'a [Json]> },
}

impl Hooks {
    /// Builds them from `hooks:`.
    pub(crate) fn build(file: &file::Hooks, problems: &mut Problems) -> Hooks {
        for (index, _) in file.secrets.0.iter().enumerate().filter(|(_, secret)| secret.is_empty()) {
            problems.add(format!("hooks.secrets[{index}]"), "is empty", "a long random text");
        }
        let mut time = |key: &str, written: Option<value::Duration>, default| {
            let time = written.map_or(default, |time| time.0);
            if time.is_zero() {
                problems.add(format!("hooks.{key}"), "no time at all", "a duration such as 5s");
            }
            time
        };
        Hooks {
            secrets: file.secrets.0.clone(),
            timeout: time("timeout", file.timeout, defaults::HOOK_TIMEOUT),
            ack_timeout: time("ack_timeout", file.ack_timeout, defaults::HOOK_ACK_TIMEOUT),
        }
    }

    /// The signature of a request sent now; `None` where there are no secrets.
    pub(crate) fn signature(&self, method: &str, path: &str, body: &[u8]) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        (!self.secrets.is_empty()).then(|| sign(&self.secrets, now, method, path, body))
    }
}

/// `t=..,v1=..`: HMAC-SHA256 over `t.METHOD.path.body`, one `v1` for each secret.
pub(crate) fn sign(secrets: &[String], time: u64, method: &str, path: &str, body: &[u8]) -> String {
    let mut signature = format!("t={time}");
    for secret in secrets {
        // Any length of key is a key, so this never skips one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        mac.update(format!("{time}.{method}.{path}.").as_bytes());
        mac.update(body);
        signature.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            signature.push_str(&format!("{byte:02x}"));
        }
    }
    signature
}

/// The envelope. `id` is unique, and the same on a retry.
pub(crate) fn envelope(told: &Told<'_>, id: &str, facts: &Facts<'_>, state: &Map<String, Value>) -> Json {
    let (kind, name) = match told {
        Told::Connect => ("connect", None),
        Told::Event { name, .. } => ("event", Some(name)),
        Told::Disconnect { .. } => ("disconnect", None),
        Told::Ack { name, .. } => ("ack", Some(name)),
    };
    let mut envelope = Object::new().string("type", kind).string("id", id);
    if let Some(name) = name {
        envelope = envelope.json("event", failure::name(name).as_str());
    }
    envelope = match told {
        Told::Connect => envelope,
        Told::Event { args, ack, .. } => {
            envelope.list("args", *args).json("ack", if *ack { "true" } else { "false" })
        }
        Told::Disconnect { reason } => envelope.string("reason", reason),
        Told::Ack { args: Some(args), .. } => envelope.list("args", *args),
        Told::Ack { args: None, .. } => envelope.string("error", "timeout"),
    };
    envelope.json("socket", facts.json(Some(state)).as_str()).finish()
}

/// A hook's answer: 204, or 2xx with a JSON object of actions.
pub(crate) fn answer(reply: &Reply) -> Result<Actions, Failure> {
    if !reply.status.is_success() {
        return Err(Failure::from_reply(reply));
    }
    if reply.status == StatusCode::NO_CONTENT {
        return Ok(Actions::default());
    }
    let bad = |why: String| Failure::new(StatusCode::BAD_GATEWAY, "bad_hook_reply", why);
    let json = reply.json().ok_or_else(|| bad("the hook's answer is neither 204 nor JSON".to_owned()))?;
    Actions::parse(json).map_err(|error| bad(format!("the hook's answer: {error}")))
}
