//! Bounds on what one session may ask of Socket.IO.

use std::time::Duration;

use crate::config::{Problems, defaults, file};

/// Bounds on what one session may ask of Socket.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Attachments of a packet.
    pub attachments: usize,
    /// How long they may take to come.
    pub attachment_timeout: Duration,
    /// Namespaces of a session.
    pub namespaces: usize,
    /// Rooms of a socket, beside the one named by its own id.
    pub rooms: usize,
    /// Acks that a socket may owe.
    pub pending_acks: usize,
}

impl Limits {
    /// Reads them from the section `socketio`.
    pub fn build(file: &file::SocketIo, problems: &mut Problems) -> Limits {
        let attachment_timeout = file.attachment_timeout.map_or(defaults::ATTACHMENT_TIMEOUT, |time| time.0);
        if attachment_timeout.is_zero() {
            let right = "give a duration such as 30s";
            problems.add("socketio.attachment_timeout", "no time at all", right);
        }
        if file.max_namespaces == Some(0) {
            problems.add("socketio.max_namespaces", "nobody could connect", "give a number such as 100");
        }
        Limits {
            attachments: file.max_attachments.unwrap_or(defaults::MAX_ATTACHMENTS),
            attachment_timeout,
            namespaces: file.max_namespaces.unwrap_or(defaults::MAX_NAMESPACES),
            rooms: file.max_rooms.unwrap_or(defaults::MAX_ROOMS),
            pending_acks: file.max_pending_acks.unwrap_or(defaults::MAX_PENDING_ACKS),
        }
    }
}
