//! The command line.

/// What a benchmark knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Its name.
    pub(crate) bench: &'a str,
    /// Its cases.
    pub(crate) cases: &'a [&'static str],
    /// What it compares.
    pub(crate) peers: &'a [&'static str],
    /// Its own options, for the usage.
    pub(crate) options: &'a [&'static str],
    /// Options for itself: to be one of the servers.
    pub(crate) roles: &'a [&'static str],
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Rounds of every case.
    pub(crate) rounds: usize,
    options: Vec<String>,
    cases: Vec<String>,
    peers: Vec<String>,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// The usage.
    pub(crate) fn parse(
        mut given: impl Iterator<Item = String>,
        known: Known<'_>,
    ) -> Result<Arguments, String> {
        let usage = || usage(known);
        let mut arguments =
            Arguments { rounds: 5, options: Vec::new(), cases: Vec::new(), peers: Vec::new() };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // Cargo tells every benchmark that it is one.
                "--bench" => {}
                "--rounds" => {
                    let rounds = given.next().and_then(|rounds| rounds.parse().ok());
                    arguments.rounds = rounds.filter(|rounds| *rounds > 0).ok_or_else(usage)?;
                }
                "--peer" => {
                    let peer = given.next().filter(|peer| known.peers.contains(&peer.as_str()));
                    arguments.peers.push(peer.ok_or_else(usage)?);
                }
                own if known.options.contains(&own) || known.roles.contains(&own) => {
                    arguments.options.push(argument);
                }
                case if known.cases.iter().any(|known| known.starts_with(case)) => {
                    arguments.cases.push(argument);
                }
                _ => return Err(usage()),
            }
        }
        Ok(arguments)
    }

    /// Whether an option was given.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|given| given == option)
    }

    /// Whether a case is asked for, by its name or the beginning of it.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| case.starts_with(wanted))
    }

    /// Whether a server is to be compared.
    pub(crate) fn compares(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == peer)
    }
}

fn usage(known: Known<'_>) -> String {
    let options: String = known.options.iter().map(|option| format!(" [{option}]")).collect();
    format!(
        "usage: cargo bench --bench {} -- [--rounds N] [--peer NAME]...{options} [CASE]...\n\
         cases: {}\npeers: {}",
        known.bench,
        known.cases.join(" "),
        known.peers.join(" ")
    )
}
