//! A request on its way out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Request};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::head;
use crate::body::{Body, BodyError, Timer};
use crate::headers::tokens;

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
    /// Encoded bytes, and how many of them are gone.
    front: Vec<u8>,
    gone: usize,
    /// Data behind them.
    data: Bytes,
    coding: Coding,
    /// Whether the body is at its end.
    ended: bool,
    /// Whether any byte was taken.
    taken: bool,
    /// Whether the socket takes no more: see [`Outgoing::poll`].
    deaf: bool,
    stall: Timer,
}

#[derive(Debug)]
enum Coding {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks; these trailers may follow (RFC 9110 6.5.1).
    Chunked(Vec<HeaderName>),
}

impl Outgoing {
    /// Encodes the head into `front`, which is given back by [`Outgoing::into_buffer`].
    pub(super) fn new(request: &Request<Body>, mut front: Vec<u8>) -> Outgoing {
        front.clear();
        head::write(request, &mut front);
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
        Outgoing {
            front,
            gone: 0,
            data: Bytes::new(),
            coding,
            ended: body.is_end_stream(),
            taken: false,
            deaf: false,
            stall: Timer::default(),
        }
    }

    /// The buffer of [`Outgoing::new`].
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.front
    }

    /// Whether everything was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.ended && self.gone == self.front.len() && self.data.is_empty()
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
            let waiting = !self.ended && self.data.is_empty() && self.poll_body(body, cx)?.is_pending();
            if self.gone < self.front.len() || !self.data.is_empty() {
                if self.poll_write(stream, cx).is_pending() {
                    return self.stall.poll(cx).map(|()| Err(Unsent::Stalled));
                }
            } else if (self.ended || waiting) && self.poll_flush(stream, cx).is_pending() {
                return self.stall.poll(cx).map(|()| Err(Unsent::Stalled));
            } else if self.ended {
                return Poll::Ready(Ok(()));
            } else if waiting {
                return Poll::Pending;
            }
        }
    }

    /// Takes the body's next frame.
    fn poll_body(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => self.push(frame)?,
            Some(Err(error)) => return Poll::Ready(Err(Unsent::Body(error))),
            None => return Poll::Ready(self.end()),
        }
        if body.is_end_stream() {
            self.end()?;
        }
        Poll::Ready(Ok(()))
    }

    fn push(&mut self, frame: Frame<Bytes>) -> Result<(), Unsent> {
        let frame = match (frame.into_data(), &mut self.coding) {
            (Ok(data), Coding::Length(left)) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| wrong("longer than it said"))?;
                self.data = data;
                return Ok(());
            }
            (Ok(data), Coding::Chunked(_)) => {
                if !data.is_empty() {
                    self.reuse_front();
                    self.front.extend_from_slice(format!("{:X}\r\n", data.len()).as_bytes());
                    self.front.extend_from_slice(&data);
                    self.front.extend_from_slice(b"\r\n");
                }
                return Ok(());
            }
            (Err(frame), _) => frame,
        };
        if let Ok(trailers) = frame.into_trailers() {
            self.finish(&trailers);
        }
        Ok(())
    }

    /// The body is over.
    fn end(&mut self) -> Result<(), Unsent> {
        match &self.coding {
            Coding::Length(1..) => return Err(wrong("shorter than it said")),
            Coding::Length(0) => self.ended = true,
            Coding::Chunked(_) => self.finish(&HeaderMap::new()),
        }
        Ok(())
    }

    /// Writes the last chunk and the trailers that the head announced.
    fn finish(&mut self, trailers: &HeaderMap) {
        let Coding::Chunked(announced) = &self.coding else { return };
        if self.ended {
            return;
        }
        self.ended = true;
        let (front, announced) = (&mut self.front, announced);
        front.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.iter().filter(|(name, _)| announced.contains(name)) {
            head::write_field(name, value, front);
        }
        front.extend_from_slice(b"\r\n");
    }

    fn reuse_front(&mut self) {
        if self.gone == self.front.len() {
            self.front.clear();
            self.gone = 0;
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let front = self.front.get(self.gone..).unwrap_or_default();
        let offered = front.len() + self.data.len();
        let written = match Pin::new(stream) {
            _ if self.deaf => Ok(offered),
            stream if self.data.is_empty() => ready!(self.note(stream.poll_write(cx, front))),
            stream => {
                let slices = [IoSlice::new(front), IoSlice::new(&self.data)];
                ready!(self.note(stream.poll_write_vectored(cx, &slices)))
            }
        };
        let written = written.unwrap_or_else(|error| {
            tracing::debug!(%error, "upstream takes no more bytes");
            self.deaf = true;
            offered
        });
        self.taken |= !self.deaf;
        let of_front = written.min(self.front.len() - self.gone);
        self.gone += of_front;
        self.data.advance(written - of_front);
        Poll::Ready(())
    }

    /// Sends what TLS holds back; a plain socket holds nothing.
    fn poll_flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        if self.deaf {
            return Poll::Ready(());
        }
        let flushed = Pin::new(stream).poll_flush(cx).map_ok(|()| 1);
        if let Err(error) = ready!(self.note(flushed)) {
            tracing::debug!(%error, "upstream takes no more bytes");
            self.deaf = true;
        }
        Poll::Ready(())
    }

    /// Begins and ends the time that a socket may take nothing.
    fn note(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(_) => self.stall.set(None),
            Poll::Pending if self.stall.is_set() => (),
            Poll::Pending => self.stall.set(Some(Instant::now() + STALL)),
        }
        polled
    }
}

fn wrong(how: &str) -> Unsent {
    Unsent::Body(format!("the request's body is {how}").into())
}
