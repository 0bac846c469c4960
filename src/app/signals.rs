//! The process's signals. They are listened to from before the first word is printed: until then the
//! system's own answer to each of them is to end the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that mean something here.
pub(super) struct Signals {
    /// SIGHUP: read the config again.
    pub(super) hangup: Signal,
    /// SIGTERM and SIGINT.
    pub(super) ending: Ending,
}

/// SIGTERM and SIGINT: end, and the second time at once.
pub(super) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen. To be called in a runtime.
    pub(super) fn listen() -> io::Result<Signals> {
        let ending = Ending {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Signals { hangup: signal(SignalKind::hangup())?, ending })
    }
}

impl Ending {
    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
