//! Compiling `upstream:` and `upstreams:`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::{Endpoint, Timeouts, Upstream, Upstreams};
use crate::config::{Problems, file, value};

/// Name of the upstream that the shorthand makes.
const DEFAULT: &str = "default";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// As Envoy has it. Streams of events send comments well within it.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Below the 5 s after which Node and uvicorn close idle connections: we close first, so a request
/// rarely meets a connection that dies.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

impl Upstreams {
    /// Builds them from `upstream:` (named `default`) and `upstreams:`.
    pub fn build(file: &file::File, problems: &mut Problems) -> Upstreams {
        let mut upstreams = Upstreams::default();
        for (name, raw) in &file.upstreams {
            let upstream = build(name, raw, problems);
            upstreams.by_name.insert(name.clone(), Arc::new(upstream));
        }
        if let Some(url) = &file.upstream {
            if file.upstreams.contains_key(DEFAULT) {
                problems.add("upstream", "`upstreams.default` is written too", "keep one of them");
            }
            let timeouts = timeouts(DEFAULT, &file::Upstream::default(), problems);
            let endpoints = endpoint(url, "upstream".to_owned(), timeouts, problems).into_iter().collect();
            upstreams
                .by_name
                .insert(DEFAULT.to_owned(), Arc::new(Upstream::new(DEFAULT, endpoints, timeouts)));
        }
        upstreams
    }
}

impl Upstream {
    fn new(name: &str, endpoints: Vec<Arc<Endpoint>>, timeouts: Timeouts) -> Upstream {
        Upstream { name: name.to_owned(), endpoints, next: AtomicUsize::new(0), timeouts }
    }
}

fn build(name: &str, raw: &file::Upstream, problems: &mut Problems) -> Upstream {
    let file::Balance::RoundRobin = raw.balance;
    let timeouts = timeouts(name, raw, problems);
    let key = format!("upstreams.{name}.endpoints");
    let urls = &raw.endpoints.0;
    if urls.is_empty() {
        problems.add(&key, "there is no endpoint", "write at least one, such as http://127.0.0.1:3000");
    }
    let endpoints = urls.iter().enumerate().filter_map(|(index, url)| {
        let key = if urls.len() == 1 { key.clone() } else { format!("{key}[{index}]") };
        endpoint(url, key, timeouts, problems)
    });
    let endpoints = endpoints.collect();
    Upstream::new(name, endpoints, timeouts)
}

fn endpoint(url: &str, key: String, timeouts: Timeouts, problems: &mut Problems) -> Option<Arc<Endpoint>> {
    match Endpoint::parse(url, timeouts) {
        Ok(endpoint) => Some(Arc::new(endpoint)),
        Err((wrong, right)) => {
            problems.add(key, wrong, right);
            None
        }
    }
}

fn timeouts(name: &str, raw: &file::Upstream, problems: &mut Problems) -> Timeouts {
    let mut read = |key: &str, written: Option<value::Duration>, default| {
        let value = written.map_or(default, |value| value.0);
        if value.is_zero() {
            problems.add(
                format!("upstreams.{name}.{key}"),
                "it is zero",
                "write a time above zero, such as 3s",
            );
        }
        value
    };
    Timeouts {
        connect: read("connect_timeout", raw.connect_timeout, CONNECT_TIMEOUT),
        response: read("response_timeout", raw.response_timeout, RESPONSE_TIMEOUT),
        stream: read("stream_idle_timeout", raw.stream_idle_timeout, STREAM_IDLE_TIMEOUT),
        idle: read("idle_timeout", raw.idle_timeout, IDLE_TIMEOUT),
    }
}
