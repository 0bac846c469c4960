//! What proxying HTTP costs: CPU for each request and TLS handshake, latency and memory, beside nginx,
//! haproxy and Node's http-proxy. `benches/README.md` tells how to run it.

mod backend;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod floor;
mod load;
mod peers;

use std::process::{Command, ExitCode, Stdio};

use common::Failure;
use common::arguments::Known;
use peers::Peer;

/// Programs that are needed, and the Debian packages they come with.
const PROGRAMS: &[(&str, &str)] = &[
    ("nginx", "nginx"),
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("openssl", "openssl"),
    ("taskset", "util-linux"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

fn main() -> ExitCode {
    let cases: Vec<&str> = cases::ALL.iter().map(|case| case.name).collect();
    let known = Known {
        bench: "http",
        cases: &cases,
        peers: &Peer::ALL.map(Peer::name),
        options: &[],
        roles: &[peers::FLOOR],
    };
    let serve = |arguments: &common::arguments::Arguments| {
        arguments.has(peers::FLOOR).then(|| floor::serve().map_err(Into::into))
    };
    common::main(known, cases::ALL, serve, install)
}

/// Asks for the programs that are missing, and installs Node's packages.
fn install() -> Result<(), Failure> {
    let is_missing = |program: &str| {
        let found =
            Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    };
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| is_missing(program)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        return Err(format!("programs are missing: apt-get install {}", missing.join(" ")).into());
    }
    Ok(common::server::install()?)
}
