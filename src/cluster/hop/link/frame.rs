//! What travels over a link: frames, each the length of what follows in 4 bytes, the number of its request in
//! 8, its kind in one, and the rest. Integers are big-endian.

use bytes::Bytes;
use http::StatusCode;

use super::MAX_BODY;
use crate::engineio::{Answer, Asked, Refusal};

/// The longest id of a session; a cluster's have 52.
const MAX_ID: usize = u8::MAX as usize;

/// What a frame holds of an answer at most: the rest follows in others, between which there is room for other
/// answers.
const PART: usize = 32 * 1024;

/// Length, number and kind.
const HEAD: usize = 4 + 8 + 1;

/// No frame is longer, in bytes.
pub(super) const MAX_FRAME: usize = HEAD + PART + MAX_ID + 1;

const GET: u8 = 1;
const POST: u8 = 2;
const POST_BINARY: u8 = 3;
const GIVE_UP: u8 = 4;
const PING: u8 = 5;

const MORE: u8 = 16;
const TEXT: u8 = 17;
const BINARY: u8 = 18;
const POSTED: u8 = 19;
const REFUSED: u8 = 20;
const BARE: u8 = 21;
const PONG: u8 = 22;

/// What is neither a question nor an answer, or longer than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A frame as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The request's, which whoever asks has given it.
    pub(super) number: u64,
    kind: u8,
    rest: &'a [u8],
}

/// What the node where the client came in says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// The session of this id is asked.
    Ask(&'a str, Asked),
    /// The client of the request of this number has left.
    GiveUp,
    /// Whether anybody is there.
    Ping,
}

/// What the session's node says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// The begin of an answer's packets, or what follows it.
    More(&'a [u8]),
    /// An answer, or its end: what came before belongs in front of its packets.
    Answer(Answer),
    /// Somebody is there.
    Pong,
}

impl<'a> Frame<'a> {
    /// The frame that some bytes begin with, and its length; `None` until all of it is there.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<(Frame<'a>, usize)>, Malformed> {
        let Some((length, behind)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Malformed)?;
        if !(HEAD - 4..=MAX_FRAME - 4).contains(&length) {
            return Err(Malformed);
        }
        let Some((number, behind)) = behind.get(..length).and_then(|frame| frame.split_first_chunk()) else {
            return Ok(None);
        };
        let (kind, rest) = behind.split_first().ok_or(Malformed)?;
        Ok(Some((Frame { number: u64::from_be_bytes(*number), kind: *kind, rest }, 4 + length)))
    }

    /// As said by the node where the client came in.
    pub(super) fn said(self) -> Result<Said<'a>, Malformed> {
        let binary = self.kind == POST_BINARY;
        Ok(match (self.kind, self.rest) {
            (GET, id) => Said::Ask(text(id)?, Asked::Get),
            (POST | POST_BINARY, &[length, ref rest @ ..]) => {
                let (id, body) = rest.split_at_checked(usize::from(length)).ok_or(Malformed)?;
                Said::Ask(text(id)?, Asked::Post { body: Bytes::copy_from_slice(body), binary })
            }
            (GIVE_UP, []) => Said::GiveUp,
            (PING, []) => Said::Ping,
            _ => return Err(Malformed),
        })
    }

    /// As told by the session's node.
    pub(super) fn told(self) -> Result<Told<'a>, Malformed> {
        let packets = |binary| Answer::Packets { bytes: Bytes::copy_from_slice(self.rest), binary };
        Ok(match (self.kind, self.rest) {
            (MORE, part) => Told::More(part),
            (TEXT, _) => Told::Answer(packets(false)),
            (BINARY, _) => Told::Answer(packets(true)),
            (POSTED, []) => Told::Answer(Answer::Posted),
            (REFUSED, &[code]) => Told::Answer(Answer::Refused(Refusal::from_code(code).ok_or(Malformed)?)),
            (BARE, &[high, low]) => {
                let status = StatusCode::from_u16(u16::from_be_bytes([high, low]));
                Told::Answer(Answer::Bare(status.map_err(|_| Malformed)?))
            }
            (PONG, []) => Told::Pong,
            _ => return Err(Malformed),
        })
    }
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// Whether a session of this id can be asked this over a link.
pub(super) fn fits(id: &str, asked: &Asked) -> bool {
    let body = if let Asked::Post { body, .. } = asked { body.len() } else { 0 };
    id.len() <= MAX_ID && body <= MAX_BODY
}

/// Appends a question, which [`fits`].
pub(super) fn ask(out: &mut Vec<u8>, number: u64, id: &str, asked: &Asked) {
    match asked {
        Asked::Get => put(out, number, GET, &[id.as_bytes()]),
        Asked::Post { body, binary } => {
            let length = u8::try_from(id.len()).unwrap_or_default();
            put(out, number, if *binary { POST_BINARY } else { POST }, &[&[length], id.as_bytes(), body]);
        }
    }
}

/// Appends that a client has left.
pub(super) fn give_up(out: &mut Vec<u8>, number: u64) {
    put(out, number, GIVE_UP, &[]);
}

/// Appends the question whether anybody is there.
pub(super) fn ping(out: &mut Vec<u8>) {
    put(out, 0, PING, &[]);
}

/// Appends that somebody is there.
pub(super) fn pong(out: &mut Vec<u8>) {
    put(out, 0, PONG, &[]);
}

