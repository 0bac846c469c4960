//! The JSON Schema of the config file (draft 2020-12).

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::file::File;

/// The schema for editors. Every scalar may also be a `${VAR}`.
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.transforms.push(Box::new(RecursiveTransform(for_editors)));
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<File>();
    let about = ["$schema", "title", "description"];
    let mut ordered: Map<String, Value> =
        about.into_iter().filter_map(|key| Some((key.to_owned(), schema.get(key)?.clone()))).collect();
    ordered.extend(std::mem::take(schema.ensure_object()));
    Value::Object(ordered)
}

/// The schema of the types as they are, for the check.
pub(super) fn of_types() -> Value {
    SchemaGenerator::new(SchemaSettings::draft2020_12()).into_root_schema_for::<File>().to_value()
}

/// Text with a variable in it.
const VARIABLE: &str = r"\$\{";

fn for_editors(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if schema.get("default").is_some_and(|default| default.is_null() || *default == "") {
        // The real default is in the description; this one is how the absence is kept.
        schema.shift_remove("default");
    }
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.push(json!({"type": "string", "pattern": VARIABLE}));
    }
    if let Some(Value::String(pattern)) = schema.get_mut("pattern") {
        if pattern != VARIABLE {
            *pattern = format!("{pattern}|{VARIABLE}");
        }
    } else if !schema.contains_key("const") {
        widen_type(schema);
    }
}

/// `${VAR}` where a truth value or a number is wanted, and a number where text is wanted.
fn widen_type(schema: &mut Map<String, Value>) {
    let Some(types) = schema.get_mut("type") else {
        return;
    };
    if let Value::String(one) = types {
        *types = json!([one]);
    }
    let Value::Array(list) = types else {
        return;
    };
    if list.iter().any(|kind| kind == "boolean" || kind == "integer") {
        list.push(json!("string"));
        schema.insert("pattern".to_owned(), json!(VARIABLE));
    } else if list.iter().any(|kind| kind == "string") {
        list.push(json!("number"));
    } else if let [one] = list.as_slice() {
        *types = one.clone();
    }
}
