//! Texts with templates in them.

use std::fmt;
use std::sync::Arc;

use minijinja::Environment;
use minijinja::value::Value;

use crate::json::Json;

use super::pointer;
use super::scope::{Root, Scope};
use super::source::{ENVIRONMENT, Error, Source, describe};

/// The name that a text with statements has in its environment.
const NAME: &str = "text";

/// A text with templates in it.
#[derive(Debug)]
pub(crate) enum Text {
    /// Literal pieces and values in turn.
    Parts(Vec<Part>),
    /// A text with statements or comments.
    Block(Block),
}

/// A piece of a text.
#[derive(Debug)]
pub(crate) enum Part {
    /// Stands for itself.
    Literal(Box<str>),
    /// A value.
    Value(Source),
}

/// A text that MiniJinja renders as a whole.
pub(crate) struct Block {
    text: Box<str>,
    environment: Box<Environment<'static>>,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Block {
    /// Compiles a text with statements, and tells what it reads.
    pub(super) fn compile(text: &str) -> Result<(Block, Vec<String>), String> {
        let mut environment = Box::new(ENVIRONMENT.clone());
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| describe(&error))?;
        if let Some(message) = tags(text).find_map(super::filters::unknown) {
            return Err(message);
        }
        let names = environment.get_template(NAME).map_err(|error| describe(&error))?;
        let reads = super::names::sorted(names.undeclared_variables(true));
        Ok((Block { text: text.into(), environment }, reads))
    }

    fn render(&self, scope: &Arc<dyn Scope>) -> Result<String, Error> {
        let names = Value::from_object(Root(Arc::clone(scope)));
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(names))
            .map_err(|error| Error::from_minijinja(&error, &self.text))
    }
}

impl Text {
    /// The text with its values in place: strings as they are, everything else as JSON.
    pub(crate) fn render(&self, scope: &Arc<dyn Scope>) -> Result<String, Error> {
        self.render_with(scope, |json| match pointer::text(json) {
            Some(text) => Ok(text),
            None if json.as_str().starts_with('"') => Err(Error::other("a text is not valid Unicode")),
            None => Ok(json.as_str().to_owned()),
        })
    }

    /// The same where every value must be a scalar.
    pub(crate) fn render_scalars(&self, scope: &Arc<dyn Scope>) -> Result<String, Error> {
        self.render_with(scope, scalar)
    }

    fn render_with(
        &self,
        scope: &Arc<dyn Scope>,
        print: impl Fn(&Json) -> Result<String, Error>,
    ) -> Result<String, Error> {
        let parts = match self {
            Text::Parts(parts) => parts,
            Text::Block(block) => return block.render(scope),
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Value(source) => text.push_str(&print(&source.json(scope)?)?),
            }
        }
        Ok(text)
    }
}

/// A scalar as text: a string's characters, a number as it is spelled, `true` or `false`.
pub(crate) fn scalar(json: &Json) -> Result<String, Error> {
    let kind = match json.as_str().as_bytes().first() {
        Some(b'"') => {
            return pointer::text(json).ok_or_else(|| Error::other("a text is not valid Unicode"));
        }
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'n') | None => "null",
        Some(_) => return Ok(json.as_str().to_owned()),
    };
    Err(Error::other(format!("{kind} where a text or a number is needed")))
}

/// A piece of a text as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Expression(&'a str),
}

/// Whether a text has templates in it.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a text has more than `{{ }}` in it.
pub(super) fn has_statements(text: &str) -> bool {
    text.contains("{%") || text.contains("{#")
}

/// What stands inside the `{{ }}` and `{% %}` of a text.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").flat_map(|piece| piece.split("{%")).skip(1).map(|piece| {
        let end = piece.find("}}").into_iter().chain(piece.find("%}")).min().unwrap_or(piece.len());
        piece.get(..end).unwrap_or_default()
    })
}

/// Splits a text without statements at its `{{ }}`. A `-` beside the braces trims as in Jinja.
pub(super) fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let (mut pieces, mut rest, mut trim) = (Vec::new(), text, false);
    loop {
        let (mut literal, after) = match rest.split_once("{{") {
            Some((literal, after)) => (literal, Some(after)),
            None => (rest, None),
        };
        if trim {
            literal = literal.trim_start();
        }
        let mut expression = None;
        if let Some(after) = after {
            let end = expression_end(after).ok_or("`{{` without its `}}`")?;
            let (mut inside, behind) = after.split_at(end);
            if let Some(trimmed) = inside.strip_prefix('-') {
                (inside, literal) = (trimmed, literal.trim_end());
            }
            trim = inside.ends_with('-');
            expression = Some(inside.strip_suffix('-').unwrap_or(inside));
            rest = behind.get(2..).unwrap_or_default();
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        match expression {
            Some(expression) => pieces.push(Piece::Expression(expression)),
            None => return Ok(pieces),
        }
    }
}

/// Where the `}}` is that ends an expression: outside of its strings and braces.
fn expression_end(text: &str) -> Option<usize> {
    let (mut quote, mut escaped, mut depth) = (None, false, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) => quote = (byte != open).then_some(open),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if text.as_bytes().get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}
