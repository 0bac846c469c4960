//! Headers that only frontroom may set, and what requests are refused.

use http::Method;

use super::*;

fn config(more: &str) -> Credentials {
    credentials(&format!(
        "{{jwt: {{secret: {SECRET}, algorithms: HS256}}, token: ['header:authorization', 'cookie:t', 'query:t'], {more}}}"
    ))
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::from(http::Request::builder().uri("/x?a=1").body(()).unwrap());
    *request.headers_mut() = super::headers(headers);
    request
}

#[test]
fn claims_become_headers_that_no_client_can_set() {
    let credentials =
        config("claims_to_headers: {x-user-id: sub, X-Roles: realm_access.roles, x-ok: 'https://e.org/ok'}");
    let claims = json!({"sub": "u", "realm_access": {"roles": ["a", "ü"]}, "https://e.org/ok": true});
    let authorization = format!("Bearer {}", token(&claims));
    let spoofed = [
        ("authorization", authorization.as_str()),
        ("X-USER-ID", "root"),
        ("x-user-id", "root"),
        ("x_user_id", "root"),
        ("x_user-id", "root"),
        ("x.user.id", "root"),
        ("x_roles", "admin"),
        ("x-user-ids", "stays"),
    ];
    let headers = judged(&credentials, request(&spoofed)).unwrap();
    let names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(headers.get_all("x-user-id").collect::<Vec<_>>(), ["u"]);
    assert_eq!(
        (&headers["x-roles"], &headers["x-ok"]),
        (&r#"["a","\u00fc"]"#.parse().unwrap(), &"true".parse().unwrap())
    );
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(self::config("claims_to_headers: {x_user_id: sub}").owns("x-user-id"));
    for bad in [&spoofed[1..], &[("authorization", "Bearer x.y.z"), ("x-user-id", "root")]] {
        let headers = judged(&credentials, request(bad)).unwrap();
        assert!(!headers.contains_key("x-user-id") && !headers.contains_key("x_user_id"), "{headers:?}");
    }
}

#[test]
fn a_value_that_cannot_be_a_header_is_left_out() {
    let credentials = config("claims_to_headers: {x-v: v}");
    for (value, header) in [
        (json!("plain text"), Some("plain text")),
        (json!(12345678901234567890_u64), Some("12345678901234567890")),
        (json!(false), Some("false")),
        (json!({"a": [1]}), Some(r#"{"a":[1]}"#)),
        (json!(["😀"]), Some(r#"["\ud83d\ude00"]"#)),
        (json!(null), None),
        (json!(""), None),
        (json!("a\r\nx-admin: 1"), None),
        (json!("ü"), None),
        (json!(" root"), None),
        (json!("\u{7f}"), None),
    ] {
        let authorization = format!("Bearer {}", token(&json!({"v": value})));
        let headers = judged(&credentials, request(&[("authorization", &authorization)])).unwrap();
        assert_eq!(headers.get("x-v").map(|it| it.to_str().unwrap()), header, "{value}");
    }
}

#[test]
fn requests_without_a_good_token_are_refused_where_all_need_one() {
    let credentials = config("require: all, public: ['/auth/**', 'GET /health']");
    let (good, old) = (token(&json!({"sub": "u"})), token(&json!({"exp": 1})));
    let fault = |headers: &[(&str, &str)]| judged(&credentials, request(headers)).err();
    let challenge = |fault: &Fault| fault.headers[0].1.to_str().unwrap().to_owned();
    for (headers, code, expected) in [
        (vec![], "token_missing", "Bearer"),
        (vec![("authorization", "Basic dTpw".to_owned())], "token_missing", "Bearer"),
        (
            vec![("cookie", "t=x".to_owned())],
            "token_invalid",
            r#"Bearer error="invalid_token", error_description="the token is not valid""#,
        ),
        (
            vec![("authorization", format!("Bearer {old}"))],
            "token_expired",
            r#"Bearer error="invalid_token", error_description="the token has expired""#,
        ),
        (
            vec![("authorization", format!("Bearer {good}")), ("authorization", format!("Bearer {old}"))],
            "token_invalid",
            r#"Bearer error="invalid_token", error_description="the token is not valid""#,
        ),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let fault = fault(&headers).unwrap();
        assert_eq!((fault.status.as_u16(), fault.code, challenge(&fault).as_str()), (401, code, expected));
    }
    assert_eq!(fault(&[("authorization", &format!("bearer {good}"))]), None);
    assert_eq!(fault(&[("cookie", &format!("a=b; t={good}"))]), None);
    let mut by_query = request(&[]);
    *by_query.uri_mut() = format!("/x?t={good}").parse().unwrap();
    assert!(judged(&credentials, by_query).is_ok());
    for (method, uri, status) in [
        (Method::POST, "/auth/login", None),
        (Method::GET, "/health", None),
        (Method::DELETE, "/health", Some(401)),
        (Method::GET, "/auth/%2e%2e/x", Some(400)),
    ] {
        let mut open = request(&[("authorization", "Bearer stale")]);
        (*open.method_mut(), *open.uri_mut()) = (method, uri.parse().unwrap());
        assert_eq!(judged(&credentials, open).err().map(|fault| fault.status.as_u16()), status, "{uri}");
    }
}

#[test]
fn headers_that_mean_something_else_are_problems() {
    let (_, problems) = build(&format!(
        "{{jwt: {{secret: {SECRET}, algorithms: HS256}}, claims_to_headers: {{host: a, Authorization: a, x_forwarded_for: a, \
         'a b': a, x-a: sub, x_a: sub, x-b: ''}}}}"
    ));
    let wrong: Vec<_> = problems.iter().map(|it| it.split("to_headers.").last().unwrap()).collect();
    assert_eq!(
        wrong,
        [
            "host: has another meaning; a header of your own, such as x-user-id",
            "Authorization: has another meaning; a header of your own, such as x-user-id",
            "x_forwarded_for: has another meaning; a header of your own, such as x-user-id",
            "a b: is no name of a header; letters, digits and hyphens",
            "x_a: looks like x-a to many servers; keep one of them",
            "x-b: names no claim; the name of a claim, such as sub",
        ]
    );
}
