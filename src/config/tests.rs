//! The parts of the config that need no whole file, and what must hold for any text.

use std::str::FromStr;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Number, Value, json};

use super::file::File;
use super::nearest::nearest;
use super::node::Mark;
use super::parse::parse;
use super::scalar::{Meaning, meaning};
use super::value::{Duration, Rate, Size};
use super::variables::fill;
use super::{Loaded, Problems, load_text, schema};

fn nothing(_: &str) -> Option<String> {
    None
}

fn loaded(text: &str) -> Loaded {
    load_text(text, "config.yaml", &nothing).unwrap()
}

fn file(text: &str) -> File {
    loaded(text).judge(Problems::default()).unwrap_or_else(|report| panic!("{report}"))
}

/// What is emitted as `data` where the file says `data: TEXT`.
fn data(text: &str) -> Value {
    let file = file(&format!("taps: [{{on: GET /a, emit: {{event: e, data: {text}}}}}]"));
    file.taps[0].emit.0[0].data.clone().unwrap()
}

#[test]
fn plain_scalars_mean_what_the_core_schema_says() {
    let number = |text: &str| Meaning::Number(Number::from_str(text).unwrap());
    for (text, expected) in [
        ("", Meaning::Null),
        ("~", Meaning::Null),
        ("null", Meaning::Null),
        ("true", Meaning::Bool(true)),
        ("FALSE", Meaning::Bool(false)),
        ("no", Meaning::Text),
        ("on", Meaning::Text),
        ("yes", Meaning::Text),
        ("tRue", Meaning::Text),
        ("0", number("0")),
        ("-12", number("-12")),
        ("+12", number("12")),
        ("007", number("7")),
        ("0x1F", number("31")),
        ("0o17", number("15")),
        ("0x", Meaning::Text),
        ("0x+1", Meaning::Text),
        ("1.50", number("1.50")),
        (".5", number("0.5")),
        ("-.5", number("-0.5")),
        ("5.", number("5")),
        ("1e3", number("1e3")),
        ("1.e3", number("1e3")),
        ("12345678901234567890123", number("12345678901234567890123")),
        ("1e", Meaning::Text),
        ("e1", Meaning::Text),
        (".", Meaning::Text),
        ("-", Meaning::Text),
        ("1_000", Meaning::Text),
        ("12:30", Meaning::Text),
        (".inf", Meaning::NoJson),
        ("-.INF", Meaning::NoJson),
        (".nan", Meaning::NoJson),
        ("25s", Meaning::Text),
    ] {
        assert_eq!(meaning(text), expected, "{text:?}");
    }
}

#[test]
fn data_keeps_its_key_order_number_spelling_and_nulls() {
    let text = r#"{z: 1.50, a: [2.0, 12345678901234567890, null, no], "m": "5", t: "{{ x }}"}"#;
    let expected = r#"{"z":1.50,"a":[2.0,12345678901234567890,null,"no"],"m":"5","t":"{{ x }}"}"#;
    assert_eq!(data(text).to_string(), expected);
    assert_eq!(data("null"), Value::Null);
    assert_eq!(data("!!str 5"), json!("5"));
}

#[test]
fn durations_sizes_and_rates_are_read_or_refused() {
    let duration = |text: &str| text.parse::<Duration>().map(|duration| duration.0.as_millis()).ok();
    for (text, expected) in [
        ("300ms", Some(300)),
        ("1.5s", Some(1500)),
        ("2m", Some(120_000)),
        ("1h", Some(3_600_000)),
        ("0", Some(0)),
        ("0s", Some(0)),
        ("25", None),
        ("-1s", None),
        ("s", None),
        ("1.2.3s", None),
        ("1 s", None),
        ("1d", None),
        ("99999999999999999999h", None),
    ] {
        assert_eq!(duration(text), expected, "{text}");
    }
    let size = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
    for (text, expected) in [
        ("0", Some(0)),
        ("512", Some(512)),
        ("512B", Some(512)),
        ("64KB", Some(64_000)),
        ("2GB", Some(2_000_000_000)),
        ("1.5MB", None),
        ("1MiB", None),
        ("-1", None),
        ("KB", None),
        ("18446744073709551616", None),
        ("18446744073709551615GB", None),
    ] {
        assert_eq!(size(text), expected, "{text}");
    }
    let rate = |text: &str| text.parse::<Rate>().map(|rate| (rate.count, rate.per.as_secs())).ok();
    assert_eq!(rate("5/s"), Some((5, 1)));
    assert_eq!(rate("100/m"), Some((100, 60)));
    for text in ["0/s", "5", "5/", "/s", "-1/s", "5/d", "4294967296/s"] {
        assert_eq!(rate(text), None, "{text}");
    }
}

