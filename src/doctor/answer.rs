//! An HTTP answer, and what Engine.IO says in it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

/// Characters of an answer that are shown.
const SHOWN: usize = 120;

/// An HTTP answer, with the beginning of its body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What the open packet says (engine.io-protocol v4, handshake).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) sid: String,
    pub(super) upgrades: Vec<String>,
    /// Milliseconds.
    pub(super) ping_interval: u64,
    /// Milliseconds.
    pub(super) ping_timeout: u64,
}

impl Opening {
    /// Reads an open packet of protocol 4, `0{...}`.
    pub(super) fn read(packet: &str) -> Option<Opening> {
        let open: Value = serde_json::from_str(packet.strip_prefix('0')?.split('\u{1e}').next()?).ok()?;
        let number = |key: &str| open.get(key)?.as_u64();
        let upgrades = open.get("upgrades")?.as_array()?.iter();
        Some(Opening {
            sid: open.get("sid")?.as_str()?.to_owned(),
            upgrades: upgrades.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            ping_interval: number("pingInterval")?,
            ping_timeout: number("pingTimeout")?,
        })
    }
}

impl Answer {
    /// The body as text.
    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// A header's values.
    pub(super) fn values(&self, name: &HeaderName) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// A header's first value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number in an error of Engine.IO, `{"code":1,"message":"Session ID unknown"}`.
    pub(super) fn engine_code(&self) -> Option<u64> {
        let error: Value = serde_json::from_slice(&self.body).ok()?;
        error.get("message")?.as_str()?;
        error.get("code")?.as_u64().filter(|code| *code <= 5)
    }

    /// Whether the open packet is one of protocol 3, `97:0{...}`: a Socket.IO server 1.x or 2.x.
    pub(super) fn is_protocol_3(&self) -> bool {
        let text = self.text();
        let Some((length, packet)) = text.split_once(':') else { return false };
        !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) && packet.starts_with("0{")
    }

    /// Whether a program for people answered.
    pub(super) fn is_html(&self) -> bool {
        self.value("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// Status and beginning of the body, on one line and without anything a terminal would obey.
    pub(super) fn shown(&self) -> String {
        let text = self.text();
        let visible: String = text.chars().filter(|c| c.is_whitespace() || !c.is_control()).collect();
        let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut beginning: String = words.chars().take(SHOWN).collect();
        if beginning.len() < words.len() {
            beginning.push_str("..");
        }
        match beginning.as_str() {
            "" => self.status.as_u16().to_string(),
            text => format!("{} `{text}`", self.status.as_u16()),
        }
    }
}
