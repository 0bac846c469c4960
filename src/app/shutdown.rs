//! The orderly end: readiness off, a delay, no new connections, sockets closed in a spread, requests
//! in flight finished; or at once, when a second signal comes.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::House;
use super::compiled::Ending;
use crate::admin::State;
use crate::server::Drain;

/// Least distance between two sockets' ends, where there are few: nobody gains by waiting.
const STEP: Duration = Duration::from_millis(10);

/// Share of the grace over which sockets are closed; the rest is for their disconnect rules.
const SPREAD: f64 = 0.8;

/// How often it is looked whether everything has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Waits for SIGTERM or SIGINT.
pub(super) async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be waited for; the process ends only by force");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

impl House {
    /// Ends everything, in order, within `shutdown.delay` and `shutdown.grace`.
    pub(super) async fn end(&self, drain: &Drain) {
        self.readiness.set(State::Draining);
        let Ending { delay, grace } = **self.ending.load();
        tracing::info!(?delay, ?grace, "ending");
        tokio::time::sleep(delay).await;
        let deadline = Instant::now() + grace;
        drain.begin();
        self.engine.refuse_handshakes();
        self.close_sessions(deadline).await;
        let left = drain.wait(deadline.saturating_duration_since(Instant::now())).await;
        while self.hub.is_busy() && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
        if !left.is_empty() {
            tracing::warn!(requests = left.serving, upgraded = left.upgraded, "the grace is over, cutting");
        }
    }

    /// Closes sessions one after another, so that their clients do not all come back at once.
    async fn close_sessions(&self, deadline: Instant) {
        let sessions = self.engine.all();
        let time = deadline.saturating_duration_since(Instant::now()).mul_f64(SPREAD);
        let step =
            u32::try_from(sessions.len()).ok().and_then(|count| time.checked_div(count)).unwrap_or_default();
        let mut next = Instant::now();
        for session in sessions {
            session.close(crate::engineio::Reason::ServerShuttingDown);
            next += step.min(STEP);
            tokio::time::sleep_until(next).await;
        }
    }
}
