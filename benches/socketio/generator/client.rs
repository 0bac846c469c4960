//! A Socket.IO client as far as a benchmark needs one: what it has said and what it waits for.

/// How a client talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// WebSocket from the beginning.
    Websocket,
    /// Long polling for ever.
    Polling,
    /// Long polling, then an upgrade, as browsers do.
    Upgrade,
}

/// Places of a client's connections.
pub(super) const GET: usize = 0;
pub(super) const POST: usize = 1;
pub(super) const WEBSOCKET: usize = 2;

/// What a client has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is in the namespace `/` and on its final transport.
    Connected,
    /// An event with this number.
    Event(u64),
    /// The ack with this id.
    Ack(u64),
    /// Its connection was lost, or the server said what no server should.
    Lost,
}

/// A client's state.
pub(super) struct Client {
    pub(super) transport: Transport,
    pub(super) connections: [Option<usize>; 3],
    /// Empty until the session is open.
    pub(super) sid: String,
    pub(super) getting: bool,
    pub(super) posting: bool,
    /// Packets for the next POST.
    pub(super) unsent: Vec<u8>,
    /// The namespace let it in.
    pub(super) admitted: bool,
    pub(super) probed: bool,
    pub(super) upgraded: bool,
}

impl Client {
    pub(super) fn new(transport: Transport) -> Client {
        Client {
            transport,
            connections: [None; 3],
            sid: String::new(),
            getting: false,
            posting: false,
            unsent: Vec::new(),
            admitted: false,
            probed: false,
            upgraded: false,
        }
    }

    pub(super) fn on_websocket(&self) -> bool {
        self.transport == Transport::Websocket || self.upgraded
    }

    pub(super) fn is_ready(&self) -> bool {
        self.admitted && (self.transport != Transport::Upgrade || self.upgraded)
    }

    /// Whether the client cannot do without this connection.
    pub(super) fn needs(&self, place: usize) -> bool {
        match place {
            POST => self.posting,
            GET => !self.on_websocket(),
            _ => true,
        }
    }
}

/// Begins the events whose order is checked; the number follows.
pub(crate) const EVENT: &[u8] = br#"42["msg",{"n":"#;

/// What a Socket.IO packet means to a client.
pub(super) fn understand(packet: &[u8]) -> Option<Heard> {
    if let Some(rest) = packet.strip_prefix(EVENT) {
        return number(rest).map(Heard::Event);
    }
    match packet {
        [b'4', b'0', ..] => Some(Heard::Connected),
        [b'4', b'3', id @ ..] => number(id).map(Heard::Ack),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let (count, number) =
        digits.fold((0, 0), |(count, number), digit| (count + 1, number * 10 + u64::from(digit - b'0')));
    (count > 0).then_some(number)
}
