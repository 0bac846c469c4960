//! What Socket.IO costs: CPU of the server for each delivery, event and set-up, and memory of idle
//! connections, beside Node's socket.io and socketioxide. `benches/README.md` tells how to run it.

mod arguments;
mod cases;
mod floor;
mod generator;
mod peers;
mod socketioxide;
mod table;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use arguments::Arguments;
use cases::{Bench, Case, Failure, Figure};
use peers::{Peer, Place};
use table::Results;

/// Cores that others may keep busy while a figure counts.
const FOREIGN: f64 = 0.10;
/// Runs of one figure, until one was undisturbed.
const ATTEMPTS: usize = 8;
/// How long a machine in use is waited for.
const QUIET: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let done = match arguments.serve {
        Some(Peer::Socketioxide) => socketioxide::serve().map_err(Into::into),
        Some(_) => floor::serve().map_err(Into::into),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    peers::install()?;
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    let mut lost = 0;
    let mut columns: Vec<&str> = Vec::new();
    for case in cases::ALL.iter().filter(|case| arguments.wants(case.name)) {
        let (results, losses) = measure(case, arguments)?;
        let names: Vec<&str> = case.columns.iter().map(|(name, ..)| *name).collect();
        if names != columns {
            columns = names;
            table::header(&columns);
        }
        results.print(columns.len(), &losses);
        lost += losses.iter().sum::<usize>();
    }
    if lost == 0 { Ok(()) } else { Err(format!("{lost} runs failed").into()) }
}

/// Runs all rounds of a case; the runs with a loss, by column.
fn measure(case: &Case, arguments: &Arguments) -> Result<(Results, Vec<usize>), Failure> {
    let mut results = Results::default();
    let mut losses = vec![0; case.columns.len()];
    for round in 0..arguments.rounds.min(case.rounds) {
        // The order turns, so that nobody is always the first.
        let mut order: Vec<_> = case.columns.iter().enumerate().collect();
        order.rotate_left(round % case.columns.len());
        for (column, (name, peer, place)) in order {
            if !arguments.compares(*peer) {
                continue;
            }
            match undisturbed(case, *peer, *place, arguments.awake) {
                Ok(figures) => {
                    for Figure { row, unit, value, note, .. } in &figures {
                        eprintln!("round {round}, {name}: {row}: {value:.2} {unit}; {note}");
                    }
                    results.add(round, column, &figures);
                }
                Err(failure) => {
                    eprintln!("round {round}, {name}: {}: {failure}", case.name);
                    losses.iter_mut().skip(column).take(1).for_each(|losses| *losses += 1);
                }
            }
        }
    }
    Ok((results, losses))
}

/// Runs a case on a fresh server, again if somebody else used the machine meanwhile.
fn undisturbed(case: &Case, peer: Peer, place: Place, awake: bool) -> Result<Vec<Figure>, Failure> {
    let mut attempt = 1;
    loop {
        usage::wait_for_quiet(QUIET)?;
        let figures = (case.run)(&Bench::start(peer, place, awake)?)?;
        let foreign = figures.iter().map(|figure| figure.foreign).fold(0.0, f64::max);
        if foreign <= FOREIGN || attempt == ATTEMPTS {
            return Ok(figures);
        }
        eprintln!("others used {:.0} % of a core: again", foreign * 100.0);
        attempt += 1;
    }
}
