//! The HTTP long-polling transport: GETs take what waits, POSTs bring packets.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Reason;
use super::answer::{Answer, Refusal};
use super::dialect::Protocol;
use super::frame::Frame;
use super::packet::Packet;
use super::session::{Farewell, Session, Transport};
use crate::body::Body;
use crate::message::{Fields, Request};
use crate::telemetry::metrics;

/// The content type of binary packets.
pub(super) const BINARY: &str = "application/octet-stream";

/// What a GET answers at most, unless a single packet is larger. The rest stays for the next.
const MAX_ANSWER: usize = 1_000_000;

/// The packet that ends a session.
const CLOSE: &str = "1";
/// The packet that only ends a GET.
const NOOP: &str = "6";

/// How long a GET without news is held while a WebSocket is probing. Not at all would be a busy
/// loop for a client behind a box that swallows the probe's frames. Node's server looks as often.
const PROBE_HOLD: Duration = Duration::from_millis(100);

/// How long a goodbye waits for the GET that its client sent before it, on another connection.
const CROSSING: Duration = Duration::from_millis(30);

/// What a pending GET finds.
#[derive(Debug)]
enum Turn {
    /// Packets, or the end of the session with the last of them.
    Packets(Vec<Frame>),
    /// A WebSocket is probing.
    Probing,
    /// The WebSocket has taken over.
    Upgraded,
}

/// Ends the session when a GET or POST is given up by its client.
struct Exchange<'a> {
    session: &'a Arc<Session>,
    post: bool,
    complete: bool,
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let mut left = false;
        {
            let mut state = self.session.state();
            if self.post {
                state.posting = false;
                left = state.ended.is_some_and(|ended| ended.farewell == Farewell::Left);
            } else {
                state.getting = false;
                state.writer = None;
            }
        }
        if left {
            self.session.forget();
        }
        if !self.complete {
            self.session.end(Reason::TransportError, Farewell::Drop);
        }
    }
}

/// Answers a GET: at once if something waits, else when something comes.
pub(super) async fn get(session: &Arc<Session>) -> Answer {
    let first = {
        let mut state = session.state();
        !std::mem::replace(&mut state.getting, true)
    };
    if !first {
        // The pending GET keeps its own mark and is answered with the farewell.
        session.end(Reason::TransportError, Farewell::Flush);
        session.forget();
        return Answer::Bare(StatusCode::BAD_REQUEST);
    }
    let mut exchange = Exchange { session, post: false, complete: false };
    let arrived_open = session.is_open();
    if arrived_open && !session.heard() {
        exchange.complete = true;
        return Answer::Refused(Refusal::UnknownSession);
    }
    let turn = match poll_fn(|cx| session.poll_turn(cx, false)).await {
        Turn::Probing => tokio::time::timeout(PROBE_HOLD, poll_fn(|cx| session.poll_turn(cx, true)))
            .await
            .unwrap_or_else(|_| Turn::Packets(vec![Frame::packet(NOOP)])),
        turn => turn,
    };
    exchange.complete = true;
    drop(exchange);
    match turn {
        Turn::Packets(mut frames) => {
            // A client that finds the session closed on arrival gets a noop before the farewell.
            if let [only] = frames.as_slice()
                && !arrived_open
                && only.payload() == CLOSE.as_bytes()
            {
                frames.insert(0, Frame::packet(NOOP));
            }
            session.dialect.payload(&frames).into()
        }
        Turn::Probing | Turn::Upgraded => Answer::Refused(Refusal::BadRequest),
    }
}

impl Session {
    /// Keeps back what is sent until [`uncork`](Self::uncork): the answers to a POST's packets go
    /// out in one GET.
    pub(super) fn cork(&self) {
        let mut state = self.state();
        state.corked = true;
        state.talks |= state.admit_by.is_none();
    }

    /// Lets go what was kept back, after the POST itself was answered: this task runs when the one
    /// that answers rests. Clients exist that are lost between the two (python-engineio stops
    /// sending when an answer makes it leave while it still waits for the POST's).
    pub(super) fn uncork(self: &Arc<Self>) {
        let waits = {
            let mut state = self.state();
            state.corked = !state.queue.is_empty();
            state.corked
        };
        if waits {
            let session = self.clone();
            tokio::spawn(async move {
                let writer = {
                    let mut state = session.state();
                    state.corked = false;
                    state.writer()
                };
                session.call(writer);
            });
        }
    }

    fn has_left_without_a_get(&self) -> bool {
        let state = self.state();
        !state.getting && state.ended.is_some_and(|ended| ended.farewell == Farewell::Left)
    }

