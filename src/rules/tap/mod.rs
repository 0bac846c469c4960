//! Taps: a REST answer becomes an event. Nothing leaks by default: what clients see is written.

mod line;
mod pattern;
mod scope;
mod selection;
mod tee;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::config::{Problems, defaults, file, value};
use crate::json::Json;
use crate::message::Fields;
use crate::socketio::{Command, Hub};
use crate::telemetry::metrics;

use super::actions::Here;
use super::decode;
use super::emit::Emit;
use super::reply::Reply;
use super::template::{Compiler, Error, Names, Scope, Source, Uses};

use line::Line;
use pattern::Pattern;
use scope::{Exchange, TapScope};
use selection::Selection;
use tee::Missing;
use watch::Complete;
pub use watch::Watch;

/// Largest body looked at.
const MAX_BODY: usize = 1_000_000;

/// Where commands go.
pub trait Sink: Send + Sync + 'static {
    /// Does one thing to a selection of sockets; answers how many it was done to.
    fn run(&self, command: &Command) -> usize;
}

impl Sink for Hub {
    fn run(&self, command: &Command) -> usize {
        Hub::run(self, command)
    }
}

/// All taps.
#[derive(Debug)]
pub struct Taps {
    all: Vec<Tap>,
    /// What they still have to look at.
    line: Arc<Line>,
}

/// One tap.
#[derive(Debug)]
struct Tap {
    /// Its `on`, which names it in logs and metrics.
    on: String,
    pattern: Pattern,
    /// Statuses that count, from and to.
    statuses: Vec<(u16, u16)>,
    when: Option<Source>,
    emit: Vec<Emit>,
    join: Vec<Selection>,
    leave: Vec<Selection>,
    disconnect: Vec<Selection>,
    here: Here,
    max_body: usize,
    dry_run: bool,
    uses: Uses,
}

impl Taps {
    /// Builds them from `taps:` and `limits.tap_backlog`.
    pub fn build(file: &[file::Tap], backlog: Option<value::Size>, problems: &mut Problems) -> Taps {
        let compile = |(index, raw)| Tap::compile(&format!("taps[{index}]"), raw, problems);
        let all = file.iter().enumerate().filter_map(compile).collect();
        let backlog = backlog.map_or(defaults::LIMIT_TAP_BACKLOG, |backlog| backlog.0);
        Taps { all, line: Arc::new(Line::new(usize::try_from(backlog).unwrap_or(usize::MAX))) }
    }

    /// Counts what became of an answer for each of these taps.
    fn count(&self, matches: &[usize], result: &str) {
        for tap in matches.iter().filter_map(|index| self.get(*index)) {
            tracing::warn!(tap = tap.on, result, "a tap does not look at an answer");
            metrics::tap(&tap.on, result);
        }
    }

    /// Watches an exchange, by the path and query as the client sent them. `None`, and nothing is
    /// allocated, where no tap matches.
    pub fn watch(self: &Arc<Self>, method: &Method, target: &str, headers: &Fields) -> Option<Watch> {
        if self.all.is_empty() {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let matching = self.all.iter().enumerate().filter(|(_, tap)| tap.pattern.matches(method, path));
        let matches: Vec<_> = matching.map(|(index, tap)| (index, tap.pattern.captures(path))).collect();
        if matches.is_empty() {
            return None;
        }
        let reads_headers =
            matches.iter().any(|(index, _)| self.get(*index).is_some_and(|tap| tap.uses.reads_request()));
        let headers = if reads_headers { headers.clone() } else { Fields::new() };
        let (path, query) = (path.to_owned(), query.to_owned());
        let exchange = Exchange { method: method.clone(), path, query, headers };
        Some(Watch { taps: Arc::clone(self), matches, exchange, request: None })
    }

    fn get(&self, index: usize) -> Option<&Tap> {
        self.all.get(index)
    }

    /// Runs the matching taps, one after another.
    fn run(complete: &Complete, sink: &dyn Sink) {
        for (index, captures) in &complete.watch.matches {
            let Some(tap) = complete.watch.taps.get(*index) else { continue };
            let result = match tap.scope(complete, captures.clone()) {
                Ok(scope) => tap.run(&scope, sink),
                Err(result) => result,
            };
            if matches!(result, "too_large" | "bad_body") {
                tracing::warn!(tap = tap.on, result, "a tap cannot look at an answer");
            }
            metrics::tap(&tap.on, result);
        }
    }
}

impl Tap {
    fn compile(key: &str, raw: &file::Tap, problems: &mut Problems) -> Option<Tap> {
        let pattern = match Pattern::parse(&raw.on) {
            Ok(pattern) => pattern,
            Err(wrong) => {
                problems.add(format!("{key}.on"), wrong, "write it as POST /rooms/{room_id}/messages");
                return None;
            }
        };
        let statuses = statuses(&format!("{key}.status"), raw, problems);
        let namespace = raw.namespace.as_deref().unwrap_or("/");
        if !namespace.starts_with('/') {
            problems.add(format!("{key}.namespace"), "does not begin with `/`", "a name such as /support");
        }
        if raw.emit.0.is_empty()
            && raw.join.0.is_empty()
            && raw.leave.0.is_empty()
            && raw.disconnect.0.is_empty()
        {
            problems.add(key, "does nothing", "one of emit, join, leave or disconnect");
        }
        let mut compiler = Compiler::new(Names::tap(&pattern.names()), problems);
        let c = &mut compiler;
        let when = raw.when.as_ref().map(|when| c.expression(&format!("{key}.when"), when));
        let emit = listed(key, "emit", &raw.emit.0, |key, emit| Emit::compile(c, &key, emit, true));
        let join = listed(key, "join", &raw.join.0, |key, raw| Selection::movement(c, &key, raw));
        let leave = listed(key, "leave", &raw.leave.0, |key, raw| Selection::movement(c, &key, raw));
        let disconnect =
            listed(key, "disconnect", &raw.disconnect.0, |key, raw| Selection::departure(c, &key, raw));
        let max_body = raw.max_body.map_or(MAX_BODY, |max| usize::try_from(max.0).unwrap_or(usize::MAX));
        Some(Tap {
            on: raw.on.clone(),
            pattern,
            statuses,
            when,
            emit,
            join,
            leave,
            disconnect,
            here: Here::namespace(namespace.into()),
            max_body,
            dry_run: raw.dry_run,
            uses: compiler.uses,
        })
    }

