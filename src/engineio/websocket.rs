//! The WebSocket transport: one task a session, which reads packets and writes what is queued.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Reason;
use super::flusher::{BATCH, Flusher};
use super::frame::Frame;
use super::packet::{Message, Packet};
use super::pipe::{Broken, Pipe};
use super::session::{Farewell, Session, Transport};
use super::wire::{Incoming, Violation};
use crate::telemetry::metrics;

/// How long a peer may take to accept the last frames and the close. Its session is over all the
/// while: only this task waits.
const FAREWELL: Duration = Duration::from_secs(5);

/// Carries a session until it ends.
pub(super) async fn run(session: Arc<Session>, mut pipe: Pipe) {
    if let Some(flusher) = pipe.outlet().tcp().and_then(|_| Flusher::here()) {
        let _ = session.flusher.set(flusher);
    }
    let violation = match poll_fn(|cx| poll_session(cx, &session, &mut pipe)).await {
        Over::Session => None,
        Over::Pipe(Broken::Closed) => {
            session.end(Reason::TransportClose, Farewell::Drop);
            None
        }
        Over::Pipe(Broken::Io) => {
            // A reset is how many clients leave; Node calls that a close as well.
            session.end(Reason::TransportClose, Farewell::Drop);
            return;
        }
        Over::Pipe(Broken::Violation(violation)) => {
            session.end(Reason::TransportError, Farewell::Drop);
            violation.bound().into_iter().for_each(metrics::refused);
            Some(violation)
        }
    };
    let farewell = async {
        let mut last = false;
        while !last {
            pipe.flush().await?;
            last = !session.take_last(&pipe);
        }
        pipe.finish(violation).await
    };
    // Whether the peer took the farewell changes nothing any more.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// Tries a new WebSocket for a polling session; takes over if the client says so.
/// Whatever else happens, only the WebSocket is closed and polling goes on.
pub(super) async fn upgrade(session: Arc<Session>, mut pipe: Pipe) {
    let patience = session.options().upgrade_timeout;
    let probed = tokio::time::timeout(patience, probe(&session, &mut pipe)).await;
    let upgraded = matches!(probed, Ok(Some(()))) && session.take_over();
    if upgraded {
        session.announce_upgrade();
        return run(session, pipe).await;
    }
    session.end_probe();
    let _ = tokio::time::timeout(FAREWELL, pipe.finish(None)).await;
}

/// `2probe` is answered by `3probe`; `5` confirms.
async fn probe(session: &Session, pipe: &mut Pipe) -> Option<()> {
    let Some(Packet::Probe) = next_packet(pipe).await else { return None };
    session.release_get();
    pipe.push(Frame::packet("3probe").websocket());
    pipe.flush().await.ok()?;
    let Some(Packet::Upgrade) = next_packet(pipe).await else { return None };
    Some(())
}

async fn next_packet(pipe: &mut Pipe) -> Option<Packet> {
    loop {
        match pipe.read().await.ok()? {
            // What is said here is the same in all versions.
            Incoming::Message(Message::Text(text)) => return Packet::parse(text).ok(),
            Incoming::Message(Message::Binary(_)) => return None,
            _ => {}
        }
    }
}

enum Over {
    Session,
    Pipe(Broken),
}

/// What writing came to.
enum Out {
    /// Everything was written.
    Done {
        /// Whether so much is being handled that nothing may be read.
        deaf: bool,
    },
    /// The peer takes no more for now.
    Blocked,
    Over(Over),
}

/// One turn: writes while the peer takes it, reads while there is something, then sleeps.
fn poll_session(cx: &mut Context<'_>, session: &Arc<Session>, pipe: &mut Pipe) -> Poll<Over> {
    loop {
        let deaf = match poll_out(cx, session, pipe) {
            Out::Over(over) => return Poll::Ready(over),
            Out::Done { deaf } => deaf,
            Out::Blocked => session.poll_room(cx).is_pending(),
        };
        if deaf {
            return Poll::Pending;
        }
        match pipe.poll_read(cx) {
            Poll::Ready(Ok(incoming)) => {
                session.heard();
                if let Err(over) = handle(session, incoming) {
                    return Poll::Ready(over);
                }
            }
            Poll::Ready(Err(broken)) => return Poll::Ready(Over::Pipe(broken)),
            Poll::Pending if pipe.outlet().frames().is_empty() => return Poll::Pending,
            // A control frame's answer was added by the read.
            Poll::Pending => {
                session.state().outlet = None;
                match poll_out(cx, session, pipe) {
                    Out::Over(over) => return Poll::Ready(over),
                    _ => return Poll::Pending,
                }
            }
        }
    }
}

/// Writes what is queued, unless the flusher does.
fn poll_out(cx: &mut Context<'_>, session: &Session, pipe: &mut Pipe) -> Out {
    if let Some(deaf) = session.leave_to_flusher(cx) {
        return Out::Done { deaf };
    }
    let outlet = pipe.outlet().clone();
    let mut frames = outlet.frames();
    loop {
        let written = pipe.poll_write_frames(cx, &mut frames);
        if let Poll::Ready(Err(error)) = written {
            return Out::Over(Over::Pipe(error.into()));
        }
        let mut state = session.state();
        state.congested = written.is_pending();
        if state.ended.is_some() {
            return Out::Over(Over::Session);
        }
        state.written_by(cx);
        if state.congested {
            // A peer that takes nothing any more must not keep the task from learning of the end.
            return Out::Blocked;
        }
        state.queue.written();
        if state.queue.is_empty() {
            state.outlet = session.flusher.get().map(|_| outlet.clone());
            return Out::Done { deaf: state.is_deaf(session.options(), cx) };
        }
        state.queue.take(BATCH, |frame| session.dialect.websocket(frame, |bytes| frames.push(bytes)));
    }
}

fn handle(session: &Arc<Session>, incoming: Incoming) -> Result<(), Over> {
    let Incoming::Message(message) = incoming else { return Ok(()) };
    match session.dialect.packet(message) {
        Ok(Packet::Message(message)) => session.receive(message),
        Ok(Packet::Pong) => session.pong(),
        Ok(Packet::Ping) => session.ping(),
        Ok(Packet::Close) => return Err(Over::Pipe(Broken::Closed)),
        Ok(Packet::Probe | Packet::Upgrade) | Err(_) => {
            session.end(Reason::ParseError, Farewell::Drop);
            return Err(Over::Session);
        }
    }
    Ok(())
}

impl Session {
    /// Moves what is left of the queue to the pipe; false when there was nothing.
    fn take_last(&self, pipe: &Pipe) -> bool {
        let mut frames = pipe.outlet().frames();
        let mut state = self.state();
        let any = !state.queue.is_empty();
        state.queue.take(BATCH, |frame| self.dialect.websocket(frame, |bytes| frames.push(bytes)));
        any
    }

    /// Marks the session as being probed; false if it is already, or needs no upgrade.
    pub(super) fn begin_probe(&self) -> bool {
        let writer = {
            let mut state = self.state();
            if state.probing || state.ended.is_some() || state.transport == Transport::Websocket {
                return false;
            }
            state.probing = true;
            state.writer.take()
        };
        writer.into_iter().for_each(std::task::Waker::wake);
        true
    }

    /// Lets a GET go, the one that is pending or the next.
    fn release_get(&self) {
        let writer = {
            let mut state = self.state();
            state.probed = true;
            state.writer.take()
        };
        writer.into_iter().for_each(std::task::Waker::wake);
    }

    pub(super) fn end_probe(&self) {
        let mut state = self.state();
        state.probing = false;
        state.probed = false;
    }

    fn take_over(&self) -> bool {
        let writer = {
            let mut state = self.state();
            state.probing = false;
            state.probed = false;
            if state.ended.is_some() {
                return false;
            }
            state.transport = Transport::Websocket;
            state.writer.take()
        };
        self.count_upgrade();
        writer.into_iter().for_each(std::task::Waker::wake);
        true
    }
}

/// Closes a WebSocket that nobody wants, after its 101 went out.
pub(super) async fn turn_away(pipe: Pipe) {
    let _ = tokio::time::timeout(FAREWELL, pipe.finish(None::<Violation>)).await;
}
