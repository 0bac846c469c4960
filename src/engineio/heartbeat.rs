//! A session's clock: pings, and who is given up on.

use std::sync::Arc;
use std::time::Instant;

use super::frame::Frame;
use super::pulse::Beat;
use super::queue::Parcel;
use super::session::{Farewell, Session, State, Transport};
use super::{Options, Reason};
use crate::telemetry::metrics;

enum Step {
    Ping(Instant),
    Sleep(Instant),
    End(Reason, Farewell),
    Done,
}

/// How long a polling client may take to fetch the farewell.
const LINGER: std::time::Duration = std::time::Duration::from_secs(30);

impl Session {
    /// Sends pings, gives up on a silent client, on one that joins no namespace, and on a farewell
    /// that nobody fetches. One small task a session, whatever carries it.
    pub(super) async fn keep_alive(self: Arc<Self>) {
        loop {
            let step = self.state().step(Instant::now(), self.options());
            match step {
                Step::Ping(until) => {
                    self.conversation.get().inspect(|conversation| conversation.pinging());
                    self.send(&Parcel::new(Frame::packet("2"), false));
                    tokio::time::sleep_until(until.into()).await;
                }
                Step::Sleep(until) => tokio::time::sleep_until(until.into()).await,
                Step::End(reason, farewell) => self.end(reason, farewell),
                Step::Done => break,
            }
        }
        self.forget();
    }
}

impl State {
    fn step(&mut self, now: Instant, options: &Options) -> Step {
        if let Some(ended) = self.ended {
            let until = ended.at + LINGER;
            let waits =
                self.transport == Transport::Polling && ended.farewell == Farewell::Flush && now < until;
            return if waits { Step::Sleep(until) } else { Step::Done };
        }
        if self.admit_by.is_some_and(|by| now >= by) {
            metrics::refused("socketio.connect_timeout");
            return Step::End(Reason::ForcedServerClose, Farewell::Flush);
        }
        if self.deaf(options) {
            // It is we who do not listen: that must not look like the client's silence.
            self.pulse.heard(now);
        }
        let sooner = |until: Instant| self.admit_by.map_or(until, |by| by.min(until));
        match self.pulse.beat(now) {
            Beat::Expired => Step::End(Reason::PingTimeout, Farewell::Drop),
            Beat::Ping(until) => Step::Ping(sooner(until)),
            Beat::Wait(until) => Step::Sleep(sooner(until)),
        }
    }
}
