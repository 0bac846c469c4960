//! The end of a link at the node that has the sessions: asks them, and sends their answers back.

use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::frame::{self, Frame, Malformed, Said};
use super::greeting::{self, Challenge};
use super::wire::{Outbox, Wire};
use crate::cluster::hop::pass::Passes;
use crate::engineio::{Answer, Asked, Carrier, Engine};
use crate::telemetry::metrics;

/// Bytes that may wait to be written. Answers beyond them wait with the requests that they belong to.
const MAX_BACKLOG: usize = 1_000_000;

/// How long whoever asked for a link may take to prove who it is.
const PROVING: Duration = Duration::from_secs(5);

/// How long the other node may take nothing of what waits for it.
const STANDSTILL: Duration = Duration::from_secs(30);

/// The links that other nodes have opened, for those who end them.
#[derive(Debug, Clone, Default)]
pub struct Guests(watch::Sender<bool>);

impl Guests {
    /// Ends each once it has nothing more to answer.
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

/// What asks of one link have in common.
struct Desk {
    engine: Arc<Engine>,
    state: Mutex<State>,
    /// Told when there is room for more answers.
    room: Notify,
}

#[derive(Default)]
struct State {
    outbox: Outbox,
    asking: HashMap<u64, AbortHandle>,
}

/// Serves a link until it ends. What is being asked then is given up.
pub(super) async fn serve(
    carrier: Carrier,
    engine: Arc<Engine>,
    passes: Passes,
    challenge: Challenge,
    guests: Guests,
) {
    // The listener for nodes has no TLS.
    let Carrier::Plain { mut tcp, read, guard: _guard } = carrier else { return };
    let proved = timeout(PROVING, greeting::prove(&mut tcp, &read, &passes, &challenge)).await;
    let read = match proved {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            metrics::cluster_served("refused");
            return tracing::warn!(%error, "a link to cluster.node.listen is none of a node");
        }
        Err(_) => return metrics::cluster_served("refused"),
    };
    let desk = Arc::new(Desk { engine, state: Mutex::default(), room: Notify::new() });
    let mut ending = guests.0.subscribe();
    let mut ending = pin!(async move { drop(ending.wait_for(|ending| *ending).await) });
    let mut looks = interval(STANDSTILL / 6);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = Turn { wire: Wire::new(tcp, &read), looks, moved: Instant::now(), ending: false };
    poll_fn(|cx| {
        turn.ending = turn.ending || ending.as_mut().poll(cx).is_ready();
        turn.poll(cx, &desk)
    })
    .await;
    let asking = std::mem::take(&mut desk.state().asking);
    asking.into_values().for_each(|task| task.abort());
}

/// The link's task.
struct Turn {
    wire: Wire,
    looks: Interval,
    /// When the other node last took something, or there was nothing for it.
    moved: Instant,
    ending: bool,
}

impl Turn {
    fn poll(&mut self, cx: &mut Context<'_>, desk: &Arc<Desk>) -> Poll<()> {
        if self.wire.poll_frames(cx, |frame| desk.hear(frame)).is_ready() {
            return Poll::Ready(());
        }
        let mut state = desk.state();
        let Ok(written) = state.outbox.poll_write(&self.wire.tcp, cx) else { return Poll::Ready(()) };
        if written > 0 || state.outbox.backlog() == 0 {
            self.moved = Instant::now();
        }
        while self.looks.poll_tick(cx).is_ready() {
            if self.moved.elapsed() > STANDSTILL {
                return Poll::Ready(());
            }
        }
        let settled = state.outbox.backlog() == 0 && state.asking.is_empty();
        if written > 0 {
            desk.room.notify_waiters();
        }
        if self.ending && settled { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(self: &Arc<Desk>, frame: Frame<'_>) -> Result<(), Malformed> {
        match frame.said()? {
            Said::Ping => self.state().outbox.push(frame::pong),
            Said::GiveUp => {
                let task = self.state().asking.remove(&frame.number);
                task.iter().for_each(AbortHandle::abort);
            }
            Said::Ask(id, asked) => {
                metrics::cluster_served("ok");
                let task = Arc::clone(self).ask(frame.number, id.to_owned(), asked);
                // Nobody finds it done before it is noted.
                let mut state = self.state();
                let task = tokio::spawn(task).abort_handle();
                if let Some(task) = state.asking.insert(frame.number, task) {
                    task.abort();
                    return Err(Malformed);
                }
            }
        }
        Ok(())
    }

    async fn ask(self: Arc<Desk>, number: u64, id: String, asked: Asked) {
        let mut left = Some(self.engine.ask(&id, asked).await);
        while let Some(answer) = left.take() {
            match self.answer(number, answer) {
                Ok(rest) => left = rest,
                Err(full) => {
                    self.wait_for_room().await;
                    left = Some(full);
                }
            }
        }
    }

    /// Sends an answer, or the begin of it: what is left; or all of it, where there is no room.
    fn answer(&self, number: u64, answer: Answer) -> Result<Option<Answer>, Answer> {
        let mut state = self.state();
        if state.outbox.backlog() > MAX_BACKLOG {
            return Err(answer);
        }
        let left = state.outbox.push(|out| frame::answer(out, number, answer));
        if left.is_none() {
            state.asking.remove(&number);
        }
        Ok(left)
    }

    async fn wait_for_room(&self) {
        let mut room = pin!(self.room.notified());
        room.as_mut().enable();
        if self.state().outbox.backlog() > MAX_BACKLOG {
            room.await;
        }
    }
}
