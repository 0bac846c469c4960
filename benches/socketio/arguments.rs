//! The command line.

use crate::cases;
use crate::peers::Peer;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Rounds of every case.
    pub(crate) rounds: usize,
    /// The generator never sleeps.
    pub(crate) awake: bool,
    /// Be one of the servers instead of the benchmark.
    pub(crate) serve: Option<Peer>,
    cases: Vec<String>,
    peers: Vec<String>,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// The usage.
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments =
            Arguments { rounds: 5, awake: false, serve: None, cases: Vec::new(), peers: Vec::new() };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // Cargo tells every benchmark that it is one.
                "--bench" => {}
                "--awake" => arguments.awake = true,
                "--serve-socketioxide" => arguments.serve = Some(Peer::Socketioxide),
                "--serve-floor" => arguments.serve = Some(Peer::Floor),
                "--rounds" => {
                    let rounds = given.next().and_then(|rounds| rounds.parse().ok());
                    arguments.rounds = rounds.filter(|rounds| *rounds > 0).ok_or_else(usage)?;
                }
                "--peer" => arguments.peers.extend(given.next()),
                case if cases::ALL.iter().any(|known| known.name.starts_with(case)) => {
                    arguments.cases.push(argument);
                }
                _ => return Err(usage()),
            }
        }
        Ok(arguments)
    }

    /// Whether a case is asked for, by its name or the beginning of it.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| case.starts_with(wanted))
    }

    /// Whether a server is to be compared.
    pub(crate) fn compares(&self, peer: Peer) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == peer.name())
    }
}

fn usage() -> String {
    let cases: Vec<&str> = cases::ALL.iter().map(|case| case.name).collect();
    let peers = Peer::ALL.map(Peer::name);
    format!(
        "usage: cargo bench --bench socketio -- [--rounds N] [--peer NAME]... [--awake] [CASE]...\n\
         cases: {}\npeers: {}",
        cases.join(" "),
        peers.join(" ")
    )
}
