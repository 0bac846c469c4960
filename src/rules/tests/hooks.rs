use super::*;

#[test]
fn envelopes_are_as_in_the_contract() {
    let (handshake, auth, rooms) = (handshake(), json(r#"{"token":"t"}"#), ["id".into(), "r".into()]);
    let facts = Facts {
        id: "id",
        namespace: "/",
        rooms: &rooms,
        handshake: &handshake,
        auth: &auth,
        claims: json(r#"{"sub":"u"}"#),
        recovered: false,
    };
    let state: Map<String, Value> = serde_json::from_str(r#"{"n":1.0}"#).unwrap();
    let socket = concat!(
        r#""socket":{"id":"id","namespace":"/","rooms":["id","r"],"state":{"n":1.0},"claims":{"sub":"u"},"recovered":false,"#,
        r#""handshake":{"address":"127.0.0.1","url":"/socket.io/?EIO=4&a=1","secure":true,"issued":1763700000000,"#,
        r#""headers":{"user-agent":"ua","cookie":"sid=1; access_token=\"tok\"","authorization":"Bearer abc","x-a":"1, 2"},"#,
        r#""query":{"EIO":"4","a":["1","2"]},"auth":{"token":"t"}}}}"#
    );
    let args = [json("1"), json(r#"{"3": [true]}"#)];
    let (name, number) = (EventName::Text("message".into()), EventName::Number(json("5")));
    for (told, start) in [
        (Told::Connect, r#"{"type":"connect","id":"i","#),
        (
            Told::Event { name: &name, args: &args, ack: true },
            r#"{"type":"event","id":"i","event":"message","args":[1,{"3": [true]}],"ack":true,"#,
        ),
        (
            Told::Event { name: &number, args: &[], ack: false },
            r#"{"type":"event","id":"i","event":5,"args":[],"ack":false,"#,
        ),
        (
            Told::Disconnect { reason: "ping timeout" },
            r#"{"type":"disconnect","id":"i","reason":"ping timeout","#,
        ),
        (
            Told::Ack { name: &name, args: Some(&args) },
            r#"{"type":"ack","id":"i","event":"message","args":[1,{"3": [true]}],"#,
        ),
        (
            Told::Ack { name: &name, args: None },
            r#"{"type":"ack","id":"i","event":"message","error":"timeout","#,
        ),
    ] {
        let envelope = hook::envelope(&told, "i", &facts, &state);
        assert_eq!(envelope.as_str(), format!("{start}{socket}"));
        assert!(Json::parse(envelope.bytes().clone()).is_ok());
    }
}

#[test]
fn a_hook_answers_with_204_or_actions() {
    assert!(hook::answer(&reply(204, "x/y", "")).is_ok());
    assert!(hook::answer(&reply(200, "application/json", r#"{"join":["a"]}"#)).is_ok());
    for (status, body) in
        [(200, "OK"), (200, ""), (201, "[]"), (200, r#"{"jion":[]}"#), (200, r#"{"ack":1}"#)]
    {
        let failure = hook::answer(&reply(status, "x/y", body)).unwrap_err();
        assert_eq!((failure.status, &*failure.code), (502, "bad_hook_reply"), "{body}");
    }
    let failure = hook::answer(&reply(403, "application/json", r#"{"message":"No"}"#)).unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (403, "No"));
}

#[test]
fn signatures_have_one_part_for_each_secret() {
    let mut problems = Problems::default();
    let file: file::Hooks = serde_yaml::from_str("secrets: [new, old]").unwrap();
    let hooks = Hooks::build(&file, &mut problems);
    let signature = hooks.signature("POST", "/hook?x=1", b"{}").unwrap();
    let parts: Vec<&str> = signature.split(',').collect();
    assert!(parts[0].starts_with("t=") && parts.len() == 3, "{signature}");
    assert!(parts[1..].iter().all(|part| part.starts_with("v1=") && part.len() == 67));
    assert!(Hooks::build(&file::Hooks::default(), &mut problems).signature("POST", "/", b"").is_none());
    // From: printf '1700000000.POST./hooks/socket.{"a":1}' | openssl dgst -sha256 -hmac topsecret
    assert_eq!(
        hook::sign(&["topsecret".to_owned()], 1_700_000_000, "POST", "/hooks/socket", br#"{"a":1}"#),
        "t=1700000000,v1=bf033d3f9e5bad39aee2dd8b1b49f96f582b26486c5ac07f87e668bdf6fa2c87"
    );
}
