//! What the config says of Engine.IO.

use std::time::Duration;

use crate::config::file::{OnFull, SocketIo, Transport};
use crate::config::{Problems, defaults, value};

/// What the config says of Engine.IO. A session keeps those it was opened under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Time between pings.
    pub ping_interval: Duration,
    /// How long a pong may take.
    pub ping_timeout: Duration,
    /// How long an upgrade may take.
    pub upgrade_timeout: Duration,
    /// How long a session may go without the application admitting it.
    pub connect_timeout: Duration,
    /// Largest message from a client, in bytes.
    pub max_payload: usize,
    /// How long a POST's body may take to come.
    pub post_timeout: Duration,
    /// Packets that one POST may bring.
    pub max_packets: usize,
    /// Fragments that one WebSocket message may come in.
    pub max_fragments: usize,
    /// Sessions in all; 0 is no bound.
    pub max_sessions: usize,
    /// Sessions of one address; 0 is no bound.
    pub max_sessions_per_ip: usize,
    /// Whether long polling is on offer.
    pub polling: bool,
    /// Whether WebSocket is on offer.
    pub websocket: bool,
    /// Whether clients of protocol version 3 are served.
    pub eio3: bool,
    /// Bytes that may wait for a slow client.
    pub max_queue: usize,
    /// Whether volatile events give way before a slow client is disconnected.
    pub drop_volatile: bool,
    /// Whether what goes over sessions is counted for the Admin UI.
    pub count_traffic: bool,
}

impl Options {
    /// Reads them from the section `socketio`.
    pub fn build(file: &SocketIo, problems: &mut Problems) -> Options {
        let duration = |value: Option<value::Duration>, default: Duration| value.map_or(default, |d| d.0);
        let size = |value: Option<value::Size>, default: u64| {
            usize::try_from(value.map_or(default, |s| s.0)).unwrap_or(usize::MAX)
        };
        let transports = file.transports.as_ref().map(|list| list.0.as_slice());
        let offers = |transport| transports.is_none_or(|list| list.contains(&transport));
        let options = Options {
            ping_interval: duration(file.ping_interval, defaults::PING_INTERVAL),
            ping_timeout: duration(file.ping_timeout, defaults::PING_TIMEOUT),
            upgrade_timeout: duration(file.upgrade_timeout, defaults::UPGRADE_TIMEOUT),
            connect_timeout: duration(file.connect_timeout, defaults::CONNECT_TIMEOUT),
            max_payload: size(file.max_payload, defaults::MAX_PAYLOAD),
            post_timeout: duration(file.post_timeout, defaults::POST_TIMEOUT),
            max_packets: file.max_packets_per_post.unwrap_or(defaults::MAX_PACKETS_PER_POST),
            max_fragments: file.max_fragments.unwrap_or(defaults::MAX_FRAGMENTS),
            max_sessions: file.max_sessions.unwrap_or(defaults::MAX_SESSIONS),
            max_sessions_per_ip: file.max_sessions_per_ip.unwrap_or(defaults::MAX_SESSIONS_PER_IP),
            polling: offers(Transport::Polling),
            websocket: offers(Transport::Websocket),
            eio3: file.eio3.unwrap_or(defaults::EIO3),
            max_queue: size(file.send_queue.max_bytes, defaults::SEND_QUEUE_MAX_BYTES),
            drop_volatile: file.send_queue.on_full == OnFull::DropVolatileThenDisconnect,
            count_traffic: file.admin_ui.enabled,
        };
        options.check(problems);
        options
    }

    fn check(&self, problems: &mut Problems) {
        if !self.polling && !self.websocket {
            problems.add("socketio.transports", "no transport is left", "name polling, websocket or both");
        }
        for (key, time) in [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("connect_timeout", self.connect_timeout),
            ("post_timeout", self.post_timeout),
        ] {
            if time.is_zero() {
                problems.add(format!("socketio.{key}"), "no time at all", "give a duration such as 20s");
            }
        }
        for (key, count) in
            [("max_packets_per_post", self.max_packets), ("max_fragments", self.max_fragments)]
        {
            if count == 0 {
                problems.add(
                    format!("socketio.{key}"),
                    "nothing could be sent",
                    "give a number such as 1000",
                );
            }
        }
        for (key, bytes) in [("max_payload", self.max_payload), ("send_queue.max_bytes", self.max_queue)] {
            if bytes == 0 {
                problems.add(format!("socketio.{key}"), "no byte would fit", "give a size such as 1MB");
            }
        }
    }
}
