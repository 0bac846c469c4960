//! Events that come evenly: how long each takes from when it was due, however late it was sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Failure, Progress};

/// Nothing is looked at more often than this: the generator shares its core with the backend.
const PAUSE: Duration = Duration::from_micros(20);

/// Clients that send and are answered, each in order.
pub(super) trait Line {
    /// How many.
    fn clients(&self) -> usize;

    /// Sends a client's next event.
    fn send(&mut self, client: usize) -> Result<(), Failure>;

    /// Looks, without waiting, whose events were answered.
    fn turn(&mut self, heard: &mut Vec<usize>) -> Result<(), Failure>;
}

/// Sends an event every `gap`, by one client after another; how long each took, sorted.
pub(super) fn paced(line: &mut impl Line, gap: Duration, count: usize) -> Result<Vec<Duration>, Failure> {
    let mut due: Vec<VecDeque<Instant>> = vec![VecDeque::new(); line.clients()];
    let (mut heard, mut progress, mut times) = (Vec::new(), Progress::new(), Vec::with_capacity(count));
    let (mut at, mut sent) = (Instant::now(), 0);
    while times.len() < count {
        while sent < count && at <= Instant::now() {
            let client = sent % due.len();
            line.send(client)?;
            due.get_mut(client).ok_or("no such client")?.push_back(at);
            sent += 1;
            at += gap;
        }
        line.turn(&mut heard)?;
        for client in &heard {
            let begun = due.get_mut(*client).and_then(VecDeque::pop_front);
            times.push(begun.ok_or("LOSS: an answer to nothing")?.elapsed());
        }
        if heard.is_empty() {
            std::thread::sleep(PAUSE);
        }
        progress.note(!heard.is_empty(), || format!("{} answers", count - times.len()))?;
    }
    times.sort_unstable();
    Ok(times)
}
