//! Splits what a server sends into HTTP responses and WebSocket messages.

use memchr::memmem;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Http,
    Websocket,
}

/// One thing a server said.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Response { status: u16, body: &'a [u8] },
    Message(&'a [u8]),
    Close,
}

/// What the generator does not understand.
#[derive(Debug)]
pub(super) struct Strange;

/// The first item of `input` and its length; `None` while it is not complete.
pub(super) fn next(input: &[u8], speech: Speech) -> Result<Option<(Item<'_>, usize)>, Strange> {
    match speech {
        Speech::Http => response(input),
        Speech::Websocket => frame(input),
    }
}

fn response(input: &[u8]) -> Result<Option<(Item<'_>, usize)>, Strange> {
    let Some(end) = memmem::find(input, b"\r\n\r\n") else { return Ok(None) };
    let head = input.get(..end).and_then(|head| std::str::from_utf8(head).ok()).ok_or(Strange)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok()).ok_or(Strange)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    // Peers that answer in chunks are not spoken to.
    let length = if status == 101 { 0 } else { length.ok_or(Strange)? };
    let body = end + 4;
    Ok(input.get(body..body + length).map(|text| (Item::Response { status, body: text }, body + length)))
}

fn frame(input: &[u8]) -> Result<Option<(Item<'_>, usize)>, Strange> {
    let &[first, second, ref rest @ ..] = input else { return Ok(None) };
    let (length, start) = match second {
        short @ ..126 => (usize::from(short), 2),
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (usize::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        _ => return Err(Strange),
    };
    let Some(payload) = input.get(start..start + length) else { return Ok(None) };
    match first {
        0x81 => Ok(Some((Item::Message(payload), start + length))),
        0x88 => Ok(Some((Item::Close, start + length))),
        _ => Err(Strange),
    }
}

/// Appends a client's text frame. Its mask is zero: the server unmasks all the same.
pub(super) fn put_text(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(0x81);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => out.push(0x80 | short),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
