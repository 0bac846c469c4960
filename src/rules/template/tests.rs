use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::config::Problems;
use crate::json::Json;

use super::*;

/// Names with fixed values.
pub(crate) struct Fixed(HashMap<String, Json>);

impl Scope for Fixed {
    fn root(&self, name: &str) -> Option<Json> {
        self.0.get(name).cloned()
    }
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// A scope in which `data` and the members of `more` are known.
pub(crate) fn scope(data: &str, more: &[(&str, &str)]) -> Arc<dyn Scope> {
    let mut names =
        HashMap::from([("data".to_owned(), json(data)), ("args".to_owned(), json(&format!("[{data}]")))]);
    names.extend(more.iter().map(|(name, text)| ((*name).to_owned(), json(text))));
    Arc::new(Fixed(names))
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn compile(text: &str) -> (Template, Vec<String>) {
    let mut problems = Problems::default();
    let names = Names::event(&["id".to_owned()]).with_response();
    let template = Compiler::new(names, &mut problems).template("key", &yaml(text));
    (template, problems.into_vec().iter().map(ToString::to_string).collect())
}

fn fill(template: &str, data: &str) -> Result<String, Error> {
    let (template, problems) = compile(template);
    assert_eq!(problems, Vec::<String>::new());
    template.json(&scope(data, &[])).map(|json| json.as_str().to_owned())
}

fn url(template: &str, data: &str) -> Result<String, Error> {
    let mut problems = Problems::default();
    let url = Compiler::new(Names::event(&[]), &mut problems).url("path", template);
    assert!(problems.is_empty(), "{:?}", problems.into_vec());
    url.render(&scope(data, &[])).map(|url| url.to_string())
}

#[test]
fn a_path_passes_json_text_exactly() {
    let cases = [
        (r#"{"b":1.0,"a":[1e3, 12345678901234567890123, -0]}"#, "data"),
        (r#"{"x":{"z":1,"y":1.50}}"#, "data.x"),
        (r#"{"x":"\ud800 lone"}"#, "data.x"),
        (r#"{"x":[{"y":1E+2}]}"#, "data.x[0].y"),
        (r#"{"x y":{"q":"\u00e9"}}"#, "data['x y'].q"),
    ];
    let expected = [
        r#"{"b":1.0,"a":[1e3, 12345678901234567890123, -0]}"#,
        r#"{"z":1,"y":1.50}"#,
        r#""\ud800 lone""#,
        "1E+2",
        r#""\u00e9""#,
    ];
    for ((data, path), expected) in cases.iter().zip(expected) {
        assert_eq!(fill(&format!("\"{{{{ {path} }}}}\""), data).unwrap(), expected, "{path}");
    }
}

#[test]
fn the_last_of_repeated_keys_counts() {
    assert_eq!(fill("'{{ data.a }}'", r#"{"a":1,"a":2}"#).unwrap(), "2");
}

#[test]
fn keys_with_lone_surrogates_do_not_hide_others() {
    assert_eq!(fill("'{{ data.a }}'", r#"{"\ud800":1,"a":2}"#).unwrap(), "2");
}

#[test]
fn one_expression_keeps_its_type() {
    let data = r#"{"n":2,"f":1.5,"t":true,"z":null,"s":"x","l":[1,{"k":1.0}],"o":{"b":1e3,"a":2}}"#;
    let cases = [
        ("data.n + 1", "3"),
        ("data.f * 2", "3.0"),
        ("data.n == 2", "true"),
        ("data.z", "null"),
        ("data.z or 'none'", r#""none""#),
        ("data.s ~ '!'", r#""x!""#),
        ("data.l | length", "2"),
        ("data.l | last", r#"{"k":1.0}"#),
        ("data.o if data.t else 0", r#"{"b":1e3,"a":2}"#),
        ("[data.o, data.s]", r#"[{"b":1e3,"a":2},"x"]"#),
        ("{'a': data.n, 'b': [true, none]}", r#"{"a":2,"b":[true,null]}"#),
        ("{'a': {'b': 1}}", r#"{"a":{"b":1}}"#),
        ("data.missing | default('d')", r#""d""#),
        ("data.missing is defined", "false"),
        ("'}} {{'", r#""}} {{""#),
        ("true", "true"),
        ("args | length", "1"),
        ("args[0].n", "2"),
        ("-1", "-1"),
        ("data.s | upper", r#""X""#),
        ("'a|b' | lower", r#""a|b""#),
        ("data.s is string and data.n is not none", "true"),
        ("data.l[-1].k", "1.0"),
    ];
    for (expression, expected) in cases {
        let quoted = serde_json::to_string(&format!("{{{{ {expression} }}}}")).unwrap();
        assert_eq!(fill(&quoted, data).unwrap(), expected, "{expression}");
    }
}

#[test]
fn a_text_around_a_value_makes_a_string() {
    let data = r#"{"n":12345678901234567890123,"f":1.0,"t":true,"s":"a\"b","l":[1, 2],"z":null}"#;
    let cases = [
        ("room:{{ data.n }}", r#""room:12345678901234567890123""#),
        ("{{ data.f }}/{{ data.t }}", r#""1.0/true""#),
        ("x{{ data.s }}", r#""xa\"b""#),
        ("{{ data.l }} {{ data.z }}", r#""[1, 2] null""#),
        (" {{ data.t }}", r#"" true""#),
        ("{% if data.t %}yes {{ data.l }} {{ data.z }}{% endif %}", r#""yes [1, 2] null""#),
        ("{% for x in data.l %}{{ x }};{% endfor %}", r#""1;2;""#),
        ("a {{- data.t -}} b", r#""atrueb""#),
        ("{{ 'x' | upper }}-{{ data.t }}", r#""X-true""#),
        ("a {# note #}{{ data.t }}", r#""a true""#),
    ];
    for (template, expected) in cases {
        let quoted = serde_json::to_string(template).unwrap();
        assert_eq!(fill(&quoted, data).unwrap(), expected, "{template}");
    }
}

#[test]
fn values_without_templates_stay_what_they_are() {
    for text in ["1.0", "true", "null", r#""plain""#, r#"{"b":1,"a":["x",{"c":null}]}"#, r#""{# no }""#] {
        let (template, problems) = compile(text);
        assert!(matches!(template, Template::Constant(_)), "{text}");
        assert!(problems.is_empty());
        assert_eq!(fill(text, "1").unwrap(), text);
    }
}

#[test]
fn maps_and_lists_keep_their_order() {
    let template = "{z: '{{ data.a }}', a: [1, '{{ data.b }}', {q: 'x{{ data.b }}'}], m: ok}";
    let expected = r#"{"z":1.0,"a":[1,"q",{"q":"xq"}],"m":"ok"}"#;
    assert_eq!(fill(template, r#"{"a":1.0,"b":"q"}"#).unwrap(), expected);
}

#[test]
fn a_yaml_block_with_its_last_newline_is_one_expression() {
    assert_eq!(fill("|\n  {{ data.a }}\n", r#"{"a":[1]}"#).unwrap(), "[1]");
}

#[test]
fn what_is_undefined_is_an_error_that_names_it() {
    for (template, name) in [
        ("'{{ data.x }}'", "data.x"),
        ("'a{{ data.x.y }}'", "data.x.y"),
        ("'{{ data.x }} {{ 1 + 1 }}'", "data.x"),
        ("'{{ args[3] }}'", "args[3]"),
        ("'{% if data.x %}a{% endif %}'", "data.x"),
        ("'{{ data.x | upper }}'", "data.x"),
    ] {
        let error = fill(template, "{}").unwrap_err();
        assert!(
            matches!(&error, Error::Undefined(message) if message.contains(name)),
            "{template}: {error:?}"
        );
    }
}

#[test]
fn failures_of_expressions_are_errors() {
    for template in
        ["'{{ data.a + data.s }}'", "'{{ 1 / 0 }}'", "'{{ data.nope() }}'", "'{{ data.big * 2.0 }}'"]
    {
        let error = fill(template, r#"{"a":1,"s":[],"big":1e308}"#).unwrap_err();
        assert!(matches!(error, Error::Other(_)), "{template}: {error:?}");
    }
}

#[test]
fn endless_work_runs_out_of_fuel() {
    let template = "'{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}'";
    assert!(matches!(fill(template, "1"), Err(Error::Other(message)) if message.contains("fuel")));
}

#[test]
fn a_deeply_nested_value_passes_as_it_is_and_is_refused_in_expressions() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(fill("'{{ data }}'", &deep).unwrap(), deep);
    assert!(matches!(fill("'{{ data == args }}'", &deep), Err(Error::Other(_))));
}

#[test]
fn a_lone_surrogate_is_an_error_where_characters_are_needed() {
    assert!(matches!(fill("'x{{ data }}'", r#""\ud800""#), Err(Error::Other(_))));
    assert!(matches!(fill("'{{ data | upper }}'", r#""\ud800""#), Err(Error::Other(_))));
}

#[test]
fn templates_that_cannot_work_are_problems() {
    let cases = [
        ("'{{ data. }}'", "key: syntax error"),
        ("'{{ data'", "without its `}}`"),
        ("'{{ dta.x }}'", "key: unknown name `dta`; did you mean `data`?"),
        ("'x {{ path.id }}'", "unknown name `path`"),
        ("'{{ response.boddy }}'", "did you mean `response.body`?"),
        ("'{{ socket.handshake.header.x }}'", "did you mean `socket.handshake.headers`?"),
        ("'{{ namespace.idd }}'", "did you mean `namespace.id`?"),
        ("'{{ reason }}'", "unknown name `reason`"),
        ("'{% if x %}'", "syntax error"),
        ("'{% for a in dta %}{{ a }}{% endfor %}'", "unknown name `dta`"),
        ("[1, {a: '{{ nope }}'}]", "key[1].a: unknown name `nope`"),
        ("'{{ data | upperr }}'", "key: unknown filter `upperr`"),
        ("'a {{ data.x|default(1)|nope(\"|x\") }}'", "unknown filter `nope`"),
        ("'{{ data is not strin }}'", "unknown test `strin`"),
        ("'{% if data|uper %}{% endif %}'", "unknown filter `uper`"),
    ];
    for (template, expected) in cases {
        let (_, problems) = compile(template);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{template}: {problems:?}");
    }
}

#[test]
fn functions_of_minijinja_are_no_unknown_names() {
    assert_eq!(fill("'{{ range(3) | list }}'", "1").unwrap(), "[0,1,2]");
    assert_eq!(fill("'{{ dict(a=1) }}'", "1").unwrap(), r#"{"a":1}"#);
}

#[test]
fn reads_are_known_before_anything_is_rendered() {
    for (template, body) in [
        ("'{{ response.body.id }}'", true),
        ("'{{ response }}'", true),
        ("'{{ response.status }}'", false),
        ("'{{ (response.body | length) + 1 }}'", true),
        ("'{% if response.body.x %}{% endif %}'", true),
        ("'{{ data.body }}'", false),
        ("'{{ response[\"body\"] }}'", true),
    ] {
        let mut problems = Problems::default();
        let mut compiler = Compiler::new(Names::event(&[]).with_response(), &mut problems);
        compiler.template("key", &yaml(template));
        assert_eq!(compiler.uses.response_body, body, "{template}");
    }
}

#[test]
fn conditions_may_stand_with_or_without_braces() {
    let data = scope(r#"{"a":1,"e":"","l":[],"o":{},"z":null,"s":"0"}"#, &[]);
    for (condition, expected) in [
        ("data.a", true),
        ("{{ data.a == 1 }}", true),
        ("data.e", false),
        ("data.l", false),
        ("data.o", false),
        ("data.z", false),
        ("data.s", true),
        ("not data.a", false),
        ("data.x is defined and data.x", false),
    ] {
        let mut problems = Problems::default();
        let source = Compiler::new(Names::event(&[]), &mut problems).expression("when", condition);
        assert!(problems.is_empty());
        assert_eq!(source.is_true(&data), Ok(expected), "{condition}");
    }
    let mut problems = Problems::default();
    let source = Compiler::new(Names::event(&[]), &mut problems).expression("when", "data.x");
    assert!(matches!(source.is_true(&data), Err(Error::Undefined(_))));
}

#[test]
fn rooms_are_scalars_or_lists_of_them() {
    let rooms = |template: &str, data: &str| {
        let (template, _) = compile(template);
        template
            .rooms(&scope(data, &[]))
            .map(|rooms| rooms.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(rooms("'chat:{{ data }}'", "42").unwrap(), ["chat:42"]);
    assert_eq!(rooms("'{{ data }}'", "1.0").unwrap(), ["1.0"]);
    assert_eq!(rooms("'{{ data }}'", r#"["a",2,true]"#).unwrap(), ["a", "2", "true"]);
    assert_eq!(rooms("['x', 'chat:{{ data }}', 7]", "1").unwrap(), ["x", "chat:1", "7"]);
    assert_eq!(rooms("[a, b]", "1").unwrap(), ["a", "b"]);
    assert_eq!(rooms("'{{ data }}'", "[]").unwrap(), Vec::<String>::new());
    for data in ["null", r#""""#, "{}", r#"["a",["b"]]"#, "[null]", r#"[""]"#] {
        assert!(matches!(rooms("'{{ data }}'", data), Err(Error::Other(_))), "{data}");
    }
    for data in ["null", "{}", "[1]"] {
        assert!(matches!(rooms("'chat:{{ data }}'", data), Err(Error::Other(_))), "{data}");
    }
    assert!(matches!(rooms("['{{ data }}']", "[1]"), Err(Error::Other(_))));
}

#[test]
fn nobody_is_left_out_where_except_is_undefined() {
    let (template, _) =
        compile("['{{ data.a }}', '{{ data.b }}', 'x{{ data.a }}', '{{ data.c }}', '{{ data.d }}']");
    let rooms = template.rooms_left_out(&scope(r#"{"b":"r","c":null,"d":""}"#, &[])).unwrap();
    assert_eq!(rooms, [Arc::<str>::from("r")]);
    let (template, _) = compile("'{{ data.o }}'");
    assert!(template.rooms_left_out(&scope(r#"{"o":{}}"#, &[])).is_err());
}

#[test]
fn a_value_becomes_one_segment_of_a_path() {
    for (value, expected) in [
        ("42", "/rooms/42/x"),
        ("1.0", "/rooms/1.0/x"),
        ("true", "/rooms/true/x"),
        (r#""../admin""#, "/rooms/..%2Fadmin/x"),
        (r#""a/b""#, "/rooms/a%2Fb/x"),
        (r#""%2e%2e""#, "/rooms/%252e%252e/x"),
        (r#""?x=1""#, "/rooms/%3Fx%3D1/x"),
        (r##""#frag""##, "/rooms/%23frag/x"),
        (r#""a b+c""#, "/rooms/a%20b%2Bc/x"),
        (r#""é☃""#, "/rooms/%C3%A9%E2%98%83/x"),
        (r#""...""#, "/rooms/.../x"),
        (r#""a\\b;c@d:e""#, "/rooms/a%5Cb%3Bc%40d%3Ae/x"),
        (r#""//evil.example""#, "/rooms/%2F%2Fevil.example/x"),
        (r#""~-._""#, "/rooms/~-._/x"),
    ] {
        assert_eq!(url("/rooms/{{ data }}/x", value).unwrap(), expected, "{value}");
    }
}

#[test]
fn a_value_becomes_one_value_of_a_query() {
    for (value, expected) in [
        (r#""a&b=c""#, "/s?q=a%26b%3Dc&n=1"),
        (r#""a b""#, "/s?q=a+b&n=1"),
        (r#""é#/""#, "/s?q=%C3%A9%23%2F&n=1"),
        ("12", "/s?q=12&n=1"),
    ] {
        assert_eq!(url("/s?q={{ data }}&n=1", value).unwrap(), expected);
    }
}

#[test]
fn values_that_may_not_go_into_a_url_are_errors() {
    for value in [
        r#""""#,
        r#"".""#,
        r#""..""#,
        "null",
        "{}",
        "[1]",
        r#""a\nb""#,
        r#""\u0000""#,
        r#""\u007f""#,
        r#""\ud800""#,
    ] {
        assert!(url("/rooms/{{ data }}", value).is_err(), "{value}");
        assert!(url("/rooms?x={{ data }}", value).is_err(), "{value}");
    }
    assert!(url("/rooms/.{{ data }}", r#"".x""#).is_ok());
    assert!(url("/rooms/{{ data.a }}", "{}").is_err());
    assert!(url("/rooms/{{ data }}", &format!("\"{}\"", "a".repeat(9_000))).is_err());
}

#[test]
fn a_url_that_cannot_be_is_a_problem() {
    for text in [
        "rooms",
        "//rooms/{{ data }}",
        "{{ data }}",
        "http://x/",
        "/a b",
        "/a#b",
        "/a/../b",
        "/a/%2E%2e/b",
        "/a/./b",
        "/{% if data %}x{% endif %}",
        "/{{ data",
        "/{{ dta }}",
        "/é",
        "/a\\b",
        "",
    ] {
        let mut problems = Problems::default();
        Compiler::new(Names::event(&[]), &mut problems).url("path", text);
        assert!(!problems.is_empty(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn a_rendered_path_never_leaves_its_route(value in "\\PC*|[./%?#\\\\a]{0,6}", other in "[./a%]{1,4}") {
        let data = serde_json::json!({"a": value, "b": other}).to_string();
        if let Ok(url) = url("/rooms/{{ data.a }}/m/{{ data.b }}.x?q={{ data.a }}", &data) {
            let (path, query) = url.split_once('?').unwrap();
            let segments: Vec<&str> = path.split('/').collect();
            proptest::prop_assert_eq!(segments.len(), 5);
            proptest::prop_assert_eq!(&segments[..2], &["", "rooms"]);
            proptest::prop_assert_eq!(segments[3], "m");
            proptest::prop_assert!(segments.iter().all(|segment| *segment != "." && *segment != ".."));
            let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
            proptest::prop_assert_eq!(decoded.as_ref(), value.as_str());
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            proptest::prop_assert_eq!(pairs.len(), 1);
            proptest::prop_assert_eq!(pairs[0].1.as_ref(), value.as_str());
        }
    }

    #[test]
    fn a_path_returns_any_json_byte_for_byte(number in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        let data = format!("{{\"x\":{{\"a\": {number}, \"b\":[{number}]}}}}");
        let expected = format!("{{\"a\": {number}, \"b\":[{number}]}}");
        proptest::prop_assert_eq!(fill("'{{ data.x }}'", &data).unwrap(), expected);
        proptest::prop_assert_eq!(fill("'{{ data.x.b[0] }}'", &data).unwrap(), number);
    }
}
