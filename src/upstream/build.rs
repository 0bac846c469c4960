//! Compiling `upstream:` and `upstreams:`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::uri::PathAndQuery;

use super::budget::Budget;
use super::endpoint::Endpoint;
use super::gate::Gate;
use super::group::{Group, Outlier};
use super::health::Check;
use super::resolve::{Lookup, System};
use super::target::{Scheme, Target};
use super::tls::{Material, Tls};
use super::{Timeouts, Upstream, Upstreams};
use crate::config::value::{Duration, OneOrMany};
use crate::config::{Problems, defaults, file};

/// What an upstream was built from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    raw: file::Upstream,
    /// What its TLS files held.
    material: Material,
}

impl Upstreams {
    /// Builds them from `upstream:` (named `default`) and `upstreams:`.
    pub fn build(file: &file::File, problems: &mut Problems) -> Upstreams {
        Upstreams::build_after(file, None, problems)
    }

    /// The same after a reload: those of `previous` whose part of the config says the same are taken
    /// over, with their connections, what is known of their endpoints, and their retries.
    pub fn build_after(
        file: &file::File,
        previous: Option<&Upstreams>,
        problems: &mut Problems,
    ) -> Upstreams {
        let mut upstreams = Upstreams::default();
        let mut add = |name: &str, key: &str, raw: &file::Upstream, problems: &mut Problems| {
            let before = previous.and_then(|previous| previous.get(name));
            let upstream = Builder { name, key, problems }.build(raw, before, Arc::new(System));
            upstreams.by_name.insert(name.to_owned(), upstream);
        };
        for (name, raw) in &file.upstreams {
            add(name, &format!("upstreams.{name}"), raw, problems);
        }
        if let Some(url) = &file.upstream {
            let name = defaults::UPSTREAM_NAME;
            if file.upstreams.contains_key(name) {
                problems.add("upstream", "`upstreams.default` is written too", "keep one of them");
            }
            let raw = file::Upstream { endpoints: OneOrMany(vec![url.clone()]), ..Default::default() };
            add(name, "", &raw, problems);
        }
        upstreams
    }
}

impl Upstream {
    /// One that the config does not name, say another node; the error says what would be right.
    pub fn unlisted(name: &str, raw: &file::Upstream) -> Result<Arc<Upstream>, String> {
        let mut problems = Problems::default();
        let upstream =
            Builder { name, key: name, problems: &mut problems }.build(raw, None, Arc::new(System));
        match problems.into_vec().first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(upstream),
        }
    }
}

/// Compiles one upstream.
pub(super) struct Builder<'a> {
    pub(super) name: &'a str,
    /// Its key; empty for `upstream:`, which is one URL.
    pub(super) key: &'a str,
    pub(super) problems: &'a mut Problems,
}

