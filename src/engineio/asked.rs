//! What is asked of a session that polls, whichever node its client came in at.

use std::time::Duration;

use bytes::Bytes;

use super::polling;
use crate::message::Fields;

/// How long a session's client and its backend may keep a request waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A GET waits for news as long as this.
    pub news: Duration,
    /// A POST's body may take as long as this.
    pub body: Duration,
}

/// What is asked of a session that polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// What is new.
    Get,
    /// To take packets.
    Post {
        /// As they came.
        body: Bytes,
        /// Whether they are said to be binary.
        binary: bool,
    },
}

impl Asked {
    /// What a request asks: its method is POST where there is a body.
    pub fn of(headers: &Fields, body: Option<Bytes>) -> Asked {
        body.map_or(Asked::Get, |body| Asked::Post { body, binary: polling::is_binary(headers) })
    }
}
