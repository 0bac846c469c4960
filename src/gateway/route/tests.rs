//! Which route a request takes, and what the upstream is asked for.

use crate::config::{Problems, file};

use super::Router;

fn compile(yaml: &str) -> (Router, Vec<String>) {
    let file: file::File = serde_yaml::from_str(yaml).expect("the YAML of a test");
    let mut problems = Problems::default();
    let router = Router::build(&file, &mut problems);
    (router, problems.into_vec().iter().map(ToString::to_string).collect())
}

fn router(yaml: &str) -> Router {
    let (router, problems) = compile(yaml);
    assert!(problems.is_empty(), "{problems:?}");
    router
}

const ROUTES: &str = "
upstream: http://127.0.0.1:3000
upstreams: {a: {endpoints: http://a}, b: {endpoints: http://b}}
limits: {max_body: 1MB}
routes:
  - {match: {path_prefix: /api}, upstream: a}
  - {match: {path_prefix: /api/v2/}, upstream: b, max_body: 2KB, response_timeout: 5s}
  - {match: {host: B.test}, upstream: b}
  - {match: {host: b.test, path_prefix: /files}, upstream: a}
";

#[test]
fn the_host_first_then_the_longest_prefix() {
    let router = router(ROUTES);
    for (host, path, name) in [
        ("x.test", "/", "default"),
        ("", "/", "default"),
        ("x.test", "/api", "/api"),
        ("x.test", "/api/", "/api"),
        ("x.test", "/api/v1?x=/api/v2", "/api"),
        ("x.test", "/api/v2", "/api/v2"),
        ("x.test", "/api/v2/x", "/api/v2"),
        ("x.test", "/api/v22", "/api"),
        ("x.test", "/apix", "default"),
        ("x.test", "/API", "default"),
        ("x.test", "/%61pi", "default"),
        ("x.test", "//api", "default"),
        ("b.test", "/api/v2", "b.test"),
        ("B.TEST:4000", "/", "b.test"),
        ("b.test.", "/files/1", "b.test/files"),
        ("b.test", "/filesystem", "b.test"),
        ("b.test.evil.net", "/", "default"),
        ("[::1]:4000", "/api", "/api"),
    ] {
        assert_eq!(router.route(host, path).map(|route| route.name.as_str()), Some(name), "{host} {path}");
    }
    let route = router.route("", "/api/v2").unwrap();
    assert_eq!((route.upstream.as_str(), route.max_body), ("b", Some(2000)));
    assert_eq!(route.response_timeout, Some(std::time::Duration::from_secs(5)));
    let route = router.route("", "/").unwrap();
    assert_eq!(
        (route.upstream.as_str(), route.max_body, route.response_timeout),
        ("default", Some(1_000_000), None)
    );
}

#[test]
fn without_a_route_there_is_none() {
    let router = router(
        "{upstreams: {a: {endpoints: http://a}}, routes: [{match: {path_prefix: /api}, upstream: a}]}",
    );
    assert!(router.route("x.test", "/").is_none());
    assert!(router.route("x.test", "/api").is_some());
}

#[test]
fn socketio_is_matched_on_a_segments_boundary() {
    let standard = router("upstream: http://a");
    for ours in
        ["/socket.io", "/socket.io/", "/socket.io?EIO=4", "/socket.io/?EIO=4", "/socket.io/default/?x"]
    {
        assert!(standard.is_socketio(ours), "{ours}");
    }
    for theirs in [
        "/socket.io-docs",
        "/socket.iox",
        "/socket.i",
        "/",
        "/x/socket.io/",
        "//socket.io/",
        "/?/socket.io",
        "/Socket.io",
    ] {
        assert!(!standard.is_socketio(theirs), "{theirs}");
    }
    let moved = router("{upstream: http://a, socketio: {path: /ws/chat/}}");
    assert!(moved.is_socketio("/ws/chat") && moved.is_socketio("/ws/chat/?x"));
    assert!(!moved.is_socketio("/socket.io/") && !moved.is_socketio("/ws/chats"));
}

#[test]
fn a_rewritten_path_begins_with_exactly_one_slash() {
    for (strip, add, target, asked) in [
        ("", "", "//a/../b;%2F?x=%zz&&", "//a/../b;%2F?x=%zz&&"),
        ("/", "", "//a", "//a"),
        ("/api", "", "/api/users?x=/api", "/users?x=/api"),
        ("/api/", "", "/api/users", "/users"),
        ("/api", "", "/api", "/"),
        ("/api", "", "/api?x", "/?x"),
        ("/api", "", "/api/", "/"),
        ("/api", "", "/api//evil.net/x", "/evil.net/x"),
        ("/api", "", "/api///%2Fa", "/%2Fa"),
        ("/api", "", "/apix", "/apix"),
        ("/api", "", "/%61pi/x", "/%61pi/x"),
        ("", "/v1", "/users", "/v1/users"),
        ("", "/v1/", "/users", "/v1/users"),
        ("", "/v1", "/", "/v1/"),
        ("", "/v1", "//a", "/v1//a"),
        ("/api", "/v1", "/api", "/v1"),
        ("/api", "/v1", "/api?x", "/v1?x"),
        ("/api", "/v1", "/api//a%2fb", "/v1//a%2fb"),
        ("/api", "/v1", "/other", "/v1/other"),
    ] {
        let key = |key: &str, value: &str| {
            if value.is_empty() { String::new() } else { format!(", {key}: {value}") }
        };
        let yaml = format!(
            "{{upstream: http://a, routes: [{{upstream: default{}{}}}]}}",
            key("strip_prefix", strip),
            key("add_prefix", add)
        );
        let router = router(&yaml);
        assert_eq!(router.route("", target).unwrap().rewrite(target), asked, "-{strip} +{add} {target}");
    }
}

#[test]
fn climbing_is_refused_where_the_path_carries_policy() {
    let climbing = ["/..", "/a/../b", "/a/%2e%2E/b", "/a/.%2e", "/a%2f..%2fb", "/a/..%5cb", "/a\\..\\b"];
    let level = ["/a/b", "/a/...", "/a/..b", "/?x=/../", "/a/./b", "/%252e%252e/"];
    let (plain, strict) = (router("upstream: http://a"), router(ROUTES));
    for path in climbing {
        assert!(!plain.refuses(path), "byte for byte: {path}");
        assert!(strict.refuses(path), "{path}");
    }
    level.iter().for_each(|path| assert!(!strict.refuses(path), "{path}"));
}

#[test]
fn a_bad_route_is_told_with_what_would_be_right() {
    let routes = |routes: &str| format!("{{upstreams: {{a: {{endpoints: http://a}}}}, routes: [{routes}]}}");
    for (yaml, expected) in [
        ("{}".to_owned(), "upstream: no path leads to an upstream; write `upstream: http://127.0.0.1:3000`"),
        ("upstreams: {a: {endpoints: http://a}}".to_owned(), "upstream: no path leads to an upstream"),
        (routes("{upstream: b}"), "routes[0].upstream: there is no upstream `b`; name one of: a"),
        (routes("{match: {path_prefix: /x}}"), "routes[0].upstream: is missing; name one of: a"),
        (
            routes("{upstream: a, match: {path_prefix: api}}"),
            "routes[0].match.path_prefix: `api` is not a path",
        ),
        (routes("{upstream: a, match: {path_prefix: '/a?b'}}"), "is not a path"),
        (routes("{upstream: a, strip_prefix: //a}"), "routes[0].strip_prefix: `//a` is not a path"),
        (routes("{upstream: a, add_prefix: 'http://b'}"), "routes[0].add_prefix: `http://b` is not a path"),
        (
            routes("{upstream: a, match: {host: 'a.test:80'}}"),
            "routes[0].match.host: `a.test:80` is not a host's name",
        ),
        (routes("{upstream: a, match: {host: 'https://a.test'}}"), "is not a host's name"),
        (routes("{upstream: a, match: {host: '*.a.test'}}"), "is not a host's name"),
        (
            routes("{upstream: a}, {upstream: a, match: {path_prefix: /}}"),
            "routes[1].match: `/` is matched by an earlier route",
        ),
        (routes("{upstream: a, match: {path_prefix: /socket.io}}"), "is never reached"),
        (
            "{upstream: http://a, socketio: {path: /}}".to_owned(),
            "socketio.path: `/` cannot be Socket.IO's path",
        ),
        ("{upstream: http://a, socketio: {path: ws}}".to_owned(), "socketio.path: `ws` cannot be"),
    ] {
        let (_, problems) = compile(&yaml);
        assert_eq!(problems.len(), 1, "{yaml}: {problems:?}");
        assert!(problems[0].contains(expected), "{yaml}: {problems:?}");
    }
}

#[test]
fn upstream_default_is_behind_every_path_and_behind_routes_that_name_none() {
    let shorthand = router("{upstream: http://a, routes: [{match: {path_prefix: /x}, strip_prefix: /x}]}");
    assert_eq!(shorthand.route("", "/x").unwrap().upstream, "default");
    assert_eq!(shorthand.route("", "/").unwrap().name, "default");
    assert_eq!(
        router("upstreams: {default: {endpoints: http://a}}").route("", "/").unwrap().upstream,
        "default"
    );
}
