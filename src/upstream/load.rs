//! How busy and how slow an endpoint is. Kept only where there are several to choose from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time constant of the average: what is older counts for less than a third.
const DECAY: Duration = Duration::from_secs(10);

/// What is assumed of an endpoint that has not answered yet, in seconds.
const FIRST_GUESS: f64 = 0.03;

/// What a failure counts as, however fast it came: else an endpoint that fails at once looks best.
const FAILURE: Duration = Duration::from_secs(5);

/// How busy and how slow an endpoint is.
#[derive(Debug)]
pub(super) struct Load {
    in_flight: AtomicUsize,
    latency: Mutex<Latency>,
}

/// An average of latencies in seconds that jumps up to every peak and falls slowly.
#[derive(Debug)]
struct Latency {
    average: f64,
    at: Instant,
}

impl Load {
    pub(super) fn new() -> Arc<Load> {
        let latency = Latency { average: FIRST_GUESS, at: Instant::now() };
        Arc::new(Load { in_flight: AtomicUsize::new(0), latency: Mutex::new(latency) })
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Load>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes note of how long an answer's head took to come, or that it failed.
    pub(super) fn observe(&self, took: Duration, failed: bool) {
        self.observe_at(took, failed, Instant::now());
    }

    fn observe_at(&self, took: Duration, failed: bool, now: Instant) {
        let took = if failed { took.max(FAILURE) } else { took };
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).observe(took.as_secs_f64(), now);
    }

    /// What one more request is expected to wait, in seconds.
    pub(super) fn cost(&self) -> f64 {
        self.cost_at(Instant::now())
    }

    fn cost_at(&self, now: Instant) -> f64 {
        let average = self.latency.lock().unwrap_or_else(PoisonError::into_inner).fallen(now);
        average * (self.in_flight() + 1) as f64
    }
}

impl Latency {
    /// The average, fallen for as long as nothing was observed: an endpoint that was slow once is
    /// asked again some time.
    fn fallen(&self, now: Instant) -> f64 {
        self.average * self.weight(now)
    }

    fn weight(&self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.at).as_secs_f64() / DECAY.as_secs_f64()).exp()
    }

    fn observe(&mut self, took: f64, now: Instant) {
        let weight = self.weight(now);
        self.average = took.max(self.average * weight + took * (1.0 - weight));
        self.at = now;
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Load>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_jumps_to_a_peak_and_falls_slowly() {
        let (load, mut now) = (Load::new(), Instant::now());
        assert!((load.cost_at(now) - FIRST_GUESS).abs() < 1e-3);
        load.observe_at(Duration::from_secs(1), false, now);
        assert!((load.cost_at(now) - 1.0).abs() < 1e-6);
        load.observe_at(Duration::from_millis(1), false, now);
        assert!(load.cost_at(now) > 0.99, "one fast answer does not hide a peak");
        for _ in 0..100 {
            now += Duration::from_secs(1);
            load.observe_at(Duration::from_millis(1), false, now);
        }
        assert!(load.cost_at(now) < 0.01, "{}", load.cost_at(now));
    }

    #[test]
    fn what_fails_fast_counts_as_slow_and_requests_in_flight_add_up() {
        let (load, now) = (Load::new(), Instant::now());
        load.observe_at(Duration::from_micros(50), true, now);
        assert_eq!(load.cost_at(now), FAILURE.as_secs_f64());
        let (one, two) = (load.begin(), load.begin());
        assert_eq!((load.cost_at(now), load.in_flight()), (3.0 * FAILURE.as_secs_f64(), 2));
        drop((one, two));
        assert!(load.cost_at(now + DECAY * 10) < 0.001, "forgiven after a while");
    }
}
