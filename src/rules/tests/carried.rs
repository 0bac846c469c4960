use http::HeaderValue;

use super::*;

#[test]
fn a_request_carries_the_sockets_identity() {
    let carried = |token, cookies| {
        let mut headers = alike(&handshake(), "sock", cookies);
        set_own(&mut headers, token, HeaderValue::from_static("key"));
        headers
    };
    let headers = carried(Some("tok"), true);
    for (name, value) in [
        ("host", "app.example:4000"),
        ("authorization", "Bearer tok"),
        ("cookie", "sid=1; access_token=\"tok\""),
        ("x-socket-id", "sock"),
        ("idempotency-key", "key"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "ua"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers["authorization"].is_sensitive());
    assert_eq!(headers["x-request-id"].len(), 36);
    assert!(!headers.contains_key("x-a"));
    let without = carried(None, false);
    assert!(!without.contains_key("authorization") && !without.contains_key("cookie"));
}
