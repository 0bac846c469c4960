//! The endpoints of an upstream: which one is next, and which ones are left out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::load::InFlight;
use super::standing::{Admission, Probe};
use crate::config::file::Balance;
use crate::telemetry::metrics;

/// When an endpoint is left out for its failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlier {
    /// Failed requests in a row; 0 for never.
    pub(super) consecutive_failures: u32,
    /// How long, the first time.
    pub(super) eject_for: Duration,
}

/// The endpoints of an upstream.
#[derive(Debug)]
pub(super) struct Group {
    upstream: String,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    balance: Balance,
    outlier: Outlier,
    next: AtomicUsize,
    /// Held while one is ejected, so that two never leave together what one may.
    ejecting: Mutex<()>,
}

/// The endpoint that a request goes to, until it is known how that went.
pub(super) struct Turn<'a> {
    pub(super) endpoint: &'a Arc<Endpoint>,
    pub(super) index: usize,
    group: &'a Group,
    probe: Option<Probe<'a>>,
    /// None where there is no other endpoint: then nothing is kept.
    since: Option<Instant>,
}

/// How a request went, as far as the endpoint is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered.
    Good,
    /// It answered that it could not now: 429, 500, 501 and the like. Slow, but not out of order.
    Poor,
    /// No answer, or one that says that something behind it is out of order.
    Bad,
    /// No connection.
    Lost,
    /// Not the endpoint's doing.
    Unknown,
}

impl Group {
    pub(super) fn new(
        upstream: &str,
        endpoints: Vec<Arc<Endpoint>>,
        balance: Balance,
        outlier: Outlier,
    ) -> Group {
        Group {
            upstream: upstream.to_owned(),
            endpoints,
            balance,
            outlier,
            next: AtomicUsize::new(0),
            ejecting: Mutex::new(()),
        }
    }