/// Appends an answer, or as much of it as one frame holds; what is left of it.
pub(super) fn answer(out: &mut Vec<u8>, number: u64, answer: Answer) -> Option<Answer> {
    match answer {
        Answer::Packets { mut bytes, binary } if bytes.len() > PART => {
            put(out, number, MORE, &[&bytes.split_to(PART)]);
            return Some(Answer::Packets { bytes, binary });
        }
        Answer::Packets { bytes, binary } => put(out, number, if binary { BINARY } else { TEXT }, &[&bytes]),
        Answer::Posted => put(out, number, POSTED, &[]),
        Answer::Refused(refusal) => put(out, number, REFUSED, &[&[refusal.code()]]),
        Answer::Bare(status) => put(out, number, BARE, &[&status.as_u16().to_be_bytes()]),
    }
    None
}

fn put(out: &mut Vec<u8>, number: u64, kind: u8, parts: &[&[u8]]) {
    let length = HEAD - 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out.push(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(bytes: &[u8]) -> Frame<'_> {
        let (frame, length) = Frame::read(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        assert!((0..length).all(|cut| Frame::read(&bytes[..cut]) == Ok(None)), "it was taken before its end");
        frame
    }

    fn sent(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn what_is_asked_arrives() {
        let post = |binary| Asked::Post { body: Bytes::from_static(b"42[\"x\",1]"), binary };
        for asked in [Asked::Get, post(false), post(true), Asked::Post { body: Bytes::new(), binary: false }]
        {
            let bytes = sent(|out| ask(out, 7, "a session's id", &asked));
            let frame = only(&bytes);
            assert_eq!((frame.number, frame.said()), (7, Ok(Said::Ask("a session's id", asked))));
        }
        assert_eq!(only(&sent(|out| give_up(out, u64::MAX))).said(), Ok(Said::GiveUp));
        assert_eq!(only(&sent(ping)).said(), Ok(Said::Ping));
        assert_eq!(only(&sent(pong)).told(), Ok(Told::Pong));
    }

    #[test]
    fn every_answer_arrives() {
        let refused = (0..=5).map(|code| Answer::Refused(Refusal::from_code(code).unwrap()));
        let packets = |binary| Answer::Packets { bytes: Bytes::from_static(b"4hello"), binary };
        let others =
            [Answer::Posted, Answer::Bare(StatusCode::PAYLOAD_TOO_LARGE), packets(true), packets(false)];
        for told in refused.chain(others) {
            let bytes = sent(|out| assert_eq!(answer(out, 9, told.clone()), None));
            let frame = only(&bytes);
            assert_eq!((frame.number, frame.told()), (9, Ok(Told::Answer(told))));
        }
        assert_eq!(Refusal::from_code(6), None);
    }

    #[test]
    fn a_long_answer_comes_in_parts() {
        let bytes = Bytes::from((0..=255).cycle().take(3 * PART + 5).collect::<Vec<u8>>());
        let (mut whole, mut left) =
            (Vec::new(), Some(Answer::Packets { bytes: bytes.clone(), binary: true }));
        while let Some(rest) = left.take() {
            let frame = sent(|out| left = answer(out, 1, rest));
            assert!(frame.len() <= MAX_FRAME);
            match only(&frame).told().unwrap() {
                Told::More(part) => whole.extend_from_slice(part),
                Told::Answer(Answer::Packets { bytes, binary: true }) => whole.extend_from_slice(&bytes),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(whole, bytes);
    }

    #[test]
    fn the_longest_question_fits_and_no_longer_one() {
        let post = |length| Asked::Post { body: vec![b'x'; length].into(), binary: false };
        let id = "x".repeat(255);
        assert!(fits(&id, &post(MAX_BODY)) && fits(&id, &Asked::Get));
        assert!(!fits(&id, &post(MAX_BODY + 1)) && !fits(&"x".repeat(256), &Asked::Get));
        assert!(sent(|out| ask(out, 1, &id, &post(MAX_BODY))).len() <= MAX_FRAME);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let of = |kind, rest: &[u8]| sent(|out| put(out, 1, kind, &[rest]));
        assert_eq!(Frame::read(&[0xff; 20]), Err(Malformed));
        assert_eq!(Frame::read(&[0, 0, 0, 8, 0]), Err(Malformed));
        assert_eq!(Frame::read(b"GET / HTTP/1.1\r\n"), Err(Malformed));
        for (kind, rest) in
            [(0, &b""[..]), (GET, &[0xff]), (POST, &[]), (POST, &[2, b'x']), (GIVE_UP, b"x"), (TEXT, b"")]
        {
            assert_eq!(only(&of(kind, rest)).said(), Err(Malformed), "{kind}");
        }
        for (kind, rest) in
            [(GET, &b"x"[..]), (POSTED, b"x"), (REFUSED, &[6]), (REFUSED, &[]), (BARE, &[0, 1]), (PONG, b"x")]
        {
            assert_eq!(only(&of(kind, rest)).told(), Err(Malformed), "{kind}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_fail_or_take_more_than_there_is(bytes: Vec<u8>) {
            if let Ok(Some((frame, length))) = Frame::read(&bytes) {
                prop_assert!(length <= bytes.len());
                let _ = (frame.said(), frame.told());
            }
        }
    }
}
