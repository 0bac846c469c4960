//! Which paths need no token.

use http::Method;

use super::*;
use crate::credentials::public::Path::{self, Climbing, Closed};

fn judge(patterns: &str, method: Method, path: &str) -> Path {
    credentials(&format!("public: {patterns}")).public.judge(&method, path)
}

#[test]
fn patterns_match_whole_segments() {
    let patterns = "['/auth/**', 'GET /health', 'HEAD /up', 'POST|PUT /hooks/*/in', /, /a/]";
    for (method, path, public) in [
        ("GET", "/auth", true),
        ("POST", "/auth/", true),
        ("POST", "/auth/login/now", true),
        ("GET", "/authx", false),
        ("GET", "/AUTH/x", false),
        ("GET", "/health", true),
        ("HEAD", "/health", true),
        ("POST", "/health", false),
        ("HEAD", "/up", true),
        ("GET", "/up", false),
        ("GET", "/health/", false),
        ("GET", "/health/x", false),
        ("PUT", "/hooks/a%20b/in", true),
        ("GET", "/hooks/a/in", false),
        ("POST", "/hooks//in", false),
        ("POST", "/hooks/a/b/in", false),
        ("GET", "/", true),
        ("GET", "/a/", true),
        ("GET", "/a", false),
        ("GET", "/%61uth/x", true),
    ] {
        let found = judge(patterns, method.parse().unwrap(), path);
        assert_eq!(found == Path::Public, public, "{method} {path}");
    }
}

#[test]
fn what_two_readers_could_read_differently_is_never_public() {
    for (path, expected) in [
        ("/auth/../admin", Climbing),
        ("/auth/%2e%2e/admin", Climbing),
        ("/auth/.%2E/admin", Climbing),
        ("/auth%2f..%2fadmin", Climbing),
        (r"/auth\..\admin", Climbing),
        ("/auth/%5c..%5cadmin", Climbing),
        ("/auth/..;/admin", Climbing),
        ("/auth/%2e%2e%3bx/admin", Climbing),
        ("/auth/..", Climbing),
        ("/auth/%252e%252e/admin", Closed),
        ("/auth%2fadmin", Closed),
        ("/auth/x%5cy", Closed),
        ("/auth/./admin", Closed),
        ("/auth//admin", Closed),
        ("//auth/admin", Closed),
        ("/auth/a;b=c/admin", Closed),
        ("/auth/%00", Closed),
        ("/auth/%ff", Closed),
        ("*", Closed),
        ("", Closed),
    ] {
        assert_eq!(judge("/auth/**", Method::GET, path), expected, "{path}");
    }
    assert_eq!(judge("[]", Method::GET, "/a/.."), Closed, "nothing is public, so nobody needs to know");
}

#[test]
fn patterns_that_cannot_match_are_problems() {
    let (_, problems) =
        build("public: [auth, 'GTE /x', '/a/**/b', '/a*', '/a//b', '/../a', '/a?b', '/{id}', 'GET']");
    assert_eq!(problems.len(), 9, "{problems:?}");
    assert!(
        problems[0]
            .starts_with("credentials.public[0]: `auth` has no path that begins with `/`; write it as")
    );
}
