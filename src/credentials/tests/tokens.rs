//! Where tokens are found, and what a socket holds.

use super::*;

fn carried(sources: &str, headers: &Fields, auth: &'static str) -> Option<String> {
    let credentials = credentials(&format!("{{token: {sources}}}"));
    let query = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
    credentials.carry(headers, &query, &Json::from_static(auth)).token().map(str::to_owned)
}

#[test]
fn the_first_token_found_counts() {
    let headers = headers(&[("authorization", "Bearer abc"), ("cookie", "sid=1; access_token=\"tok\"")]);
    let auth = r#"{"token":"from-auth","t":"Bearer x","n":5}"#;
    for (sources, token) in [
        ("~", Some("abc")),
        ("[auth:token, header:Authorization]", Some("from-auth")),
        ("[auth:nope, cookie:access_token]", Some("tok")),
        ("auth:t", Some("x")),
        ("[auth:n, query:a]", Some("1")),
        ("[header:x-none, cookie:none, query:none, auth:none]", None),
    ] {
        assert_eq!(carried(sources, &headers, auth).as_deref(), token, "{sources}");
    }
}

#[test]
fn what_is_no_token_is_passed_over() {
    let token = |value: &str, auth: &'static str| carried("~", &headers(&[("authorization", value)]), auth);
    assert_eq!(token("Basic dTpw", r#"{"token":"t"}"#).as_deref(), Some("t"));
    assert_eq!(token("bearer  x", "{}").as_deref(), Some("x"));
    assert_eq!(token("Bearer ", r#"{"token":"a\r\nb"}"#), None);
    assert_eq!(token("", r#"{"token":""}"#), None);
    assert_eq!(token("", "null"), None);
    assert_eq!(token("raw", "{}").as_deref(), Some("raw"));
    let two = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
    assert_eq!(carried("~", &two, r#"{"token":"t"}"#), None, "the upstream could read the other one");
}

#[test]
fn a_token_from_nowhere_is_a_problem() {
    let (_, problems) = build("token: ['body:token', 'header:', 'header:a b', token]");
    assert_eq!(problems.len(), 4, "{problems:?}");
}

fn admit(credentials: &Credentials, token: Option<&str>) -> Result<Grant, Refusal> {
    let headers = token.map_or_else(Fields::new, |it| headers(&[("authorization", &format!("Bearer {it}"))]));
    at_once(credentials.admit(&headers, &[], &Json::from_static("{}")))
}

#[test]
fn sockets_hold_what_their_token_says() {
    let config =
        format!("{{jwt: {{secret: {SECRET}, algorithms: HS256}}, claims_to_headers: {{x-user-id: sub}}}}");
    let credentials = credentials(&config);
    let end = SystemTime::now() + Duration::from_secs(60);
    let exp = end.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let grant = admit(&credentials, Some(&token(&json!({"sub": "u1", "n": 1.50, "exp": exp})))).unwrap();
    assert_eq!(
        (grant.subject(), grant.claims().as_str()),
        (Some("u1"), format!(r#"{{"sub":"u1","n":1.5,"exp":{exp}}}"#).as_str())
    );
    assert_eq!(grant.headers(), [("x-user-id".parse().unwrap(), "u1".parse().unwrap())]);
    let leeway = grant.end().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs() - exp;
    assert_eq!(leeway, 30);
    assert!(!format!("{grant:?}{credentials:?}").contains("secret"));

    let forever = admit(&credentials, Some(&token(&json!({"sub": 7})))).unwrap();
    assert_eq!((forever.subject(), forever.end()), (Some("7"), None));
    let bad = admit(&credentials, Some("x.y.z")).unwrap();
    assert_eq!((bad.token(), bad.claims().as_str(), bad.subject()), (Some("x.y.z"), "{}", None));
}

#[test]
fn where_a_token_is_required_a_bad_one_is_refused() {
    let credentials =
        credentials(&format!("{{jwt: {{secret: {SECRET}, algorithms: HS256}}, require: sockets}}"));
    let refusal = |token: Option<&str>| admit(&credentials, token).unwrap_err();
    assert_eq!(refusal(None), Refusal::Missing);
    assert_eq!(refusal(Some("garbage")), Refusal::Invalid);
    assert_eq!(refusal(Some(&token(&json!({"exp": 1})))), Refusal::Expired);
    assert!(admit(&credentials, Some(&token(&json!({})))).is_ok());
}

#[test]
fn without_jwt_any_token_is_carried_and_only_its_absence_refused() {
    let credentials = credentials("require: sockets");
    assert_eq!(admit(&credentials, Some("opaque")).unwrap().token(), Some("opaque"));
    assert_eq!(admit(&credentials, None).unwrap_err(), Refusal::Missing);
}

#[test]
fn a_token_is_renewed_by_one_of_the_same_user() {
    let credentials = credentials(&format!("{{jwt: {{secret: {SECRET}, algorithms: HS256}}}}"));
    let held = admit(&credentials, Some(&token(&json!({"sub": "u", "v": 1})))).unwrap();
    let renew = |held: &Grant, token: &str| at_once(credentials.renew(held, token));
    let grant = renew(&held, &format!("Bearer {}", token(&json!({"sub": "u", "v": 2})))).unwrap();
    assert_eq!(grant.claims().as_str(), r#"{"sub":"u","v":2}"#);
    assert_eq!(renew(&held, &token(&json!({"sub": "v"}))).unwrap_err(), Refusal::OtherUser);
    assert_eq!(renew(&held, &token(&json!({}))).unwrap_err(), Refusal::OtherUser);
    assert_eq!(renew(&held, &token(&json!({"sub": "u", "exp": 1}))).unwrap_err(), Refusal::Expired);
    assert_eq!(renew(&held, "a b").unwrap_err(), Refusal::Invalid);
    let nobody = Grant::default();
    assert_eq!(renew(&nobody, &token(&json!({"sub": "v"}))).unwrap().subject(), Some("v"));
}