    fn counts(&self, status: StatusCode) -> bool {
        self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status.as_u16()))
    }

    /// What the templates see, or why the tap cannot look at the exchange.
    fn scope(
        &self,
        complete: &Complete,
        captures: crate::socketio::Captures,
    ) -> Result<Arc<dyn Scope>, &'static str> {
        let (mut response, mut body) = (Bytes::new(), Json::null());
        if self.uses.response_body {
            response = self.body(&complete.headers, &complete.response)?;
        }
        if self.uses.request_body {
            let bytes = self.body(&complete.watch.exchange.headers, &complete.request)?;
            if !bytes.is_empty() {
                body = Json::parse(bytes).map_err(|_| "bad_body")?;
            }
        }
        let reply = Reply::new(complete.status, complete.headers.clone(), response);
        if !reply.bytes.is_empty() && reply.json().is_none() {
            return Err("bad_body");
        }
        Ok(Arc::new(TapScope { exchange: complete.watch.exchange.clone(), body, captures, reply }))
    }

    fn body(&self, headers: &Fields, copy: &Result<Bytes, Missing>) -> Result<Bytes, &'static str> {
        match copy {
            Ok(bytes) => decode::decode(headers, bytes.clone(), self.max_body).map_err(|error| match error {
                decode::Error::TooLarge => "too_large",
                decode::Error::Bad => "bad_body",
            }),
            Err(Missing::TooLarge) => Err("too_large"),
            Err(Missing::Incomplete) => Err("bad_body"),
        }
    }

    fn run(&self, scope: &Arc<dyn Scope>, sink: &dyn Sink) -> &'static str {
        let commands = match self.when.as_ref().map_or(Ok(true), |when| when.is_true(scope)) {
            Ok(true) => self.commands(scope),
            Ok(false) => return "skipped",
            Err(error) => Err(error),
        };
        match commands {
            Ok(commands) if self.dry_run => {
                commands.iter().for_each(|command| self.log(command));
                "dry_run"
            }
            Ok(commands) => {
                for command in &commands {
                    sink.run(command);
                }
                "emitted"
            }
            Err(error) => {
                tracing::warn!(tap = self.on, template = error.place(), "a tap's template has no value");
                "error"
            }
        }
    }

    /// All or nothing: a tap that fails half-way does nothing.
    fn commands(&self, scope: &Arc<dyn Scope>) -> Result<Vec<Command>, Error> {
        let mut commands = Vec::new();
        let namespace = || Arc::clone(&self.here.namespace);
        for leave in &self.leave {
            let (target, rooms) = leave.fill(scope)?;
            commands.push(Command::Leave { namespace: namespace(), target, rooms });
        }
        for join in &self.join {
            let (target, rooms) = join.fill(scope)?;
            commands.push(Command::Join { namespace: namespace(), target, rooms });
        }
        for emit in &self.emit {
            commands.extend(emit.fill(scope)?.command(&self.here));
        }
        for disconnect in &self.disconnect {
            let (target, _) = disconnect.fill(scope)?;
            commands.push(Command::Disconnect { namespace: namespace(), target, close: disconnect.close });
        }
        Ok(commands)
    }

    fn log(&self, command: &Command) {
        let what = match command {
            Command::Emit { event, .. } | Command::Ask { event, .. } => event.name.as_text(),
            Command::Join { .. } => "(join)",
            Command::Leave { .. } => "(leave)",
            Command::Disconnect { .. } => "(disconnect)",
        };
        let target = command.target();
        tracing::info!(tap = self.on, what, to = ?target.rooms, everyone = target.everyone, "tap, dry run");
    }
}

fn listed<R, T>(key: &str, name: &str, raw: &[R], mut compile: impl FnMut(String, &R) -> T) -> Vec<T> {
    let place = |index| match raw.len() {
        1 => format!("{key}.{name}"),
        _ => format!("{key}.{name}[{index}]"),
    };
    raw.iter().enumerate().map(|(index, raw)| compile(place(index), raw)).collect()
}

fn statuses(key: &str, raw: &file::Tap, problems: &mut Problems) -> Vec<(u16, u16)> {
    let Some(written) = &raw.status else { return vec![(200, 299)] };
    let mut statuses = Vec::new();
    for text in &written.0 {
        let class = text.strip_suffix("xx").and_then(|class| class.parse().ok());
        match (class, text.parse::<u16>()) {
            (Some(class @ 1..=5), _) => statuses.push((class * 100, class * 100 + 99)),
            (_, Ok(status @ 100..=599)) => statuses.push((status, status)),
            _ => problems.add(key, format!("`{text}` is no status"), "201, or a class such as 2xx"),
        }
    }
    statuses
}
