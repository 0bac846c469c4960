//! A connection and where it stands within a request and its answer. All of it is polled by one task.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::answer::{self, Manner};
use super::head::{self, Bounds, Head};
use super::spare;
use super::upload::{Fed, Intake};
use crate::body::{Body, BodyError};
use crate::http1::upgrade::Upgraded;
use crate::http1::{Outbox, closed, poll_small};
use crate::message::{Request, Response};
use crate::server::Socket;

/// Bytes of a body nobody reads that are passed over for the sake of the connection, of what has come.
const SWALLOW: usize = 64 * 1024;

/// A client's connection.
pub(super) struct Link {
    pub(super) socket: Socket,
    /// What was read and is not decoded yet.
    unread: Bytes,
    /// How much of it was looked at for the end of a head, in vain.
    seen: usize,
    out: Outbox,
    /// What is left of the request's body to come.
    intake: Option<Intake>,
    /// Whether the request's body broke, so that nothing can follow it.
    broken: bool,
    /// Why the response's body broke.
    failed: Option<BodyError>,
}

impl Link {
    pub(super) fn new(socket: Socket) -> Link {
        Link {
            socket,
            unread: Bytes::new(),
            seen: 0,
            out: Outbox::new(Vec::new()),
            intake: None,
            broken: false,
            failed: None,
        }
    }

    /// Whether no byte of a request is there.
    pub(super) fn is_idle(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether bytes are left that were, or will be, read in vain.
    pub(super) fn has_leftovers(&self) -> bool {
        self.intake.is_some() || self.broken || !self.unread.is_empty()
    }

    /// The next head, written to `request`; none when the client has ended the connection.
    pub(super) fn poll_head(
        &mut self,
        bounds: Bounds,
        request: &mut Request<Body>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Head>>> {
        loop {
            if let Some(head) = self.take_head(bounds, request) {
                self.seen = 0;
                return Poll::Ready(Ok(Some(head)));
            }
            match poll_small(&mut self.socket, &mut self.unread, cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(None)),
                Poll::Ready(_) => (),
                Poll::Pending => {
                    if !self.unread.is_empty() {
                        self.socket.begin_head();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// A head, if one is there. It is only looked for where a line has come, since each look begins anew.
    fn take_head(&mut self, bounds: Bounds, request: &mut Request<Body>) -> Option<Head> {
        let new = self.unread.get(self.seen..).unwrap_or_default();
        if memchr::memchr(b'\n', new).is_none() && self.unread.len() <= bounds.bytes {
            self.seen = self.unread.len();
            return None;
        }
        let read = head::read(&mut self.unread, request, bounds);
        self.seen = self.unread.len();
        match read {
            Ok(head) => {
                self.broken |= head.as_ref().is_some_and(|head| head.refused.is_some());
                head
            }
            Err(refused) => {
                self.broken = true;
                Some(Head::unreadable(refused, request))
            }
        }
    }

    /// The whole body of `length` bytes, if it has come.
    pub(super) fn take_whole(&mut self, length: u64) -> Option<Bytes> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.unread.len())?;
        let body = self.unread.split_to(length);
        if self.unread.is_empty() {
            self.unread = Bytes::new();
        }
        Some(body)
    }

    /// A body is to come.
    pub(super) fn expect(&mut self, intake: Intake) {
        self.intake = Some(intake);
    }

    /// Polls what answers the request, and reads for it. An error is a client that has left.
    pub(super) fn poll_answer<F: Future>(
        &mut self,
        mut answer: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<F::Output>> {
        loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            let fed = self.feed(true, cx);
            // A client that waits for a 100.
            if !self.out.is_empty() {
                let _ = self.poll_out(cx)?;
            }
            if !fed {
                return self.poll_gone(cx);
            }
        }
    }

    /// Reads the request's body on if somebody waits for it; true if that was waited for in this task.
    /// `early` tells that no answer has begun, so that the client can be told to go on.
    fn feed(&mut self, early: bool, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(intake) = self.intake.as_mut().filter(|intake| intake.is_wanted(cx)) else {
                return false;
            };
            if intake.take_expectation() && early {
                self.out.front().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let Poll::Ready((fed, broken)) = intake.feed(&mut self.socket, &mut self.unread, cx) else {
                return false;
            };
            self.broken |= broken;
            if broken || intake.is_done() {
                self.intake = None;
            }
            match fed {
                Fed::Here => return true,
                Fed::There => (),
                Fed::Nothing => return false,
            }
        }
    }

    /// Ready when the client has left: it ended its half while nothing of it was left to read.
    fn poll_gone<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.intake.is_some() || self.broken || !self.unread.is_empty() {
            return Poll::Pending;
        }
        match ready!(poll_small(&mut self.socket, &mut self.unread, cx))? {
            0 => Poll::Ready(Err(closed())),
            _ => Poll::Pending,
        }
    }

    /// Begins an answer; tells whether the connection goes on behind it.
    pub(super) fn begin(&mut self, response: &mut Response<Body>, manner: Manner) -> bool {
        if self.out.is_empty() {
            self.out = Outbox::new(spare::bytes());
        }
        let persistent = answer::begin(response, manner, &mut self.out);
        spare::keep_fields(std::mem::take(response.headers_mut()));
        persistent
    }

    /// Sends the answer, and reads what is left of the request for whoever wants it. What the body brings
    /// is written before it is waited for.
    pub(super) fn poll_send(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let waiting = self.fill(body, cx);
            let out = self.poll_out(cx)?;
            if out.is_ready() && self.out.is_ended() {
                spare::keep_bytes(self.out.take_front());
                return Poll::Ready(self.failed.take().map_or(Ok(()), |error| Err(io::Error::other(error))));
            }
            if waiting || out.is_pending() {
                if self.feed(false, cx) {
                    continue;
                }
                return self.poll_gone(cx);
            }
        }
    }

    /// Takes from the body while there is room for it; true if it has to be waited for.
    fn fill(&mut self, body: &mut Body, cx: &mut Context<'_>) -> bool {
        while !self.out.is_ended() && self.out.has_room() {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { return true };
            let pushed = match frame {
                Some(Ok(frame)) => self.out.push(frame).map_err(BodyError::from),
                Some(Err(error)) => Err(error),
                None => self.out.end().map_err(BodyError::from),
            };
            let ended = pushed.and_then(|()| match body.is_end_stream() && !self.out.is_ended() {
                true => self.out.end().map_err(BodyError::from),
                false => Ok(()),
            });
            if let Err(error) = ended {
                // The client gets what came before, and never a clean end.
                if self.out.ends_with_connection() {
                    self.socket.break_off();
                }
                self.out.cut();
                self.failed = Some(error);
            }
        }
        false
    }

    /// Writes all there is.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            ready!(self.out.poll_write(&mut self.socket, cx))?;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Reads on for whoever still reads the request's body. Then tells whether another request may follow:
    /// nothing is left of the one before, or what has come of it can be passed over.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.feed(false, cx);
        let Some(intake) = &mut self.intake else { return Poll::Ready(!self.broken) };
        if intake.is_read() {
            return Poll::Pending;
        }
        if intake.swallow(&mut self.socket, &mut self.unread, SWALLOW, cx) {
            self.intake = None;
        }
        Poll::Ready(self.intake.is_none())
    }

    /// The connection, for whoever goes on with it.
    pub(super) fn into_upgraded(self) -> Upgraded {
        Upgraded::new(self.socket, self.unread)
    }
}
