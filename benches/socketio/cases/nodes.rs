//! Broadcasts among nodes that act as one: what a delivery costs them, how many there are in a second, and
//! what Redis takes for each broadcast.

use super::fanout::{House, connected};
use super::{Bench, Failure, Figure};
use crate::common::usage::cpu_ns;
use crate::generator::Transport;

/// The rows of a case.
struct Rows {
    nodes: &'static str,
    wall: &'static str,
    redis: &'static str,
}

/// One room of 900, which are at all nodes, 8 broadcasts under way: what delivering costs.
pub(super) fn fanout(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let rows = Rows {
        nodes: "1 x 900, w 8: CPU of the nodes for a delivery",
        wall: "1 x 900, w 8: by the clock for a delivery",
        redis: "1 x 900, w 8: CPU of Redis for a broadcast",
    };
    run(bench, rows, (1, 900), 8, 600)
}

/// Rooms of 9, three at each of three nodes, 16 broadcasts under way: what passing on costs.
pub(super) fn rooms(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let rows = Rows {
        nodes: "101 x 9, w 16: CPU of the nodes for a delivery",
        wall: "101 x 9, w 16: by the clock for a delivery",
        redis: "101 x 9, w 16: CPU of Redis for a broadcast",
    };
    // 101, so that the clients of a room come to all nodes, be they two or three.
    run(bench, rows, (101, 9), 16, 15_000)
}

fn run(
    bench: &Bench,
    rows: Rows,
    (rooms, size): (usize, usize),
    window: usize,
    count: u64,
) -> Result<Vec<Figure>, Failure> {
    let redis = bench.redis().ok_or("there is no Redis")?;
    let mut generator = bench.generator()?;
    connected(&mut generator, Transport::Websocket, (rooms, size))?;
    let mut house = House::new(rooms, size, window);
    house.broadcast(&mut generator, count / 10)?;
    let (watch, before) = (bench.watch()?, cpu_ns(redis)?);
    house.broadcast(&mut generator, count)?;
    let (used, between) = (watch.end()?, cpu_ns(redis)? - before);
    let deliveries = count * size as u64;
    let speed = deliveries as f64 / used.wall * 1e9;
    let figure = |row, ns: f64, units: u64, note: String| {
        let value = ns / 1000.0 / units as f64;
        Figure { row, unit: "us", value, foreign: used.foreign, note }
    };
    Ok(vec![
        figure(rows.nodes, used.server, deliveries, used.note()),
        figure(rows.wall, used.wall, deliveries, format!("{speed:.0} deliveries a second")),
        figure(rows.redis, between as f64, count, String::new()),
    ])
}
