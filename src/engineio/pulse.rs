//! The heartbeat's arithmetic (engine.io-protocol v3 and v4, "Heartbeat"): when to ping, when to give up.

use std::time::{Duration, Instant};

/// How late a timer may be without it being the client's time.
const LATENESS: Duration = Duration::from_millis(20);

/// When a session was last heard, and what it was last asked.
#[derive(Debug)]
pub(super) struct Pulse {
    interval: Duration,
    timeout: Duration,
    /// The client is the one who pings.
    listening: bool,
    /// When the next ping is due, while none is unanswered.
    next_ping: Instant,
    /// When the unanswered ping was sent.
    asked: Option<Instant>,
    /// When anything was last heard.
    heard: Instant,
}

/// What the heartbeat has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send a ping and look again at the instant.
    Ping(Instant),
    /// Look again at the instant.
    Wait(Instant),
    /// The peer is gone.
    Expired,
}

impl Pulse {
    pub(super) fn new(now: Instant, interval: Duration, timeout: Duration) -> Pulse {
        Pulse { interval, timeout, listening: false, next_ping: now + interval, asked: None, heard: now }
    }

    /// For version 3, where the client pings each `interval`: only waits for it.
    pub(super) fn listening(now: Instant, interval: Duration, timeout: Duration) -> Pulse {
        Pulse { listening: true, ..Pulse::new(now, interval, timeout) }
    }

    /// Anything that came from the client is life, a pong or not.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn pong(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
        self.next_ping = now + self.interval;
    }

    /// Whether the client has been silent for too long after a ping.
    pub(super) fn expired(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    fn deadline(&self) -> Option<Instant> {
        if self.listening {
            return Some(self.heard + self.interval + self.timeout);
        }
        self.asked.map(|asked| asked.max(self.heard) + self.timeout)
    }

    /// What is due now. A ping whose pong never came, though the client lives by other traffic,
    /// is sent again: the client counts pings and would give up without them.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if self.expired(now) {
            return Beat::Expired;
        }
        if self.listening {
            return Beat::Wait(self.heard + self.interval + self.timeout);
        }
        let due = self.asked.map_or(self.next_ping, |asked| asked + self.interval);
        let ping = now >= due;
        if ping {
            // The client counts from when it was due: a timer's lateness is no time of its own.
            let late = now.saturating_duration_since(due);
            self.asked = Some(if late <= LATENESS.min(self.timeout / 10) { due } else { now });
        }
        let next = self.asked.map_or(self.next_ping, |asked| asked + self.interval);
        let next = self.deadline().map_or(next, |deadline| deadline.min(next));
        if ping { Beat::Ping(next) } else { Beat::Wait(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(300);
    const TIMEOUT: Duration = Duration::from_millis(200);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_ping_comes_after_an_interval_and_silence_ends_it() {
        let t0 = Instant::now();
        let mut pulse = Pulse::new(t0, INTERVAL, TIMEOUT);
        assert_eq!(pulse.beat(t0), Beat::Wait(t0 + INTERVAL));
        assert_eq!(pulse.beat(t0 + ms(300)), Beat::Ping(t0 + ms(500)));
        assert_eq!(pulse.beat(t0 + ms(499)), Beat::Wait(t0 + ms(500)));
        assert!(pulse.expired(t0 + ms(500)));
        assert_eq!(pulse.beat(t0 + ms(500)), Beat::Expired);
    }

    #[test]
    fn a_late_timer_does_not_move_the_deadline_but_a_stall_does() {
        let t0 = Instant::now();
        let mut pulse = Pulse::new(t0, INTERVAL, TIMEOUT);
        assert_eq!(pulse.beat(t0 + ms(305)), Beat::Ping(t0 + ms(500)));
        let mut pulse = Pulse::new(t0, INTERVAL, TIMEOUT);
        assert_eq!(pulse.beat(t0 + ms(480)), Beat::Ping(t0 + ms(680)));
    }

    #[test]
    fn a_pong_starts_the_next_interval() {
        let t0 = Instant::now();
        let mut pulse = Pulse::new(t0, INTERVAL, TIMEOUT);
        pulse.beat(t0 + ms(300));
        pulse.pong(t0 + ms(310));
        assert_eq!(pulse.beat(t0 + ms(500)), Beat::Wait(t0 + ms(610)));
        assert_eq!(pulse.beat(t0 + ms(610)), Beat::Ping(t0 + ms(810)));
    }

    #[test]
    fn a_client_that_pings_is_only_listened_to() {
        let t0 = Instant::now();
        let mut pulse = Pulse::listening(t0, INTERVAL, TIMEOUT);
        assert_eq!(pulse.beat(t0), Beat::Wait(t0 + ms(500)));
        pulse.heard(t0 + ms(300));
        assert_eq!(pulse.beat(t0 + ms(500)), Beat::Wait(t0 + ms(800)));
        assert!(!pulse.expired(t0 + ms(799)));
        assert!(pulse.expired(t0 + ms(800)));
        assert_eq!(pulse.beat(t0 + ms(800)), Beat::Expired);
    }

    #[test]
    fn other_traffic_keeps_it_alive_and_the_ping_is_sent_again() {
        let t0 = Instant::now();
        let mut pulse = Pulse::new(t0, INTERVAL, TIMEOUT);
        pulse.beat(t0 + ms(300));
        pulse.heard(t0 + ms(450));
        assert_eq!(pulse.beat(t0 + ms(500)), Beat::Wait(t0 + ms(600)));
        assert_eq!(pulse.beat(t0 + ms(600)), Beat::Ping(t0 + ms(800)));
        assert_eq!(pulse.beat(t0 + ms(800)), Beat::Expired);
    }
}
