//! The orderly end: readiness off, a delay, no new connections, sockets closed in a spread, requests
//! in flight finished; or at once, when a second signal comes. The admin API may begin it too.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::compiled::Ending;
use crate::admin::{self, Progress, Readiness, State, Status};
use crate::cluster::Guests;
use crate::engineio::Engine;
use crate::proxy::Tunnels;
use crate::server::Drain;
use crate::socketio::Hub;

/// Least distance between two sockets' ends, where there are few: nobody gains by waiting.
const STEP: Duration = Duration::from_millis(10);

/// Share of the grace over which sockets are closed; the rest is for their disconnect rules.
const SPREAD: f64 = 0.8;

/// How often it is looked whether everything has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The orderly end of everything, within `shutdown.delay` and `shutdown.grace`. It comes once.
pub(super) struct End {
    times: ArcSwap<Ending>,
    readiness: Readiness,
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    among: Among,
    drain: Drain,
    /// The same for the listener for other nodes, which ends last.
    neighbours: Drain,
    done: OnceCell<()>,
}

/// What goes on between this node and others.
pub(super) struct Among {
    /// The WebSockets of other nodes' sessions that go through this one.
    pub(super) tunnels: Tunnels,
    /// The links that others have opened to this one.
    pub(super) guests: Guests,
}

impl End {
    /// Nothing has ended yet.
    pub(super) fn new(
        times: Ending,
        readiness: Readiness,
        engine: Arc<Engine>,
        hub: Arc<Hub>,
        among: Among,
    ) -> End {
        let (times, done) = (ArcSwap::from_pointee(times), OnceCell::new());
        let (drain, neighbours) = (Drain::default(), Drain::default());
        End { times, readiness, engine, hub, among, drain, neighbours, done }
    }

    /// Sets how long an end that has not begun may take.
    pub(super) fn set_times(&self, times: Ending) {
        self.times.store(Arc::new(times));
    }

    /// What ends the listeners' connections.
    pub(super) fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// What ends the connections of other nodes.
    pub(super) fn neighbours(&self) -> Drain {
        self.neighbours.clone()
    }

    /// Traffic may come.
    pub(super) fn ready(&self) {
        self.readiness.set(State::Ready);
    }

    /// Ends everything in order; whoever comes second waits for the end that goes on.
    pub(super) async fn finish(&self) {
        self.done.get_or_init(|| self.end()).await;
    }

    async fn end(&self) {
        self.readiness.set(State::Draining);
        let Ending { delay, grace } = **self.times.load();
        tracing::info!(?delay, ?grace, "ending");
        tokio::time::sleep(delay).await;
        let deadline = Instant::now() + grace;
        self.drain.begin();
        self.engine.refuse_handshakes();
        self.close_sessions(deadline).await;
        let left = self.drain.wait(deadline.saturating_duration_since(Instant::now())).await;
        while self.hub.is_busy() && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
        self.neighbours.begin();
        self.among.guests.end();
        self.neighbours.wait(deadline.saturating_duration_since(Instant::now())).await;
        if !left.is_empty() {
            tracing::warn!(requests = left.serving, upgraded = left.upgraded, "the grace is over, cutting");
        }
    }

    /// Closes sessions one after another, so that their clients do not all come back at once; then what
    /// goes through here to other nodes.
    async fn close_sessions(&self, deadline: Instant) {
        let (sessions, tunnels) = (self.engine.all(), self.among.tunnels.take());
        let time = deadline.saturating_duration_since(Instant::now()).mul_f64(SPREAD);
        let count = u32::try_from(sessions.len() + tunnels.len()).ok();
        let step = count.and_then(|count| time.checked_div(count)).unwrap_or_default().min(STEP);
        let mut next = Instant::now();
        for session in sessions {
            session.close(crate::engineio::Reason::ServerShuttingDown);
            next += step;
            tokio::time::sleep_until(next).await;
        }
        for tunnel in tunnels {
            drop(tunnel);
            next += step;
            tokio::time::sleep_until(next).await;
        }
    }
}

/// The end, as the admin API begins it.
pub(super) struct Handle(pub(super) Arc<End>);

impl admin::Ending for Handle {
    fn begin(&self) -> Progress {
        let end = Arc::clone(&self.0);
        let status = if end.done.initialized() { Status::Drained } else { Status::Draining };
        let progress = Progress { status, connections: end.drain.open(), sessions: end.engine.all().len() };
        // Off before the answer: nobody who was told of the drain finds it ready.
        end.readiness.set(State::Draining);
        tokio::spawn(async move { end.finish().await });
        progress
    }
}
