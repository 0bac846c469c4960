//! The reader of requests, for `crate::fuzz`.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Uri, Version};

use super::head::{self, Bounds, Head};
use crate::body::Body;
use crate::headers::is_chunked;
use crate::http1::{Chunked, Framing};
use crate::message::{Fields, Request};
use crate::server::Refused;

const BOUNDS: Bounds = Bounds { bytes: 1_000_000, fields: 500 };

/// A connection's bytes: how they are cut does not matter, and every request has one end.
pub(crate) fn requests(bytes: &[u8]) {
    let whole = read([bytes].into_iter());
    assert_eq!(whole, read(bytes.chunks(1)));
    assert_eq!(whole, read(bytes.chunks(7)));
    for exchange in &whole {
        let coded = exchange.headers.contains_key(TRANSFER_ENCODING);
        let lengths = exchange.headers.get_all(CONTENT_LENGTH).count();
        if exchange.refused.is_none() {
            assert!(!coded || (is_chunked(&exchange.headers) && exchange.version == Version::HTTP_11));
            assert_eq!(coded, exchange.framing == Framing::Chunked);
            assert!(lengths <= 1 && !(coded && lengths > 0), "{exchange:?}");
        } else {
            assert!(exchange.framing == Framing::None && !exchange.persistent, "{exchange:?}");
        }
    }
}

/// The head at the beginning of `bytes`, if one can be read.
pub(crate) fn head(bytes: &[u8]) -> Option<Request<()>> {
    let mut request = Request::new(Body::Empty);
    let head = head::read(&mut Bytes::copy_from_slice(bytes), &mut request, BOUNDS).ok()??;
    Some(request.map(drop)).filter(|_| head.refused.is_none())
}

/// What is known of a request and its body.
#[derive(Debug, PartialEq, Eq)]
struct Exchange {
    method: Method,
    target: Uri,
    version: Version,
    headers: Fields,
    framing: Framing,
    persistent: bool,
    refused: Option<Refused>,
    data: Vec<u8>,
    trailers: Option<Fields>,
    done: bool,
}

/// The requests of a connection, up to the first that is the last.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Exchange> {
    let (mut unread, mut read, mut chunked) = (Bytes::new(), Vec::<Exchange>::new(), Chunked::default());
    for piece in pieces {
        unread = [unread.as_ref(), piece].concat().into();
        loop {
            if let Some(open) = read.last_mut().filter(|exchange| !exchange.done) {
                if open.take_body(&mut chunked, &mut unread) {
                    continue;
                }
                break;
            }
            if read.last().is_some_and(|last| !last.persistent) {
                return read;
            }
            let mut request = Request::new(Body::Empty);
            let head = head::read(&mut unread, &mut request, BOUNDS);
            let unreadable = |refused| Some(Head::unreadable(refused, &mut request));
            let Some(head) = head.unwrap_or_else(unreadable) else { break };
            chunked = Chunked::default();
            read.push(Exchange::of(head, request));
        }
    }
    read
}

impl Exchange {
    fn of(head: Head, request: Request<Body>) -> Exchange {
        let (parts, _) = request.into_parts();
        Exchange {
            method: parts.line.method,
            target: parts.line.uri,
            version: parts.version,
            headers: parts.headers,
            framing: head.framing,
            persistent: head.manner.persistent,
            refused: head.refused,
            data: Vec::new(),
            trailers: None,
            done: head.framing == Framing::None,
        }
    }

    /// Takes what is there of the body; false if more must come first.
    fn take_body(&mut self, chunked: &mut Chunked, unread: &mut Bytes) -> bool {
        match self.framing {
            Framing::Length(length) => {
                let left = usize::try_from(length).unwrap_or(usize::MAX) - self.data.len();
                self.data.extend_from_slice(&unread.split_to(left.min(unread.len())));
                self.done = self.data.len() as u64 == length;
            }
            Framing::Chunked => self.take_chunks(chunked, unread),
            Framing::None | Framing::Close => unreachable!("no request ends so"),
        }
        self.done
    }

    fn take_chunks(&mut self, chunked: &mut Chunked, unread: &mut Bytes) {
        loop {
            match chunked.decode(unread) {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) => self.data.extend_from_slice(&data),
                    Err(frame) => self.trailers = frame.into_trailers().ok().map(Fields::from),
                },
                Ok(None) => break self.done = chunked.is_done(),
                Err(_) => {
                    (self.persistent, self.done) = (false, true);
                    break;
                }
            }
        }
    }
}
