//! The JSON Schema of an event's first argument: compiled at `check`, held against each event.

use http::StatusCode;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{PatternOptions, ReferencingError, ValidationError, Validator, meta};

use crate::config::Problems;
use crate::config::file::Tree;
use crate::json::Json;

use super::failure::Failure;
use super::object::Object;

/// Longest argument, in bytes, whose errors are told one by one. The validator gathers all errors before
/// the first is seen, several hundred bytes for each, so that a long list of wrong items would cost a
/// multiple of its length.
const MAX_EXPLAINED: usize = 16_000;

/// Errors that one answer tells.
const MAX_ERRORS: usize = 8;

/// Longest path and longest message of an error, in characters. Both may quote names that the client chose.
const MAX_TEXT: usize = 200;

/// Steps back that a pattern with look-around may take before the value counts as wrong; other
/// patterns take none.
const MAX_BACKTRACKS: usize = 100_000;

/// A compiled JSON Schema (draft 2020-12 where its `$schema` names no other).
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles the schema at `key`. Formats are held, and what a schema refers to must be in itself:
    /// nothing is fetched.
    pub(crate) fn compile(key: &str, tree: &Tree, problems: &mut Problems) -> Option<Schema> {
        let meta = meta::validator_for(tree).ok();
        let mut errors: Vec<_> = meta.iter().flat_map(|meta| meta.iter_errors(tree)).collect();
        // Every vocabulary that looks at a place has its own word on it; one is enough.
        errors.sort_by(|a, b| a.instance_path().as_str().cmp(b.instance_path().as_str()));
        errors.dedup_by(|next, error| next.instance_path() == error.instance_path());
        if !errors.is_empty() {
            errors.iter().for_each(|error| report(key, error, problems));
            return None;
        }
        let patterns = PatternOptions::fancy_regex().backtrack_limit(MAX_BACKTRACKS);
        let options = jsonschema::options().offline().with_pattern_options(patterns);
        match options.should_validate_formats(true).build(tree) {
            Ok(validator) => Some(Schema(validator)),
            Err(error) => {
                report(key, &error, problems);
                None
            }
        }
    }

    /// Holds the first argument against it; an event without arguments counts as `null`.
    pub(crate) fn check(&self, data: Option<&Json>) -> Result<(), Failure> {
        let value = data.map_or(Ok(Tree::Null), Json::to_value);
        let value = value.map_err(|error| refusal(&[(String::new(), error.to_string())]))?;
        if self.0.is_valid(&value) {
            return Ok(());
        }
        if data.is_some_and(|data| data.bytes().len() > MAX_EXPLAINED) {
            return Err(refusal(&[]));
        }
        let errors = self.0.iter_errors(&value).take(MAX_ERRORS);
        let told = |error: ValidationError<'_>| {
            (short(error.instance_path().as_str()), short(&error.masked().to_string()))
        };
        Err(refusal(&errors.map(told).collect::<Vec<_>>()))
    }
}

/// 400 `bad_event`; the body lists where the argument is wrong, as JSON pointers (RFC 6901), and how.
fn refusal(errors: &[(String, String)]) -> Failure {
    let first = errors.first().map_or_else(String::new, |(path, wrong)| match path.as_str() {
        "" => format!(": {wrong}"),
        path => format!(": {path}: {wrong}"),
    });
    let list: Vec<Json> = errors
        .iter()
        .map(|(path, wrong)| Object::new().string("path", path).string("message", wrong).finish())
        .collect();
    let message = format!("the event does not match its schema{first}");
    let failure = Failure::new(StatusCode::BAD_REQUEST, "bad_event", message);
    let body = Object::new().list("errors", &list).finish();
    Failure { body: Some(body), ..failure }
}

/// At most [`MAX_TEXT`] characters.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Notes what is wrong with the schema at `key`.
fn report(key: &str, error: &ValidationError<'_>, problems: &mut Problems) {
    let place = error.instance_path().segments().fold(key.to_owned(), |place, segment| match segment {
        LocationSegment::Index(index) => format!("{place}[{index}]"),
        LocationSegment::Property(name) => format!("{place}.{name}"),
    });
    let (wrong, right) = match error.kind() {
        ValidationErrorKind::Referencing(error) => explain_reference(error),
        _ => explain(error),
    };
    problems.add(place, wrong, right);
}

/// What is wrong with a schema, and what would be right.
fn explain(error: &ValidationError<'_>) -> (String, &'static str) {
    let keyword = match error.instance_path().segments().last() {
        Some(LocationSegment::Property(name)) => name.into_owned(),
        _ => String::new(),
    };
    let written = || short(&error.instance().to_string());
    match (error.kind(), &*keyword) {
        (_, "type") => (
            format!("{} is no type", written()),
            "write string, number, integer, boolean, null, object, array, or a list of them",
        ),
        (ValidationErrorKind::Format { format }, _) if format == "regex" => {
            (format!("{} is no regular expression", written()), "write one as JavaScript has them")
        }
        (_, "items") if error.instance().is_array() => {
            ("is a list".to_owned(), "write one schema for all items; `prefixItems` takes a list")
        }
        _ => (format!("is no JSON Schema: {}", short(&error.to_string())), "see https://json-schema.org"),
    }
}

fn explain_reference(error: &ReferencingError) -> (String, &'static str) {
    match error {
        ReferencingError::Unretrievable { uri, .. } => (
            format!("refers to `{uri}`, and nothing is fetched"),
            "write it under `$defs` of this schema and refer to `#/$defs/NAME`",
        ),
        ReferencingError::UnknownSpecification { specification } => (
            format!("`{specification}` is no draft that is known"),
            "leave `$schema` out, or write https://json-schema.org/draft/2020-12/schema",
        ),
        _ => {
            (format!("a `$ref` leads nowhere: {error}"), "refer to a part of this schema, as `#/$defs/NAME`")
        }
    }
}
