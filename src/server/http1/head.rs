//! A request's head: read strictly, and what follows from it for the connection (RFC 9112).

use std::mem::{MaybeUninit, take};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, Uri, Version};
use httparse::{Header, ParserConfig, Status};

use super::answer::Manner;
use super::spare;
use crate::body::Body;
use crate::headers::{has_token, is_chunked};
use crate::http1::{Framing, content_length, is_persistent};
use crate::message::{Fields, Request};
use crate::server::Refused;

/// Fields for which there is room at once. More are read to memory of their own.
const FIELDS: usize = 128;

/// Bytes of a target that a [`Uri`] can hold.
const MAX_TARGET: usize = 65_534;

const BAD_FIELD: Refused = Refused::Malformed("a header field is not valid");
const BAD_LENGTH: Refused = Refused::Malformed("Content-Length is not one plain number");
const BAD_CODING: Refused = Refused::Malformed("Transfer-Encoding must be chunked");

/// Bytes of a head, and fields in it, beyond which it is not even read to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) fields: usize,
}

/// What a request's head says of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// How the request's body ends.
    pub(super) framing: Framing,
    /// How it is to be answered.
    pub(super) manner: Manner,
    /// Whether the client waits for a 100 before it sends the body (RFC 9110 10.1.1).
    pub(super) expects: bool,
    /// Whether the connection may leave HTTP with it.
    pub(super) upgrades: bool,
    /// Why it is refused, whatever it asks.
    pub(super) refused: Option<Refused>,
}

impl Head {
    fn of(request: &Request<Body>) -> Head {
        let manner = Manner {
            head_only: request.method() == Method::HEAD,
            old: request.version() == Version::HTTP_10,
            trailers: false,
            persistent: request.version() == Version::HTTP_11,
        };
        Head { framing: Framing::None, manner, expects: false, upgrades: false, refused: None }
    }

    /// What stands for a head that cannot be read; so does `request` then.
    pub(super) fn unreadable(refused: Refused, request: &mut Request<Body>) -> Head {
        clear(request);
        // Nothing a client could have asked for, for logs and metrics.
        *request.method_mut() = Method::from_bytes(b"-").unwrap_or_default();
        *request.version_mut() = Version::HTTP_11;
        let mut head = Head::of(request);
        head.refuse(refused);
        head
    }

    /// The connection ends with the answer: nobody can tell where the next request would begin.
    fn refuse(&mut self, why: Refused) {
        self.refused.get_or_insert(why);
        (self.framing, self.manner.persistent) = (Framing::None, false);
        (self.expects, self.upgrades) = (false, false);
    }
}

/// Takes what was of a request out of it, with the memory that holds it.
pub(super) fn clear(request: &mut Request<Body>) {
    spare::keep_fields(take(request.headers_mut()));
    *request.uri_mut() = Uri::default();
    *request.body_mut() = Body::Empty;
    request.extensions_mut().clear();
}

/// Takes a head out of `unread` and writes it to `request`, which is clear; none while it is not complete.
///
/// # Errors
/// A head that cannot be read. One that can, and must not be followed, says so in [`Head::refused`].
pub(super) fn read(
    unread: &mut Bytes,
    request: &mut Request<Body>,
    bounds: Bounds,
) -> Result<Option<Head>, Refused> {
    let mut parsed = {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        parse(unread, &mut room, request)
    };
    if matches!(parsed, Err(Unreadable::Fields)) && bounds.fields > FIELDS {
        let mut room = Vec::with_capacity(bounds.fields);
        parsed = parse(unread, room.spare_capacity_mut(), request);
    }
    match parsed {
        Ok(Some((length, head))) if length <= bounds.bytes => {
            unread.advance(length);
            if unread.is_empty() {
                // Nothing holds on to the head's memory but its fields.
                *unread = Bytes::new();
            }
            Ok(Some(head))
        }
        Ok(None) if unread.len() <= bounds.bytes => Ok(None),
        Ok(None) if memchr::memchr(b'\n', unread).is_none() => Err(Refused::TargetTooLong),
        Ok(_) | Err(Unreadable::Fields) => Err(Refused::HeadTooLarge),
        Err(Unreadable::Refused(refused)) => Err(refused),
    }
}

/// Why there is no head.
enum Unreadable {
    /// It has more fields than there is room for.
    Fields,
    Refused(Refused),
}

