//! What stands between `{{` and `}}`: a plain path, or an expression for MiniJinja.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, Expression, Output, State, UndefinedBehavior};

use crate::json::Json;

use super::pointer::Path;
use super::scope::{Root, Scope};
use super::value;

/// Instructions one template may run: far beyond honest use, some milliseconds at most.
const FUEL: u64 = 100_000;

/// Filters, tests and functions of all templates.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false);
    environment.set_formatter(write_text);
    // `namespace` is a name of ours, and `debug` would print everything there is.
    environment.remove_global("namespace");
    environment.remove_global("debug");
    #[cfg(test)]
    environment.add_function("panics", || -> String { panic!("a template panics") });
    environment
});

/// Prints a value inside a text: strings as they are, everything else as JSON.
fn write_text(out: &mut Output, _: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if let Some(text) = value.as_str() {
        return Ok(out.write_str(text)?);
    }
    let mut text = String::new();
    value::write_json(value, &mut text)?;
    Ok(out.write_str(&text)?)
}

/// Why a template has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A name or a key that is not there.
    #[error("{0} is not defined")]
    Undefined(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    pub(crate) fn other(message: impl Into<String>) -> Error {
        Error::Other(message.into())
    }

    /// Where it happened, without any value: a log never holds what a message says.
    pub(crate) fn place(&self) -> &str {
        let (Error::Undefined(message) | Error::Other(message)) = self;
        message.strip_prefix('`').and_then(|rest| rest.split_once('`')).map_or("", |(place, _)| place)
    }

    pub(super) fn from_minijinja(error: &minijinja::Error, source: &str) -> Error {
        match error.kind() {
            ErrorKind::UndefinedError => Error::Undefined(format!("`{}`", source.trim())),
            _ => Error::Other(format!("`{}`: {}", source.trim(), describe(error))),
        }
    }
}

/// MiniJinja's message without its made-up file names.
pub(super) fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// What stands between `{{` and `}}`.
#[derive(Debug)]
pub(crate) enum Source {
    /// A plain path, resolved on the JSON text itself.
    Path(Path),
    /// Anything else.
    Expression(Compiled),
}

/// An expression compiled by MiniJinja.
pub(crate) struct Compiled {
    text: Box<str>,
    expression: Expression<'static, 'static>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Source {
    /// Compiles an expression. `is_name` says whether a path may start there; what does not
    /// (`true`, `range`) is MiniJinja's. The error is MiniJinja's message.
    pub(super) fn compile(text: &str, is_name: impl Fn(&str) -> bool) -> Result<Source, String> {
        if let Some(path) = Path::parse(text).filter(|path| is_name(&path.root)) {
            return Ok(Source::Path(path));
        }
        let expression =
            ENVIRONMENT.compile_expression_owned(text.to_owned()).map_err(|error| describe(&error))?;
        if let Some(message) = super::filters::unknown(text) {
            return Err(message);
        }
        Ok(Source::Expression(Compiled { text: text.trim().into(), expression }))
    }

    /// The names it reads, with the keys after them: `response.body.id`.
    pub(super) fn reads(&self) -> Vec<String> {
        match self {
            Source::Path(path) => vec![path.keys().join(".")],
            Source::Expression(compiled) => {
                let names = compiled.expression.undeclared_variables(true);
                super::names::sorted(names)
            }
        }
    }

    /// Its value.
    pub(crate) fn json(&self, scope: &Arc<dyn Scope>) -> Result<Json, Error> {
        match self {
            Source::Path(path) => scope.find(path).ok_or_else(|| Error::Undefined(format!("`{path}`"))),
            Source::Expression(compiled) => {
                let value = compiled.eval(scope)?;
                let mut text = String::new();
                value::write_json(&value, &mut text)
                    .map_err(|error| Error::from_minijinja(&error, &compiled.text))?;
                Ok(Json::from_written(text))
            }
        }
    }

    /// Whether its value counts as true: not `false`, `null`, `0`, `""`, `[]` or `{}`.
    pub(crate) fn is_true(&self, scope: &Arc<dyn Scope>) -> Result<bool, Error> {
        match self {
            Source::Path(_) => Ok(value::from_json(&self.json(scope)?).is_true()),
            Source::Expression(compiled) => {
                let value = compiled.eval(scope)?;
                if value.is_undefined() {
                    return Err(Error::Undefined(format!("`{}`", compiled.text)));
                }
                Ok(value.is_true())
            }
        }
    }
}

impl Compiled {
    fn eval(&self, scope: &Arc<dyn Scope>) -> Result<Value, Error> {
        let names = Value::from_object(Root(Arc::clone(scope)));
        self.expression.eval(names).map_err(|error| Error::from_minijinja(&error, &self.text))
    }
}
