//! The floor, no product: a broadcaster on raw epoll that knows the benchmark's own clients, takes each
//! event as it is, and writes to each connection once a turn. What is cheaper than this is not TCP.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest, Sha1};

const LISTENER: Token = Token(usize::MAX);

struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    upgraded: bool,
}

struct Floor {
    clients: Vec<Option<Client>>,
    rooms: HashMap<Vec<u8>, Vec<usize>>,
    /// Clients with something to write at the end of the turn.
    dirty: Vec<usize>,
}

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut floor = Floor { clients: Vec::new(), rooms: HashMap::new(), dirty: Vec::new() };
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener, &poll)?,
                Token(id) if event.is_readable() => floor.read(id, &mut buffer),
                Token(id) => floor.dirty.push(id),
            }
        }
        floor.flush();
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(self.clients.len()), interest)?;
            self.clients.push(Some(Client {
                stream,
                unread: Vec::new(),
                unsent: Vec::new(),
                upgraded: false,
            }));
        }
        Ok(())
    }

    fn client(&mut self, id: usize) -> Option<&mut Client> {
        self.clients.get_mut(id)?.as_mut()
    }

    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        let Some(client) = self.client(id) else { return };
        match client.stream.read(buffer) {
            Ok(count) if count > 0 => {
                client.unread.extend_from_slice(buffer.get(..count).unwrap_or_default())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            _ => {
                self.clients.get_mut(id).map(Option::take);
                return;
            }
        }
        let mut unread = std::mem::take(&mut client.unread);
        if !client.upgraded {
            if memmem::find(&unread, b"\r\n\r\n").is_some() {
                self.welcome(id, &unread);
                unread.clear();
            }
        } else {
            while let Some((text, length)) = frame(&unread) {
                self.packet(id, &text);
                unread.drain(..length);
            }
        }
        if let Some(client) = self.client(id) {
            client.unread = unread;
        }
    }

    fn welcome(&mut self, id: usize, request: &[u8]) {
        let text = String::from_utf8_lossy(request);
        let key = text.split_once("Sec-WebSocket-Key: ").and_then(|(_, rest)| rest.split_once("\r\n"));
        let mut hash = Sha1::new();
        hash.update(key.map_or("", |(key, _)| key));
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            STANDARD.encode(hash.finalize())
        );
        if let Some(client) = self.client(id) {
            client.upgraded = true;
        }
        self.push(id, answer.as_bytes());
        self.push(id, &written(&[br#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#]));
    }

    fn packet(&mut self, id: usize, text: &[u8]) {
        if text == b"40" {
            self.push(id, &written(&[br#"40{"sid":"x"}"#]));
        } else if let Some(room) = text.strip_prefix(br#"420["join",""#) {
            let room = room.strip_suffix(br#""]"#).unwrap_or_default();
            self.rooms.entry(room.to_vec()).or_default().push(id);
            self.push(id, &written(&[b"430[]"]));
        } else if let Some(rest) = text.strip_prefix(br#"42["broadcast","#) {
            self.broadcast(rest);
        } else if let Some(name) = memmem::find(text, br#"["echo","#) {
            let (id_digits, data) =
                (text.get(2..name).unwrap_or_default(), text.get(name + 8..).unwrap_or_default());
            self.push(id, &written(&[b"43", id_digits, b"[", data]));
        }
    }

    fn broadcast(&mut self, rest: &[u8]) {
        let room = memmem::find(rest, br#""room":""#)
            .and_then(|at| rest.get(at + 8..)?.split(|byte| *byte == b'"').next());
        let members = room.and_then(|room| self.rooms.get(room)).cloned().unwrap_or_default();
        let frame = written(&[br#"42["msg","#, rest]);
        for member in members {
            self.push(member, &frame);
        }
    }

    fn push(&mut self, id: usize, bytes: &[u8]) {
        let Some(client) = self.client(id) else { return };
        let first = client.unsent.is_empty();
        client.unsent.extend_from_slice(bytes);
        if first {
            self.dirty.push(id);
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(client) = self.client(id).filter(|client| !client.unsent.is_empty()) else { continue };
            match client.stream.write(&client.unsent) {
                Ok(count) if count == client.unsent.len() => client.unsent.clear(),
                Ok(count) => drop(client.unsent.drain(..count)),
                Err(_) => {}
            }
        }
        self.dirty = dirty;
    }
}

fn written(parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![0x81];
    match u8::try_from(length) {
        Ok(short @ ..126) => out.push(short),
        _ => {
            out.push(126);
            out.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A client's text frame, unmasked, and its length.
fn frame(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let &[_, second, ref rest @ ..] = input else { return None };
    let (length, start) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?)), 4),
        short => (usize::from(short), 2),
    };
    let mask = input.get(start..start + 4)?;
    let payload = input.get(start + 4..start + 4 + length)?;
    let text = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((text, start + 4 + length))
}
