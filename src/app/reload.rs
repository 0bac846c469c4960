//! A changed config: read whole, compiled whole, then swapped whole or refused whole.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::Signal;

use super::House;
use super::compiled::{Compiled, Fixed, compile_to_run};
use crate::config::{self, Report};
use crate::gateway::Routes;
use crate::telemetry::metrics;
use crate::watch::Watch;

/// The file that may change, and what of it is in force.
pub(super) struct Source {
    path: PathBuf,
    running: Mutex<Running>,
}

struct Running {
    /// As it was last read, whether it was taken or refused.
    seen: Option<String>,
    auto: bool,
    fixed: Fixed,
    /// Whose upstreams go on where they stay as they are.
    routes: Arc<Routes>,
}

/// Why the file is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// SIGHUP: also what the file names may have changed.
    Asked,
    /// Something in its folder changed.
    Noticed,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// In force from now on, but for these keys, which need a restart.
    Reloaded(Vec<&'static str>),
    /// The text is the same.
    Unchanged,
    /// The old one stays.
    Refused,
}

impl Source {
    /// The file at `path`, of which `compiled` is in force.
    pub(super) fn new(path: &Path, text: Option<String>, compiled: &Compiled) -> Source {
        let (fixed, routes) = (compiled.fixed.clone(), Arc::clone(&compiled.routes));
        let running = Running { seen: text, auto: compiled.auto_reload, fixed, routes };
        Source { path: path.to_owned(), running: Mutex::new(running) }
    }
}

impl House {
    /// Reads the file again on SIGHUP, and whenever it changes unless `reload.auto` is false. For ever.
    pub(super) async fn keep_reloading(&self, source: &Arc<Source>, mut hangup: Signal) {
        let file = [source.path.clone()];
        let mut watch = Watch::new(&file);
        // What changed between the start's look at the file and the watch is seen now.
        self.reload(source, Why::Noticed).await;
        loop {
            let why = tokio::select! {
                _ = hangup.recv() => Why::Asked,
                () = watch.changed() => Why::Noticed,
            };
            // First the watch, then the look: what changes between the two is seen.
            watch = Watch::new(&file);
            self.reload(source, why).await;
        }
    }

    async fn reload(&self, source: &Arc<Source>, why: Why) {
        let compiling = Arc::clone(source);
        // A large file takes a while to compile, and this thread accepts connections.
        let compiled = tokio::task::spawn_blocking(move || compiling.compile(why)).await;
        let Ok(compiled) = compiled else {
            tracing::error!("the config could not be compiled; the old one stays in force");
            return metrics::config_reload("refused");
        };
        let outcome = match compiled {
            Ok(None) => Outcome::Unchanged,
            Ok(Some(compiled)) => Outcome::Reloaded(self.swap(source, *compiled)),
            Err(report) => {
                for line in report.to_string().lines() {
                    tracing::error!("{line}");
                }
                Outcome::Refused
            }
        };
        tell(&outcome, why);
    }

    /// Puts a compiled config in force; the keys that wait for a restart.
    fn swap(&self, source: &Source, compiled: Compiled) -> Vec<&'static str> {
        let waiting = {
            let mut running = source.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.auto = compiled.auto_reload;
            running.routes = Arc::clone(&compiled.routes);
            running.fixed.differing(&compiled.fixed)
        };
        self.put_in_force(compiled);
        waiting
    }
}

impl Source {
    /// The file as it is now; `None` if there is nothing to do.
    fn compile(&self, why: Why) -> Result<Option<Box<Compiled>>, Report> {
        let text = config::text(&self.path);
        let seen = text.as_ref().ok().cloned();
        let previous = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if why == Why::Noticed && (!running.auto || seen.is_some() && running.seen == seen) {
                return Ok(None);
            }
            running.seen = seen;
            Arc::clone(&running.routes)
        };
        let compiled = compile_to_run(config::load_from(&text?, &self.path), Some(&previous))?;
        Ok(Some(Box::new(compiled)))
    }
}

fn tell(outcome: &Outcome, why: Why) {
    match outcome {
        Outcome::Reloaded(waiting) => {
            metrics::config_reload("reloaded");
            tracing::info!("config reloaded");
            for key in waiting {
                tracing::warn!("{key} has changed: it needs a restart, the old value stays in force");
            }
        }
        // Other files of the folder change too: nobody wants to hear of it.
        Outcome::Unchanged if why == Why::Noticed => {}
        Outcome::Unchanged => metrics::config_reload("unchanged"),
        Outcome::Refused => {
            metrics::config_reload("refused");
            tracing::error!("config refused, the old one stays in force");
        }
    }
}
