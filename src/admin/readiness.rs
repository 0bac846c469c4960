//! Whether new traffic should come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether new traffic should come. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The listeners are not bound yet.
    Starting,
    /// Traffic may come.
    Ready,
    /// The process ends, or was told to drain.
    Draining,
}

impl Readiness {
    /// Says where the process is now.
    pub fn set(&self, state: State) {
        self.0.store(state as u8, Ordering::Release);
    }

    /// Where the process is now; a new one is starting.
    pub fn get(&self) -> State {
        const READY: u8 = State::Ready as u8;
        const DRAINING: u8 = State::Draining as u8;
        match self.0.load(Ordering::Acquire) {
            READY => State::Ready,
            DRAINING => State::Draining,
            _ => State::Starting,
        }
    }
}
