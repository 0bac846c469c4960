//! A request on its way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderName;
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http_body::Body as _;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::head;
use crate::body::{Body, BodyError, Timer};
use crate::headers::tokens;
use crate::http1::{Coding, Outbox};
use crate::message::Request;

/// How long an upstream may take no byte of a request. Without it a request would hang for ever
/// between an upstream that stopped reading and a client that went away unseen.
const STALL: Duration = Duration::from_secs(60);

/// Why a request was not sent.
#[derive(Debug)]
pub(super) enum Unsent {
    /// Its body failed.
    Body(BodyError),
    /// The upstream took no byte for too long.
    Stalled,
}

/// What is left to send of a request, besides what its body still holds.
#[derive(Debug)]
pub(super) struct Outgoing {
    outbox: Outbox,
    /// Whether any byte was taken.
    taken: bool,
    /// Whether the socket takes no more: see [`Outgoing::poll`].
    deaf: bool,
    stall: Timer,
}

impl Outgoing {
    /// Encodes the head into `front`, which is given back by [`Outgoing::into_buffer`].
    pub(super) fn new(request: &Request<Body>, front: Vec<u8>) -> Outgoing {
        let (headers, body) = (request.headers(), request.body());
        let coding = if body.is_end_stream() {
            Coding::Length(0)
        } else if headers.contains_key(TRANSFER_ENCODING) {
            let names = tokens(headers, &TRAILER);
            Coding::Chunked(names.filter_map(|name| HeaderName::from_bytes(name).ok()).collect())
        } else {
            let said = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
            Coding::Length(body.size_hint().exact().or_else(said).unwrap_or(0))
        };
        let unsaid = match coding {
            Coding::Length(length) if !body.is_end_stream() && !headers.contains_key(CONTENT_LENGTH) => {
                Some(length)
            }
            _ => None,
        };
        let mut outbox = Outbox::new(front);
        head::write(request, unsaid, outbox.front());
        outbox.begin(coding, body.is_end_stream());
        Outgoing { outbox, taken: false, deaf: false, stall: Timer::default() }
    }

    /// The buffer of [`Outgoing::new`].
    pub(super) fn into_buffer(mut self) -> Vec<u8> {
        self.outbox.take_front()
    }

    /// Whether everything was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.outbox.is_ended() && self.outbox.is_empty()
    }

    /// Whether the upstream took no byte and closed.
    pub(super) fn is_untaken(&self) -> bool {
        !self.taken && self.deaf
    }

    /// Whether a write has failed.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Sends until all is gone.
    ///
    /// After a failed write it takes further bytes to nowhere: an upstream that answers early and
    /// closes, as it does with an upload it refuses, has said why before it stopped listening.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        body: &mut Body,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            let (ended, room) = (self.outbox.is_ended(), self.outbox.has_room());
            let waiting = !ended && room && self.poll_body(body, cx)?.is_pending();
            if !self.outbox.is_empty() {
                if self.poll_write(stream, cx).is_pending() {
                    return self.stall.poll(cx).map(|()| Err(Unsent::Stalled));
                }
            } else if (self.outbox.is_ended() || waiting) && self.poll_flush(stream, cx).is_pending() {
                return self.stall.poll(cx).map(|()| Err(Unsent::Stalled));
            } else if self.outbox.is_ended() {
                return Poll::Ready(Ok(()));
            } else if waiting {
                return Poll::Pending;
            }
        }
    }

    /// Takes the body's next frame.
    fn poll_body(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => self.outbox.push(frame).map_err(wrong)?,
            Some(Err(error)) => return Poll::Ready(Err(Unsent::Body(error))),
            None => return Poll::Ready(self.outbox.end().map_err(wrong)),
        }
        if body.is_end_stream() {
            self.outbox.end().map_err(wrong)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        if !self.deaf {
            let written = self.outbox.poll_write(stream, cx);
            ready!(self.note(written));
            self.taken |= !self.deaf;
        }
        if self.deaf {
            self.outbox.discard();
        }
        Poll::Ready(())
    }

    /// Sends what TLS holds back; a plain socket holds nothing.
    fn poll_flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        if self.deaf {
            return Poll::Ready(());
        }
        let flushed = Pin::new(stream).poll_flush(cx);
        self.note(flushed)
    }

    /// Begins and ends the time that a socket may take nothing, and notes that it failed.
    fn note(&mut self, polled: Poll<io::Result<()>>) -> Poll<()> {
        match polled {
            Poll::Pending if self.stall.is_set() => return Poll::Pending,
            Poll::Pending => {
                self.stall.set(Some(Instant::now() + STALL));
                return Poll::Pending;
            }
            Poll::Ready(Ok(())) => self.stall.set(None),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "upstream takes no more bytes");
                self.stall.set(None);
                self.deaf = true;
            }
        }
        Poll::Ready(())
    }
}

fn wrong(how: &str) -> Unsent {
    Unsent::Body(format!("the request's body is {how}").into())
}
