//! What Socket.IO costs: CPU of the server for each delivery, event and set-up, and memory of idle
//! connections, beside Node's socket.io and socketioxide. `benches/README.md` tells how to run it.

mod backend;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod floor;
mod generator;
mod peers;
mod socketioxide;

use std::process::ExitCode;

use common::arguments::Known;
use peers::Peer;

/// The generator never sleeps.
const AWAKE: &str = "--awake";

fn main() -> ExitCode {
    let cases: Vec<&str> = cases::ALL.iter().map(|case| case.name).collect();
    let known = Known {
        bench: "socketio",
        cases: &cases,
        peers: &Peer::ALL.map(Peer::name),
        options: &[AWAKE],
        roles: &[peers::SOCKETIOXIDE, peers::FLOOR],
    };
    common::main(
        known,
        cases::ALL,
        |arguments| match arguments {
            _ if arguments.has(peers::SOCKETIOXIDE) => Some(socketioxide::serve().map_err(Into::into)),
            _ if arguments.has(peers::FLOOR) => Some(floor::serve().map_err(Into::into)),
            _ => None,
        },
        || Ok(common::server::install()?),
    )
}
