//! A Redis by its URL: one server, a Redis Cluster, or one that sentinels watch.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, RedisResult, ScriptInvocation, TlsMode, Value,
};
use tokio::sync::Mutex;

/// How long a connection may take to be made, and an answer to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// What is right where a URL is not.
type Right = &'static str;
const RIGHT: Right = "write redis://HOST:6379, rediss://HOST:6379, redis-cluster://HOST:6379,HOST:6379 or \
                      redis-sentinel://HOST:26379,HOST:26379/MASTER";

/// A Redis.
pub(super) enum Store {
    /// One server.
    One(Box<Client>),
    /// A Redis Cluster: any of its servers takes subscriptions and messages, which all of them pass on; commands
    /// go to the one that has the key.
    Many { cluster: Box<ClusterClient>, seeds: Vec<Client> },
    /// The master that sentinels name. A connection to it is made anew when it changes.
    Watched(Box<Mutex<SentinelClient>>),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A URL may hold a password.
        f.write_str(match self {
            Store::One(_) => "One",
            Store::Many { .. } => "Many",
            Store::Watched(_) => "Watched",
        })
    }
}

/// A connection for scripts that is made when the first is run, shared by all of them, and made anew once one fails.
#[derive(Default)]
pub(super) struct Line(Mutex<Option<Commands>>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    /// Runs a script.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        store: &Store,
        script: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        let mut redis = {
            let mut held = self.0.lock().await;
            match &*held {
                Some(redis) => redis.clone(),
                None => held.insert(store.commands().await?).clone(),
            }
        };
        let answer = script.invoke_async(&mut redis).await;
        if answer.is_err() {
            *self.0.lock().await = None;
        }
        answer
    }
}

/// A connection for commands.
#[derive(Clone)]
pub(super) enum Commands {
    One(Box<MultiplexedConnection>),
    Many(Box<ClusterConnection>),
}

/// The parts of a URL that names several servers.
struct Several {
    tls: bool,
    /// Each as a URL of one server.
    servers: Vec<String>,
    user: Option<(String, String)>,
    path: String,
}

impl Store {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Store, Right> {
        let (scheme, rest) = url.split_once("://").ok_or(RIGHT)?;
        let (secure, kind) = match scheme.split_once(['-', '+']) {
            Some(("redis", kind)) => (false, kind),
            Some(("rediss", kind)) => (true, kind),
            _ => (false, ""),
        };
        match kind {
            "cluster" => Several::parse(secure, rest).ok_or(RIGHT)?.cluster(),
            "sentinel" => Several::parse(secure, rest).ok_or(RIGHT)?.sentinel(),
            _ => Client::open(url).map(|client| Store::One(Box::new(client))).map_err(|_| RIGHT),
        }
    }

    /// Connects for commands.
    pub(super) async fn commands(&self) -> RedisResult<Commands> {
        match self {
            Store::Many { cluster, .. } => {
                within(cluster.get_async_connection()).await.map(|it| Commands::Many(Box::new(it)))
            }
            Store::One(_) | Store::Watched(_) => Ok(Commands::One(Box::new(self.publisher().await?))),
        }
    }

    /// Connects to one server: what is published over it keeps its order.
    pub(super) async fn publisher(&self) -> RedisResult<MultiplexedConnection> {
        let client = self.server().await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Connects for subscriptions.
    pub(super) async fn subscriber(&self) -> RedisResult<PubSub> {
        let client = self.server().await?;
        within(client.get_async_pubsub()).await
    }

    /// A server that answers.
    async fn server(&self) -> RedisResult<Client> {
        match self {
            Store::One(client) => Ok((**client).clone()),
            Store::Watched(sentinels) => within(sentinels.lock().await.async_get_client()).await,
            Store::Many { seeds, .. } => {
                let mut last = late();
                // Not all nodes at the same one.
                let first = rand::random_range(0..seeds.len().max(1));
                for seed in seeds.iter().cycle().skip(first).take(seeds.len()) {
                    match within(seed.get_multiplexed_async_connection()).await {
                        Ok(_) => return Ok(seed.clone()),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

fn late() -> RedisError {
    RedisError::from((ErrorKind::Io, "Redis cannot be reached"))
}

async fn within<T>(work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(CONNECT_TIMEOUT, work).await.unwrap_or_else(|_| Err(late()))
}

impl Several {
    fn parse(tls: bool, rest: &str) -> Option<Several> {
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match hosts.rsplit_once('@') {
            Some((user, hosts)) => (Some(user.split_once(':')?), hosts),
            None => (None, hosts),
        };
        let scheme = if tls { "rediss" } else { "redis" };
        let login = user.map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        let servers: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{login}{host}")).collect();
        let sound = hosts.split(',').all(|host| !host.is_empty());
        let user = user.map(|(name, password)| (name.to_owned(), password.to_owned()));
        sound.then(|| Several { tls, servers, user, path: path.to_owned() })
    }

    fn cluster(self) -> Result<Store, Right> {
        if !self.path.is_empty() {
            return Err("leave out what is behind the `/`: a Redis Cluster has no databases");
        }
        let seeds: RedisResult<Vec<Client>> =
            self.servers.iter().map(|server| Client::open(server.as_str())).collect();
        let cluster = ClusterClient::builder(self.servers)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(ANSWER_TIMEOUT)
            .build();
        match (cluster, seeds) {
            (Ok(cluster), Ok(seeds)) => Ok(Store::Many { cluster: Box::new(cluster), seeds }),
            _ => Err(RIGHT),
        }
    }

    /// The login is the master's; sentinels are asked without one.
    fn sentinel(self) -> Result<Store, Right> {
        let (master, database) = self.path.split_once('/').unwrap_or((&self.path, "0"));
        if master.is_empty() {
            return Err("write the name of the master that the sentinels watch, as in \
                        redis-sentinel://HOST:26379,HOST:26379/mymaster");
        }
        let scheme = if self.tls { "rediss" } else { "redis" };
        let login = self.user.map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        let settings = format!("{scheme}://{login}localhost/{database}").into_connection_info();
        let settings = settings.map_err(|_| RIGHT)?.redis_settings().clone();
        let mut node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
        if self.tls {
            node = node.set_tls_mode(TlsMode::Secure);
        }
        let bare = |server: String| match server.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://{host}"),
            None => server,
        };
        let sentinels = self.servers.into_iter().map(bare).collect();
        SentinelClient::build(sentinels, master, Some(node), SentinelServerType::Master)
            .map(|client| Store::Watched(Box::new(Mutex::new(client))))
            .map_err(|_| RIGHT)
    }
}

impl Commands {
    /// Whether there are several servers, each with its part of the keys.
    pub(super) fn is_many(&self) -> bool {
        matches!(self, Commands::Many(_))
    }
}

impl ConnectionLike for Commands {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Commands::One(connection) => connection.req_packed_command(command),
            Commands::Many(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Commands::One(connection) => connection.req_packed_commands(commands, offset, count),
            Commands::Many(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Commands::One(connection) => connection.get_db(),
            Commands::Many(connection) => connection.get_db(),
        }
    }
}
