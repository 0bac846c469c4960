//! Takes content codings (RFC 9110 8.4) off a complete body, within a bound.

use std::io::Read;

use brotli_decompressor::Decompressor;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;

use crate::message::Fields;

/// Codings one upon the other; nobody honest uses more.
const MAX_CODINGS: usize = 2;

/// Largest zstd window, 8 MB: what RFC 9659 lets servers use.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes the brotli decoder reads at a time.
const BROTLI_BUFFER: usize = 4096;

/// Why a body cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Error {
    /// It is larger than the bound, before or after decoding.
    TooLarge,
    /// It is not what its `Content-Encoding` says, or that is unknown.
    Bad,
}

/// The body without its content codings, at most `max` bytes.
pub(crate) fn decode(headers: &Fields, body: Bytes, max: usize) -> Result<Bytes, Error> {
    if body.len() > max {
        return Err(Error::TooLarge);
    }
    if body.is_empty() {
        return Ok(body);
    }
    let mut codings = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        let line = line.to_str().map_err(|_| Error::Bad)?.to_ascii_lowercase();
        codings.extend(line.split(',').map(|coding| coding.trim().to_owned()));
    }
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    if codings.len() > MAX_CODINGS {
        return Err(Error::Bad);
    }
    codings.iter().rev().try_fold(body, |body, coding| one(coding, &body, max))
}

fn one(coding: &str, body: &[u8], max: usize) -> Result<Bytes, Error> {
    match coding {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(body), max),
        // The standard says zlib; some servers send it bare.
        "deflate" => read(ZlibDecoder::new(body), max).or_else(|error| match error {
            Error::Bad => read(DeflateDecoder::new(body), max),
            Error::TooLarge => Err(error),
        }),
        "br" => read(Decompressor::new(body, BROTLI_BUFFER), max),
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(|_| Error::Bad)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| Error::Bad)?;
            read(decoder, max)
        }
        _ => Err(Error::Bad),
    }
}

fn read(decoder: impl Read, max: usize) -> Result<Bytes, Error> {
    let mut out = Vec::new();
    decoder.take(max as u64 + 1).read_to_end(&mut out).map_err(|_| Error::Bad)?;
    if out.len() > max { Err(Error::TooLarge) } else { Ok(out.into()) }
}
