//! Memory of connections that do nothing, and what is left of it when they are gone.

use std::time::Duration;

use super::{AT_ONCE, Bench, Failure, Figure, connect, idle};
use crate::common::usage;
use crate::generator::Transport;

const CLIENTS: usize = 10_000;
/// Past the first ping of every server: Node's comes after 25 s.
const FIRST_PING: Duration = Duration::from_secs(28);
const CYCLES: usize = 3;

/// Holds the connections past the first ping, then connects and disconnects them again.
pub(super) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    let empty = usage::resident(bench.pid())?;
    let (mut held, mut left) = (Vec::new(), Vec::new());
    for cycle in 0..CYCLES {
        connect(&mut generator, Transport::Websocket, CLIENTS, AT_ONCE)?;
        idle(&mut generator, if cycle == 0 { FIRST_PING } else { Duration::from_secs(2) })?;
        held.push(usage::resident(bench.pid())?);
        generator.close_all();
        idle(&mut generator, Duration::from_secs(4))?;
        left.push(usage::resident(bench.pid())?);
    }
    let mut figures = Vec::new();
    let mut add =
        |row, unit, value| figures.push(Figure { row, unit, value, foreign: 0.0, note: String::new() });
    if let ([held_first, .., held_last], [left_first, .., left_last]) = (held.as_slice(), left.as_slice()) {
        add("memory of an idle websocket", "KB", (held_first - empty) / CLIENTS as f64 / 1000.0);
        add("memory with all, third cycle / first", "x", held_last / held_first);
        add("memory without any, after the first cycle", "MB", left_first / 1e6);
        add("memory without any, third cycle / first", "x", left_last / left_first);
    }
    Ok(figures)
}
