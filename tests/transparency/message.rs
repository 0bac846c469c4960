//! Messages of HTTP/1 as bytes, read by a reader of our own: a library's would hide what it mends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// Name in lower case, value as it came.
pub(crate) type Field = (String, Vec<u8>);

/// How a body's end was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length,
    Chunked,
    Close,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its first line.
    pub(crate) start: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    /// Whether the body came to the end that was told.
    pub(crate) complete: bool,
}

impl Message {
    pub(crate) fn all(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_slice()).collect()
    }

    pub(crate) fn one(&self, name: &str) -> Option<String> {
        self.all(name).first().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

pub(crate) struct Reader(BufReader<TcpStream>);

impl Reader {
    pub(crate) fn new(stream: TcpStream) -> Reader {
        Reader(BufReader::new(stream))
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// The next request; none at the connection's end.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let (start, fields) = self.head()?;
        self.message(start, fields, Framing::None, true)
    }

    /// The response to a request of that method; interim ones are passed over.
    pub(crate) fn response(&mut self, method: &str) -> Option<Message> {
        loop {
            let (start, fields) = self.head()?;
            let status: u16 = std::str::from_utf8(start.get(9..12)?).ok()?.parse().ok()?;
            if (100..200).contains(&status) {
                continue;
            }
            let bodiless = method == "HEAD" || status == 204 || status == 304;
            return self.message(start, fields, Framing::Close, !bodiless);
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).ok()?;
        line.strip_suffix(b"\r\n").map(<[u8]>::to_vec)
    }

    fn head(&mut self) -> Option<(Vec<u8>, Vec<Field>)> {
        let start = self.line()?;
        Some((start, self.fields()?))
    }

    fn fields(&mut self) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(fields);
            }
            let colon = line.iter().position(|byte| *byte == b':').expect("a field has a colon");
            let (name, value) = line.split_at(colon);
            let name = String::from_utf8(name.to_ascii_lowercase()).expect("names are ASCII");
            fields.push((name, value[1..].trim_ascii().to_vec()));
        }
    }

    fn message(
        &mut self,
        start: Vec<u8>,
        fields: Vec<Field>,
        otherwise: Framing,
        has_body: bool,
    ) -> Option<Message> {
        let mut message = Message {
            start,
            fields,
            framing: otherwise,
            body: Vec::new(),
            trailers: Vec::new(),
            complete: true,
        };
        let length = message.one("content-length").map(|length| length.parse::<usize>().expect("a number"));
        let chunked = !message.all("transfer-encoding").is_empty();
        message.framing = match (chunked, length) {
            _ if !has_body => Framing::None,
            (true, Some(_)) => panic!("both a length and chunks: {:?}", message.fields),
            (true, None) => Framing::Chunked,
            (false, Some(_)) => Framing::Length,
            (false, None) => otherwise,
        };
        match message.framing {
            Framing::None => (),
            Framing::Length => {
                message.body = vec![0; length.unwrap_or_default()];
                message.complete = self.0.read_exact(&mut message.body).is_ok();
            }
            Framing::Chunked => message.complete = self.chunks(&mut message).is_some(),
            Framing::Close => message.complete = self.0.read_to_end(&mut message.body).is_ok(),
        }
        Some(message)
    }

    fn chunks(&mut self, message: &mut Message) -> Option<()> {
        loop {
            let line = String::from_utf8(self.line()?).ok()?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                message.trailers = self.fields()?;
                return Some(());
            }
            let begin = message.body.len();
            message.body.resize(begin + size, 0);
            self.0.read_exact(&mut message.body[begin..]).ok()?;
            self.line().filter(Vec::is_empty)?;
        }
    }
}
