//! What the commands do: compile the config, join the houses, serve, end in order.

use std::io::Write;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use crate::admin::{Admin, Readiness};
use crate::admin_ui::AdminUi;
use crate::body::Body;
use crate::cluster::Cluster;
use crate::config::{self, Report};
use crate::credentials::Credentials;
use crate::demo as shop;
use crate::engineio::{Engine, NewId, random_id};
use crate::fault::Fault;
use crate::gateway::{self, Gateway};
use crate::message::{Request, Response};
use crate::rules::Rulebook;
use crate::server::{self, Crowd, Drain, Handler, Listener, Peer, Terms, Workers};
use crate::socketio::{Door, Hub, Sockets};
use crate::telemetry::metrics::{self, Metrics};
use crate::types;
pub use crate::types::Format;

mod compiled;
mod nodes;
mod reload;
mod shutdown;
mod signals;

use compiled::{Compiled, compile, compile_to_run};
use nodes::Nodes;
use reload::Source;
use shutdown::{Among, End, Handle};
use signals::Signals;

/// The exit code of a bad config, as of bad usage.
const BAD_CONFIG: u8 = 2;

/// How often rooms and connections are counted.
const COUNT: Duration = Duration::from_secs(1);

/// Runs the gateway until it is told to end.
pub fn run(config: &Path, workers: usize) -> ExitCode {
    let text = config::text(config);
    match compile_to_run(text.clone().and_then(|text| config::load_from(&text, config)), None) {
        Ok(compiled) => {
            let source = Source::new(config, text.ok(), &compiled);
            serve(compiled, Some(source), workers, |_| String::new(), std::future::pending())
        }
        Err(report) => refuse(&report, ", not started"),
    }
}

/// Compiles a config as [`run`] would; `variable` stands in for the environment.
pub fn judge(text: &str, name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), Report> {
    compile(config::load_text(text, name, variable)).map(|_| ())
}

/// Reads and compiles the config as [`run`] would, and prints every problem.
pub fn check(config: &Path) -> ExitCode {
    match compile(config::load(config)) {
        Ok(_) => {
            println!("{}: ok", config.display());
            ExitCode::SUCCESS
        }
        Err(report) => refuse(&report, ""),
    }
}

