//! Finds misspelt filters and tests, which MiniJinja itself looks up only when they run.

use super::source::ENVIRONMENT;

/// What is wrong with the filters (`| name`) and tests (`is name`) of an expression.
pub(super) fn unknown(expression: &str) -> Option<String> {
    let plain = without_strings(expression);
    let filters = plain.split('|').skip(1).filter_map(first_word).map(|name| (name, "filter"));
    let tests = plain.match_indices(" is ").filter_map(|(at, is)| {
        let after = plain.get(at + is.len()..)?.trim_start();
        let after = after.strip_prefix("not ").unwrap_or(after);
        Some((first_word(after)?, "test"))
    });
    filters
        .chain(tests)
        .find(|(name, kind)| !exists(name, kind))
        .map(|(name, kind)| format!("unknown {kind} `{name}`"))
}

fn first_word(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn exists(name: &str, kind: &str) -> bool {
    ENVIRONMENT
        .compile_expression_owned(format!("'{name}' is {kind}"))
        .and_then(|test| test.eval(()))
        .is_ok_and(|exists| exists.is_true())
}

/// The expression with the characters of its strings blanked out.
fn without_strings(expression: &str) -> String {
    let (mut quote, mut escaped) = (None, false);
    expression
        .chars()
        .map(|c| match quote {
            Some(open) => {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == open {
                    quote = None;
                }
                '"'
            }
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                '"'
            }
            None => c,
        })
        .collect()
}
