//! What a template says of itself as it is written, for those who describe rules and do not run them.

use super::source::Source;
use super::text::{self, Block, Piece};
use super::{Path, Step};

/// What a scalar of the config becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// Itself.
    Constant,
    /// The value at a path, with its own type.
    Path(Path),
    /// The value of another expression.
    Expression,
    /// A string.
    Text,
}

/// What `text` becomes, as the compiler has it.
pub(crate) fn written(text: &str) -> Written {
    if !text::is_template(text) {
        return Written::Constant;
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text::has_statements(text) {
        return Written::Text;
    }
    match text::split(text).as_deref() {
        Ok([Piece::Expression(only)]) => Path::parse(only).map_or(Written::Expression, Written::Path),
        _ => Written::Text,
    }
}

/// The literal pieces around the values of a text: one more than there are values.
pub(crate) fn literals(text: &str) -> Vec<String> {
    let mut literals = vec![String::new()];
    for piece in text::split(text).unwrap_or_default() {
        match piece {
            Piece::Literal(literal) => {
                literals.last_mut().into_iter().for_each(|last| last.push_str(literal))
            }
            Piece::Expression(_) => literals.push(String::new()),
        }
    }
    literals
}

/// The paths that a text with templates reads.
pub(crate) fn reads(text: &str) -> Vec<Path> {
    if !text::is_template(text) {
        return Vec::new();
    }
    if text::has_statements(text) {
        return Block::compile(text).map(|(_, reads)| reads.iter().map(dotted).collect()).unwrap_or_default();
    }
    let pieces = text::split(text).unwrap_or_default();
    let expressions = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Expression(expression) => Some(expression),
        Piece::Literal(_) => None,
    });
    expressions.flat_map(read_by_expression).collect()
}

/// The paths that an expression reads, with braces around it or without.
pub(crate) fn reads_of_expression(text: &str) -> Vec<Path> {
    if text::is_template(text) { reads(text) } else { read_by_expression(text) }
}

fn read_by_expression(expression: &str) -> Vec<Path> {
    match Source::compile(expression, |_| true) {
        Ok(Source::Path(path)) => vec![path],
        Ok(source) => source.reads().iter().map(dotted).collect(),
        Err(_) => Vec::new(),
    }
}

/// `a.b.c`, as MiniJinja lists what it reads.
fn dotted(name: impl AsRef<str>) -> Path {
    let mut keys = name.as_ref().split('.');
    let root = keys.next().unwrap_or_default().into();
    Path { root, steps: keys.map(|key| Step::Key(key.into())).collect() }
}
