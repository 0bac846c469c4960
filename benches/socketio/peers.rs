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
    /// So many nodes of frontroom; clients come to them in turn.
    Cluster(u8),
    /// The same of socket.io on Node with `@socket.io/redis-adapter`.
    Adapter(u8),
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
    pub(crate) const ALL: [Peer; 12] = [
        Peer::Frontroom,
        Peer::Node,
        Peer::Socketioxide,
        Peer::Floor,
        Peer::Home,
        Peer::Hop,
        Peer::Cluster(1),
        Peer::Cluster(2),
        Peer::Cluster(3),
        Peer::Adapter(1),
        Peer::Adapter(2),
        Peer::Adapter(3),
    ];

    /// As the table and the arguments name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Frontroom => "frontroom",
            Peer::Node => "node",
            Peer::Socketioxide => "socketioxide",
            Peer::Floor => "floor",
            Peer::Home => "home",
            Peer::Hop => "hop",
            Peer::Cluster(1) => "one",
            Peer::Cluster(2) => "two",
            Peer::Cluster(_) => "three",
            Peer::Adapter(1) => "adapter-one",
            Peer::Adapter(2) => "adapter-two",
            Peer::Adapter(_) => "adapter-three",
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

/// The servers that clients come to, and what there is beside them.
pub(crate) struct Site {
    /// All of them; sessions are opened at the first alone where clients go on at another.
    servers: Vec<Server>,
    /// Where clients go on, where that is elsewhere.
    pub(crate) through: Option<SocketAddr>,
    redis: Option<Redis>,
    /// Whether clients come to all of them.
    spread: bool,
}

impl Site {
    /// Where sessions are opened, in turn.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let count = if self.spread { self.servers.len() } else { 1 };
        self.servers.iter().take(count).map(|server| server.address).collect()
    }

    /// The processes whose CPU counts.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }

    /// The Redis between them.
    pub(crate) fn redis(&self) -> Option<u32> {
        self.redis.as_ref().map(|redis| redis.child.id())
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

/// Starts a server on a free port and waits until it listens; or several with a Redis between them.
pub(crate) fn start(peer: Peer, place: Place) -> io::Result<Site> {
    let count = match peer {
        Peer::Home | Peer::Hop => 2,
        Peer::Cluster(count) | Peer::Adapter(count) => count,
        _ => {
            let servers = vec![launch(peer, place, None)?];
            return Ok(Site { servers, through: None, redis: None, spread: false });
        }
    };
    let redis = Redis::start()?;
    let servers: Vec<_> = (0..count).map(|_| launch(peer, place, Some(&redis))).collect::<io::Result<_>>()?;
    let through = servers.get(1).filter(|_| peer == Peer::Hop).map(|server| server.address);
    let spread = matches!(peer, Peer::Cluster(_) | Peer::Adapter(_));
    Ok(Site { servers, through, redis: Some(redis), spread })
}

/// One server, or one of those around a Redis.
fn launch(peer: Peer, place: Place, redis: Option<&Redis>) -> io::Result<Server> {
    let files = tempfile::tempdir()?;
    let config = files.path().join("frontroom.yaml");
    std::fs::write(&config, format!("{RULES}{}", redis.map_or("", |_| NODE)))?;
    let mut command = match peer {
        Peer::Node | Peer::Adapter(_) => server::node(place.cores, "server.js"),
        Peer::Socketioxide => server::this(place.cores, SOCKETIOXIDE)?,
        Peer::Floor => server::this(place.cores, FLOOR)?,
        _ => server::frontroom(place.cores, place.workers, &config),
    };
    command.env("UPSTREAM", format!("http://{}", backend::address()?));
    if let Some(redis) = redis {
        command.env("REDIS", redis.socket());
    }
    Server::start(command, files, None)
}
