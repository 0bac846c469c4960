//! The servers that are compared: started on a core of their own, each with the same handlers.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

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
    /// Two nodes of frontroom; clients come to the one that has their sessions.
    Home,
    /// The same, but clients open their sessions at one and go on at the other.
    Hop,
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
    pub(crate) const ALL: [Peer; 6] =
        [Peer::Frontroom, Peer::Node, Peer::Socketioxide, Peer::Floor, Peer::Home, Peer::Hop];

    /// As the table and the arguments name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Frontroom => "frontroom",
            Peer::Node => "node",
            Peer::Socketioxide => "socketioxide",
            Peer::Floor => "floor",
            Peer::Home => "home",
            Peer::Hop => "hop",
        }
    }
}

/// Role of this program: socketioxide's server.
pub(crate) const SOCKETIOXIDE: &str = "--serve-socketioxide";
/// Role of this program: the floor.
pub(crate) const FLOOR: &str = "--serve-floor";

/// What is added for one of several nodes.
const NODE: &str = r#"
cluster:
  redis: {url: "unix://${REDIS}"}
  node: {listen: 127.0.0.1:0, advertise: "http://127.0.0.1:0", secret: benchmark}
"#;

/// The server that clients open their sessions at, and what there is beside it.
pub(crate) struct Site {
    /// Where sessions are opened.
    pub(crate) server: Server,
    /// Another node.
    other: Option<Server>,
    /// Where clients go on, where that is elsewhere.
    pub(crate) through: Option<SocketAddr>,
    _redis: Option<Redis>,
}

impl Site {
    /// Where sessions are opened.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The processes whose CPU counts.
    pub(crate) fn pids(&self) -> Vec<u32> {
        [Some(&self.server), self.other.as_ref()].into_iter().flatten().map(Server::pid).collect()
    }
}

/// A Redis at a unix socket, killed when dropped.
struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    fn start() -> io::Result<Redis> {
        let folder = tempfile::tempdir()?;
        let mut command = server::on("1");
        command.args(["redis-server", "--port", "0", "--save", "", "--unixsocket"]);
        command.arg(folder.path().join("redis.sock")).arg("--dir").arg(folder.path());
        let redis = Redis { child: command.stdout(Stdio::null()).spawn()?, folder };
        let until = Instant::now() + Duration::from_secs(5);
        while UnixStream::connect(redis.socket()).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other("redis-server does not start"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(redis)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on a free port and waits until it listens; for [`Peer::Home`] and [`Peer::Hop`] two.
pub(crate) fn start(peer: Peer, place: Place) -> io::Result<Site> {
    if !matches!(peer, Peer::Home | Peer::Hop) {
        return Ok(Site { server: single(peer, place)?, other: None, through: None, _redis: None });
    }
    let redis = Redis::start()?;
    let (server, other) = (node(&redis, place)?, node(&redis, place)?);
    let through = (peer == Peer::Hop).then_some(other.address);
    Ok(Site { server, other: Some(other), through, _redis: Some(redis) })
}

fn node(redis: &Redis, place: Place) -> io::Result<Server> {
    let files = tempfile::tempdir()?;
    let config = files.path().join("frontroom.yaml");
    std::fs::write(&config, format!("{RULES}{NODE}"))?;
    let mut command = server::frontroom(place.cores, place.workers, &config);
    let upstream = format!("http://{}", backend::address()?);
    command.env("UPSTREAM", upstream).env("REDIS", redis.socket());
    Server::start(command, files, None)
}

fn single(peer: Peer, place: Place) -> io::Result<Server> {
    let files = tempfile::tempdir()?;
    let config = files.path().join("frontroom.yaml");
    std::fs::write(&config, RULES)?;
    let mut command = match peer {
        Peer::Frontroom | Peer::Home | Peer::Hop => server::frontroom(place.cores, place.workers, &config),
        Peer::Node => server::node(place.cores, "server.js"),
        Peer::Socketioxide => server::this(place.cores, SOCKETIOXIDE)?,
        Peer::Floor => server::this(place.cores, FLOOR)?,
    };
    command.env("UPSTREAM", format!("http://{}", backend::address()?));
    Server::start(command, files, None)
}
