//! What is measured.

mod direct;
mod echo;
mod fanout;
mod memory;
mod nodes;
mod paced;
mod rule;
mod setup;

use std::io;
use std::time::{Duration, Instant};

use crate::AWAKE;
use crate::common::arguments::Arguments;
use crate::common::usage::{Used, Watch};
use crate::common::{self, Column, Failure, Figure};
use crate::generator::{Generator, Heard, Transport};
use crate::peers::{PINNED, Peer, Place, Site, start};

/// Silence after which what is still missing is lost.
const PATIENCE: Duration = Duration::from_secs(4);

/// Clients that connect or join at once.
const AT_ONCE: usize = 64;

/// Time between the last join and the first event.
const SETTLE: Duration = Duration::from_millis(300);

/// A case: its name for arguments, what is compared, how it is run.
pub(crate) struct Case {
    /// As arguments name it.
    pub(crate) name: &'static str,
    /// Columns of its table.
    pub(crate) columns: &'static [(&'static str, Peer, Place)],
    /// Runs it on a fresh server.
    pub(crate) run: fn(&Bench) -> Result<Vec<Figure>, Failure>,
    /// Rounds are as many as asked for, or as few as this.
    pub(crate) rounds: usize,
}

impl common::Case for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|(name, peer, _)| Column { name, peer: peer.name() }).collect()
    }

    fn most_rounds(&self) -> usize {
        self.rounds
    }

    fn run(&self, column: usize, arguments: &Arguments) -> Result<Vec<Figure>, Failure> {
        let (_, peer, place) = self.columns.get(column).ok_or("no such column")?;
        (self.run)(&Bench::start(*peer, *place, arguments.has(AWAKE))?)
    }
}

const PEERS: &[(&str, Peer, Place)] = &[
    ("frontroom", Peer::Frontroom, PINNED),
    ("node", Peer::Node, PINNED),
    ("socketioxide", Peer::Socketioxide, PINNED),
];

/// Whose handlers ask a REST API.
const ASKING: &[(&str, Peer, Place)] =
    &[("frontroom", Peer::Frontroom, PINNED), ("node", Peer::Node, PINNED)];

/// The floor knows events on WebSockets and nothing else.
const WITH_FLOOR: &[(&str, Peer, Place)] = &[
    ("frontroom", Peer::Frontroom, PINNED),
    ("node", Peer::Node, PINNED),
    ("socketioxide", Peer::Socketioxide, PINNED),
    ("floor", Peer::Floor, PINNED),
];

const WORKERS: &[(&str, Peer, Place)] = &[
    ("two workers", Peer::Frontroom, Place { cores: "0,1", workers: 2 }),
    ("one worker", Peer::Frontroom, Place { cores: "0,1", workers: 1 }),
];

/// What it costs to come in at another node than the session's: the first against the second.
const NODES: &[(&str, Peer, Place)] =
    &[("at its node", Peer::Home, PINNED), ("through another", Peer::Hop, PINNED)];

/// What several nodes cost that act as one, with a Redis between them.
const SEVERAL: &[(&str, Peer, Place)] = &[
    ("1 node", Peer::Cluster(1), PINNED),
    ("2 nodes", Peer::Cluster(2), PINNED),
    ("3 nodes", Peer::Cluster(3), PINNED),
    ("Node, 1", Peer::Adapter(1), PINNED),
    ("Node, 2", Peer::Adapter(2), PINNED),
    ("Node, 3", Peer::Adapter(3), PINNED),
];

/// All cases, in the order of the table.
pub(crate) const ALL: &[Case] = &[
    events("fanout-w1", |bench| fanout::one_room(bench, "fan-out 1 x 1000, w 1", 1, 200)),
    events("fanout-w8", |bench| fanout::one_room(bench, "fan-out 1 x 1000, w 8", 8, 600)),
    events("crowd", |bench| fanout::crowd(bench, "fan-out 1 x 600, w 300")),
    events("rooms", |bench| fanout::rooms(bench, "fan-out 500 x 10, w 16")),
    events("echo", |bench| echo::run(bench, "event with ack, 100 clients")),
    Case { columns: ASKING, ..case("rule", rule::run) },
    case("setup", |bench| setup::run(bench, setup::WEBSOCKET)),
    case("upgrade", |bench| setup::run(bench, setup::UPGRADE)),
    case("polling", |bench| fanout::polling(bench, "polling fan-out 1 x 500, w 1")),
    Case {
        columns: NODES,
        ..case("hop", |bench| fanout::polling(bench, "polling among nodes, 1 x 500, w 1"))
    },
    Case { columns: SEVERAL, ..case("nodes-fanout", nodes::fanout) },
    Case { columns: SEVERAL, ..case("nodes-rooms", nodes::rooms) },
    Case { rounds: 3, ..case("memory", memory::run) },
    workers("workers-fanout", |bench| fanout::one_room(bench, "wall: fan-out 1 x 1000, w 8", 8, 600)),
    workers("workers-echo", |bench| echo::run(bench, "wall: event with ack, 100 clients")),
    workers("workers-setup", |bench| setup::run(bench, setup::WEBSOCKET_WALL)),
];

