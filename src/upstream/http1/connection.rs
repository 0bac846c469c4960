//! One connection to an endpoint, and one exchange on it at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::duplex;
use super::framing;
use super::head::{self, Head};
use super::incoming::{Incoming, Paced};
use super::interim::Interim;
use super::send::{Outgoing, Unsent};
use super::switched::Switched;
use crate::body::{Body, BodyError, Timer};
use crate::http1::{Framing, closed, poll_small};
use crate::message::{Fields, Request, Response, ResponseHead};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::load::InFlight;
use crate::upstream::stream::Stream;

/// Bytes of a request's head that an idle connection keeps memory for.
const KEPT_BUFFER: usize = 2048;

/// A connection that carries one exchange at a time. Dropping it closes it, which cancels whatever
/// the upstream does for it.
#[derive(Debug)]
pub(in crate::upstream) struct Connection {
    pub(super) stream: Stream,
    /// What was read and is not decoded yet.
    pub(super) unread: Bytes,
    /// For the next request's head.
    buffer: Vec<u8>,
    /// When there should be a response's head.
    deadline: Timer,
    idle_until: Instant,
    /// Index of the pool's shard that belongs to the thread that opened it.
    pub(in crate::upstream) shard: usize,
    /// Whether it has carried an exchange before, so that the upstream may have closed it meanwhile.
    pub(in crate::upstream) reused: bool,
    /// Counts its exchange at the endpoint, where there are several.
    pub(in crate::upstream) in_flight: Option<InFlight>,
}

/// Why there is no response.
#[derive(Debug)]
pub(in crate::upstream) enum Failure {
    /// The request's body failed.
    Body(BodyError),
    /// The response's head did not come in time, or the upstream stopped taking the request.
    Timeout,
    /// The connection broke, or what came was not HTTP. `unheard`: not one byte came; `untaken`: not
    /// one byte of the request was taken.
    Broken { error: BodyError, unheard: bool, untaken: bool },
    /// A response that must not be passed on.
    Refused(&'static str),
}

/// A response's head, and how it goes on.
pub(in crate::upstream) struct Answer {
    parts: ResponseHead,
    framing: Framing,
    /// Whether the connection may carry another exchange.
    persistent: bool,
    /// The request, if it is still on its way out.
    outgoing: Option<Outgoing>,
}

/// What is known while a response's head is waited for.
struct Awaited {
    interim: Interim,
    /// Whether any byte came.
    heard: bool,
    /// The request's fields, until the memory is the response's.
    spare: Fields,
}

impl Answer {
    /// Its status.
    pub(in crate::upstream) fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// The response: its body takes `connection`, and what is left of the request's `body`. At its end
    /// the connection goes back to `endpoint`.
    pub(in crate::upstream) fn into_response(
        self,
        mut connection: Box<Connection>,
        body: Body,
        endpoint: &Arc<Endpoint>,
    ) -> Response<Body> {
        let Answer { mut parts, framing, persistent, outgoing } = self;
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            parts.extensions.insert(Switched::new(*connection));
            return Response::from_parts(parts, Body::Empty);
        }
        let body = match (framing, outgoing) {
            (_, Some(outgoing)) => {
                duplex::start(connection, (outgoing, body), framing, persistent, Arc::clone(endpoint))
            }
            (Framing::Length(length), None) if connection.unread.len() as u64 >= length => {
                let here = connection.unread.split_to(usize::try_from(length).unwrap_or_default());
                endpoint.take_back(connection, persistent);
                Body::Full(here)
            }
            (Framing::None, None) => {
                endpoint.take_back(connection, persistent);
                Body::Empty
            }
            (framing, None) => {
                let paced = Paced::new(framing, endpoint.stream_idle_timeout());
                Body::boxed(Incoming::new(paced, persistent, connection, Arc::clone(endpoint)))
            }
        };
        Response::from_parts(parts, body)
    }
}