#[test]
fn variables_are_filled_in() {
    let lookup = |name: &str| match name {
        "HOST" => Some("example.com".to_owned()),
        "LOOP" => Some("${HOST}".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let filled = |text| fill(text, &lookup).map(|text| text.into_owned());
    for (text, expected) in [
        ("none", "none"),
        ("${HOST}", "example.com"),
        ("https://${HOST}:${PORT:-443}/", "https://example.com:443/"),
        ("${PORT:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${PORT:-a:-b}", "a:-b"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$HOST $$ {HOST}", "$HOST $$ {HOST}"),
        ("${LOOP}", "${HOST}"),
        ("é${HOST}ü", "éexample.comü"),
    ] {
        assert_eq!(filled(text).as_deref(), Ok(expected), "{text:?}");
    }
    for wrong in ["${PORT}", "${", "a ${HOST", "${}", "${a-b}", "${1A}", "${ HOST }"] {
        assert!(filled(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_plain_scalar_is_typed_after_its_variables_and_a_quoted_one_is_text() {
    let lookup = |_: &str| Some("10".to_owned());
    let load = |text| load_text(text, "config.yaml", &lookup).unwrap().judge(Problems::default());
    assert_eq!(load("socketio: {max_attachments: \"${N}\"}").unwrap_err().problems().len(), 1);
    assert_eq!(load("socketio:\n  max_attachments: ${N}").unwrap().socketio.max_attachments, Some(10));
    assert_eq!(load("admin:\n  token: ${N}").unwrap().admin.unwrap().token.as_deref(), Some("10"));
    assert_eq!(load("admin:\n  token: ${N}0").unwrap().admin.unwrap().token.as_deref(), Some("100"));
}

#[test]
fn a_null_key_is_an_absent_one_and_a_single_value_a_list_of_one() {
    let file =
        file("cors:\nsocketio:\n  events:\ntaps: {on: GET /a, status: 201, emit: {event: e, data: }}\n");
    assert!(file.cors.is_none() && file.socketio.events.is_empty());
    assert_eq!(file.taps[0].status.as_ref().unwrap().0, ["201"]);
    assert_eq!(file.taps[0].emit.0[0].data, Some(Value::Null));
}

#[test]
fn aliases_and_merges_are_resolved() {
    let file = file(
        "upstreams:\n  a: &a {endpoints: http://a, connect_timeout: 1s}\n  b: {<<: *a, endpoints: http://b}\n  c: *a\n",
    );
    let of = |name: &str| {
        let upstream = &file.upstreams[name];
        (upstream.endpoints.0[0].clone(), upstream.connect_timeout)
    };
    assert_eq!(of("b"), ("http://b".to_owned(), of("a").1));
    assert_eq!(of("c"), of("a"));
}

#[test]
fn a_path_is_found_or_else_the_nearest_thing_above_it() {
    let text = "cors:\n  allow_origins: [\"*\"]\nsocketio:\n  namespaces:\n    /v1.2/a:\n      events:\n        \"*\":\n          \
                join: x\n        a.b: {join: [y]}\n        a: {join: z}\nroutes:\n  - upstream: a\n  - upstream: b\n    \
                match: {host: h}\ntaps: {on: GET /a}\n";
    let root = parse(text).unwrap();
    for (key, line, col) in [
        ("", 1, 1),
        ("nothing", 1, 1),
        ("cors", 1, 1),
        ("cors.allow_origins", 2, 18),
        ("cors.allow_origins[0]", 2, 19),
        ("cors.allow_origins[7]", 2, 18),
        ("cors.max_age", 1, 1),
        ("socketio.namespaces./v1.2/a.events.*.join", 8, 17),
        ("socketio.namespaces./v1.2/a.events.*.join[0]", 8, 17),
        ("socketio.namespaces./v1.2/a.events.*", 7, 9),
        ("socketio.namespaces./v1.2/a.events.a.b.join[0]", 9, 22),
        ("socketio.namespaces./v1.2/a.events.a.join", 10, 19),
        ("socketio.namespaces./v1.2/a.events.a.b.ack", 9, 9),
        ("socketio.namespaces./v1.2/a.events.ab", 6, 7),
        ("routes[1].match.host", 14, 19),
        ("routes[1].max_body", 13, 5),
        ("taps[0].on", 15, 12),
    ] {
        assert_eq!(root.locate(key), Mark { line, col }, "{key}");
    }
}

#[test]
fn problems_of_builders_join_those_of_the_structure() {
    let loaded = loaded("cors:\n  allow_origins: \"*\"\n  max_age: soon\nsocketio:\n  path: x\n  pth: y\n");
    let mut problems = Problems::default();
    problems.add("socketio.path", "`x` has no slash", "write /x");
    problems.add("cors.max_age", "a consequence of the lost value", "not told");
    problems.add("cors.allow_origins[0]", "`*` with credentials", "name the origins");
    let report = loaded.judge(problems).unwrap_err();
    assert_eq!(
        report.to_string(),
        "config.yaml:2:18: cors.allow_origins[0]: `*` with credentials; name the origins\n\
         config.yaml:3:12: cors.max_age: `soon` is not a duration; write 300ms, 25s, 2m or 1h\n\
         config.yaml:5:9: socketio.path: `x` has no slash; write /x\n\
         config.yaml:6:3: socketio.pth: unknown key; did you mean path?\n"
    );
}

#[test]
fn near_words_are_found_and_far_ones_not() {
    let known = ["allow_origins", "allow_credentials", "max_age", "path"];
    for (word, expected) in [
        ("allowOrigins", Some("allow_origins")),
        ("alow_origin", Some("allow_origins")),
        ("credentials", Some("allow_credentials")),
        ("maxage", Some("max_age")),
        ("pth", Some("path")),
        ("a", None),
        ("methods", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, known), expected, "{word}");
    }
}

#[test]
fn values_that_change_nothing_are_accepted() {
    file(
        "listen: {address: 0.0.0.0:4000, proxy_protocol: false, tls: }\n\
         credentials: {require: none, on_expiry: disconnect}\n\
         socketio: {max_sockets_per_user: 0, recovery: {enabled: false, max_disconnection: 2m}}\n\
         cluster:\n",
    );
}

#[test]
fn aliases_cannot_make_a_small_file_large_or_deep() {
    let started = Instant::now();
    let wide: String = (1..40).map(|n| format!("k{n}: &k{n} [*k{p},*k{p}]\n", p = n - 1)).collect();
    assert!(parse(&format!("k0: &k0 x\n{wide}")).is_err());
    let deep: String = (1..200).map(|n| format!("k{n}: &k{n} [*k{p}]\n", p = n - 1)).collect();
    assert!(parse(&format!("k0: &k0 x\n{deep}")).is_err());
    let text = format!("k: &k {}\nl: [{}]\n", "x".repeat(100_000), "*k,".repeat(1000));
    assert!(parse(&text).is_err());
    assert!(parse(&"[".repeat(1 << 20)).is_err());
    assert!(parse(&"{a: ".repeat(100_000)).is_err());
    assert!(parse(&"- ".repeat(100_000)).is_err());
    assert!(started.elapsed().as_secs() < 30);
}

fn any_config() -> impl Strategy<Value = String> {
    let types = schema::of_types();
    let sections = types["$defs"].as_object().unwrap().values().chain([&types]);
    let keys = sections.flat_map(|of| of["properties"].as_object().into_iter().flat_map(|map| map.keys()));
    let values = ["x", "*", "5", "1s", "true", "GET /a", "${A}", "{{ a }}", "&a", "*a", "~", "regex"];
    let words: Vec<String> = keys.cloned().chain(values.map(str::to_owned)).collect();
    let word = proptest::sample::select(words);
    let glue = proptest::sample::select(vec![
        ": ", ":\n  ", "\n", "\n- ", ", ", "{", "}", "[", "]", "\"", " #", ": {", "\n    ",
    ]);
    proptest::collection::vec((word, glue), 0..24)
        .prop_map(|parts| parts.into_iter().map(|(word, glue)| format!("{word}{glue}")).collect())
}

proptest! {
    /// What the check lets through is what the types can hold.
    #[test]
    fn no_text_gets_past_the_check_and_fails_at_the_types(text in any_config()) {
        if let Err(report) = load_text(&text, "config.yaml", &nothing) {
            let failed = report.problems().iter().any(|located| located.problem().right == super::load::MISFIT);
            prop_assert!(!failed, "{}", report);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\x00-\\x7fä{}\\[\\]&*:#|>'\"%@!, \n-]{0,200}") {
        let _ = load_text(&text, "config.yaml", &nothing);
    }
}
