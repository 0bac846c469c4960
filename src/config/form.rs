//! What the JSON Schema allows at one place, gathered for the check.

use serde_json::{Map, Value};

use super::value::{Spelling, spelling};

/// A JSON Schema with its definitions.
pub(super) struct Schema(Value);

/// The kinds of value that may stand at one place. An `anyOf` of the schema is one form with several.
#[derive(Default)]
pub(super) struct Form<'s> {
    /// Name of the type, which is what messages and tables know it by.
    pub(super) name: &'s str,
    /// Whatever one likes, `null` included.
    pub(super) any: bool,
    pub(super) text: bool,
    pub(super) truth: bool,
    pub(super) whole: bool,
    /// Text with a notation of its own.
    pub(super) spelling: Option<Spelling>,
    /// The words of a choice.
    pub(super) words: Vec<&'s str>,
    /// A list, and what is in it.
    pub(super) items: Option<&'s Value>,
    /// A map: its schema.
    pub(super) map: Option<&'s Map<String, Value>>,
}

impl Schema {
    pub(super) fn new(schema: Value) -> Schema {
        Schema(schema)
    }

    /// The form of the whole file.
    pub(super) fn root(&self) -> Form<'_> {
        let mut form = Form { name: "File", ..Form::default() };
        self.gather(&self.0, &mut form);
        form
    }

    /// The form that `schema`, a part of this one, describes.
    pub(super) fn form<'s>(&'s self, schema: &'s Value) -> Form<'s> {
        let mut form = Form::default();
        self.gather(schema, &mut form);
        form
    }

    fn gather<'s>(&'s self, schema: &'s Value, form: &mut Form<'s>) {
        let Value::Object(schema) = schema else {
            form.any = true;
            return;
        };
        if let Some((name, definition)) = schema.get("$ref").and_then(|to| self.definition(to)) {
            form.name = name;
            return self.gather(definition, form);
        }
        let branches = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
        let mut branched = false;
        for branch in branches {
            branched = true;
            self.gather(branch, form);
        }
        if !branched {
            gather_types(schema, form);
        }
    }

    fn definition<'s>(&'s self, to: &'s Value) -> Option<(&'s str, &'s Value)> {
        let name = to.as_str()?.strip_prefix("#/$defs/")?;
        Some((name, self.0.get("$defs")?.get(name)?))
    }
}

fn gather_types<'s>(schema: &'s Map<String, Value>, form: &mut Form<'s>) {
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => {
            form.any = true;
            return;
        }
    };
    for kind in types.iter().filter_map(Value::as_str) {
        match kind {
            "boolean" => form.truth = true,
            "array" => form.items = schema.get("items").or(Some(&Value::Bool(true))),
            "object" => form.map = Some(schema),
            "string" => match (schema.get("const").and_then(Value::as_str), spelling(form.name)) {
                (Some(word), _) => form.words.push(word),
                (None, Some(spelling)) => form.spelling = Some(spelling),
                (None, None) => form.text = true,
            },
            "integer" => form.whole = true,
            _ => {}
        }
    }
}

impl Form<'_> {
    /// Whether the form of a single value, which stands for a list of one, is that of the items alone.
    pub(super) fn is_list_alone(&self) -> bool {
        let single = self.text || self.truth || self.whole || self.spelling.is_some() || self.map.is_some();
        self.items.is_some() && !single && self.words.is_empty()
    }

    /// What would be right here, for a message.
    pub(super) fn right(&self) -> String {
        let mut ways = Vec::new();
        if self.items.is_some() {
            ways.push("a list".to_owned());
        }
        if self.map.is_some() {
            ways.push("a map".to_owned());
        }
        if self.truth {
            ways.push("true or false".to_owned());
        }
        match &self.spelling {
            Some(spelling) => ways.push(spelling.right.to_owned()),
            None if self.whole => ways.push("a whole number".to_owned()),
            None => {}
        }
        if self.text {
            ways.push("text".to_owned());
        }
        if !self.words.is_empty() {
            ways.push(one_of(&self.words));
        }
        ways.reverse();
        format!("write {}", ways.join(", or "))
    }
}

/// `a, b or c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
