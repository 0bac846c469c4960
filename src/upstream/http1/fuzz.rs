//! The reader of responses, for `crate::fuzz`.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{framing, head};
use crate::http1::{Chunked, Framing};
use crate::message::Fields;

/// A response's bytes: how they are cut does not matter.
pub(crate) fn response(bytes: &[u8]) {
    let whole = read([bytes].into_iter());
    assert_eq!(whole, read(bytes.chunks(1)));
    assert_eq!(whole, read(bytes.chunks(5)));
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    status: Option<StatusCode>,
    headers: Fields,
    framing: Option<Framing>,
    data: Vec<u8>,
    trailers: Option<Fields>,
    done: bool,
}

/// What is read of a response to a GET; `None` where it is refused.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Read> {
    let (mut unread, mut read, mut chunked) = (Bytes::new(), Read::default(), Chunked::default());
    for piece in pieces {
        unread = [unread.as_ref(), piece].concat().into();
        while read.framing.is_none() && !unread.is_empty() {
            let Some(mut head) = head::read(&mut unread, &mut Fields::new()).ok()? else { break };
            if head.parts.status.is_informational() && head.parts.status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            read.framing = Some(framing::of(&mut head.parts, &Method::GET, false).ok()?);
            (read.status, read.headers) = (Some(head.parts.status), head.parts.headers);
        }
        match read.framing {
            Some(Framing::Chunked) => read.chunks(&mut chunked, &mut unread)?,
            Some(Framing::Length(length)) => {
                let left = usize::try_from(length).unwrap_or(usize::MAX) - read.data.len();
                let here = unread.split_to(left.min(unread.len()));
                read.data.extend_from_slice(&here);
                read.done = read.data.len() as u64 == length;
            }
            Some(Framing::Close) => read.data.extend_from_slice(&std::mem::take(&mut unread)),
            Some(Framing::None) => read.done = true,
            None => (),
        }
        if read.done {
            break;
        }
    }
    Some(read)
}

impl Read {
    fn chunks(&mut self, chunked: &mut Chunked, unread: &mut Bytes) -> Option<()> {
        while let Some(frame) = chunked.decode(unread).ok()? {
            match frame.into_data() {
                Ok(data) => self.data.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().ok().map(Fields::from),
            }
        }
        self.done = chunked.is_done();
        Some(())
    }
}
