//! `${VAR}` and `${VAR:-default}` in scalars.

use std::borrow::Cow;

/// Says what a variable holds, `None` where it is not set.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Why a text cannot be filled in: what is wrong, and what would be right.
pub(super) type Unfilled = (String, String);

/// Replaces the variables of `text`. As in a shell, a default also stands for an empty variable;
/// `$${` is a literal `${`. What a variable holds is not looked through again.
pub(super) fn fill<'t>(text: &'t str, lookup: &Lookup<'_>) -> Result<Cow<'t, str>, Unfilled> {
    let Some(first) = text.find("${") else {
        return Ok(Cow::Borrowed(text));
    };
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        let (before, from) = rest.split_at(at);
        let inside = from.get(2..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = inside;
        } else {
            let Some((reference, after)) = inside.split_once('}') else {
                return Err((
                    format!("`{from}` has no `}}`"),
                    "write ${NAME}, or $${ for a literal ${".into(),
                ));
            };
            filled.push_str(before);
            filled.push_str(&value(reference, lookup)?);
            rest = after;
        }
        next = rest.find("${");
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

/// The value of `NAME` or `NAME:-default`.
fn value(reference: &str, lookup: &Lookup<'_>) -> Result<String, Unfilled> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !named {
        let right = "write ${NAME} or ${NAME:-default}, and $${ for a literal ${";
        return Err((format!("`${{{reference}}}` names no variable"), right.to_owned()));
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the variable {name} is not set"),
            format!("set it, or give a default: ${{{name}:-default}}"),
        )),
    }
}
