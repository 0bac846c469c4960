//! A body as it comes from its connection.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncRead;

use super::buffer::SMALL;
use super::chunked::Chunked;
use super::closed;
use super::framing::Framing;
use super::read::{LARGE, poll_large, poll_small};
use crate::body::BodyError;

/// Takes a body out of a connection's bytes.
#[derive(Debug)]
pub(crate) struct Decoder {
    ending: Ending,
    buffer: BytesMut,
    /// Whether the last read brought as much as it could.
    full: bool,
}

#[derive(Debug)]
enum Ending {
    Length(u64),
    Chunked(Chunked),
    Close { closed: bool },
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Decoder {
        let ending = match framing {
            Framing::None => Ending::Length(0),
            Framing::Length(length) => Ending::Length(length),
            Framing::Chunked => Ending::Chunked(Chunked::default()),
            Framing::Close => Ending::Close { closed: false },
        };
        Decoder { ending, buffer: BytesMut::new(), full: false }
    }

    /// Whether nothing of the body is left to come.
    pub(crate) fn is_done(&self) -> bool {
        match &self.ending {
            Ending::Length(left) => *left == 0,
            Ending::Chunked(chunked) => chunked.is_done(),
            Ending::Close { closed } => *closed,
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.ending {
            Ending::Length(left) => SizeHint::with_exact(*left),
            _ => SizeHint::default(),
        }
    }

    /// The next frame, read from `stream` where nothing is `unread`; none at the end.
    pub(crate) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.is_done() {
                return Poll::Ready(None);
            }
            match self.take(unread) {
                Ok(None) => (),
                frame => return Poll::Ready(frame.map_err(Into::into).transpose()),
            }
            if self.is_done() {
                return Poll::Ready(None);
            }
            if ready!(self.poll_more(stream, unread, cx)).map_err(BodyError::from)? == 0 {
                match &mut self.ending {
                    Ending::Close { closed } => *closed = true,
                    _ => return Poll::Ready(Some(Err(closed().into()))),
                }
            }
        }
    }

    fn take(&mut self, unread: &mut Bytes) -> Result<Option<Frame<Bytes>>, &'static str> {
        match &mut self.ending {
            Ending::Chunked(chunked) => chunked.decode(unread),
            _ if unread.is_empty() => Ok(None),
            Ending::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                *left -= here as u64;
                Ok(Some(Frame::data(unread.split_to(here))))
            }
            Ending::Close { .. } => Ok(Some(Frame::data(std::mem::take(unread)))),
        }
    }

    /// Reads much at once where much is to come.
    fn poll_more<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        unread: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let want = match &self.ending {
            Ending::Length(left) => usize::try_from(*left).unwrap_or(LARGE).min(LARGE),
            _ if self.full => LARGE,
            _ => SMALL,
        };
        let read = if want > SMALL && unread.is_empty() {
            ready!(poll_large(stream, unread, &mut self.buffer, want, cx))?
        } else {
            ready!(poll_small(stream, unread, cx))?
        };
        self.full = read >= SMALL;
        Poll::Ready(Ok(read))
    }
}
