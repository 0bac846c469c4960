//! Which upstream serves which host and path, decided on the raw path, segment by segment.

mod path;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use crate::config::{Problems, defaults, file};

use path::{climbs, host_name, is_path, only_path, under};

/// Name of the upstream that `upstream:` makes, and of the route to it.
const DEFAULT: &str = defaults::UPSTREAM_NAME;

/// All routes, and the path that is Socket.IO's.
#[derive(Debug)]
pub struct Router {
    /// Those of a host first, then the longest prefix first: the first match is the right one.
    routes: Vec<RouteEntry>,
    socketio: String,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// Label in metrics and logs: what the route matches, or `default` for `upstream:`.
    pub name: String,
    /// Name of its upstream.
    pub upstream: String,
    /// Time to the response's head, where the route says it.
    pub response_timeout: Option<Duration>,
    /// Largest request body in bytes; `None`: as large as it comes.
    pub max_body: Option<u64>,
    /// In lower case, without a port.
    host: Option<String>,
    /// Without a slash at its end; empty matches every path.
    prefix: String,
    strip: String,
    add: String,
    /// Whether more depends on the path than the upstream.
    carries_policy: bool,
}

impl Router {
    /// Compiles `routes`, `upstream:` and `socketio.path`.
    pub fn build(file: &file::File, problems: &mut Problems) -> Router {
        let socketio = socketio_path(file.socketio.path.as_deref(), problems);
        let mut routes: Vec<RouteEntry> = Vec::with_capacity(file.routes.len() + 1);
        for (index, route) in file.routes.iter().enumerate() {
            let entry = Reader { key: format!("routes[{index}]"), file, problems }.read(route, &socketio);
            if routes.iter().any(|other| other.host == entry.host && other.prefix == entry.prefix) {
                let wrong = format!("`{}` is matched by an earlier route", entry.name);
                problems.add(
                    format!("routes[{index}].match"),
                    wrong,
                    "give each route its own host or path_prefix",
                );
            }
            routes.push(entry);
        }
        if has_upstream(file, DEFAULT) && !routes.iter().any(RouteEntry::matches_all) {
            routes.push(RouteEntry::to_default(file));
        } else if routes.is_empty() {
            problems.add(
                "upstream",
                "no path leads to an upstream",
                "write `upstream: http://127.0.0.1:3000`, or `routes` to the `upstreams`",
            );
        }
        routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.prefix.len())));
        Router { routes, socketio }
    }

    /// The route of a request: `host` as the client wrote it (with or without a port), `path` raw.
    pub fn route(&self, host: &str, path: &str) -> Option<&RouteEntry> {
        let path = only_path(path);
        self.routes.iter().find(|route| {
            route.host.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(host_name(host)))
                && under(path, &route.prefix).is_some()
        })
    }

    /// Whether a raw path is Socket.IO's own: `socketio.path` itself, with or without a slash, and
    /// what is below it.
    pub fn is_socketio(&self, path: &str) -> bool {
        under(only_path(path), &self.socketio).is_some()
    }

    /// Whether a raw path must be refused (400): it climbs with `..`, encoded or not, while some
    /// route's limits or prefixes depend on the path. An upstream that resolves the dots would
    /// serve what another route is for.
    pub fn refuses(&self, path: &str) -> bool {
        self.routes.iter().any(|route| route.carries_policy) && climbs(only_path(path))
    }
}

impl RouteEntry {
    /// The path and query to ask the upstream for: `strip_prefix` off, `add_prefix` on, everything
    /// else byte for byte. What was rewritten begins with exactly one slash, so that it can never
    /// be read as an authority.
    pub fn rewrite<'a>(&self, target: &'a str) -> Cow<'a, str> {
        let rest = match under(only_path(target), &self.strip) {
            Some(_) => target.get(self.strip.len()..).unwrap_or(target),
            None => target,
        };
        if rest.len() == target.len() && self.add.is_empty() {
            return Cow::Borrowed(target);
        }
        let joined = format!("{}{rest}", self.add);
        Cow::Owned(format!("/{}", joined.trim_start_matches('/')))
    }

    fn matches_all(&self) -> bool {
        self.host.is_none() && self.prefix.is_empty()
    }

    /// The route that `upstream:` makes.
    fn to_default(file: &file::File) -> RouteEntry {
        RouteEntry {
            name: DEFAULT.to_owned(),
            upstream: DEFAULT.to_owned(),
            response_timeout: None,
            max_body: file.limits.max_body.map(|size| size.0),
            host: None,
            prefix: String::new(),
            strip: String::new(),
            add: String::new(),
            carries_policy: false,
        }
    }
}

