//! Worker threads: one runtime each, so that a connection and the upstream connections it uses never
//! wake another thread.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, available_parallelism};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Worker threads. Dropping it ends them, and with them whatever they still serve. One that would be alone
/// is no thread of its own: whoever accepts connections serves them, and hands over none.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts `count` of them, or one for each core that the process may use.
    pub fn start(count: Option<NonZero<usize>>) -> io::Result<Workers> {
        let count = count.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get);
        let workers = (0..count).filter(|_| count > 1).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Workers { workers, next: AtomicUsize::new(0) })
    }

    /// The next runtime, in turn; none where the accepting one is the only one.
    pub fn next(&self) -> Option<&Handle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.workers.get(turn.checked_rem(self.workers.len())?).map(|worker| &worker.runtime)
    }

    /// Ends them and waits until they are gone. Not to be called in a runtime.
    pub fn stop(self) {
        for Worker { stop, thread, .. } in self.workers {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn start(index: usize) -> io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Worker { runtime: handle, stop, thread })
    }
}
