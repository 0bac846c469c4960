use super::*;

fn credentials(tokens: &[&str]) -> Credentials {
    let token = (!tokens.is_empty())
        .then(|| crate::config::value::OneOrMany(tokens.iter().map(ToString::to_string).collect()));
    let mut problems = Problems::default();
    let credentials = Credentials::build(&file::Credentials { token, ..Default::default() }, &mut problems);
    assert!(problems.is_empty());
    credentials
}

#[test]
fn the_first_token_found_counts() {
    let handshake = handshake();
    let auth = json(r#"{"token":"from-auth","t":"Bearer x","n":5}"#);
    for (sources, token) in [
        (&[][..], Some("abc")),
        (&["auth:token", "header:Authorization"], Some("from-auth")),
        (&["auth:nope", "cookie:access_token"], Some("tok")),
        (&["auth:t"], Some("x")),
        (&["auth:n", "query:a"], Some("1")),
        (&["header:x-none", "cookie:none", "query:none", "auth:none"], None),
    ] {
        let found = credentials(sources).token(&handshake.headers, &handshake.query, &auth);
        assert_eq!(found.as_deref(), token, "{sources:?}");
    }
}

#[test]
fn what_is_no_token_is_passed_over() {
    let token = |value: &str, auth: &str| {
        credentials(&[]).token(&headers(&[("authorization", value)]), &[], &json(auth))
    };
    assert_eq!(token("Basic dTpw", r#"{"token":"t"}"#).as_deref(), Some("t"));
    assert_eq!(token("bearer  x", "{}").as_deref(), Some("x"));
    assert_eq!(token("Bearer ", r#"{"token":"a\r\nb"}"#), None);
    assert_eq!(token("", r#"{"token":""}"#), None);
    assert_eq!(token("", "null"), None);
    assert_eq!(token("raw", "{}").as_deref(), Some("raw"));
}

#[test]
fn a_token_from_nowhere_is_a_problem() {
    let mut problems = Problems::default();
    let token = ["body:token", "header:", "header:a b", "token"].map(ToOwned::to_owned).to_vec();
    let file =
        file::Credentials { token: Some(crate::config::value::OneOrMany(token)), ..Default::default() };
    Credentials::build(&file, &mut problems);
    assert_eq!(problems.into_vec().len(), 4);
}

#[test]
fn a_request_carries_the_sockets_identity() {
    let headers = carried(&handshake(), "sock", Some("tok"), true, "key");
    for (name, value) in [
        ("host", "app.example:4000"),
        ("authorization", "Bearer tok"),
        ("cookie", "sid=1; access_token=\"tok\""),
        ("x-socket-id", "sock"),
        ("idempotency-key", "key"),
        ("accept", "application/json"),
        ("user-agent", "ua"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["x-request-id"].len(), 36);
    assert!(!headers.contains_key("x-a"));
    let without = carried(&handshake(), "sock", None, false, "key");
    assert!(!without.contains_key("authorization") && !without.contains_key("cookie"));
}
