//! All clients of a benchmark on one thread and one epoll.

mod client;
mod connection;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use client::{Client, GET, POST, WEBSOCKET};
use connection::Connection;
use wire::{Item, Speech};

pub(crate) use client::{Heard, Transport};

/// Bytes read at once.
const READ: usize = 256 * 1024;

/// Connections looked at in one turn: few, so that what is heard is answered soon.
const TURN: usize = 64;

/// What browsers send along, and no server here looks at.
const HEADERS: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\n";

/// All clients of one server, or of several that act as one.
pub(crate) struct Generator {
    /// Where clients open their sessions, in turn.
    addresses: Vec<SocketAddr>,
    /// Where clients go on once their sessions are open.
    through: Option<SocketAddr>,
    awake: bool,
    poll: Poll,
    events: Events,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    clients: Vec<Client>,
    heard: Vec<(usize, Heard)>,
    /// Connections with something to write at the end of the turn: what is said together goes together.
    unsent: Vec<usize>,
    buffer: Vec<u8>,
    /// Reads that brought something.
    pub(crate) reads: u64,
}

impl Generator {
    /// Without clients, who open their sessions at `addresses` in turn and go on `through` another place, if there is
    /// one. `awake`: it never sleeps, so that no server pays for waking it.
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        through: Option<SocketAddr>,
        awake: bool,
    ) -> io::Result<Generator> {
        Ok(Generator {
            addresses,
            through,
            awake,
            poll: Poll::new()?,
            events: Events::with_capacity(TURN),
            connections: Vec::new(),
            free: Vec::new(),
            clients: Vec::new(),
            heard: Vec::new(),
            unsent: Vec::new(),
            buffer: vec![0; READ],
            reads: 0,
        })
    }

    /// Begins to connect a client; its number.
    pub(crate) fn open(&mut self, transport: Transport) -> io::Result<usize> {
        let who = self.clients.len();
        self.clients.push(Client::new(transport));
        if transport == Transport::Websocket {
            self.open_websocket(who)?;
        } else {
            self.get(who)?;
        }
        Ok(who)
    }

    /// Closes all connections of all clients and forgets them.
    pub(crate) fn close_all(&mut self) {
        self.connections.clear();
        self.free.clear();
        self.clients.clear();
        self.heard.clear();
        self.unsent.clear();
    }

    /// Waits at most `patience` and does what there is to do; what was heard goes to `heard`.
    pub(crate) fn turn(&mut self, patience: Duration, heard: &mut Vec<(usize, Heard)>) -> io::Result<()> {
        heard.clear();
        self.flush();
        if self.heard.is_empty() {
            self.wait(patience)?;
            let events = std::mem::replace(&mut self.events, Events::with_capacity(1));
            for event in &events {
                let id = event.token().0;
                if event.is_writable()
                    && let Some(connection) = self.connection(id)
                    && connection.flush().is_err()
                {
                    self.lose(id);
                }
                if event.is_readable() {
                    self.read(id)?;
                }
            }
            self.events = events;
        }
        std::mem::swap(heard, &mut self.heard);
        Ok(())
    }

    fn wait(&mut self, patience: Duration) -> io::Result<()> {
        if !self.awake {
            return self.poll.poll(&mut self.events, Some(patience));
        }
        let begun = Instant::now();
        loop {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() || begun.elapsed() > patience {
                return Ok(());
            }
        }
    }

    /// Sends a Socket.IO packet, such as `42["echo",1]`.
    pub(crate) fn send(&mut self, who: usize, packet: &str) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(who) else { return Ok(()) };
        if client.on_websocket() {
            return self.send_text(who, &[packet.as_bytes()]);
        }
        if !client.unsent.is_empty() {
            client.unsent.push(0x1e);
        }
        client.unsent.extend_from_slice(packet.as_bytes());
        self.post(who)
    }

    fn connection(&mut self, id: usize) -> Option<&mut Connection> {
        self.connections.get_mut(id)?.as_mut()
    }

    fn flush(&mut self) {
        let mut unsent = std::mem::take(&mut self.unsent);
        for id in unsent.drain(..) {
            if self.connection(id).is_some_and(|connection| connection.flush().is_err()) {
                self.lose(id);
            }
        }
        self.unsent = unsent;
    }

    /// Queues bytes for the connection at a client's place, which is opened if there is none.
    fn push(&mut self, who: usize, place: usize, bytes: &[u8]) -> io::Result<()> {
        let known = self.clients.get(who).and_then(|client| *client.connections.get(place)?);
        let id = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        if known.is_none() {
            let has_session = self.clients.get(who).is_some_and(|client| !client.sid.is_empty());
            let own = self.addresses.get(who % self.addresses.len().max(1)).copied();
            let address = self.through.filter(|_| has_session).or(own);
            let address = address.ok_or_else(|| io::Error::other("there is no server"))?;
            let mut connection = Connection::open(address, (who, place))?;
            connection.register(self.poll.registry(), id)?;
            if let Some(slot) = self.connections.get_mut(id) {
                *slot = Some(connection);
            }
            if let Some(own) = self.clients.get_mut(who).and_then(|client| client.connections.get_mut(place))
            {
                *own = Some(id);
            }
        }
        if self.connection(id).is_some_and(|connection| connection.push(bytes)) {
            self.unsent.push(id);
        }
        Ok(())
    }

    fn sid(&self, who: usize) -> String {
        match self.clients.get(who).map(|client| client.sid.as_str()) {
            Some("") | None => String::new(),
            Some(sid) => format!("&sid={sid}"),
        }
    }

    fn open_websocket(&mut self, who: usize) -> io::Result<()> {
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{} HTTP/1.1\r\nHost: bench\r\n{HEADERS}Connection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.sid(who)
        );
        self.push(who, WEBSOCKET, request.as_bytes())
    }

    fn get(&mut self, who: usize) -> io::Result<()> {
        if let Some(client) = self.clients.get_mut(who) {
            client.getting = true;
        }
        let sid = self.sid(who);
        let request =
            format!("GET /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: bench\r\n{HEADERS}\r\n");
        self.push(who, GET, request.as_bytes())
    }

    fn post(&mut self, who: usize) -> io::Result<()> {
        let Some(client) =
            self.clients.get_mut(who).filter(|client| !client.posting && !client.unsent.is_empty())
        else {
            return Ok(());
        };
        client.posting = true;
        let body = std::mem::take(&mut client.unsent);
        let mut request = format!(
            "POST /socket.io/?EIO=4&transport=polling{} HTTP/1.1\r\nHost: bench\r\n{HEADERS}\
             Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
            self.sid(who),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        self.push(who, POST, &request)
    }

    fn send_text(&mut self, who: usize, parts: &[&[u8]]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(256);
        wire::put_text(&mut frame, parts);
        self.push(who, WEBSOCKET, &frame)
    }

    fn read(&mut self, id: usize) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        // A short read has emptied the socket (epoll(7)).
        let mut count = READ;
        while count == READ {
            let Some(connection) = self.connection(id) else { break };
            count = match connection.read(&mut buffer) {
                Ok(None) => break,
                Ok(Some(count)) if count > 0 => count,
                _ => {
                    self.lose(id);
                    break;
                }
            };
            self.reads += 1;
            self.split(id, buffer.get(..count).unwrap_or_default())?;
        }
        self.buffer = buffer;
        Ok(())
    }

    fn split(&mut self, id: usize, input: &[u8]) -> io::Result<()> {
        let Some(connection) = self.connection(id) else { return Ok(()) };
        let owner = connection.owner;
        let mut kept = std::mem::take(&mut connection.partial);
        let mut rest = input;
        if !kept.is_empty() {
            kept.extend_from_slice(input);
            rest = &kept;
        }
        while let Some(speech) = self.connection(id).map(|connection| connection.speech) {
            match wire::next(rest, speech) {
                Ok(Some((item, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    self.item(id, owner, &item)?;
                }
                Ok(None) => break,
                Err(_) => {
                    self.lose(id);
                    break;
                }
            }
        }
        if !rest.is_empty()
            && let Some(connection) = self.connection(id)
        {
            connection.partial = rest.to_vec();
        }
        Ok(())
    }

    fn item(&mut self, id: usize, (who, place): (usize, usize), item: &Item<'_>) -> io::Result<()> {
        match item {
            Item::Message(text) => self.packet(who, text),
            Item::Response { status: 101, .. } => {
                if let Some(connection) = self.connection(id) {
                    connection.speech = Speech::Websocket;
                }
                let upgrading =
                    self.clients.get(who).is_some_and(|client| client.transport == Transport::Upgrade);
                if upgrading { self.send_text(who, &[b"2probe"]) } else { Ok(()) }
            }
            Item::Response { status: 200, body } if place == GET => self.polled(who, body),
            Item::Response { status: 200, .. } => {
                if let Some(client) = self.clients.get_mut(who) {
                    client.posting = false;
                }
                self.post(who)?;
                self.upgrade(who)
            }
            Item::Response { .. } | Item::Close => {
                self.lose(id);
                Ok(())
            }
        }
    }

    /// A GET was answered.
    fn polled(&mut self, who: usize, body: &[u8]) -> io::Result<()> {
        if let Some(client) = self.clients.get_mut(who) {
            client.getting = false;
        }
        for packet in body.split(|byte| *byte == 0x1e) {
            self.packet(who, packet)?;
        }
        self.upgrade(who)?;
        let again = self
            .clients
            .get(who)
            .is_some_and(|client| !client.getting && !client.on_websocket() && !client.probed);
        if again { self.get(who) } else { Ok(()) }
    }

    /// Tells the server that the WebSocket takes over, once no request is under way.
    fn upgrade(&mut self, who: usize) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(who) else { return Ok(()) };
        if !client.probed || client.upgraded || client.getting || client.posting {
            return Ok(());
        }
        client.upgraded = true;
        self.send_text(who, &[b"5"])?;
        self.connected(who);
        Ok(())
    }

    fn connected(&mut self, who: usize) {
        if self.clients.get(who).is_some_and(Client::is_ready) {
            self.heard.push((who, Heard::Connected));
        }
    }

    fn packet(&mut self, who: usize, packet: &[u8]) -> io::Result<()> {
        match packet {
            [b'4', ..] => match client::understand(packet) {
                Some(Heard::Connected) => {
                    if let Some(client) = self.clients.get_mut(who) {
                        client.admitted = true;
                    }
                    self.connected(who);
                }
                Some(heard) => self.heard.push((who, heard)),
                None => self.heard.push((who, Heard::Lost)),
            },
            b"2" => return self.send(who, "3"),
            b"3probe" => {
                if let Some(client) = self.clients.get_mut(who) {
                    client.probed = true;
                }
                return self.upgrade(who);
            }
            [b'0', open @ ..] => return self.opened(who, open),
            b"6" => {}
            _ => self.heard.push((who, Heard::Lost)),
        }
        Ok(())
    }

    fn opened(&mut self, who: usize, open: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(open);
        let sid =
            text.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split_once('"')).map(|(sid, _)| sid);
        let Some(client) = self.clients.get_mut(who) else { return Ok(()) };
        client.sid = sid.unwrap_or_default().to_owned();
        let transport = client.transport;
        if self.through.is_some() && transport != Transport::Websocket {
            self.leave(who, GET);
        }
        self.send(who, "40")?;
        match transport {
            Transport::Websocket => Ok(()),
            Transport::Polling => self.get(who),
            Transport::Upgrade => {
                self.get(who)?;
                self.open_websocket(who)
            }
        }
    }

    /// Closes a connection that nothing more is asked on.
    fn leave(&mut self, who: usize, place: usize) {
        let left = self.clients.get_mut(who).and_then(|client| client.connections.get_mut(place)?.take());
        if let Some(id) = left
            && let Some(slot) = self.connections.get_mut(id)
        {
            *slot = None;
            self.free.push(id);
        }
    }

    /// A connection is gone.
    fn lose(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::take) else { return };
        self.free.push(id);
        let (who, place) = connection.owner;
        let Some(client) = self.clients.get_mut(who) else { return };
        if let Some(own) = client.connections.get_mut(place) {
            *own = None;
        }
        if client.needs(place) {
            self.heard.push((who, Heard::Lost));
        }
    }
}
