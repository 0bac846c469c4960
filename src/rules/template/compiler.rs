//! Compiles templates and reports what is wrong with them.

use crate::config::Problems;
use crate::config::file::Tree;
use crate::json::Json;

use super::names::{Names, Uses};
use super::source::Source;
use super::text::{self, Block, Part, Piece, Text};
use super::url::Url;
use super::{Template, push_string};

/// Compiles the templates of one place. A template with a problem becomes a harmless constant, as
/// nothing is run while there are problems.
pub(crate) struct Compiler<'a> {
    /// The names its templates may use.
    pub(crate) names: Names,
    /// What the templates compiled so far read.
    pub(crate) uses: Uses,
    /// Where problems go.
    pub(crate) problems: &'a mut Problems,
}

impl<'a> Compiler<'a> {
    /// For templates that may use `names`.
    pub(crate) fn new(names: Names, problems: &'a mut Problems) -> Compiler<'a> {
        Compiler { names, uses: Uses::default(), problems }
    }

    /// Compiles a YAML value.
    pub(crate) fn template(&mut self, key: &str, tree: &Tree) -> Template {
        match tree {
            Tree::String(text) if text::is_template(text) => self.scalar(key, text),
            Tree::Array(list) => {
                let items: Vec<_> = list
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.template(&format!("{key}[{index}]"), item))
                    .collect();
                constant(tree, items.iter()).unwrap_or(Template::List(items))
            }
            Tree::Object(map) => {
                let items: Vec<_> = map
                    .iter()
                    .map(|(name, item)| (quoted(name), self.template(&format!("{key}.{name}"), item)))
                    .collect();
                let inner = items.iter().map(|(_, item)| item);
                constant(tree, inner).unwrap_or(Template::Map(items))
            }
            scalar => Template::Constant(Json::from_value(scalar)),
        }
    }

    /// Compiles one or several rooms. What can never name one is a problem.
    pub(crate) fn rooms(&mut self, key: &str, tree: &Tree) -> Template {
        match tree {
            Tree::Array(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.room(&format!("{key}[{index}]"), item);
                }
            }
            one => self.room(key, one),
        }
        self.template(key, tree)
    }

    fn room(&mut self, key: &str, tree: &Tree) {
        let is_template = matches!(tree, Tree::String(text) if text::is_template(text));
        if !is_template && let Err(error) = super::room(&Json::from_value(tree)) {
            self.problems.add(key, error.to_string(), "a room's name: a text, a number or a template");
        }
    }

    fn scalar(&mut self, key: &str, text: &str) -> Template {
        // As in Jinja, the newline that a YAML block leaves at the end does not count.
        let text = text.strip_suffix('\n').unwrap_or(text);
        if !text::has_statements(text)
            && let Ok(pieces) = text::split(text)
            && let [Piece::Expression(only)] = pieces.as_slice()
        {
            return Template::Value(self.source(key, only));
        }
        Template::Text(self.text(key, text))
    }

    /// Compiles a text that stays a text.
    pub(crate) fn text(&mut self, key: &str, text: &str) -> Text {
        if text::is_template(text) && text::has_statements(text) {
            return match Block::compile(text) {
                Ok((block, reads)) => {
                    self.reads(key, &reads);
                    Text::Block(block)
                }
                Err(message) => {
                    self.bad(key, &message);
                    Text::Parts(Vec::new())
                }
            };
        }
        Text::Parts(self.parts(key, text))
    }

    /// Compiles the `{{ }}` of a text.
    pub(super) fn parts(&mut self, key: &str, text: &str) -> Vec<Part> {
        let pieces = text::split(text).unwrap_or_else(|message| {
            self.bad(key, &message);
            Vec::new()
        });
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => Part::Literal(literal.into()),
                Piece::Expression(expression) => Part::Value(self.source(key, expression)),
            })
            .collect()
    }

    /// Compiles an expression that stands alone, as in `when`; braces around it may be there.
    pub(crate) fn expression(&mut self, key: &str, text: &str) -> Source {
        match text::split(text.trim()).as_deref() {
            Ok([Piece::Expression(only)]) => self.source(key, only),
            _ => self.source(key, text),
        }
    }

    /// Compiles a request's path and query.
    pub(crate) fn url(&mut self, key: &str, text: &str) -> Url {
        Url::compile(self, key, text)
    }

    fn source(&mut self, key: &str, text: &str) -> Source {
        let names = self.names.clone();
        match Source::compile(text, |root| names.check(&[root]).is_ok()) {
            Ok(source) => {
                self.reads(key, &source.reads());
                source
            }
            Err(message) => {
                self.bad(key, &message);
                Source::Path(super::Path { root: "".into(), steps: Vec::new() })
            }
        }
    }

    fn reads(&mut self, key: &str, names: &[String]) {
        for name in names {
            let keys: Vec<&str> = name.split('.').collect();
            let is_function = super::source::ENVIRONMENT.globals().any(|(global, _)| global == name);
            if is_function {
                continue;
            }
            self.uses.note(&keys);
            if let Err((wrong, right)) = self.names.check(&keys) {
                self.problems.add(key, wrong, right);
            }
        }
    }

    fn bad(&mut self, key: &str, message: &str) {
        self.problems.add(key, message, "templates are MiniJinja, such as `{{ data.id }}`");
    }
}

/// The value as it is, if nothing in it is a template.
fn constant<'t>(tree: &Tree, mut items: impl Iterator<Item = &'t Template>) -> Option<Template> {
    items
        .all(|item| matches!(item, Template::Constant(_)))
        .then(|| Template::Constant(Json::from_value(tree)))
}

fn quoted(key: &str) -> Box<str> {
    let mut out = String::new();
    push_string(&mut out, key);
    out.into()
}