/// Reads one entry of `routes`.
struct Reader<'a> {
    key: String,
    file: &'a file::File,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn read(&mut self, route: &file::Route, socketio: &str) -> RouteEntry {
        let host = route.matches.host.as_deref().map(|host| self.host(host));
        let prefix = self.prefix("match.path_prefix", route.matches.path_prefix.as_deref());
        if under(&prefix, socketio).is_some() {
            let wrong = format!("`{prefix}` is never reached: frontroom itself answers below `{socketio}`");
            self.problem("match.path_prefix", wrong, "drop the route, or set `socketio.path`");
        }
        let name = match (&host, prefix.as_str()) {
            (None, "") => "/".to_owned(),
            (host, prefix) => format!("{}{prefix}", host.as_deref().unwrap_or_default()),
        };
        let own_limits = route.max_body.is_some() || route.response_timeout.is_some();
        RouteEntry {
            name,
            upstream: self.upstream(&route.upstream),
            response_timeout: route.response_timeout.map(|time| time.0),
            max_body: route.max_body.or(self.file.limits.max_body).map(|size| size.0),
            host,
            prefix,
            strip: self.prefix("strip_prefix", route.strip_prefix.as_deref()),
            add: self.prefix("add_prefix", route.add_prefix.as_deref()),
            carries_policy: own_limits || route.strip_prefix.is_some() || route.add_prefix.is_some(),
        }
    }

    fn problem(&mut self, key: &str, wrong: String, right: &str) {
        self.problems.add(format!("{}.{key}", self.key), wrong, right);
    }

    fn upstream(&mut self, name: &str) -> String {
        if name.is_empty() && has_upstream(self.file, DEFAULT) {
            return DEFAULT.to_owned();
        }
        if !has_upstream(self.file, name) {
            let mut names: Vec<&str> = self.file.upstreams.keys().map(String::as_str).collect();
            names.extend(self.file.upstream.as_ref().map(|_| DEFAULT));
            let right = match names.as_slice() {
                [] => "write `upstreams: {NAME: {endpoints: http://127.0.0.1:3000}}`".to_owned(),
                names => format!("name one of: {}", names.join(", ")),
            };
            let wrong = if name.is_empty() {
                "is missing".to_owned()
            } else {
                format!("there is no upstream `{name}`")
            };
            self.problem("upstream", wrong, &right);
        }
        name.to_owned()
    }

    fn host(&mut self, written: &str) -> String {
        let name = host_name(written);
        let ours = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if name != written.trim_end_matches('.') || name.is_empty() || !name.chars().all(ours) {
            let wrong = format!("`{written}` is not a host's name");
            self.problem("match.host", wrong, "write it as api.example.com, without scheme, port and `*`");
        }
        name.to_ascii_lowercase()
    }

    /// A prefix without the slash at its end.
    fn prefix(&mut self, key: &str, written: Option<&str>) -> String {
        let Some(written) = written else { return String::new() };
        if !is_path(written) {
            self.problem(key, format!("`{written}` is not a path"), "write it as /api");
        }
        written.trim_end_matches('/').to_owned()
    }
}

fn has_upstream(file: &file::File, name: &str) -> bool {
    file.upstreams.contains_key(name) || (name == DEFAULT && file.upstream.is_some())
}

fn socketio_path(written: Option<&str>, problems: &mut Problems) -> String {
    let Some(written) = written else { return defaults::SOCKETIO_PATH.to_owned() };
    let path = written.trim_end_matches('/');
    if !is_path(written) || path.is_empty() {
        let wrong = format!("`{written}` cannot be Socket.IO's path");
        problems.add("socketio.path", wrong, "write it as /socket.io; every path below it is frontroom's");
        return defaults::SOCKETIO_PATH.to_owned();
    }
    path.to_owned()
}
