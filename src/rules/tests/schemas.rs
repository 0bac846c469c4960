use super::super::schema::Schema;
use super::*;

fn compile(schema: &str) -> Result<Schema, String> {
    let tree: file::Tree = serde_yaml::from_str(schema).unwrap();
    let mut problems = Problems::default();
    let schema = Schema::compile("schema", &tree, &mut problems);
    let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
    schema.filter(|_| problems.is_empty()).ok_or_else(|| problems.join("\n"))
}

fn error(schema: &str, data: &str) -> Option<Failure> {
    compile(schema).unwrap().check(Some(&json(data))).err()
}

fn is_valid(schema: &str, data: &str) -> bool {
    error(schema, data).is_none()
}

#[test]
fn an_argument_that_does_not_match_is_told_where_and_how() {
    let schema =
        "{type: object, required: [room], properties: {room: {type: integer}, text: {maxLength: 3}}}";
    assert_eq!(error(schema, r#"{"room": 7, "text": "abc", "more": 1}"#), None);
    let failure = error(schema, r#"{"room": "7", "text": "abcd"}"#).unwrap();
    assert_eq!((failure.status, &*failure.code), (400, "bad_event"));
    assert_eq!(
        failure.message,
        "the event does not match its schema: /room: value is not of type \"integer\""
    );
    assert_eq!(
        failure.body.unwrap().as_str(),
        r#"{"errors":[{"path":"/room","message":"value is not of type \"integer\""},{"path":"/text","message":"value is longer than 3 characters"}]}"#
    );
    let failure = error(schema, "{}").unwrap();
    assert_eq!(
        failure.body.unwrap().as_str(),
        r#"{"errors":[{"path":"","message":"\"room\" is a required property"}]}"#
    );
}

#[test]
fn an_event_without_arguments_counts_as_null() {
    assert_eq!(compile("{type: [object, 'null']}").unwrap().check(None), Ok(()));
    assert!(compile("{type: object}").unwrap().check(None).is_err());
}

#[test]
fn numbers_are_compared_exactly() {
    for (schema, right, wrong) in [
        ("{maximum: 9007199254740992}", "9007199254740992", "9007199254740993"),
        ("{maximum: 12345678901234567890123}", "12345678901234567890123", "12345678901234567890124"),
        ("{exclusiveMaximum: 0.1}", "0.09999999999999999999999", "0.1000000000000000000000001"),
        ("{multipleOf: 0.1}", "0.3", "0.35"),
        ("{type: integer}", "1.0", "1.5"),
        ("{enum: [1, 2]}", "1.0", "1.00000000000000000000000000001"),
        ("{maximum: 5}", "-1e999999999", "1e999999999"),
    ] {
        assert!(is_valid(schema, right), "{schema} {right}");
        assert!(!is_valid(schema, wrong), "{schema} {wrong}");
    }
}

#[test]
fn formats_and_patterns_are_held() {
    for (schema, right, wrong) in [
        ("{format: email}", r#""a@b.example""#, r#""b.example""#),
        ("{format: uuid}", r#""0191f2a4-0000-7000-8000-000000000000""#, r#""7""#),
        ("{format: date-time}", r#""2026-11-21T11:00:00Z""#, r#""yesterday""#),
        ("{format: int64}", "7", ""),
        ("{pattern: '^(?=.*[0-9])[a-z0-9]+$'}", r#""a1""#, r#""aa""#),
        (
            "{type: object, properties: {$binary: {type: string}}, required: [$binary]}",
            r#"{"$binary":"AQID"}"#,
            "{}",
        ),
    ] {
        assert!(is_valid(schema, right), "{schema} {right}");
        assert!(wrong.is_empty() || !is_valid(schema, wrong), "{schema} {wrong}");
    }
}

#[test]
fn what_is_told_is_bounded_and_holds_no_values() {
    let secret = "s3cret".repeat(100);
    let failure =
        error("{additionalProperties: {type: integer}}", &format!(r#"{{"a":"{secret}"}}"#)).unwrap();
    assert!(!failure.ack().as_str().contains("s3cret"), "{failure:?}");

    let failure = error("{properties: {}, additionalProperties: false}", &format!(r#"{{"{secret}":1}}"#));
    assert!(failure.unwrap().ack().as_str().len() < 700);

    let many = |count: usize| format!("[{}0]", "1,".repeat(count - 1));
    let body = |failure: Failure| failure.body.unwrap().as_str().matches("path").count();
    assert_eq!(error("{items: {type: string}}", &many(100)).map(body), Some(8));
    let failure = error("{items: {type: string}}", &many(10_000)).unwrap();
    assert_eq!(failure.message, "the event does not match its schema");
    assert_eq!(failure.body.unwrap().as_str(), r#"{"errors":[]}"#);
}

#[test]
fn what_cannot_be_read_is_refused() {
    for data in [r#""\ud800""#.to_owned(), format!("{}{}", "[".repeat(200), "]".repeat(200))] {
        let failure = error("true", &data).unwrap();
        assert_eq!((failure.status, &*failure.code), (400, "bad_event"), "{data}");
    }
    assert!(is_valid("{$defs: {a: {items: {$ref: '#/$defs/a'}}}, $ref: '#/$defs/a'}", "[[[[]]]]"));
}

#[test]
fn a_pattern_that_would_never_end_is_given_up() {
    let data = format!("\"{}!\"", "a".repeat(5_000));
    let began = Instant::now();
    assert!(!is_valid(r"{pattern: '^(?=a)(a|a)*\1$'}", &data));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn schemas_of_older_drafts_say_so_themselves() {
    let tuple = "{$schema: 'http://json-schema.org/draft-07/schema#', items: [{type: string}]}";
    assert!(is_valid(tuple, r#"["a"]"#));
    assert!(!is_valid(tuple, "[1]"));
}
