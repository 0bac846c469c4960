//! The orderly end, begun from outside.

use serde::Serialize;

/// The orderly end, as SIGTERM brings it, but for the exit.
pub trait Ending: Send + Sync + 'static {
    /// Begins it, if it has not begun yet, and tells how far it is.
    fn begin(&self) -> Progress;
}

/// How far the orderly end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Whether it is over.
    pub status: Status,
    /// Client connections that are still open.
    pub connections: usize,
    /// Socket.IO sessions that are still open.
    pub sessions: usize,
}

/// Whether the orderly end is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Draining,
    /// Nothing is left to wait for.
    Drained,
}
