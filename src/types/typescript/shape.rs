//! TypeScript types of JSON Schemas. What TypeScript cannot say (lengths, ranges, patterns) is left out.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::types::schemas::referred;

/// Longest object that is written on one line.
const MAX_INLINE: usize = 72;

/// The type of what nothing is known of.
const UNKNOWN: &str = "unknown";

/// Largest integer that a JavaScript number holds exactly.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// Prints types, and notes what they need.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    binary: Cell<bool>,
}

impl Shapes {
    /// Whether a type printed so far is binary.
    pub(super) fn has_binary(&self) -> bool {
        self.binary.get()
    }

    /// The type of a schema, to stand in a text that is indented by so many spaces.
    pub(super) fn of(&self, schema: &Value, indent: usize) -> String {
        let keywords = match schema {
            Value::Bool(false) => return "never".to_owned(),
            Value::Object(keywords) => keywords,
            _ => return UNKNOWN.to_owned(),
        };
        let all = |keyword: &str| keywords.get(keyword).and_then(Value::as_array).into_iter().flatten();
        let mut parts = vec![self.own(keywords, indent)];
        parts.extend(referred(schema).map(str::to_owned));
        parts.extend(all("allOf").map(|part| self.of(part, indent)));
        for choice in ["anyOf", "oneOf"] {
            if keywords.contains_key(choice) {
                parts.push(union(all(choice).map(|part| self.of(part, indent))));
            }
        }
        intersection(parts)
    }

    /// What `const`, `enum`, `type` and the keywords of types say.
    fn own(&self, keywords: &Map<String, Value>, indent: usize) -> String {
        if let Some(value) = keywords.get("const") {
            return literal(value);
        }
        if let Some(Value::Array(values)) = keywords.get("enum") {
            return union(values.iter().map(literal));
        }
        let has = |any: &[&str]| any.iter().any(|keyword| keywords.contains_key(*keyword));
        match keywords.get("type") {
            Some(Value::String(kind)) => self.typed(kind, keywords, indent),
            Some(Value::Array(kinds)) => {
                union(kinds.iter().filter_map(Value::as_str).map(|kind| self.typed(kind, keywords, indent)))
            }
            // Whoever describes properties means an object, though JSON Schema lets everything else pass.
            _ if has(&["properties", "required", "additionalProperties", "patternProperties"]) => {
                self.object(keywords, indent)
            }
            _ if has(&["items", "prefixItems"]) => self.array(keywords, indent),
            _ => UNKNOWN.to_owned(),
        }
    }

    fn typed(&self, kind: &str, keywords: &Map<String, Value>, indent: usize) -> String {
        match kind {
            "integer" => "number".to_owned(),
            "object" => self.object(keywords, indent),
            "array" => self.array(keywords, indent),
            "string" | "number" | "boolean" | "null" => kind.to_owned(),
            _ => UNKNOWN.to_owned(),
        }
    }

    fn array(&self, keywords: &Map<String, Value>, indent: usize) -> String {
        // Drafts before 2020-12 have a list in `items` and the rest in `additionalItems`.
        let (first, rest) = match keywords.get("items") {
            Some(Value::Array(first)) => (Some(first), keywords.get("additionalItems")),
            rest => (keywords.get("prefixItems").and_then(Value::as_array), rest),
        };
        let item = |schema: &Value| grouped(self.of(schema, indent));
        let rest = rest.filter(|rest| **rest != Value::Bool(false) || first.is_none());
        let Some(first) = first else {
            return rest.map_or_else(|| format!("{UNKNOWN}[]"), |rest| format!("{}[]", item(rest)));
        };
        let least = keywords.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let items = (0..).zip(first);
        let mut items: Vec<String> = items
            .map(|(at, schema)| format!("{}{}", item(schema), if at < least { "" } else { "?" }))
            .collect();
        let is_closed = keywords.get("items") == Some(&Value::Bool(false))
            || keywords.get("additionalItems") == Some(&Value::Bool(false));
        if !is_closed {
            items.push(format!("...{}[]", rest.map_or_else(|| UNKNOWN.to_owned(), item)));
        }
        format!("[{}]", items.join(", "))
    }

    fn object(&self, keywords: &Map<String, Value>, indent: usize) -> String {
        let empty = Map::new();
        let properties = keywords.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = keywords
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if required.contains(&"$binary") {
            self.binary.set(true);
            return "Binary".to_owned();
        }
        let inner = indent + 2;
        let mut members: Vec<String> = properties
            .iter()
            .map(|(name, schema)| {
                let mark = if required.contains(&name.as_str()) { "" } else { "?" };
                format!("{}{}{mark}: {}", comment(schema, inner), key(name), self.of(schema, inner))
            })
            .collect();
        let undescribed = required.iter().filter(|name| !properties.contains_key(**name));
        members.extend(undescribed.map(|name| format!("{}: {UNKNOWN}", key(name))));
        members.extend(self.more(keywords, members.is_empty(), inner));
        braces(&members, indent)
    }

