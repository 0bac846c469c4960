//! What the benchmarks share: paired rounds, the table, accounting, and servers on a core of their own.

pub(crate) mod arguments;
pub(crate) mod server;
pub(crate) mod speed;
mod table;
pub(crate) mod usage;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use arguments::{Arguments, Known};
use table::Results;

/// What a run that cannot be counted ends with.
pub(crate) type Failure = Box<dyn Error>;

/// Cores that others may keep busy while a figure counts.
const FOREIGN: f64 = 0.10;
/// Runs of one figure, until one was undisturbed.
const ATTEMPTS: usize = 8;
/// How long a machine in use is waited for.
const QUIET: Duration = Duration::from_secs(600);

/// One figure of a run.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Row of the table.
    pub(crate) row: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// The less the better.
    pub(crate) value: f64,
    /// Cores that somebody else kept busy meanwhile.
    pub(crate) foreign: f64,
    /// More about the run, for standard error.
    pub(crate) note: String,
}

/// A column of a case's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its head.
    pub(crate) name: &'static str,
    /// Whose figures it holds, as arguments name it.
    pub(crate) peer: &'static str,
}

/// Something that is measured.
pub(crate) trait Case {
    /// As arguments name it.
    fn name(&self) -> &'static str;

    /// What is compared; ratios are against the first.
    fn columns(&self) -> Vec<Column>;

    /// Rounds are as many as asked for, or as few as this.
    fn most_rounds(&self) -> usize;

    /// Measures one column on a fresh server.
    fn run(&self, column: usize, arguments: &Arguments) -> Result<Vec<Figure>, Failure>;
}

/// Reads the arguments and runs: `serve`, if it has a role for this process, or the cases.
pub(crate) fn main<C: Case>(
    known: Known<'_>,
    cases: &[C],
    serve: impl FnOnce(&Arguments) -> Option<Result<(), Failure>>,
    install: impl FnOnce() -> Result<(), Failure>,
) -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1), known) {
        Ok(arguments) => arguments,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let done = serve(&arguments).unwrap_or_else(|| {
        install()?;
        run(cases, &arguments)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run<C: Case>(cases: &[C], arguments: &Arguments) -> Result<(), Failure> {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    let mut lost = 0;
    let mut columns: Vec<&str> = Vec::new();
    for case in cases.iter().filter(|case| arguments.wants(case.name())) {
        let (results, losses) = measure(case, arguments);
        let names: Vec<&str> = case.columns().iter().map(|column| column.name).collect();
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
fn measure<C: Case>(case: &C, arguments: &Arguments) -> (Results, Vec<usize>) {
    let columns = case.columns();
    let (mut results, mut losses) = (Results::default(), vec![0; columns.len()]);
    for round in 0..arguments.rounds.min(case.most_rounds()) {
        // The order turns, so that nobody is always the first.
        let mut order: Vec<_> = columns.iter().enumerate().zip(&mut losses).collect();
        order.rotate_left(round % columns.len());
        for ((index, column), losses) in order {
            if !arguments.compares(column.peer) {
                continue;
            }
            match undisturbed(case, index, arguments) {
                Ok(figures) => {
                    for Figure { row, unit, value, note, .. } in &figures {
                        eprintln!("round {round}, {}: {row}: {value:.2} {unit}; {note}", column.name);
                    }
                    results.add(round, index, &figures);
                }
                Err(failure) => {
                    eprintln!("round {round}, {}: {}: {failure}", column.name, case.name());
                    *losses += 1;
                }
            }
        }
    }
    (results, losses)
}

/// Runs a case on a fresh server, again if somebody else used the machine meanwhile.
fn undisturbed<C: Case>(case: &C, column: usize, arguments: &Arguments) -> Result<Vec<Figure>, Failure> {
    let mut attempt = 1;
    loop {
        usage::wait_for_quiet(QUIET)?;
        let figures = case.run(column, arguments)?;
        let foreign = figures.iter().map(|figure| figure.foreign).fold(0.0, f64::max);
        if foreign <= FOREIGN || attempt == ATTEMPTS {
            return Ok(figures);
        }
        eprintln!("others used {:.0} % of a core: again", foreign * 100.0);
        attempt += 1;
    }
}
