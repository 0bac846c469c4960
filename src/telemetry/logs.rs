//! Where log lines go and how they look: to standard error, as text or as JSON.
//!
//! Levels: `error` needs somebody, `warn` may need somebody soon, `info` is what happened (a start,
//! a reload, a request), `debug` is why, `trace` is every step.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::recent::Recent;
use crate::config::file::{self, LogFormat};
use crate::config::{Problems, defaults};

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    format: LogFormat,
    level: Level,
    /// Whether each request gets a line.
    pub access: bool,
}

impl Logs {
    /// Compiles the `log` section.
    pub fn build(log: &file::Log, problems: &mut Problems) -> Logs {
        let written = log.level.as_deref().unwrap_or(defaults::LOG_LEVEL);
        let level = match written {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            other => {
                let wrong = format!("`{other}` is not a level");
                problems.add("log.level", wrong, "write error, warn, info, debug or trace");
                Level::INFO
            }
        };
        Logs { format: log.format, level, access: log.access.unwrap_or(defaults::LOG_ACCESS) }
    }

    /// Starts logging for the whole process; where it was started already, nothing changes.
    /// `RUST_LOG` goes before `log.level`.
    pub fn init(&self) {
        let (filter, handle) = reload::Layer::new(self.filter());
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match self.format {
            LogFormat::Text => {
                let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                lines.with_ansi(colour).with_target(false).boxed()
            }
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        };
        match tracing_subscriber::registry().with(filter).with(lines).with(Recent).try_init() {
            Ok(()) => {
                let _ = FILTER.set(handle);
            }
            Err(_) => tracing::debug!("logging was started before"),
        }
    }

    /// Puts another level in force for the whole process.
    pub fn apply(&self) {
        if let Some(handle) = FILTER.get() {
            // It fails only where nothing logs any more.
            let _ = handle.reload(self.filter());
        }
    }

    fn filter(&self) -> EnvFilter {
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(self.directives()))
    }

    /// The level is for our own lines; those of the libraries beneath only where something is wrong.
    fn directives(&self) -> String {
        format!("{},frontroom={}", self.level.min(Level::WARN), self.level)
    }
}

/// Sets which lines the process writes.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::super::Access;
    use super::*;

    fn build(yaml: &str) -> (Logs, Vec<String>) {
        let mut problems = Problems::default();
        let logs = Logs::build(&serde_yaml::from_str(yaml).unwrap(), &mut problems);
        (logs, problems.into_vec().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_level_is_one_of_five() {
        for (level, directives) in [
            ("error", "ERROR,frontroom=ERROR"),
            ("warn", "WARN,frontroom=WARN"),
            ("debug", "WARN,frontroom=DEBUG"),
        ] {
            let (logs, problems) = build(&format!("level: {level}"));
            assert_eq!((logs.directives().as_str(), problems.len()), (directives, 0));
        }
        let (logs, problems) = build("{level: verbose, access: false, format: json}");
        assert_eq!(
            problems,
            ["log.level: `verbose` is not a level; write error, warn, info, debug or trace"]
        );
        assert!(!logs.access && build("{}").0.access);
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_access_line_is_one_line_without_the_query() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            Access {
                method: "GET",
                path: "/socket.io/\u{202e}\n?sid=secret",
                status: 200,
                duration: Duration::from_micros(1234),
                bytes: None,
                client: [10, 0, 0, 1].into(),
                request_id: "7d2f",
                route: "socketio",
            }
            .log();
        });
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(line.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["path"], r"/socket.io/\u{202e}\u{a}");
        assert_eq!(line["ms"], serde_json::json!(1.234));
        assert_eq!((&line["status"], &line["client"]), (&200.into(), &"10.0.0.1".into()));
        assert!(line.get("bytes").is_none());
    }
}
