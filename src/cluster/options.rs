//! The compiled `cluster` section.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::hop::Bounds;
use super::store::Store;
use crate::config::{Problems, defaults, file, value};

/// Shortest lease: renewed every third of it, it must outlive a pause of the process.
const MIN_LEASE: Duration = Duration::from_secs(1);

/// The compiled `cluster` section.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is between the nodes.
    pub(super) store: Arc<Store>,
    /// Begins the names of keys and channels.
    pub(super) prefix: Arc<str>,
    /// Bytes that may wait to be published.
    pub(super) max_queue: usize,
    /// Messages that the stream may have.
    pub(super) max_stream: u64,
    /// How long the answers of other nodes are waited for.
    pub(super) request_timeout: Duration,
    /// How long after its last sign of life a node counts as dead.
    pub(super) lease: Duration,
    /// `HOST:PORT` to listen on for other nodes.
    pub listen: String,
    /// Where other nodes reach this one: `http://HOST:PORT`.
    pub advertise: Uri,
    /// What all nodes know and nobody else.
    pub secrets: Secrets,
    /// Bounds on what is sent on to other nodes.
    pub bounds: Bounds,
}

/// What all nodes know and nobody else, the newest first; stays out of logs.
#[derive(Clone)]
pub struct Secrets(pub Arc<[String]>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Options {
    /// Compiles the `cluster` section. `None` where there is none, or something is wrong with it.
    pub fn build(written: Option<&file::Cluster>, problems: &mut Problems) -> Option<Options> {
        let file::Cluster { redis, node, request_timeout, lease } = written?;
        let store = Store::parse(&redis.url);
        if let Err(right) = &store {
            problems.add("cluster.redis.url", "this is no URL of a Redis", *right);
        }
        let prefix = redis.prefix.as_deref().unwrap_or(defaults::CLUSTER_PREFIX);
        let strange = |c: char| c.is_whitespace() || c.is_control() || "{}*?[]\\".contains(c);
        if prefix.is_empty() || prefix.contains(strange) {
            let wrong = format!("`{prefix}` cannot begin the names of keys");
            problems.add("cluster.redis.prefix", wrong, "write letters, digits and `:`, such as frontroom");
        }
        let max_queue = redis.max_queue.map_or(defaults::CLUSTER_MAX_QUEUE, |size| size.0);
        if max_queue == 0 {
            problems.add("cluster.redis.max_queue", "nothing may wait", "write a size such as 16MB");
        }
        let max_stream = redis.max_stream.unwrap_or(defaults::CLUSTER_MAX_STREAM);
        if max_stream == 0 {
            problems.add("cluster.redis.max_stream", "nothing may be kept", "write a number such as 100000");
        }
        let listen = node.listen.as_deref().unwrap_or(defaults::CLUSTER_LISTEN);
        if !is_address(listen) {
            let wrong = format!("`{listen}` is not an address");
            problems.add("cluster.node.listen", wrong, "write HOST:PORT, such as 0.0.0.0:4002");
        }
        if node.secret.0.is_empty() || node.secret.0.iter().any(String::is_empty) {
            problems.add("cluster.node.secret", "is empty", "write some 32 random letters and digits");
        }
        let bounds = Bounds::build(node, problems);
        let advertise = advertised(&node.advertise);
        if let Err((wrong, right)) = &advertise {
            problems.add("cluster.node.advertise", wrong, *right);
        }
        let mut time = |key: &str, written: Option<value::Duration>, default, least: Duration, right| {
            let time = written.map_or(default, |time| time.0);
            if time < least || time.is_zero() {
                problems.add(key, "too short", right);
            }
            time
        };
        let request_timeout = time(
            "cluster.request_timeout",
            *request_timeout,
            defaults::CLUSTER_REQUEST_TIMEOUT,
            Duration::ZERO,
            "write a duration such as 1s",
        );
        let lease = time(
            "cluster.lease",
            *lease,
            defaults::CLUSTER_LEASE,
            MIN_LEASE,
            "write 1s or more, such as 10s",
        );
        Some(Options {
            store: Arc::new(store.ok()?),
            prefix: prefix.into(),
            max_queue: usize::try_from(max_queue).unwrap_or(usize::MAX),
            max_stream,
            request_timeout,
            lease,
            listen: listen.to_owned(),
            advertise: advertise.ok()?,
            secrets: Secrets(node.secret.0.as_slice().into()),
            bounds,
        })
    }
}

impl Options {
    /// Where no port is advertised but 0, it is the one that was taken.
    pub fn listens_at(&mut self, port: u16) {
        let at = |host: &str| format!("http://{host}:{port}").parse().ok();
        let zero = self.advertise.authority().filter(|authority| authority.port_u16() == Some(0));
        if let Some(advertise) = zero.and_then(|authority| at(authority.host())) {
            self.advertise = advertise;
        }
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bare {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '/', ' ', '@']),
    };
    host_fits && port.parse::<u16>().is_ok()
}

/// Where other nodes reach this one: nothing but a host and a port.
fn advertised(text: &str) -> Result<Uri, (String, &'static str)> {
    const RIGHT: &str = "write it as http://HOST:PORT";
    let not_a_url = || (format!("`{text}` is not a URL that begins with http://"), RIGHT);
    let uri: Uri = text.parse().map_err(|_| not_a_url())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(not_a_url)?;
    if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err((format!("`{text}` holds more than a host and a port"), RIGHT));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified()) {
        return Err((format!("`{text}` is no place to connect to"), "write this node's own address"));
    }
    Ok(uri)
}
