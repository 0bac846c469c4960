//! Whether an endpoint gets requests: what its health checks and its last requests say of it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::clock::{millis, now};

/// Longest ejection, before jitter.
const MAX_EJECTION: Duration = Duration::from_secs(300);

/// For so many milliseconds an endpoint that cannot be connected to is passed over.
const SHUNNED: u64 = 1_000;

/// Beyond so many milliseconds of good conduct earlier ejections are forgotten.
const FORGIVEN: u64 = 300_000;

/// Whether an endpoint gets requests.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What the health checks say.
    unhealthy: AtomicBool,
    /// Failed requests in a row.
    failures: AtomicU32,
    /// The millisecond until which it is ejected; 0 where it is not. Then one request probes it.
    ejected_until: AtomicU64,
    /// Ejections in a row.
    ejections: AtomicU32,
    /// The millisecond of the last readmission.
    readmitted: AtomicU64,
    probing: AtomicBool,
    /// The millisecond until which it is passed over; 0 where it is not.
    shunned_until: AtomicU64,
}

/// Whether an endpoint takes the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Like any other.
    Open,
    /// To find out whether it is well again; [`Standing::claim_probe`] first.
    Probe,
    /// Not now.
    Closed,
}

impl Standing {
    pub(super) fn admission(&self) -> Admission {
        if self.unhealthy.load(Ordering::Relaxed) || self.is_shunned() {
            return Admission::Closed;
        }
        match self.ejected_until.load(Ordering::Relaxed) {
            0 => Admission::Open,
            until if now() >= until && !self.probing.load(Ordering::Relaxed) => Admission::Probe,
            _ => Admission::Closed,
        }
    }

    fn is_shunned(&self) -> bool {
        let until = self.shunned_until.load(Ordering::Relaxed);
        until != 0 && now() < until
    }

    /// Passes it over for a second.
    pub(super) fn shun(&self) {
        self.shunned_until.store(now() + SHUNNED, Ordering::Relaxed);
    }

    pub(super) fn is_healthy(&self) -> bool {
        !self.unhealthy.load(Ordering::Relaxed)
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.ejected_until.load(Ordering::Relaxed) != 0
    }

    /// Notes what the health checks say; whether that is news.
    pub(super) fn set_healthy(&self, healthy: bool) -> bool {
        self.unhealthy.swap(!healthy, Ordering::Relaxed) == healthy
    }

    /// The right to the one request that probes an ejected endpoint.
    pub(super) fn claim_probe(&self) -> Option<Probe<'_>> {
        // Not `then_some`: a right that is made and dropped would give back another's.
        (!self.probing.swap(true, Ordering::Relaxed)).then(|| Probe(self))
    }

    /// Notes a failed request; how many there were in a row.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Notes a good request.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Ejects it: `base` times the number of ejections in a row, and up to a tenth more, so that
    /// several frontrooms do not probe it at the same moment.
    pub(super) fn eject(&self, base: Duration) -> Duration {
        let quiet = now().saturating_sub(self.readmitted.load(Ordering::Relaxed)) > FORGIVEN;
        let ejections =
            if quiet && !self.is_ejected() { 1 } else { self.ejections.load(Ordering::Relaxed) + 1 };
        self.ejections.store(ejections, Ordering::Relaxed);
        let time = base.saturating_mul(ejections).min(MAX_EJECTION.max(base));
        let time = time + time.mul_f64(rand::random_range(0.0..0.1));
        self.ejected_until.store(now().saturating_add(millis(time)), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        time
    }

    /// Takes it back.
    pub(super) fn readmit(&self) {
        self.ejected_until.store(0, Ordering::Relaxed);
        self.readmitted.store(now(), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }
}

/// The right to probe an endpoint, for as long as it lives.
#[derive(Debug)]
pub(super) struct Probe<'a>(&'a Standing);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.probing.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ejections_grow_to_a_bound_with_jitter() {
        let standing = Standing::default();
        let base = Duration::from_secs(30);
        for times in 1..=20 {
            let time = standing.eject(base);
            let least = (base * times).min(MAX_EJECTION);
            assert!(time >= least && time <= least.mul_f64(1.1), "{times}: {time:?}");
            assert_eq!(standing.admission(), Admission::Closed);
        }
        standing.readmit();
        assert_eq!(standing.admission(), Admission::Open);
        assert!(standing.eject(base) > base * 9, "it was out just before");
    }

    #[test]
    fn one_request_probes_at_a_time() {
        let standing = Standing::default();
        standing.eject(Duration::ZERO);
        assert_eq!(standing.admission(), Admission::Probe);
        let probe = standing.claim_probe();
        assert!(probe.is_some() && standing.claim_probe().is_none());
        assert_eq!(standing.admission(), Admission::Closed);
        drop(probe);
        assert_eq!(standing.admission(), Admission::Probe);
        standing.set_healthy(false);
        assert_eq!(standing.admission(), Admission::Closed);
    }
}
