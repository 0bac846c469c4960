//! Events that ask a REST API and are acked with what it answers: their cost, and how long they take at half
//! of the load that a core can bear.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::echo::{CLIENTS, exchange, send};
use super::{AT_ONCE, Bench, Failure, Figure, Progress, connect, lost};
use crate::backend;
use crate::generator::{Generator, Heard, Transport};

const EVENT: &str = "post";
const COUNT: u64 = 30_000;

/// Events whose time is taken.
const TIMED: usize = 20_000;

/// Nothing is looked at more often than this: the generator shares its core with the backend.
const PAUSE: Duration = Duration::from_micros(20);

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

    let gap = Duration::from_nanos((used.server / COUNT as f64 * 2.0) as u64);
    let watch = bench.watch()?;
    let mut times = paced(&mut generator, &mut next, gap)?;
    let used = watch.end()?;
    let (asked, expected) = (backend::answered() - before, COUNT + TIMED as u64);
    if asked != expected {
        return Err(format!("LOSS: {asked} requests for {expected} events").into());
    }
    times.sort_unstable();
    let percentile =
        |part: usize| times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    let busy = format!(
        "server {:.0} %, {:.0} events a second",
        used.server / used.wall * 100.0,
        1e9 / gap.as_nanos() as f64
    );
    let time = |row, part| Figure {
        row,
        unit: "us",
        value: percentile(part),
        foreign: used.foreign,
        note: busy.clone(),
    };
    Ok(vec![cost, time("the same at half load, median time", 50), time("the same at half load, p99", 99)])
}

/// Sends an event every `gap`, by one client after another; how long each took from when it was due.
fn paced(generator: &mut Generator, next: &mut [u64], gap: Duration) -> Result<Vec<Duration>, Failure> {
    let mut due: Vec<VecDeque<Instant>> = vec![VecDeque::new(); next.len()];
    let mut acked: Vec<u64> = next.to_vec();
    let (mut heard, mut progress, mut times) = (Vec::new(), Progress::new(), Vec::with_capacity(TIMED));
    let (mut at, mut sent) = (Instant::now(), 0);
    while times.len() < TIMED {
        while sent < TIMED && at <= Instant::now() {
            let client = sent % next.len();
            if let (Some(id), Some(due)) = (next.get_mut(client), due.get_mut(client)) {
                send(generator, EVENT, client, *id)?;
                due.push_back(at);
                *id += 1;
            }
            sent += 1;
            at += gap;
        }
        generator.turn(Duration::ZERO, &mut heard)?;
        for (client, what) in &heard {
            let (id, due) = (acked.get_mut(*client).ok_or("no such client")?, due.get_mut(*client));
            match (what, due.and_then(VecDeque::pop_front)) {
                (Heard::Ack(ack), Some(due)) if ack == id => times.push(due.elapsed()),
                (Heard::Ack(ack), _) => return Err(format!("LOSS: ack {ack} instead of {id}").into()),
                _ => return Err(lost()),
            }
            *id += 1;
        }
        if heard.is_empty() {
            std::thread::sleep(PAUSE);
        }
        progress.note(!heard.is_empty(), || format!("{} acks", TIMED - times.len()))?;
    }
    Ok(times)
}
