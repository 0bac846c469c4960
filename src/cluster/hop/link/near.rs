//! The end of a link at the node where clients come in: asks another node, and hands its answers out.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::frame::{self, Frame, Malformed, Told};
use super::greeting;
use super::wire::{Outbox, Wire};
use crate::cluster::hop::links::Bounds;
use crate::cluster::hop::pass::Passes;
use crate::cluster::{NodeId, Registry};
use crate::engineio::{Answer, Asked};
use crate::telemetry::metrics;

/// Bytes that may wait to be written. What comes beyond them is sent on by requests of their own.
const MAX_BACKLOG: usize = 1_000_000;

/// Longest time between two looks at what waits.
const LOOK: Duration = Duration::from_secs(1);

/// Why a request has no answer, as metrics name it.
pub(in crate::cluster::hop) type Why = &'static str;

/// A connection to another node that many requests share. It serves one thread's clients.
#[derive(Debug)]
pub(super) struct Link(Mutex<State>);

#[derive(Debug)]
struct State {
    outbox: Outbox,
    waiting: HashMap<u64, Waiting>,
    /// Number of the last request.
    last: u64,
    /// When the other node last said something.
    heard: Instant,
    /// When it was asked whether it is there, if it has said nothing since.
    asked: Option<Instant>,
    ended: bool,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Result<Answer, Why>>,
    /// What came of it already.
    begun: Vec<u8>,
    until: Instant,
}

/// A request that waits. Dropped before its answer came, it is given up.
#[derive(Debug)]
pub(in crate::cluster::hop) struct Ticket {
    link: Arc<Link>,
    number: u64,
    answer: oneshot::Receiver<Result<Answer, Why>>,
    done: bool,
}

impl Ticket {
    /// The answer, or why there is none.
    pub(in crate::cluster::hop) async fn answer(mut self) -> Result<Answer, Why> {
        let answer = (&mut self.answer).await;
        self.done = true;
        answer.unwrap_or(Err("broken"))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut state = self.link.state();
        if state.waiting.remove(&self.number).is_some() {
            state.outbox.push(|out| frame::give_up(out, self.number));
        }
    }
}

