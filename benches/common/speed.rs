//! How fast a core is right now. On a shared machine that depends on what other guests do on the same physical
//! core, and no accounting tells.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Additions, shifts and multiplications, of which a core does several at once.
const STEPS: u64 = 1_000_000;
/// Pieces of work; the fastest counts, which nobody interrupted.
const PIECES: usize = 4;

/// The time that a fixed piece of work in registers takes on a core.
pub(crate) fn probe(core: usize) -> io::Result<Duration> {
    let own = sched_getaffinity(None)?;
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)?;
    let fastest = (0..PIECES).map(|_| piece()).min().unwrap_or_default();
    sched_setaffinity(None, &own)?;
    Ok(fastest)
}

fn piece() -> Duration {
    let begun = Instant::now();
    let (mut a, mut b, mut c, mut d, mut e, mut f) = (1u64, 2u64, 3u64, 4u64, 5u64, 6u64);
    for step in 0..black_box(STEPS) {
        a = a.wrapping_mul(3).wrapping_add(1);
        b = b.wrapping_add(a ^ step);
        c = (c << 1) ^ step;
        d = d.wrapping_add(c);
        e ^= d.wrapping_add(step);
        f = (f >> 1).wrapping_add(e);
    }
    black_box((a, b, c, d, e, f));
    begun.elapsed()
}