    fn poll_turn(&self, cx: &mut Context<'_>, held: bool) -> Poll<Turn> {
        let mut state = self.state();
        if state.transport == Transport::Websocket {
            return Poll::Ready(Turn::Upgraded);
        }
        if state.corked && state.ended.is_none() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut frames = Vec::new();
        state.queue.take(MAX_ANSWER, |frame| frames.push(frame));
        state.queue.written();
        if let Some(ended) = state.ended
            && state.queue.is_empty()
            // The close packet goes alone: the stock client looks at what comes with it only after it
            // has closed, and would take a DISCONNECT for a lost connection.
            && (frames.is_empty() || ended.farewell == Farewell::Left)
        {
            // A client that said goodbye itself needs no close packet.
            frames.push(Frame::packet(if ended.farewell == Farewell::Left { NOOP } else { CLOSE }));
            drop(state);
            self.forget();
            return Poll::Ready(Turn::Packets(frames));
        }
        if !frames.is_empty() {
            return Poll::Ready(Turn::Packets(frames));
        }
        // The answer to what a client says is likely to be what lets its GET go.
        if !state.talks && std::mem::take(&mut state.probed) {
            return Poll::Ready(Turn::Packets(vec![Frame::packet(NOOP)]));
        }
        if state.probing && !held {
            return Poll::Ready(Turn::Probing);
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Why a POST's body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// It is over the limit. The session lives.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// It did not come whole, or the session ended meanwhile.
    Broken,
}

impl Unread {
    fn answer(self) -> Answer {
        Answer::Bare(match self {
            Unread::TooLarge => {
                metrics::refused("socketio.max_payload");
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Unread::TooSlow => {
                metrics::refused("socketio.post_timeout");
                StatusCode::REQUEST_TIMEOUT
            }
            Unread::Broken => StatusCode::BAD_REQUEST,
        })
    }
}

/// Reads a POST's body, within the bounds of its session.
async fn read(session: &Arc<Session>, request: &mut Request<Body>) -> Result<Bytes, Unread> {
    let limit = session.options().max_payload;
    if content_length(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge);
    }
    let mut body = pin!(Limited::new(request.body_mut(), limit).collect());
    // A session that ends meanwhile waits for no more of it.
    let body = poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Ready(Ok(body)) => Poll::Ready(Ok(body.to_bytes())),
        Poll::Ready(Err(error)) if error.is::<LengthLimitError>() => Poll::Ready(Err(Unread::TooLarge)),
        Poll::Ready(Err(_)) => Poll::Ready(Err(Unread::Broken)),
        Poll::Pending => session.poll_end(cx).map(|()| Err(Unread::Broken)),
    });
    tokio::time::timeout(session.options().post_timeout, body).await.unwrap_or(Err(Unread::TooSlow))
}

/// Answers a POST after its packets were handed on.
pub(super) async fn post(session: &Arc<Session>, request: &mut Request<Body>) -> Answer {
    let first = {
        let mut state = session.state();
        !std::mem::replace(&mut state.posting, true)
    };
    if !first {
        session.end(Reason::TransportError, Farewell::Drop);
        return Answer::Bare(StatusCode::BAD_REQUEST);
    }
    let mut exchange = Exchange { session, post: true, complete: false };
    let binary = is_binary(request.headers());
    if binary && session.protocol() == Protocol::V4 {
        return Answer::Bare(StatusCode::BAD_REQUEST);
    }
    if !session.heard() {
        exchange.complete = true;
        return Answer::Refused(Refusal::UnknownSession);
    }
    let body = match read(session, request).await {
        Ok(body) => body,
        Err(unread) => {
            exchange.complete = unread == Unread::TooLarge;
            return unread.answer();
        }
    };
    session.cork();
    let outcome = handle(session, body, binary);
    session.uncork();
    exchange.complete = true;
    if session.has_left_without_a_get() {
        tokio::time::sleep(CROSSING).await;
    }
    drop(exchange);
    match outcome {
        Ok(()) => {
            // A client that sends faster than its events are handled waits for its answer.
            poll_fn(|cx| session.poll_room(cx)).await;
            Answer::Posted
        }
        Err(reason) => {
            session.end(reason, Farewell::Drop);
            Answer::Bare(StatusCode::BAD_REQUEST)
        }
    }
}

fn handle(session: &Arc<Session>, body: Bytes, binary: bool) -> Result<(), Reason> {
    session.heard();
    for (index, packet) in session.dialect.packets(body, binary).enumerate() {
        if index >= session.options().max_packets {
            metrics::refused("socketio.max_packets_per_post");
            return Err(Reason::ParseError);
        }
        match packet {
            Ok(Packet::Message(message)) => session.receive(message),
            Ok(Packet::Pong) => session.pong(),
            Ok(Packet::Ping) => session.ping(),
            Ok(Packet::Close) => {
                session.end(Reason::TransportClose, Farewell::Left);
                return Ok(());
            }
            Ok(Packet::Probe | Packet::Upgrade) | Err(_) => return Err(Reason::ParseError),
        }
    }
    Ok(())
}

/// Whether a POST says that its packets are binary.
pub(super) fn is_binary(headers: &Fields) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(BINARY.as_bytes()))
}

fn content_length(headers: &Fields) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
