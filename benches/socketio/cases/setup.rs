//! Clients that connect: to a server just started, and to one that has done it before.

use std::time::Duration;

use super::{Bench, Failure, Figure, connect, idle};
use crate::generator::Transport;

/// Kinds of set-ups.
pub(super) struct Setup {
    transport: Transport,
    count: usize,
    at_once: usize,
    fresh: &'static str,
    warmed: &'static str,
}

pub(super) const WEBSOCKET: Setup = Setup {
    transport: Transport::Websocket,
    count: 3000,
    at_once: 64,
    fresh: "set-up, websocket, fresh",
    warmed: "set-up, websocket, warmed",
};

pub(super) const UPGRADE: Setup = Setup {
    transport: Transport::Upgrade,
    count: 1000,
    at_once: 32,
    fresh: "set-up, with upgrade, fresh",
    warmed: "set-up, with upgrade, warmed",
};

pub(super) const WEBSOCKET_WALL: Setup =
    Setup { fresh: "wall: set-up, websocket, fresh", warmed: "wall: set-up, websocket, warmed", ..WEBSOCKET };

/// Connects all, lets them go, and connects as many again.
pub(super) fn run(bench: &Bench, setup: Setup) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    let mut figures = Vec::new();
    for row in [setup.fresh, setup.warmed] {
        let watch = bench.watch()?;
        connect(&mut generator, setup.transport, setup.count, setup.at_once)?;
        figures.push(bench.figure(row, watch.end()?, setup.count as u64, ""));
        generator.close_all();
        idle(&mut generator, Duration::from_secs(1))?;
    }
    Ok(figures)
}