impl Connection {
    pub(in crate::upstream) fn new(stream: Stream, shard: usize) -> Connection {
        Connection {
            stream,
            unread: Bytes::new(),
            buffer: Vec::new(),
            deadline: Timer::default(),
            idle_until: Instant::now(),
            shard,
            reused: false,
            in_flight: None,
        }
    }

    /// Sends a request, which asks for an upgrade if `upgrading`, and waits for the response's head, at most
    /// `limit` after the request was sent.
    pub(in crate::upstream) async fn exchange(
        &mut self,
        request: &mut Request<Body>,
        upgrading: bool,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let mut outgoing = Outgoing::new(request, std::mem::take(&mut self.buffer));
        // The request's fields are encoded: their memory takes the response's.
        let spare = std::mem::take(request.headers_mut());
        let mut awaited = Awaited { interim: Interim::of(request), heard: false, spare };
        let (mut sent, body) = (false, request.body_mut());
        let head = poll_fn(|cx| {
            if !sent {
                match outgoing.poll(&mut self.stream, body, cx) {
                    Poll::Ready(Ok(())) => {
                        sent = true;
                        self.deadline.set(Some(Instant::now() + limit));
                    }
                    Poll::Ready(Err(Unsent::Body(error))) => return Poll::Ready(Err(Failure::Body(error))),
                    Poll::Ready(Err(Unsent::Stalled)) => return Poll::Ready(Err(Failure::Timeout)),
                    Poll::Pending => (),
                }
            }
            if let Poll::Ready(head) = self.poll_head(&mut awaited, cx) {
                let (unheard, untaken) = (!awaited.heard, outgoing.is_untaken());
                return Poll::Ready(head.map_err(|error| Failure::Broken { error, unheard, untaken }));
            }
            if sent { self.deadline.poll(cx).map(|()| Err(Failure::Timeout)) } else { Poll::Pending }
        })
        .await;
        self.deadline.set(None);
        // After a failure the request may be sent again.
        *request.headers_mut() = awaited.spare;
        let Head { mut parts, persistent } = head?;
        let framing = framing::of(&mut parts, request.method(), upgrading).map_err(Failure::Refused)?;
        let persistent = persistent && !outgoing.is_deaf();
        let outgoing = if outgoing.is_sent() {
            self.buffer = outgoing.into_buffer();
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_BUFFER);
            None
        } else {
            Some(outgoing)
        };
        Ok(Answer { parts, framing, persistent, outgoing })
    }

    /// The response's head. Interim ones (1xx, but 101) are passed over.
    fn poll_head(&mut self, awaited: &mut Awaited, cx: &mut Context<'_>) -> Poll<Result<Head, BodyError>> {
        loop {
            while !self.unread.is_empty()
                && let Some(head) = head::read(&mut self.unread, &mut awaited.spare)?
            {
                if !awaited.interim.takes(head.parts.status)? {
                    return Poll::Ready(Ok(head));
                }
            }
            if ready!(poll_small(&mut self.stream, &mut self.unread, cx))? == 0 {
                return Poll::Ready(Err(closed().into()));
            }
            awaited.heard = true;
        }
    }

    /// Whether nothing is left on it that nobody asked for.
    pub(in crate::upstream) fn is_clean(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether the connection is of no use while it idles: its time is over, the upstream closed it or
    /// sent what nobody asked for, or its name leads elsewhere. If not, `cx` is woken when that changes, but not by time.
    pub(in crate::upstream) fn is_over(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        if self.idle_until <= now || self.stream.is_astray() {
            return true;
        }
        let mut byte = [0];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready()
    }

    /// Takes it out of idling; false if it is of no use any more.
    pub(in crate::upstream) fn wake(&mut self) -> bool {
        !self.is_over(Instant::now(), &mut Context::from_waker(Waker::noop()))
    }

    /// Lets it idle, until it is too old at the latest.
    pub(in crate::upstream) fn rest(&mut self, timeout: Duration) {
        self.reused = true;
        self.idle_until = (Instant::now() + timeout).min(self.stream.ends());
    }

    pub(in crate::upstream) fn idle_until(&self) -> Instant {
        self.idle_until
    }
}
