//! What is measured.

use std::net::SocketAddr;
use std::time::Duration;

use crate::backend;
use crate::common::arguments::Arguments;
use crate::common::usage::{self, Used, Watch};
use crate::common::{self, Column, Failure, Figure};
use crate::load::{self, Client, Requests};
use crate::peers::Peer;

/// Load before a figure counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// Load while it does.
const MEASURE: Duration = Duration::from_secs(2);

/// Requests a second for latency: about half of what one core of the quicker proxies carries here.
const HALF_LOAD: u32 = 12_800;
/// Connections that are kept for memory.
const KEPT: usize = 1000;

/// A case: its name for arguments, its row, what is compared, and how it is loaded.
pub(crate) struct Case {
    /// As arguments name it.
    pub(crate) name: &'static str,
    row: &'static str,
    peers: &'static [Peer],
    load: Load,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Requests(Requests),
    Handshakes,
    Latency,
    Memory,
}

const PROXIES: &[Peer] = &[Peer::Frontroom, Peer::Nginx, Peer::Haproxy, Peer::Node, Peer::Floor];
const SMALL: &[Peer] =
    &[Peer::Frontroom, Peer::Nginx, Peer::NginxAlike, Peer::Haproxy, Peer::Node, Peer::Floor];
const LARGE: &[Peer] =
    &[Peer::Frontroom, Peer::Nginx, Peer::NginxTuned, Peer::Haproxy, Peer::Node, Peer::Floor];
const TLS: &[Peer] = &[Peer::Frontroom, Peer::Nginx, Peer::Haproxy];
const TIMED: &[Peer] = &[Peer::Frontroom, Peer::Nginx, Peer::Haproxy, Peer::Direct];
const KEEPERS: &[Peer] = &[Peer::Frontroom, Peer::Nginx, Peer::Haproxy];

const GET: Requests = Requests { path: "/json", post: None, connections: 64, tls: false };

/// All cases, in the order of the table.
pub(crate) const ALL: &[Case] = &[
    requests("get", "GET 100 B, 64 connections", SMALL, GET),
    requests("get-256", "GET 100 B, 256 connections", PROXIES, Requests { connections: 256, ..GET }),
    requests("10k", "GET 10 KB, 64 connections", PROXIES, Requests { path: "/10k", ..GET }),
    requests(
        "post",
        "POST 10 KB, 64 connections",
        PROXIES,
        Requests { path: "/post", post: Some(10 * 1024), ..GET },
    ),
    requests("1m", "GET 1 MB, 64 connections", LARGE, Requests { path: "/1m", ..GET }),
    requests("tls", "GET 100 B over TLS, 64 connections", TLS, Requests { tls: true, ..GET }),
    Case { name: "handshake", row: "full TLS 1.3 handshake, P-256", peers: TLS, load: Load::Handshakes },
    Case { name: "latency", row: "99th percentile at 12,800 GETs/s", peers: TIMED, load: Load::Latency },
    Case { name: "memory", row: "memory with 1,000 idle connections", peers: KEEPERS, load: Load::Memory },
];

const fn requests(name: &'static str, row: &'static str, peers: &'static [Peer], load: Requests) -> Case {
    Case { name, row, peers, load: Load::Requests(load) }
}

impl common::Case for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn columns(&self) -> Vec<Column> {
        self.peers.iter().map(|peer| Column { name: peer.name(), peer: peer.name() }).collect()
    }

    fn most_rounds(&self) -> usize {
        usize::MAX
    }

    fn run(&self, column: usize, _: &Arguments) -> Result<Vec<Figure>, Failure> {
        let peer = *self.peers.get(column).ok_or("no such column")?;
        let tls = match self.load {
            Load::Requests(requests) => requests.tls,
            Load::Handshakes => true,
            Load::Latency | Load::Memory => false,
        };
        let backend = backend::start()?;
        let server = peer.start(backend.address, tls)?;
        if !tls && peer != Peer::Direct {
            check(server.address)?;
        }
        let (to, pid) = (server.address, server.pid());
        match self.load {
            Load::Requests(requests) => {
                requests.send(to, WARM_UP)?;
                self.cpu(pid, || requests.send(to, MEASURE))
            }
            Load::Handshakes => {
                load::handshakes(to, WARM_UP)?;
                self.cpu(pid, || load::handshakes(to, MEASURE))
            }
            Load::Latency => {
                load::percentile(to, GET.path, HALF_LOAD, WARM_UP)?;
                let watch = Watch::begin(&[pid])?;
                let time = load::percentile(to, GET.path, HALF_LOAD, MEASURE)?;
                let used = watch.end()?;
                Ok(vec![self.figure("us", time, used)])
            }
            Load::Memory => self.memory(to, pid),
        }
    }
}

impl Case {
    /// CPU of the server for each unit of a load.
    fn cpu(&self, pid: u32, load: impl FnOnce() -> Result<u64, Failure>) -> Result<Vec<Figure>, Failure> {
        let watch = Watch::begin(&[pid])?;
        let units = load()?;
        let used = watch.end()?;
        let mut figure = self.figure("us", used.server / 1000.0 / units as f64, used);
        figure.note += &format!(", {units} done");
        Ok(vec![figure])
    }

    fn figure(&self, unit: &'static str, value: f64, used: Used) -> Figure {
        Figure { row: self.row, unit, value, foreign: used.foreign, note: used.note() }
    }

    /// Connections that have each asked once and idle now.
    fn memory(&self, to: SocketAddr, pid: u32) -> Result<Vec<Figure>, Failure> {
        let empty = usage::resident(pid)?;
        let mut clients = Vec::with_capacity(KEPT);
        for _ in 0..KEPT {
            let mut client = Client::connect(to)?;
            client.get(GET.path, "")?;
            clients.push(client);
        }
        std::thread::sleep(Duration::from_secs(1));
        let full = usage::resident(pid)?;
        for client in &mut clients {
            client.get(GET.path, "")?;
        }
        let each = (full - empty) / KEPT as f64 / 1000.0;
        let figure = |row, unit, value| Figure { row, unit, value, foreign: 0.0, note: String::new() };
        Ok(vec![figure(self.row, "MB", full / 1e6), figure("memory of an idle connection", "KB", each)])
    }
}

/// A proxy that does less than the others is not compared: all add `X-Forwarded-For`, keep
/// `Connection` to themselves, and pass bodies on.
fn check(to: SocketAddr) -> Result<(), Failure> {
    let mut client = Client::connect(to)?;
    let seen = String::from_utf8(client.get("/seen", "Connection: x-hop\r\n")?)?;
    if !seen.starts_with("127.0.0.1") || seen.contains("x-hop") {
        return Err(format!("the backend has seen {seen}").into());
    }
    match Client::connect(to)?.get(GET.path, "")? {
        body if body == backend::JSON.as_bytes() => Ok(()),
        body => Err(format!("{} came", body.escape_ascii()).into()),
    }
}