const fn events(name: &'static str, run: fn(&Bench) -> Result<Vec<Figure>, Failure>) -> Case {
    Case { columns: WITH_FLOOR, ..case(name, run) }
}

const fn case(name: &'static str, run: fn(&Bench) -> Result<Vec<Figure>, Failure>) -> Case {
    Case { name, columns: PEERS, run, rounds: usize::MAX }
}

const fn workers(name: &'static str, run: fn(&Bench) -> Result<Vec<Figure>, Failure>) -> Case {
    Case { name, columns: WORKERS, run, rounds: usize::MAX }
}

/// One run of a case: a fresh server.
pub(crate) struct Bench {
    server: Site,
    place: Place,
    awake: bool,
}

impl Bench {
    /// Starts the server and takes the core that is left; `awake` for a generator that never sleeps.
    pub(crate) fn start(peer: Peer, place: Place, awake: bool) -> Result<Bench, Failure> {
        let server = start(peer, place)?;
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(1);
        if place != PINNED {
            cores.set(0);
        }
        rustix::thread::sched_setaffinity(None, &cores)?;
        Ok(Bench { server, place, awake })
    }

    fn generator(&self) -> io::Result<Generator> {
        Generator::new(self.server.addresses(), self.server.through, self.awake)
    }

    fn pid(&self) -> u32 {
        self.server.pids().first().copied().unwrap_or_default()
    }

    /// The process of the Redis between several.
    fn redis(&self) -> Option<u32> {
        self.server.redis()
    }

    fn watch(&self) -> io::Result<Watch> {
        Watch::begin(&self.server.pids())
    }

    /// CPU of the server for each unit; without pinning, where the server has what the generator
    /// leaves, the time by the clock.
    fn figure(&self, row: &'static str, used: Used, units: u64, note: &str) -> Figure {
        let time = if self.place == PINNED { used.server } else { used.wall };
        let note = used.note() + note;
        Figure { row, unit: "us", value: time / 1000.0 / units as f64, foreign: used.foreign, note }
    }
}

/// Notices when nothing goes on any more.
struct Progress {
    last: Instant,
}

impl Progress {
    fn new() -> Progress {
        Progress { last: Instant::now() }
    }

    /// Whatever is `missing` is lost once nothing was `heard` for too long.
    fn note(&mut self, heard: bool, missing: impl FnOnce() -> String) -> Result<(), Failure> {
        if heard {
            self.last = Instant::now();
        } else if self.last.elapsed() > PATIENCE {
            return Err(format!("LOSS: {}", missing()).into());
        }
        Ok(())
    }
}

fn lost() -> Failure {
    "LOSS: a connection".into()
}

/// Connects clients, some of them at once.
fn connect(
    generator: &mut Generator,
    transport: Transport,
    count: usize,
    at_once: usize,
) -> Result<Vec<usize>, Failure> {
    let (mut clients, mut connected) = (Vec::with_capacity(count), 0);
    let (mut heard, mut progress) = (Vec::new(), Progress::new());
    while connected < count {
        while clients.len() < count && clients.len() - connected < at_once {
            clients.push(generator.open(transport)?);
        }
        generator.turn(Duration::from_secs(1), &mut heard)?;
        for (_, what) in &heard {
            match what {
                Heard::Connected => connected += 1,
                Heard::Lost => return Err(lost()),
                _ => {}
            }
        }
        progress.note(!heard.is_empty(), || format!("{} of {count} connects", count - connected))?;
    }
    Ok(clients)
}

/// Lets each client join its room.
fn join(generator: &mut Generator, rooms: &[(usize, usize)]) -> Result<(), Failure> {
    let (mut sent, mut joined) = (0, 0);
    let (mut heard, mut progress) = (Vec::new(), Progress::new());
    while joined < rooms.len() {
        while let Some((client, room)) = rooms.get(sent).filter(|_| sent - joined < AT_ONCE) {
            generator.send(*client, &format!(r#"420["join","r{room}"]"#))?;
            sent += 1;
        }
        generator.turn(Duration::from_secs(1), &mut heard)?;
        for (_, what) in &heard {
            match what {
                Heard::Ack(0) => joined += 1,
                Heard::Lost => return Err(lost()),
                _ => {}
            }
        }
        progress.note(!heard.is_empty(), || format!("{} joins", rooms.len() - joined))?;
    }
    idle(generator, SETTLE)
}

/// Answers pings and waits for nothing else.
fn idle(generator: &mut Generator, time: Duration) -> Result<(), Failure> {
    let (until, mut heard) = (Instant::now() + time, Vec::new());
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        generator.turn(left, &mut heard)?;
        if heard.iter().any(|(_, what)| *what == Heard::Lost) {
            return Err(lost());
        }
    }
    Ok(())
}