    /// The endpoint for the next request; another one than `avoid` if there is one.
    pub(super) fn pick(&self, avoid: Option<usize>) -> Option<Turn<'_>> {
        if let [endpoint] = self.endpoints.as_slice() {
            return Some(Turn { endpoint, index: 0, group: self, probe: None, since: None });
        }
        if let Some(turn) = self.probe(avoid) {
            return Some(turn);
        }
        let open = |index: usize, endpoint: &Endpoint| {
            Some(index) != avoid && endpoint.standing.admission() == Admission::Open
        };
        let not_ejected = |_: usize, endpoint: &Endpoint| !endpoint.standing.is_ejected();
        // When none is well, one that is not is better than none.
        let index = self
            .choose(avoid, open)
            .or_else(|| self.choose(avoid, |_, endpoint| endpoint.standing.admission() == Admission::Open))
            .or_else(|| {
                self.choose(avoid, |index, endpoint| Some(index) != avoid && not_ejected(index, endpoint))
            })
            .or_else(|| self.choose(avoid, not_ejected))
            .or_else(|| self.choose(avoid, |_, _| true))?;
        self.turn(index, None)
    }

    fn turn<'a>(&'a self, index: usize, probe: Option<Probe<'a>>) -> Option<Turn<'a>> {
        let endpoint = self.endpoints.get(index)?;
        Some(Turn { endpoint, index, group: self, probe, since: Some(Instant::now()) })
    }

    /// An ejected endpoint whose time is over, if it falls to this request to probe it.
    fn probe(&self, avoid: Option<usize>) -> Option<Turn<'_>> {
        let due = |endpoint: &Endpoint| endpoint.standing.admission() == Admission::Probe;
        self.endpoints.iter().enumerate().find_map(|(index, endpoint)| {
            let probe =
                (Some(index) != avoid && due(endpoint)).then(|| endpoint.standing.claim_probe())??;
            self.turn(index, Some(probe))
        })
    }

    fn choose(&self, avoid: Option<usize>, may: impl Fn(usize, &Endpoint) -> bool) -> Option<usize> {
        let cost = match self.balance {
            Balance::RoundRobin => return self.round_robin(avoid, may),
            Balance::LeastRequests => |endpoint: &Endpoint| endpoint.load.in_flight() as f64,
            Balance::PeakEwma => |endpoint: &Endpoint| endpoint.load.cost(),
        };
        let eligible = || {
            let all = self.endpoints.iter().enumerate();
            all.filter(|(index, endpoint)| may(*index, endpoint))
        };
        let count = eligible().count();
        if count < 2 {
            return eligible().next().map(|(index, _)| index);
        }
        // Two at random: nearly as good as the best of all, and a herd does not run to one (Mitzenmacher).
        let one = rand::random_range(0..count);
        let other = (one + rand::random_range(1..count)) % count;
        let (one, other) = (eligible().nth(one)?, eligible().nth(other)?);
        Some(if cost(other.1) < cost(one.1) { other.0 } else { one.0 })
    }

    fn round_robin(&self, avoid: Option<usize>, may: impl Fn(usize, &Endpoint) -> bool) -> Option<usize> {
        let count = self.endpoints.len();
        // A second try takes nobody's turn: else the first tries would all fall to the endpoint that fails.
        let first = avoid.map_or_else(|| self.next.fetch_add(1, Ordering::Relaxed), |index| index + 1);
        let turns = (0..count).map(|step| first.wrapping_add(step) % count);
        let mut turns = turns.filter_map(|index| Some((index, self.endpoints.get(index)?)));
        turns.find(|(index, endpoint)| may(*index, endpoint)).map(|(index, _)| index)
    }

    /// Ejects an endpoint, unless too few would be left: at most half of them, never the last that is well.
    fn eject(&self, index: usize) {
        let _ejecting = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(endpoint) = self.endpoints.get(index) else { return };
        let others = || self.endpoints.iter().enumerate().filter(|(other, _)| *other != index);
        let ejected = others().filter(|(_, other)| other.standing.is_ejected()).count();
        let well = others().any(|(_, other)| other.standing.admission() == Admission::Open);
        if (ejected + 1) * 2 > self.endpoints.len() || !well {
            return;
        }
        let time = endpoint.standing.eject(self.outlier.eject_for);
        tracing::warn!(upstream = self.upstream, endpoint = endpoint.name, ?time, "endpoint ejected");
        self.publish();
    }

    /// Sets the gauge of endpoints by state.
    pub(super) fn publish(&self) {
        let count = |is: fn(&Endpoint) -> bool| self.endpoints.iter().filter(|endpoint| is(endpoint)).count();
        let ejected = count(|endpoint| endpoint.standing.is_ejected());
        let unhealthy = count(|endpoint| !endpoint.standing.is_ejected() && !endpoint.standing.is_healthy());
        let healthy = self.endpoints.len() - ejected - unhealthy;
        for (state, count) in [("healthy", healthy), ("unhealthy", unhealthy), ("ejected", ejected)] {
            metrics::upstream_endpoints(&self.upstream, state, count as f64);
        }
    }
}

impl Turn<'_> {
    /// Counts the request at the endpoint, where there are several.
    pub(super) fn in_flight(&self) -> Option<InFlight> {
        self.since.map(|_| self.endpoint.load.begin())
    }

    /// Takes note of how it went.
    pub(super) fn end(self, outcome: Outcome) {
        let Some(since) = self.since else { return };
        let (standing, group) = (&self.endpoint.standing, self.group);
        if outcome != Outcome::Unknown {
            self.endpoint.load.observe(since.elapsed(), outcome != Outcome::Good);
        }
        let bound = group.outlier.consecutive_failures;
        match (outcome, &self.probe) {
            (Outcome::Unknown, _) => {}
            (Outcome::Bad | Outcome::Lost, Some(_)) => {
                standing.eject(group.outlier.eject_for);
            }
            (Outcome::Bad | Outcome::Lost, None) => {
                if bound > 0 && standing.failed() >= bound && !standing.is_ejected() {
                    group.eject(self.index);
                    // Where too few would be left, one without a connection has nothing to lose.
                    if outcome == Outcome::Lost && !standing.is_ejected() {
                        standing.shun();
                    }
                }
            }
            (_, Some(_)) => {
                standing.readmit();
                tracing::info!(
                    upstream = group.upstream,
                    endpoint = self.endpoint.name,
                    "endpoint taken back"
                );
                group.publish();
            }
            (_, None) => standing.succeeded(),
        }
    }
}