impl Link {
    /// A link that is not open yet. What is asked meanwhile waits.
    pub(super) fn new() -> Link {
        let (outbox, waiting) = (Outbox::default(), HashMap::new());
        Link(Mutex::new(State { outbox, waiting, last: 0, heard: Instant::now(), asked: None, ended: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// Asks a session of the other node; nobody waits for longer than `time`. `None` where it does not fit.
    pub(super) fn ask(self: &Arc<Link>, id: &str, asked: &Asked, time: Duration) -> Option<Ticket> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        if state.ended || state.outbox.backlog() > MAX_BACKLOG || !frame::fits(id, asked) {
            return None;
        }
        state.last += 1;
        let number = state.last;
        let waiting = Waiting { answer: sender, begun: Vec::new(), until: Instant::now() + time };
        state.waiting.insert(number, waiting);
        state.outbox.push(|out| frame::ask(out, number, id, asked));
        drop(state);
        Some(Ticket { link: Arc::clone(self), number, answer, done: false })
    }

    /// Opens the link and carries what is asked and answered, until it ends.
    pub(super) async fn run(&self, to: NodeId, registry: &Registry, passes: &Passes, bounds: &Bounds) {
        let why = self.carry(to, registry, passes, bounds).await;
        let mut state = self.state();
        state.ended = true;
        if !state.waiting.is_empty() {
            tracing::debug!(node = %to, why, requests = state.waiting.len(), "a link to another node has ended");
        }
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.answer.send(Err(why));
        }
    }

    async fn carry(&self, to: NodeId, registry: &Registry, passes: &Passes, bounds: &Bounds) -> Why {
        let Some(address) = registry.advertise_of(to).await else { return "gone" };
        let opened = timeout(bounds.connect_timeout, greeting::open(&address, passes, to)).await;
        let mut wire = match opened {
            Ok(Ok(wire)) => wire,
            Ok(Err(why)) => return why,
            Err(_) => return "timeout",
        };
        let _open = Open::count();
        self.state().heard = Instant::now();
        let mut looks = interval(LOOK.min(bounds.response_timeout / 4).max(Duration::from_millis(10)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll_fn(|cx| self.poll(cx, &mut wire, &mut looks, || registry.known(to).is_none(), bounds)).await
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
        looks: &mut Interval,
        gone: impl Fn() -> bool,
        bounds: &Bounds,
    ) -> Poll<Why> {
        let mut state = self.state();
        let mut heard = false;
        let ended = wire.poll_frames(cx, |frame| {
            heard = true;
            state.hear(frame)
        });
        if ended.is_ready() {
            return Poll::Ready("broken");
        }
        if heard {
            (state.heard, state.asked) = (Instant::now(), None);
        }
        while looks.poll_tick(cx).is_ready() {
            if gone() {
                return Poll::Ready("gone");
            }
            if !state.look(bounds.response_timeout) {
                return Poll::Ready("timeout");
            }
        }
        match state.outbox.poll_write(&wire.tcp, cx) {
            Ok(_) => Poll::Pending,
            Err(_) => Poll::Ready("broken"),
        }
    }
}

impl State {
    fn hear(&mut self, frame: Frame<'_>) -> Result<(), Malformed> {
        match frame.told()? {
            Told::Pong => {}
            Told::More(part) => {
                // Nobody may be left who waits for it.
                if let Some(waiting) = self.waiting.get_mut(&frame.number) {
                    waiting.begun.extend_from_slice(part);
                }
            }
            Told::Answer(answer) => {
                if let Some(waiting) = self.waiting.remove(&frame.number) {
                    let _ = waiting.answer.send(Ok(behind(waiting.begun, answer)));
                }
            }
        }
        Ok(())
    }

    /// Gives up who has waited too long. False when the other node has said nothing for so long, though it was
    /// asked, that there is nobody.
    fn look(&mut self, patience: Duration) -> bool {
        let now = Instant::now();
        for (number, waiting) in self.waiting.extract_if(|_, waiting| waiting.until <= now) {
            let _ = waiting.answer.send(Err("timeout"));
            self.outbox.push(|out| frame::give_up(out, number));
        }
        match self.asked {
            Some(asked) => now.saturating_duration_since(asked) <= patience,
            None => {
                if now.saturating_duration_since(self.heard) > patience && !self.waiting.is_empty() {
                    self.asked = Some(now);
                    self.outbox.push(frame::ping);
                }
                true
            }
        }
    }
}

/// An answer whose packets have begun before.
fn behind(mut begun: Vec<u8>, answer: Answer) -> Answer {
    match answer {
        Answer::Packets { bytes, binary } if !begun.is_empty() => {
            begun.extend_from_slice(&bytes);
            Answer::Packets { bytes: Bytes::from(begun), binary }
        }
        answer => answer,
    }
}

/// Counts an open link until it is dropped.
struct Open;

impl Open {
    fn count() -> Open {
        metrics::cluster_links(1.0);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::cluster_links(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(9);

    fn link() -> Arc<Link> {
        Arc::new(Link::new())
    }

    /// What the other node would read.
    fn said(link: &Link) -> Vec<(u64, String)> {
        let mut bytes = Vec::new();
        link.state().outbox.push(|out| bytes = std::mem::take(out));
        let (mut rest, mut said) = (bytes.as_slice(), Vec::new());
        while let Some((frame, length)) = Frame::read(rest).unwrap() {
            said.push((frame.number, format!("{:?}", frame.said().unwrap())));
            rest = &rest[length..];
        }
        said
    }

    fn hear(link: &Link, number: u64, answer: Answer) {
        let (mut bytes, mut left) = (Vec::new(), Some(answer));
        while let Some(rest) = left.take() {
            left = frame::answer(&mut bytes, number, rest);
        }
        let mut rest = bytes.as_slice();
        while let Some((frame, length)) = Frame::read(rest).unwrap() {
            link.state().hear(frame).unwrap();
            rest = &rest[length..];
        }
    }

    #[tokio::test]
    async fn answers_find_who_asked_in_any_order() {
        let link = link();
        let tickets: Vec<_> =
            (0..3).map(|n| link.ask(&format!("s{n}"), &Asked::Get, TIME).unwrap()).collect();
        assert_eq!(said(&link).len(), 3);
        let packets = |size| Answer::Packets { bytes: vec![b'x'; size].into(), binary: false };
        hear(&link, 3, packets(100_000));
        hear(&link, 1, Answer::Posted);
        // An answer to nobody, as after a request was given up, is nobody's.
        hear(&link, 9, Answer::Posted);
        hear(&link, 2, packets(7));
        let mut answers = Vec::new();
        for ticket in tickets {
            answers.push(ticket.answer().await);
        }
        assert_eq!(answers, [Ok(Answer::Posted), Ok(packets(7)), Ok(packets(100_000))]);
        assert_eq!(said(&link), [], "nothing of it was given up");
    }

    #[test]
    fn what_does_not_fit_is_asked_otherwise() {
        let link = link();
        let post = Asked::Post { body: vec![b'x'; 16 * 1024].into(), binary: false };
        let mut tickets = Vec::new();
        while let Some(ticket) = link.ask("s", &post, TIME) {
            tickets.push(ticket);
            assert!(tickets.len() < 100, "there is no bound");
        }
        assert_eq!(tickets.len(), 61, "a megabyte waits");
        assert!(link.ask("s", &Asked::Get, TIME).is_none());
        assert_eq!(said(&link).len(), 61);
        assert!(link.ask("s", &Asked::Get, TIME).is_some());
    }

    #[test]
    fn who_leaves_is_given_up_and_who_waits_too_long() {
        let link = link();
        drop(link.ask("s", &Asked::Get, TIME));
        let mut late = link.ask("s", &Asked::Get, Duration::ZERO).unwrap();
        assert!(link.state().look(TIME));
        assert_eq!(late.answer.try_recv(), Ok(Err("timeout")));
        drop(late);
        let give_ups: Vec<_> = said(&link).into_iter().filter(|(_, said)| said == "GiveUp").collect();
        assert_eq!(give_ups.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_node_that_says_nothing_is_asked_and_then_given_up() {
        let link = link();
        assert!(link.state().look(Duration::ZERO), "nobody waits for it");
        let _ticket = link.ask("s", &Asked::Get, TIME);
        assert!(link.state().look(TIME));
        std::thread::sleep(Duration::from_millis(2));
        assert!(link.state().look(Duration::ZERO));
        assert_eq!(said(&link).last().map(|(_, said)| said.as_str()), Some("Ping"));
        assert!(link.state().look(TIME), "it has as long again");
        std::thread::sleep(Duration::from_millis(2));
        assert!(!link.state().look(Duration::ZERO));
    }
}
