//! The chunked transfer coding (RFC 9112 7.1), read strictly: what another reader could see otherwise is an error.

use std::mem;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Frame;

use super::field;

/// Bytes of extensions in one body; they are passed over.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// Bytes of trailers.
const MAX_TRAILERS: usize = 16 * 1024;

/// Bytes of a size's line: more digits than 64 bits have, an extension of some length.
const MAX_LINE: usize = 4096;

/// Reads chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    extensions: usize,
}

#[derive(Debug, Default)]
enum State {
    /// Before a size's line.
    #[default]
    Size,
    /// So many bytes of data are left of a chunk.
    Data(u64),
    /// Before the line end behind a chunk's data.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
    Done,
}

impl Chunked {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes the next frame out of `unread`; none if more must be read first, or at the end.
    pub(crate) fn decode(&mut self, unread: &mut Bytes) -> Result<Option<Frame<Bytes>>, &'static str> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(unread, MAX_LINE)? else { return Ok(None) };
                    let (size, extensions) = read_size(&line)?;
                    self.extensions += extensions;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err("chunk extensions over the limit");
                    }
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                }
                State::Data(left) => {
                    if unread.is_empty() {
                        return Ok(None);
                    }
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(unread.len());
                    let left = left - here as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(Frame::data(unread.split_to(here))));
                }
                State::DataEnd => match unread.as_ref() {
                    [b'\r', b'\n', ..] => {
                        unread.advance(2);
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err("no line end behind a chunk"),
                },
                State::Trailers => return self.take_trailers(unread),
                State::Done => return Ok(None),
            }
        }
    }

    /// Takes the trailers and the empty line behind them.
    fn take_trailers(&mut self, unread: &mut Bytes) -> Result<Option<Frame<Bytes>>, &'static str> {
        if unread.starts_with(b"\r\n") {
            unread.advance(2);
            self.state = State::Done;
            return Ok(None);
        }
        let mut fields = [httparse::EMPTY_HEADER; field::MAX_FIELDS];
        let bytes = mem::take(unread);
        match httparse::parse_headers(&bytes, &mut fields) {
            Ok(httparse::Status::Complete((length, fields))) if length <= MAX_TRAILERS => {
                let mut trailers = HeaderMap::new();
                for field in fields {
                    let value = bytes.slice_ref(field.value);
                    let read = field::read(field.name.as_bytes(), value);
                    let (name, value) = read.map_err(|_| "a bad trailer")?;
                    trailers.append(name, value);
                }
                *unread = bytes.slice(length..);
                self.state = State::Done;
                Ok(Some(Frame::trailers(trailers)))
            }
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_TRAILERS => {
                *unread = bytes;
                Ok(None)
            }
            Ok(_) => Err("trailers over the limit"),
            Err(_) => Err("bad trailers"),
        }
    }
}

/// Takes a line without its CR LF.
fn take_line(unread: &mut Bytes, max: usize) -> Result<Option<Bytes>, &'static str> {
    match memchr::memchr(b'\n', unread) {
        Some(end) if end > 0 && end <= max && unread.get(end - 1) == Some(&b'\r') => {
            let line = unread.split_to(end - 1);
            unread.advance(2);
            Ok(Some(line))
        }
        None if unread.len() <= max => Ok(None),
        _ => Err("a bad line before a chunk"),
    }
}

/// A chunk's size, and the length of its extensions.
fn read_size(line: &[u8]) -> Result<(u64, usize), &'static str> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    let extensions = rest.trim_ascii_start();
    if !matches!(extensions, [] | [b';', ..]) || rest.contains(&b'\r') {
        return Err("a chunk's size is not a number");
    }
    let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
    Ok((size.ok_or("a chunk's size is not a number")?, extensions.len()))
}
