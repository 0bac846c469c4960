//! A whole config, compiled: what `check`, start and reload have in common.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::Settings;
use crate::admin_ui;
use crate::cluster::{self, Emitters};
use crate::config::{self, Problem, Problems, Report, defaults, file};
use crate::credentials::Credentials;
use crate::engineio::Options;
use crate::gateway::{Routes, Snapshot};
use crate::rules::Rules;
use crate::server::Terms;
use crate::socketio::{Limits, Recovery};
use crate::telemetry::logs::Logs;
use crate::telemetry::trace::Traces;

/// A whole config, compiled by the same builders for `check`, start and reload.
pub(super) struct Compiled {
    /// Addresses as they are written, and the terms on which connections are taken there.
    pub(super) listen: Vec<(String, Terms)>,
    pub(super) admin: Settings,
    /// Whether the file says where the admin listener is. If not, a port in use is not fatal.
    pub(super) admin_written: bool,
    pub(super) admin_ui: Option<admin_ui::Options>,
    pub(super) logs: Logs,
    pub(super) emitters: Emitters,
    pub(super) cluster: Option<cluster::Options>,
    pub(super) traces: Traces,
    pub(super) engine: Options,
    pub(super) limits: Limits,
    pub(super) recovery: Recovery,
    pub(super) credentials: Arc<Credentials>,
    pub(super) rules: Rules,
    pub(super) routes: Arc<Routes>,
    pub(super) snapshot: Snapshot,
    pub(super) ending: Ending,
    /// Whether a changed file is read again by itself.
    pub(super) auto_reload: bool,
    pub(super) fixed: Fixed,
    /// Problems to run with.
    pub(super) bearable: Vec<Problem>,
}

/// How long the end may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// From readiness off to the end of accepting.
    pub(super) delay: Duration,
    /// For requests to finish and sockets to close.
    pub(super) grace: Duration,
}

/// What only a start can change: the keys, and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fixed(Vec<(&'static str, String)>);

impl Fixed {
    fn of(file: &file::File) -> Fixed {
        let addresses: Vec<_> =
            file.listen.iter().flat_map(|list| &list.0).map(|listen| &listen.address).collect();
        let admin = file.admin.as_ref().and_then(|admin| admin.listen.as_ref());
        Fixed(vec![
            ("listen", format!("{addresses:?}")),
            ("admin.listen", format!("{admin:?}")),
            ("log.format", format!("{:?}", file.log.format)),
            ("emitters", format!("{:?}", file.emitters)),
            ("cluster", format!("{:?}", file.cluster)),
            ("tracing", format!("{:?}", file.tracing)),
        ])
    }

    /// The keys that say something else in `other`.
    pub(super) fn differing(&self, other: &Fixed) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs.filter(|(ours, theirs)| ours != theirs).map(|((key, _), _)| *key).collect()
    }
}

impl Compiled {
    fn build(file: &file::File, previous: Option<&Routes>, problems: &mut Problems) -> Compiled {
        let previous = previous.map(Routes::upstreams);
        let routes = Arc::new(Routes::build(file, previous, problems));
        let credentials = Arc::new(Credentials::build(&file.credentials, problems));
        let rules = Rules::build(file, credentials.clone(), routes.upstreams(), routes.clone(), problems);
        let snapshot =
            Snapshot::build(file, routes.clone(), credentials.clone(), rules.taps().clone(), problems);
        Compiled {
            listen: Terms::build(file, problems),
            admin: Settings::build(file.admin.as_ref(), file.credentials.token.as_ref(), problems),
            admin_written: file.admin.as_ref().is_some_and(|admin| admin.listen.is_some()),
            admin_ui: admin_ui::Options::build(file, problems),
            logs: Logs::build(&file.log, problems),
            emitters: Emitters::build(&file.emitters, problems),
            cluster: cluster::Options::build(file.cluster.as_ref(), problems),
            traces: Traces::build(&file.tracing, problems),
            engine: Options::build(&file.socketio, problems),
            limits: Limits::build(&file.socketio, problems),
            recovery: Recovery::build(&file.socketio, problems),
            credentials,
            rules,
            routes,
            snapshot,
            ending: Ending {
                delay: file.shutdown.delay.map_or(defaults::SHUTDOWN_DELAY, |delay| delay.0),
                grace: file.shutdown.grace.map_or(defaults::SHUTDOWN_GRACE, |grace| grace.0),
            },
            auto_reload: file.reload.auto.unwrap_or(defaults::RELOAD_AUTO),
            fixed: Fixed::of(file),
            bearable: Vec::new(),
        }
    }
}

/// Compiles a file that was read, unless something is wrong with it: for `check`, anything at all.
pub(super) fn compile(loaded: Result<config::Loaded, Report>) -> Result<Compiled, Report> {
    with_file(loaded).map(|(compiled, _)| compiled)
}

/// The same, with the file as it is written.
pub(super) fn with_file(loaded: Result<config::Loaded, Report>) -> Result<(Compiled, file::File), Report> {
    let loaded = loaded?;
    let mut problems = Problems::default();
    let compiled = Compiled::build(loaded.file(), None, &mut problems);
    loaded.judge(problems).map(|file| (compiled, file))
}

/// The same to run with: some problems are for the log alone. The upstreams of `previous` that stay as
/// they are go on, with their connections.
pub(super) fn compile_to_run(
    loaded: Result<config::Loaded, Report>,
    previous: Option<&Routes>,
) -> Result<Compiled, Report> {
    let loaded = loaded?;
    let mut problems = Problems::default();
    let compiled = Compiled::build(loaded.file(), previous, &mut problems);
    let bearable = problems.take_bearable();
    loaded.judge(problems).map(|_| Compiled { bearable, ..compiled })
}