impl Builder<'_> {
    pub(super) fn build(
        &mut self,
        raw: &file::Upstream,
        before: Option<&Arc<Upstream>>,
        lookup: Arc<dyn Lookup>,
    ) -> Arc<Upstream> {
        let targets = self.targets(raw);
        let encrypted = targets.iter().any(|target| target.scheme == Scheme::Https);
        if raw.tls.is_some() && !encrypted {
            self.problem("tls", "no endpoint begins with https://", "write one, or drop `tls`");
        }
        let key = if self.key.is_empty() { "upstream".to_owned() } else { format!("{}.tls", self.key) };
        let (tls, material) = if encrypted {
            Tls::build(&key, raw.tls.as_ref(), self.problems)
        } else {
            (None, Material::default())
        };
        let origin = Origin { raw: raw.clone(), material };
        let (timeouts, check, outlier) = (self.timeouts(raw), self.check(raw), self.outlier(raw));
        let gate = self.gate(raw);
        if let Some(same) = before.filter(|before| before.origin == origin) {
            return Arc::clone(same);
        }
        let endpoint = |target| {
            let (gate, lookup) = (Arc::clone(&gate), Arc::clone(&lookup));
            Arc::new(Endpoint::new(target, tls.as_ref(), timeouts, gate, lookup))
        };
        let endpoints: Vec<_> = targets.into_iter().map(endpoint).collect();
        for endpoint in &endpoints {
            endpoint.know(endpoints.iter().map(Arc::downgrade).collect());
        }
        Arc::new(Upstream {
            name: self.name.to_owned(),
            group: Group::new(self.name, endpoints, raw.balance, outlier),
            timeouts,
            attempts: raw.retry.attempts.unwrap_or(defaults::RETRY_ATTEMPTS),
            budget: Budget::new(raw.retry.budget.map_or(defaults::RETRY_BUDGET, |ratio| ratio.0)),
            check,
            started: AtomicBool::new(false),
            origin,
        })
    }

    fn problem(&mut self, below: &str, wrong: impl Into<String>, right: &str) {
        self.problems.add(format!("{}.{below}", self.key), wrong, right);
    }

    fn targets(&mut self, raw: &file::Upstream) -> Vec<Target> {
        let key = if self.key.is_empty() { "upstream".to_owned() } else { format!("{}.endpoints", self.key) };
        let urls = &raw.endpoints.0;
        if urls.is_empty() {
            self.problems.add(
                &key,
                "there is no endpoint",
                "write at least one, such as http://127.0.0.1:3000",
            );
        }
        let mut targets: Vec<Target> = Vec::with_capacity(urls.len());
        for (index, url) in urls.iter().enumerate() {
            let key = if urls.len() == 1 { key.clone() } else { format!("{key}[{index}]") };
            match Target::parse(url) {
                Ok(target) if targets.contains(&target) => {
                    self.problems.add(key, format!("`{url}` is written twice"), "keep one of them");
                }
                Ok(target) => targets.push(target),
                Err((wrong, right)) => self.problems.add(key, wrong, right),
            }
        }
        targets
    }

    fn timeouts(&mut self, raw: &file::Upstream) -> Timeouts {
        Timeouts {
            connect: self.time("connect_timeout", raw.connect_timeout, defaults::UPSTREAM_CONNECT_TIMEOUT),
            response: self.time(
                "response_timeout",
                raw.response_timeout,
                defaults::UPSTREAM_RESPONSE_TIMEOUT,
            ),
            stream: self.time(
                "stream_idle_timeout",
                raw.stream_idle_timeout,
                defaults::UPSTREAM_STREAM_IDLE_TIMEOUT,
            ),
            idle: self.time("idle_timeout", raw.idle_timeout, defaults::UPSTREAM_IDLE_TIMEOUT),
            age: self.time(
                "max_connection_age",
                raw.max_connection_age,
                defaults::UPSTREAM_MAX_CONNECTION_AGE,
            ),
        }
    }

    fn time(
        &mut self,
        key: &str,
        written: Option<Duration>,
        default: std::time::Duration,
    ) -> std::time::Duration {
        let value = written.map_or(default, |value| value.0);
        if value.is_zero() {
            self.problem(key, "it is zero", "write a time above zero, such as 3s");
        }
        value
    }

    fn count(&mut self, key: &str, written: Option<u32>, default: u32) -> u32 {
        if written == Some(0) {
            self.problem(key, "it is zero", "write 1 or more");
        }
        written.unwrap_or(default)
    }

    fn gate(&mut self, raw: &file::Upstream) -> Arc<Gate> {
        if raw.max_connections == Some(0) {
            self.problem("max_connections", "it is zero", "write 1 or more");
        }
        let connections = raw.max_connections.unwrap_or(defaults::UPSTREAM_MAX_CONNECTIONS);
        Gate::new(connections, raw.max_pending.unwrap_or(defaults::UPSTREAM_MAX_PENDING))
    }

    fn outlier(&mut self, raw: &file::Upstream) -> Outlier {
        let written = &raw.outlier;
        Outlier {
            consecutive_failures: written
                .consecutive_failures
                .unwrap_or(defaults::OUTLIER_CONSECUTIVE_FAILURES),
            eject_for: self.time("outlier.eject_for", written.eject_for, defaults::OUTLIER_EJECT_FOR),
        }
    }

    fn check(&mut self, raw: &file::Upstream) -> Option<Check> {
        let written = raw.health_check.as_ref()?;
        let target = Some(written.path.as_str()).filter(|path| path.starts_with('/'));
        let target = target.and_then(|path| PathAndQuery::try_from(path).ok());
        if target.is_none() {
            self.problem(
                "health_check.path",
                format!("`{}` is not a path", written.path),
                "write it as /health",
            );
        }
        let key = |key: &str| format!("health_check.{key}");
        Some(Check {
            interval: self.time(&key("interval"), written.interval, defaults::HEALTH_CHECK_INTERVAL),
            timeout: self.time(&key("timeout"), written.timeout, defaults::HEALTH_CHECK_TIMEOUT),
            unhealthy_after: self.count(
                &key("unhealthy_after"),
                written.unhealthy_after,
                defaults::HEALTH_CHECK_UNHEALTHY_AFTER,
            ),
            healthy_after: self.count(
                &key("healthy_after"),
                written.healthy_after,
                defaults::HEALTH_CHECK_HEALTHY_AFTER,
            ),
            target: target?,
        })
    }
}
