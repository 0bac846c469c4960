//! Tests of the compiled config; exchanges need sockets and are in `tests/proxy`.

use super::*;
use crate::config::{Problems, file, value::OneOrMany};

fn build(endpoints: &[&str]) -> (Upstreams, Vec<String>) {
    let mut problems = Problems::default();
    let mut raw = file::File::default();
    let urls = OneOrMany(endpoints.iter().map(|url| (*url).to_owned()).collect());
    raw.upstreams.insert("api".into(), file::Upstream { endpoints: urls, ..Default::default() });
    let upstreams = Upstreams::build(&raw, &mut problems);
    (upstreams, problems.into_vec().iter().map(ToString::to_string).collect())
}

#[test]
fn endpoints_are_http_urls_without_a_path() {
    for url in ["http://a", "http://a:1", "http://a:1/", "http://[::1]:80", "http://127.0.0.1:3000"] {
        let (upstreams, problems) = build(&[url]);
        assert_eq!(problems, Vec::<String>::new(), "{url}");
        assert!(upstreams.get("api").is_some());
    }
    let table = [
        ("https://a", "`https` endpoints are not supported yet"),
        ("h2c://a", "`h2c` endpoints are not supported yet"),
        ("unix:/run/a.sock", "`unix` endpoints are not supported yet"),
        ("a:80", "is not a URL that begins with http://"),
        ("127.0.0.1", "is not a URL that begins with http://"),
        ("http://", "is not a URL"),
        ("http://a/b", "has a path"),
        ("http://a?b", "has a path"),
        ("http://u:p@a", "holds a user name"),
        ("http://a:99999", "has no valid port"),
        ("", "is not a URL"),
    ];
    for (url, wrong) in table {
        let (_, problems) = build(&[url]);
        assert!(problems.len() == 1 && problems[0].contains(wrong), "{url}: {problems:?}");
        assert!(problems[0].starts_with("upstreams.api.endpoints: "), "{problems:?}");
    }
}

#[test]
fn every_problem_is_told() {
    let (_, problems) = build(&["http://a", "https://b", "c"]);
    assert!(problems[0].starts_with("upstreams.api.endpoints[1]: "), "{problems:?}");
    assert!(problems[1].starts_with("upstreams.api.endpoints[2]: "), "{problems:?}");
    let (_, problems) = build(&[]);
    assert!(problems[0].contains("there is no endpoint"), "{problems:?}");
}

#[test]
fn the_shorthand_is_named_default() {
    let mut problems = Problems::default();
    let mut raw = file::File { upstream: Some("http://127.0.0.1:3000".into()), ..Default::default() };
    assert!(Upstreams::build(&raw, &mut problems).get("default").is_some());
    assert!(problems.is_empty());
    raw.upstreams.insert(
        "default".into(),
        file::Upstream { endpoints: OneOrMany(vec!["http://a".into()]), ..Default::default() },
    );
    Upstreams::build(&raw, &mut problems);
    assert_eq!(problems.into_vec()[0].key, "upstream");
}