    /// The signature of the properties that have no name, where there may be any.
    fn more(&self, keywords: &Map<String, Value>, alone: bool, indent: usize) -> Option<String> {
        let more = keywords.get("additionalProperties");
        let patterns = keywords.get("patternProperties").and_then(Value::as_object);
        let kind = match (more, patterns) {
            (Some(Value::Bool(false)), None) if alone => "never".to_owned(),
            (Some(Value::Bool(false)), None) => return None,
            (None, None) if alone => UNKNOWN.to_owned(),
            (None, None) => return None,
            // A signature has to allow what the named properties are, too.
            _ if !alone => UNKNOWN.to_owned(),
            (Some(Value::Object(_)), None) => more.map_or_else(String::new, |more| self.of(more, indent)),
            (Some(Value::Bool(false)), Some(patterns)) => {
                union(patterns.values().map(|kind| self.of(kind, indent)))
            }
            _ => UNKNOWN.to_owned(),
        };
        Some(format!("[key: string]: {kind}"))
    }
}

fn braces(members: &[String], indent: usize) -> String {
    let line = format!("{{ {} }}", members.join("; "));
    if line.len() <= MAX_INLINE && !line.contains('\n') {
        return line;
    }
    let space = " ".repeat(indent + 2);
    let lines: String = members.iter().map(|member| format!("{space}{member};\n")).collect();
    format!("{{\n{lines}{}}}", " ".repeat(indent))
}

/// One of several types.
pub(super) fn union(types: impl Iterator<Item = String>) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for kind in types.filter(|kind| kind != "never") {
        if kind == UNKNOWN {
            return kind;
        }
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match kinds.as_slice() {
        [] => "never".to_owned(),
        [one] => one.clone(),
        several => several
            .iter()
            .map(|kind| if has(kind, '&') { format!("({kind})") } else { kind.clone() })
            .collect::<Vec<_>>()
            .join(" | "),
    }
}

/// All of several types at once.
fn intersection(types: Vec<String>) -> String {
    let kinds: Vec<String> = types.into_iter().filter(|kind| kind != UNKNOWN).collect();
    match kinds.as_slice() {
        [] => UNKNOWN.to_owned(),
        [one] => one.clone(),
        several => several
            .iter()
            .map(|kind| if has(kind, '|') { format!("({kind})") } else { kind.clone() })
            .collect::<Vec<_>>()
            .join(" & "),
    }
}

/// A type before `[]`, `?` or in a list.
fn grouped(kind: String) -> String {
    if has(&kind, '|') || has(&kind, '&') { format!("({kind})") } else { kind }
}

/// Whether an operator stands outside of all brackets and strings of a type.
fn has(kind: &str, operator: char) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in kind.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            c if c == operator && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// The type of exactly this value; numbers that JavaScript would round are just numbers.
fn literal(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs);
            if magnitude.is_some_and(|magnitude| magnitude <= MAX_SAFE) {
                number.to_string()
            } else {
                "number".to_owned()
            }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let members = map.iter().map(|(name, value)| format!("{}: {}", key(name), literal(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join("; "))
        }
        scalar => scalar.to_string(),
    }
}

/// A property's name, quoted where it is no identifier.
pub(super) fn key(name: &str) -> String {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let is_plain = name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

/// A literal piece of a template literal type.
pub(super) fn in_template(piece: &str) -> String {
    piece.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${").replace('\n', "\\n")
}

/// A text that cannot end the comment that it stands in.
pub(super) fn harmless(text: &str) -> String {
    text.replace("*/", "*\\/").replace(['\n', '\r'], " ")
}

/// What a schema says of itself, as a comment before what it describes.
pub(super) fn comment(schema: &Value, indent: usize) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    let mut lines: Vec<String> = text("description")
        .or_else(|| text("title"))
        .into_iter()
        .flat_map(str::lines)
        .map(harmless)
        .collect();
    lines.extend(text("format").map(|format| format!("@format {}", harmless(format))));
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        lines.push("@deprecated".to_owned());
    }
    let space = " ".repeat(indent);
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("/** {one} */\n{space}"),
        several => format!("/**\n{space} * {}\n{space} */\n{space}", several.join(&format!("\n{space} * "))),
    }
}
