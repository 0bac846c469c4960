use super::*;

#[test]
fn what_frameworks_say_of_an_error_is_understood() {
    for (status, body, code, message) in [
        (
            403,
            r#"{"statusCode":403,"message":"Not a member","error":"Forbidden"}"#,
            "forbidden",
            "Not a member",
        ),
        (400, r#"{"statusCode":400,"message":["a","b"],"error":"Bad Request"}"#, "bad_request", "a; b"),
        (
            404,
            r#"{"timestamp":1,"status":404,"error":"Not Found","message":"","path":"/"}"#,
            "not_found",
            "Not Found",
        ),
        (401, r#"{"detail":"Token expired","code":"token_not_valid"}"#, "token_not_valid", "Token expired"),
        (422, r#"{"detail":[{"loc":["x"],"msg":"field required"}]}"#, "unprocessable", "field required"),
        (
            422,
            r#"{"message":"The given data was invalid.","errors":{"a":["b"]}}"#,
            "unprocessable",
            "The given data was invalid.",
        ),
        (
            422,
            r#"{"errors":["Name is short","Age is wrong"]}"#,
            "unprocessable",
            "Name is short; Age is wrong",
        ),
        (400, r#"{"error":"invalid_grant","error_description":"Bad code"}"#, "invalid_grant", "Bad code"),
        (401, r#"{"error":"Invalid password"}"#, "unauthorized", "Invalid password"),
        (409, r#"{"error":{"code":"taken","message":"Name is taken"}}"#, "taken", "Name is taken"),
        (403, r#"{"type":"about:blank","title":"Forbidden","detail":"No","status":403}"#, "forbidden", "No"),
        (500, r#"{}"#, "internal_error", "Internal Server Error"),
        (503, r#"[1]"#, "unavailable", "Service Unavailable"),
        (418, r#""x""#, "rejected", "I'm a teapot"),
    ] {
        let failure = Failure::from_reply(&reply(status, "application/json", body));
        assert_eq!(
            (failure.status, &*failure.code, failure.message.as_str()),
            (status, code, message),
            "{body}"
        );
        assert_eq!(failure.body.unwrap().as_str(), body);
    }
}

#[test]
fn an_error_page_is_no_message_and_a_short_text_is() {
    let page = Failure::from_reply(&reply(502, "text/html", "<html>oops</html>"));
    assert_eq!(page.error().as_str(), r#"{"status":502,"code":"bad_gateway","message":"Bad Gateway"}"#);
    let short = Failure::from_reply(&reply(403, "text/plain; charset=utf-8", "not a member\n"));
    assert_eq!((short.message.as_str(), short.body), ("not a member", None));
}

#[test]
fn a_redirect_is_a_failure_not_an_admission() {
    let failure = Failure::from_reply(&reply(302, "text/html", ""));
    assert_eq!((failure.status, &*failure.code), (502, "upstream_redirected"));
}

#[test]
fn failures_look_as_the_contract_says() {
    let failure = Failure::from_reply(&reply(403, "application/json", r#"{"message":"No","n":1.0}"#));
    let error = r#"{"status":403,"code":"forbidden","message":"No","body":{"message":"No","n":1.0}}"#;
    assert_eq!(failure.ack().as_str(), format!(r#"{{"error":{error}}}"#));
    let name = EventName::Text("a\"b".into());
    assert_eq!(failure.exception(&name).as_str(), format!(r#"{{"error":{error},"event":"a\"b"}}"#));
    let number = EventName::Number(json("7"));
    assert!(failure.exception(&number).as_str().ends_with(r#""event":7}"#));
    let refusal = failure.refusal();
    assert_eq!(
        (refusal.message.as_str(), refusal.data.unwrap().as_str()),
        ("No", r#"{"message":"No","n":1.0}"#)
    );
    let bare = Failure::no_rule("x").refusal();
    assert_eq!(bare.data.unwrap().as_str(), r#"{"status":404,"code":"no_rule"}"#);
}

#[test]
fn a_reply_is_seen_as_json_text_or_null() {
    for (body, seen) in [(r#"{"b":1.0,"a":2}"#, r#"{"b":1.0,"a":2}"#), ("", "null"), ("plain", r#""plain""#)]
    {
        assert_eq!(reply(200, "x/y", body).body().as_str(), seen);
    }
    let whole = reply(201, "x/y", "[1]").whole();
    assert_eq!(whole.as_str(), r#"{"status":201,"headers":{"content-type":"x/y"},"body":[1]}"#);
}
