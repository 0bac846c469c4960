//! Events that ask a REST API and are acked with what it answers: their cost, and how long they take while
//! the server's core is half busy.

use std::time::Duration;

use super::direct::Direct;
use super::echo::{CLIENTS, exchange, send};
use super::paced::{Line, paced};
use super::{AT_ONCE, Bench, Failure, Figure, connect, lost};
use crate::backend;
use crate::common::usage::Used;
use crate::generator::{Generator, Heard, Transport};

const EVENT: &str = "post";
const COUNT: u64 = 30_000;

/// Events whose time is taken.
const TIMED: usize = 20_000;

/// Events that tell how busy the server is at a pace.
const TRIED: usize = 4_000;

/// Paces tried: fewer events cost more each, so that the right pace is not known at once.
const TRIES: usize = 4;

/// Each client has one event under way; then as many events come, evenly, as use half of the server's core.
pub(super) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    let clients = connect(&mut generator, Transport::Websocket, CLIENTS, AT_ONCE)?;
    let mut next = vec![0; clients.len()];
    exchange(&mut generator, EVENT, &mut next, COUNT / 10)?;
    let (watch, before) = (bench.watch()?, backend::answered());
    exchange(&mut generator, EVENT, &mut next, COUNT)?;
    let used = watch.end()?;
    let cost = bench.figure("event, POST, ack", used, COUNT, "");

    let mut events = Events { generator, acked: next.clone(), next, heard: Vec::new() };
    let (gap, tried) = half_load(bench, &mut events, used.server / COUNT as f64 * 2.0)?;
    let watch = bench.watch()?;
    let times = paced(&mut events, gap, TIMED)?;
    let used = watch.end()?;
    let (asked, expected) = (backend::answered() - before, COUNT + tried + TIMED as u64);
    if asked != expected {
        return Err(format!("LOSS: {asked} requests for {expected} events").into());
    }
    let mut api = Direct::connect(backend::address()?, CLIENTS, backend::answer().len())?;
    let alone = paced(&mut api, gap, TIMED)?;
    let note =
        format!("server {:.0} %, {:.0} events a second", busy(used) * 100.0, 1e9 / gap.as_nanos() as f64);
    let time = |row, value| Figure { row, unit: "us", value, foreign: used.foreign, note: note.clone() };
    Ok(vec![
        cost,
        time("the same at half load, median time", percentile(&times, 50)),
        time("the same at half load, p99", percentile(&times, 99)),
        time("of it the API's and the generator's own, p99", percentile(&alone, 99)),
    ])
}

/// The gap between events at which the server is half busy, from a first guess in nanoseconds; and how
/// many events it took to find.
fn half_load(bench: &Bench, events: &mut Events, guess: f64) -> Result<(Duration, u64), Failure> {
    let (mut gap, mut tried) = (guess, 0);
    for _ in 0..TRIES {
        let watch = bench.watch()?;
        paced(events, Duration::from_nanos(gap as u64), TRIED)?;
        tried += TRIED as u64;
        let busy = busy(watch.end()?);
        if (0.47..0.53).contains(&busy) {
            break;
        }
        gap *= busy / 0.5;
    }
    Ok((Duration::from_nanos(gap as u64), tried))
}

/// The part of a core that the server used.
fn busy(used: Used) -> f64 {
    used.server / used.wall
}

/// In microseconds.
fn percentile(sorted: &[Duration], part: usize) -> f64 {
    sorted.get(sorted.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// The clients' events.
struct Events {
    generator: Generator,
    /// Each client's next id, and the id whose ack comes next.
    next: Vec<u64>,
    acked: Vec<u64>,
    heard: Vec<(usize, Heard)>,
}

impl Line for Events {
    fn clients(&self) -> usize {
        self.next.len()
    }

    fn send(&mut self, client: usize) -> Result<(), Failure> {
        let id = self.next.get_mut(client).ok_or("no such client")?;
        send(&mut self.generator, EVENT, client, *id)?;
        *id += 1;
        Ok(())
    }

    fn turn(&mut self, acked: &mut Vec<usize>) -> Result<(), Failure> {
        acked.clear();
        self.generator.turn(Duration::ZERO, &mut self.heard)?;
        for (client, what) in &self.heard {
            let id = self.acked.get_mut(*client).ok_or("no such client")?;
            match what {
                Heard::Ack(ack) if ack == id => acked.push(*client),
                Heard::Ack(ack) => return Err(format!("LOSS: ack {ack} instead of {id}").into()),
                _ => return Err(lost()),
            }
            *id += 1;
        }
        Ok(())
    }
}
