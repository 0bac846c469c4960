//! The servers that are compared: started on a core of their own, each with the same handlers.

use std::io;

use crate::backend;
use crate::common::server::{self, Server};

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// `frontroom run` with rules.
    Frontroom,
    /// socket.io on Node.
    Node,
    /// socketioxide on hyper.
    Socketioxide,
    /// Raw epoll, WebSockets alone.
    Floor,
}

/// Where a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The cores it may use, as taskset(1) has them.
    pub(crate) cores: &'static str,
    /// Threads that serve.
    pub(crate) workers: u8,
}

/// One worker on core 0; the generator has core 1 to itself.
pub(crate) const PINNED: Place = Place { cores: "0", workers: 1 };

/// The handlers, as rules.
const RULES: &str = r#"
upstream: ${UPSTREAM}
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
log: {access: false, level: warn}
socketio:
  events:
    join: {join: "{{ data }}", ack: true}
    broadcast: {emit: {event: msg, to: "{{ data.room }}", data: "{{ data }}"}}
    echo: {ack: "{{ data }}"}
    post: {request: "POST /rooms/{{ data.room }}/messages"}
"#;

impl Peer {
    /// All of them; ratios are against the first.
    pub(crate) const ALL: [Peer; 4] = [Peer::Frontroom, Peer::Node, Peer::Socketioxide, Peer::Floor];

    /// As the table and the arguments name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Frontroom => "frontroom",
            Peer::Node => "node",
            Peer::Socketioxide => "socketioxide",
            Peer::Floor => "floor",
        }
    }
}

/// Role of this program: socketioxide's server.
pub(crate) const SOCKETIOXIDE: &str = "--serve-socketioxide";
/// Role of this program: the floor.
pub(crate) const FLOOR: &str = "--serve-floor";

/// Starts a server on a free port and waits until it listens.
pub(crate) fn start(peer: Peer, place: Place) -> io::Result<Server> {
    let files = tempfile::tempdir()?;
    let config = files.path().join("frontroom.yaml");
    std::fs::write(&config, RULES)?;
    let mut command = match peer {
        Peer::Frontroom => server::frontroom(place.cores, place.workers, &config),
        Peer::Node => server::node(place.cores, "server.js"),
        Peer::Socketioxide => server::this(place.cores, SOCKETIOXIDE)?,
        Peer::Floor => server::this(place.cores, FLOOR)?,
    };
    command.env("UPSTREAM", format!("http://{}", backend::address()?));
    Server::start(command, files, None)
}