/// Compiles a config as [`run`] would, and prints the types of its events.
pub fn types(config: &Path, format: Format) -> ExitCode {
    match compiled::with_file(config::load(config)) {
        Ok((_, file)) => {
            let written = std::io::stdout().lock().write_all(types::print(&file, format).as_bytes());
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(report) => refuse(&report, ""),
    }
}

/// Runs the gateway at `listen` with a chat backend and a chat page of its own.
pub fn demo(listen: &str) -> ExitCode {
    let backend = match std::net::TcpListener::bind("127.0.0.1:0") {
        Ok(backend) => backend,
        Err(error) => return fail(&format!("cannot start the demo's backend: {error}")),
    };
    let address = match backend.set_nonblocking(true).and_then(|()| backend.local_addr()) {
        Ok(address) => address,
        Err(error) => return fail(&format!("cannot start the demo's backend: {error}")),
    };
    let text = shop::config(listen, address);
    let compiled = match compile(config::load_text(&text, "demo", &|_| None)) {
        Ok(compiled) => compiled,
        Err(report) => return refuse(&report, ", not started"),
    };
    let serve_shop = async move {
        match TcpListener::from_std(backend) {
            Ok(backend) => shop::serve(backend).await,
            Err(error) => tracing::error!(%error, "the demo's backend cannot listen"),
        }
    };
    serve(compiled, None, 0, move |gateway| shop::banner(gateway, address), serve_shop)
}

fn refuse(report: &Report, end: &str) -> ExitCode {
    eprintln!("{report}{}{end}", report.count());
    ExitCode::from(BAD_CONFIG)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

/// Serves until a signal comes. `beside` runs along; `greeting` is printed once all is ready.
fn serve(
    mut compiled: Compiled,
    source: Option<Source>,
    workers: usize,
    greeting: impl FnOnce(std::net::SocketAddr) -> String,
    beside: impl Future<Output = ()> + Send + 'static,
) -> ExitCode {
    compiled.logs.init();
    tell_bearable(&compiled);
    let metrics = Metrics::install();
    let mut listeners = Vec::new();
    let mut handles = Vec::new();
    for (address, terms) in std::mem::take(&mut compiled.listen) {
        match Listener::bind(&address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => return fail(&format!("cannot listen on {address}: {error}")),
        }
        handles.push((address, server::Handle::new(terms)));
    }
    let admin = match Listener::bind(&compiled.admin.listen) {
        Ok(listener) => Some(listener),
        Err(error) if compiled.admin_written => {
            return fail(&format!("cannot listen on {}: {error}", compiled.admin.listen));
        }
        Err(error) => {
            tracing::warn!(address = compiled.admin.listen, %error, "no admin listener; set admin.listen");
            None
        }
    };
    let neighbours = match nodes::bind(compiled.cluster.as_mut()) {
        Ok(neighbours) => neighbours,
        Err(message) => return fail(&message),
    };
    let workers = match Workers::start(NonZero::new(workers)) {
        Ok(workers) => workers,
        Err(error) => return fail(&format!("cannot start worker threads: {error}")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start the runtime: {error}")),
    };
    let exporting = compiled.traces.start(runtime.handle());
    let code = runtime.block_on(async {
        let signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => return fail(&format!("cannot listen to signals: {error}")),
        };
        tokio::spawn(beside);
        let first = listeners.first().map(Listener::local_addr);
        for (listener, (_, handle)) in listeners.iter().zip(&handles) {
            println!("frontroom listening on {}://{}", handle.load().scheme(), listener.local_addr());
        }
        if let Some(neighbours) = &neighbours {
            println!("other nodes on http://{}", neighbours.local_addr());
        }
        if let Some(admin) = &admin {
            println!("admin on http://{}", admin.local_addr());
        }
        if let Some(first) = first {
            print!("{}", greeting(first));
        }
        let code = House::build(compiled, handles, metrics)
            .live(listeners, admin, neighbours, &workers, source.map(Arc::new), signals)
            .await;
        if let Some(exporting) = exporting {
            exporting.end().await;
        }
        code
    });
    workers.stop();
    code
}

impl Handler for Admin {
    async fn call(&self, request: &mut Request<Body>, peer: &Peer) -> Response<Body> {
        match peer.refused {
            Some(refused) => Fault::from(refused).into_response(""),
            None => self.handle(std::mem::take(request)).await,
        }
    }
}

/// Keeps the metrics up that are cheaper to look at than to count. For ever.
async fn count(hub: Arc<Hub>, drain: Drain) {
    let mut tick = tokio::time::interval(COUNT);
    loop {
        tick.tick().await;
        metrics::rooms(hub.count_rooms() as f64);
        metrics::connections(drain.open() as f64);
    }
}

/// Logs what is wrong with a config that runs all the same.
fn tell_bearable(compiled: &Compiled) {
    for problem in &compiled.bearable {
        tracing::error!("{problem}");
    }
}

/// Everything that runs.
struct House {
    gateway: Arc<Gateway>,
    admin: Arc<Admin>,
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    /// The listeners' terms, by the address as it is written.
    listeners: Vec<(String, server::Handle)>,
    credentials: ArcSwap<Credentials>,
    rulebook: Arc<Rulebook>,
    admin_ui: Arc<AdminUi>,
    /// None for a node without others.
    cluster: Option<Arc<Cluster>>,
    nodes: Option<Nodes>,
    end: Arc<End>,
}

impl House {
    fn build(compiled: Compiled, listeners: Vec<(String, server::Handle)>, metrics: Metrics) -> House {
        let rulebook = Arc::new(Rulebook::new(compiled.rules));
        let admin_ui = Arc::new(AdminUi::new(rulebook.clone(), compiled.admin_ui));
        let hub = Arc::new(Hub::new(admin_ui.clone(), compiled.limits));
        hub.set_recovery(&compiled.recovery);
        let nodes = compiled.cluster.as_ref().map(Nodes::new);
        let door = Arc::new(Door(hub.clone()));
        let new_id = nodes.as_ref().map_or_else(|| Box::new(random_id) as NewId, Nodes::new_id);
        let engine = Arc::new(Engine::new(compiled.engine, door, gateway::unwrap, new_id));
        let readiness = Readiness::default();
        compiled.credentials.start();
        compiled.emitters.start(&hub);
        let joined = compiled.cluster.as_ref().zip(nodes.as_ref());
        let cluster =
            joined.map(|(options, nodes)| Cluster::start(options, nodes.registry.clone(), hub.clone()));
        let sockets: Arc<dyn Sockets> = match &cluster {
            Some(cluster) => cluster.clone(),
            None => hub.clone(),
        };
        admin_ui.start(&hub, &engine, sockets.clone(), cluster.is_some());
        let forwarder = nodes.as_ref().map(|nodes| Arc::clone(&nodes.forwarder));
        let tunnels = forwarder.as_ref().map(|forwarder| forwarder.tunnels().clone()).unwrap_or_default();
        let guests = nodes.as_ref().map(|nodes| nodes.guests.clone()).unwrap_or_default();
        let among = Among { tunnels, guests };
        let end = End::new(compiled.ending, readiness.clone(), engine.clone(), hub.clone(), among);
        let end = Arc::new(end);
        let drain = Arc::new(Handle(end.clone()));
        House {
            gateway: Arc::new(Gateway::new(compiled.snapshot, engine.clone(), hub.clone(), forwarder)),
            admin: Arc::new(Admin::new(compiled.admin, readiness, metrics, sockets, hub.clone(), drain)),
            engine,
            hub,
            listeners,
            credentials: ArcSwap::new(compiled.credentials),
            rulebook,
            admin_ui,
            cluster,
            nodes,
            end,
        }
    }

    /// Swaps everything that may change while it runs. Connections, sessions and rooms stay.
    fn put_in_force(&self, compiled: Compiled) {
        compiled.logs.apply();
        tell_bearable(&compiled);
        for (address, terms) in compiled.listen {
            if let Some((_, handle)) = self.listeners.iter().find(|(bound, _)| *bound == address) {
                handle.set(terms);
            }
        }
        compiled.credentials.adopt(&self.credentials.load());
        compiled.credentials.start();
        self.credentials.store(compiled.credentials);
        self.rulebook.swap(compiled.rules);
        self.cluster.iter().for_each(|cluster| cluster.rules_changed());
        self.gateway.swap(compiled.snapshot);
        self.admin.set(compiled.admin);
        self.gateway.start();
        self.engine.set_options(compiled.engine);
        self.hub.set_limits(compiled.limits);
        self.hub.set_recovery(&compiled.recovery);
        self.admin_ui.set(compiled.admin_ui);
        self.end.set_times(compiled.ending);
    }

    /// Serves until a signal comes, then ends in order; a second signal ends at once.
    async fn live(
        self,
        listeners: Vec<Listener>,
        admin: Option<Listener>,
        neighbours: Option<Listener>,
        workers: &Workers,
        source: Option<Arc<Source>>,
        Signals { hangup, mut ending }: Signals,
    ) -> ExitCode {
        let (drain, crowd) = (self.end.drain(), Crowd::default());
        let handles: Vec<_> = self.listeners.iter().map(|(_, handle)| handle.clone()).collect();
        let serving = listeners.into_iter().zip(&handles).map(|(listener, handle)| {
            listener.run(self.gateway.clone(), handle.clone(), workers, (drain.clone(), crowd.clone()))
        });
        let serving = futures_util::future::join_all(serving);
        // Stays open to the very end, so that health can be asked for while the rest drains.
        let admin = async {
            match admin {
                Some(listener) => {
                    // Bounds on clients do not keep out who looks after them.
                    let terms = server::Handle::new(Terms::plain(server::Options::default()));
                    listener.run(self.admin.clone(), terms, workers, Default::default()).await
                }
                None => std::future::pending().await,
            }
        };
        self.gateway.start();
        let neighbours = async {
            match (&self.nodes, neighbours) {
                (Some(nodes), Some(listener)) => {
                    let door = nodes.door(&self.engine);
                    let terms = Nodes::terms(handles.first());
                    listener.run(door, terms, workers, (self.end.neighbours(), Crowd::default())).await
                }
                _ => std::future::pending().await,
            }
        };
        if let Some(nodes) = &self.nodes {
            nodes.join().await;
        }
        self.end.ready();
        let reloading = async {
            match &source {
                Some(source) => self.keep_reloading(source, hangup).await,
                None => std::future::pending().await,
            }
        };
        tokio::spawn(server::keep_fresh(handles.clone()));
        tokio::spawn(count(self.hub.clone(), self.end.drain()));
        let ended = async {
            tokio::select! {
                () = ending.next() => {}
                () = reloading => {}
            }
            tokio::select! {
                () = async {
                    self.end.finish().await;
                    if let Some(cluster) = &self.cluster {
                        cluster.leave().await;
                    }
                } => ExitCode::SUCCESS,
                () = ending.next() => ExitCode::FAILURE,
            }
        };
        tokio::select! {
            code = ended => code,
            Err(error) = async { serving.await.into_iter().collect::<std::io::Result<Vec<()>>>() } => {
                fail(&format!("a listener failed: {error}"))
            }
            Err(error) = neighbours => fail(&format!("the listener for other nodes failed: {error}")),
            Err(error) = admin => fail(&format!("the admin listener failed: {error}")),
        }
    }
}
