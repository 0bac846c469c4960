//! What a process has used, as the kernel counts it.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::speed;

/// The core that servers are pinned to.
const SERVERS_CORE: usize = 0;

/// Nanoseconds that all threads of a process and of its children have run (proc(5), `schedstat`).
/// Ticks of 10 ms would be too coarse.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // A thread may end meanwhile.
        let Ok(stat) = fs::read_to_string(task.join("schedstat")) else { continue };
        sum += stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            sum += cpu_ns(child).unwrap_or(0);
        }
    }
    Ok(sum)
}

fn all_cpu_ns(pids: &[u32]) -> io::Result<u64> {
    pids.iter().map(|pid| cpu_ns(*pid)).sum()
}

/// Nanoseconds that children of this process have run which have ended since, in ticks of 10 ms.
fn ended_ns() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // cutime and cstime (proc(5)), counted behind the name, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(ticks * 10_000_000)
}

/// Nanoseconds that the kernel's threads for delayed interrupts have run: with large bodies they do
/// much of TCP's work, for whoever benchmarks.
fn interrupts_ns() -> io::Result<u64> {
    let mut sum = 0;
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        if fs::read_to_string(process.join("comm")).is_ok_and(|name| name.starts_with("ksoftirqd/")) {
            let stat = fs::read_to_string(process.join("schedstat")).unwrap_or_default();
            sum += stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(sum)
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024.0).ok_or_else(|| io::Error::other("no VmRSS"))
}

/// Time that the machine's cores were busy.
fn busy() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq, in ticks of 10 ms; time stolen by other machines is nobody's.
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|index| ticks.get(*index)).sum();
    Ok(Duration::from_millis(busy * 10))
}

/// A span of time in which a server is watched, or several together.
#[derive(Debug)]
pub(crate) struct Watch {
    pids: Vec<u32>,
    begun: Instant,
    server: u64,
    generator: u64,
    interrupts: u64,
    busy: Duration,
    speed: Duration,
}

/// What happened in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// CPU of the server in nanoseconds.
    pub(crate) server: f64,
    /// CPU of the generator, and of what else this benchmark runs, in nanoseconds.
    pub(crate) generator: f64,
    /// Nanoseconds by the clock.
    pub(crate) wall: f64,
    /// Cores that somebody else kept busy.
    pub(crate) foreign: f64,
    /// What [`speed::probe`] took on the server's core before and after.
    pub(crate) speed: [Duration; 2],
}

impl Used {
    /// How busy all were, for a figure's note.
    pub(crate) fn note(&self) -> String {
        let [server, generator] = [self.server, self.generator].map(|ns| ns / self.wall * 100.0);
        let [before, after] = self.speed.map(|probe| probe.as_secs_f64() * 1000.0);
        let others = self.foreign * 100.0;
        format!(
            "server {server:.0} %, generator {generator:.0} %, others {others:.0} %, \
             probe {before:.2} and {after:.2} ms"
        )
    }
}

impl Watch {
    /// From now on.
    pub(crate) fn begin(pids: &[u32]) -> io::Result<Watch> {
        let speed = speed::probe(SERVERS_CORE)?;
        let generator = cpu_ns(std::process::id())? + ended_ns()?;
        let (interrupts, server) = (interrupts_ns()?, all_cpu_ns(pids)?);
        let (pids, busy) = (pids.to_vec(), busy()?);
        Ok(Watch { pids, begun: Instant::now(), server, generator, interrupts, busy, speed })
    }

    /// Until now.
    pub(crate) fn end(&self) -> io::Result<Used> {
        let server = (all_cpu_ns(&self.pids)? - self.server) as f64;
        // The servers are children of ours and are counted in both.
        let both = (cpu_ns(std::process::id())? + ended_ns()?).saturating_sub(self.generator) as f64;
        let wall = self.begun.elapsed().as_nanos() as f64;
        let interrupts = (interrupts_ns()? - self.interrupts) as f64;
        let foreign = (busy()? - self.busy).as_nanos() as f64 - both - interrupts;
        let (generator, foreign) = (both - server, (foreign / wall).max(0.0));
        Ok(Used { server, generator, wall, foreign, speed: [self.speed, speed::probe(SERVERS_CORE)?] })
    }
}

/// Waits until nobody uses the machine, at most `patience`.
pub(crate) fn wait_for_quiet(patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        let before = busy()?;
        std::thread::sleep(Duration::from_millis(500));
        if busy()? - before < Duration::from_millis(80) {
            break;
        }
    }
    Ok(())
}
