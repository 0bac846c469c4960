//! What the config says of recovery.

use std::time::Duration;

use crate::config::file::SocketIo;
use crate::config::{Problems, defaults};

/// What the config says of recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether clients may come back at all.
    pub enabled: bool,
    /// How long after its disconnect a client may come back.
    pub max_disconnection: Duration,
    /// How long events are kept: longer, as a dead connection takes a while to be noticed.
    pub max_age: Duration,
    /// Bytes of events that are kept.
    pub max_bytes: usize,
    /// Clients that may come back.
    pub max_sessions: usize,
}

impl Options {
    /// Reads them from `socketio.recovery`.
    pub fn build(file: &SocketIo, problems: &mut Problems) -> Options {
        let recovery = &file.recovery;
        let time = recovery.max_disconnection.map_or(defaults::RECOVERY_MAX_DISCONNECTION, |time| time.0);
        let bytes = recovery.max_bytes.map_or(defaults::RECOVERY_MAX_BYTES, |bytes| bytes.0);
        let sessions = recovery.max_sessions.unwrap_or(defaults::RECOVERY_MAX_SESSIONS);
        let interval = file.ping_interval.map_or(defaults::PING_INTERVAL, |time| time.0);
        let timeout = file.ping_timeout.map_or(defaults::PING_TIMEOUT, |time| time.0);
        for (key, nothing, right) in [
            ("max_disconnection", time.is_zero(), "give a duration such as 2m"),
            ("max_bytes", bytes == 0, "give a size such as 16MB"),
            ("max_sessions", sessions == 0, "give a number such as 10000"),
        ] {
            if nothing {
                let wrong = "no client could come back";
                problems.add(format!("socketio.recovery.{key}"), wrong, right);
            }
        }
        Options {
            enabled: recovery.enabled,
            max_disconnection: time,
            // From the last ping that a client answered to the end of its time.
            max_age: time.saturating_add(interval).saturating_add(timeout.saturating_mul(2)),
            max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            max_sessions: sessions,
        }
    }
}
