//! The servers that are compared: started on a core of their own, each with the same handlers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

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
upstream: http://127.0.0.1:9
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
log: {access: false, level: warn}
socketio:
  events:
    join: {join: "{{ data }}", ack: true}
    broadcast: {emit: {event: msg, to: "{{ data.room }}", data: "{{ data }}"}}
    echo: {ack: "{{ data }}"}
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

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Kept open: a server that says more must not fail over it.
    _output: BufReader<ChildStdout>,
    _config: tempfile::NamedTempFile,
}

impl Server {
    /// Starts it on a free port and waits until it listens.
    pub(crate) fn start(peer: Peer, place: Place) -> io::Result<Server> {
        let mut config = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        config.write_all(RULES.as_bytes())?;
        let mut command = Command::new("taskset");
        command.args(["-c", place.cores]);
        match peer {
            Peer::Frontroom => {
                let own = env!("CARGO_BIN_EXE_frontroom").into();
                command.arg(std::env::var_os("FRONTROOM_BIN").unwrap_or(own));
                command.args(["run", "--workers", &place.workers.to_string(), "--config"]).arg(config.path());
            }
            Peer::Node => {
                command.arg("node").arg(peers().join("server.js")).env("NODE_ENV", "production");
            }
            Peer::Socketioxide => {
                command.arg(std::env::current_exe()?).arg("--serve-socketioxide");
            }
            Peer::Floor => {
                command.arg(std::env::current_exe()?).arg("--serve-floor");
            }
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut output = BufReader::new(output);
        let address = output.by_ref().lines().find_map(|line| {
            let address = line.ok()?.split_once("listening on http://")?.1.trim().parse();
            address.ok()
        });
        let address = address.ok_or_else(|| io::Error::other(format!("{} does not start", peer.name())))?;
        Ok(Server { child, address, _output: output, _config: config })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peers() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers"))
}

/// Installs Node's packages if they are missing or not those of the lock file.
pub(crate) fn install() -> io::Result<()> {
    let modified = |file: &str| peers().join(file).metadata().and_then(|file| file.modified());
    let lock = modified("package-lock.json")?;
    if modified("node_modules/.package-lock.json").is_ok_and(|done| done >= lock) {
        return Ok(());
    }
    eprintln!("installing npm packages");
    let done = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(peers()).status()?;
    if done.success() { Ok(()) } else { Err(io::Error::other("npm ci failed")) }
}