impl From<httparse::Error> for Unreadable {
    fn from(error: httparse::Error) -> Unreadable {
        Unreadable::Refused(match error {
            httparse::Error::TooManyHeaders => return Unreadable::Fields,
            httparse::Error::HeaderName | httparse::Error::HeaderValue => BAD_FIELD,
            httparse::Error::Version => Refused::Malformed("the request is not HTTP/1.1"),
            _ => Refused::Malformed("the request's first line is not valid"),
        })
    }
}

/// A head and its length; none while it is not complete.
fn parse<'a>(
    bytes: &'a Bytes,
    room: &mut [MaybeUninit<Header<'a>>],
    request: &mut Request<Body>,
) -> Result<Option<(usize, Head)>, Unreadable> {
    let mut parsed = httparse::Request::new(&mut []);
    let parser = ParserConfig::default();
    let length = match parser.parse_request_with_uninit_headers(&mut parsed, bytes, room)? {
        Status::Complete(length) => length,
        Status::Partial => return Ok(None),
    };
    let bad_line = Unreadable::Refused(Refused::Malformed("the request's first line is not valid"));
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Err(bad_line) };
    if target.len() > MAX_TARGET {
        return Err(Unreadable::Refused(Refused::TargetTooLong));
    }
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return Err(bad_line) };
    let target = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes()))
        .map_err(|_| Unreadable::Refused(Refused::Malformed("the request's target is not valid")))?;
    (*request.method_mut(), *request.uri_mut()) = (method, target);
    *request.version_mut() = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut head = Head::of(request);
    let headers = request.headers_mut();
    *headers = spare::fields();
    let noted = head.take_fields(bytes, parsed.headers, headers).map_err(Unreadable::Refused)?;
    head.settle(noted, headers);
    Ok(Some((length, head)))
}

/// Which fields that speak of the connection are there.
#[derive(Default)]
struct Noted {
    connection: bool,
    coded: bool,
    te: bool,
}

impl Head {
    /// Takes the fields over.
    fn take_fields(
        &mut self,
        bytes: &Bytes,
        fields: &[Header<'_>],
        headers: &mut Fields,
    ) -> Result<Noted, Refused> {
        let mut noted = Noted::default();
        headers.reserve(fields.len() + MORE_FIELDS);
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD_FIELD)?;
            let value =
                HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(|_| BAD_FIELD)?;
            match name {
                CONTENT_LENGTH => match self.length(&value, headers) {
                    Ok(true) => (),
                    // The same once more means nothing.
                    Ok(false) => continue,
                    Err(refused) => self.refuse(refused),
                },
                EXPECT => self.expects |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
                UPGRADE => self.upgrades = true,
                CONNECTION => noted.connection = true,
                TRANSFER_ENCODING => noted.coded = true,
                TE => noted.te = true,
                _ => (),
            }
            headers.append(name, value);
        }
        Ok(noted)
    }

    /// Notes a line of `Content-Length`; false where another has said the same.
    fn length(&mut self, value: &HeaderValue, headers: &Fields) -> Result<bool, Refused> {
        let length = content_length(value).ok_or(BAD_LENGTH)?;
        match (headers.get(CONTENT_LENGTH), self.framing) {
            (None, _) => {
                self.framing = if length == 0 { Framing::None } else { Framing::Length(length) };
                Ok(true)
            }
            (Some(_), Framing::None) if length == 0 => Ok(false),
            (Some(_), Framing::Length(before)) if length == before => Ok(false),
            (Some(_), _) => Err(BAD_LENGTH),
        }
    }

    /// Draws the conclusions from all fields together.
    fn settle(&mut self, noted: Noted, headers: &mut Fields) {
        if noted.connection {
            self.manner.persistent = is_persistent(headers, !self.manner.old);
        }
        self.manner.trailers = noted.te && has_token(headers, &TE, "trailers");
        if noted.coded {
            // Both is legal, and what somebody before us may have read otherwise (RFC 9112 6.3).
            if headers.remove(CONTENT_LENGTH).is_some() {
                self.manner.persistent = false;
            }
            self.framing = Framing::Chunked;
            if self.manner.old || !is_chunked(headers) {
                self.refuse(BAD_CODING);
            }
        }
        if let Some(why) = self.refused {
            // Whatever was read after it.
            self.refuse(why);
        }
        self.expects &= !self.manner.old && self.framing != Framing::None;
        self.upgrades &= !self.manner.old && self.framing == Framing::None;
    }
}

/// Room for the fields that a request gets on its way: those of forwarding and its id.
const MORE_FIELDS: usize = 8;
