//! The last warnings and errors of the log, kept for the console.

use std::collections::VecDeque;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How many are kept.
const MAX: usize = 100;

/// Longest text of one field, in bytes.
const MAX_TEXT: usize = 500;

/// Most fields of one.
const MAX_FIELDS: usize = 12;

/// A line of the log that may need somebody. Like all lines it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// When it was said last: milliseconds since 1970.
    pub time: u64,
    /// `warn` or `error`.
    pub level: &'static str,
    /// What it says.
    pub message: String,
    /// What it says more, by name.
    pub fields: IndexMap<&'static str, String>,
    /// How often it was said with nothing else between.
    pub count: u64,
}

/// The last warnings and errors.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Troubles {
    /// The newest last.
    pub errors: VecDeque<Trouble>,
    /// How many there were since the start.
    pub total: u64,
}

static TROUBLES: Mutex<Troubles> = Mutex::new(Troubles { errors: VecDeque::new(), total: 0 });

fn troubles() -> MutexGuard<'static, Troubles> {
    TROUBLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last hundred warnings and errors that the log had.
pub fn recent() -> Troubles {
    troubles().clone()
}

/// Keeps what goes to the log.
pub(super) struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => return,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut trouble = Trouble { time, level, message: String::new(), fields: IndexMap::new(), count: 1 };
        event.record(&mut trouble);
        troubles().add(trouble);
    }
}

impl Troubles {
    fn add(&mut self, trouble: Trouble) {
        self.total += 1;
        if let Some(last) = self.errors.back_mut()
            && (last.level, &last.message, &last.fields) == (trouble.level, &trouble.message, &trouble.fields)
        {
            last.count += 1;
            last.time = trouble.time;
            return;
        }
        if self.errors.len() >= MAX {
            self.errors.pop_front();
        }
        self.errors.push_back(trouble);
    }
}

impl Visit for Trouble {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.note(field, &format_args!("{value:?}"));
    }
}

impl Trouble {
    fn note(&mut self, field: &Field, value: &dyn std::fmt::Display) {
        let mut text = Bounded(String::new());
        // It fails where the text is full.
        let _ = write!(text, "{value}");
        if field.name() == "message" {
            self.message = text.0;
        } else if self.fields.len() < MAX_FIELDS {
            self.fields.insert(field.name(), text.0);
        }
    }
}

/// A text that takes no more than [`MAX_TEXT`] bytes.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = MAX_TEXT.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.0.push_str(text.get(..end).unwrap_or_default());
        self.0.push_str("...");
        Err(std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn trouble(message: &str) -> Trouble {
        Trouble { time: 1, level: "warn", message: message.into(), fields: IndexMap::new(), count: 1 }
    }

    #[test]
    fn the_last_hundred_are_kept_and_repetitions_counted() {
        let mut troubles = Troubles::default();
        (0..150).for_each(|number| troubles.add(trouble(&number.to_string())));
        (0..3).for_each(|_| troubles.add(trouble("149")));
        assert_eq!((troubles.errors.len(), troubles.total), (MAX, 153));
        let ends = (troubles.errors.front().unwrap(), troubles.errors.back().unwrap());
        assert_eq!((ends.0.message.as_str(), ends.1.message.as_str(), ends.1.count), ("50", "149", 4));
    }

    #[test]
    fn warnings_and_errors_are_taken_with_their_fields_and_cut() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Recent), || {
            tracing::info!("recent-test: nothing");
            tracing::warn!(upstream = "api", status = 502, error = %"x".repeat(900), "recent-test: lost");
        });
        let kept = recent().errors;
        let mine: Vec<_> = kept.iter().filter(|it| it.message.starts_with("recent-test")).collect();
        assert_eq!(mine.len(), 1);
        assert_eq!((mine[0].level, mine[0].message.as_str()), ("warn", "recent-test: lost"));
        assert_eq!((mine[0].fields["upstream"].as_str(), mine[0].fields["status"].as_str()), ("api", "502"));
        assert_eq!(mine[0].fields["error"].len(), MAX_TEXT + 3);
    }
}
