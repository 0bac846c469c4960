use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Utf8 {
    Utf8::new(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn read(packet: &str) -> Result<Packet, Invalid> {
    match parse(text(packet), 10)? {
        Parsed::Whole(packet) => Ok(packet),
        Parsed::Incomplete(_) => panic!("{packet} waits for attachments"),
    }
}

fn read_binary(packet: &str, attachments: &[&'static [u8]]) -> Result<Packet, Invalid> {
    let mut parsed = parse(text(packet), 10)?;
    for attachment in attachments {
        parsed = match parsed {
            Parsed::Incomplete(incomplete) => incomplete.add(Bytes::from_static(attachment))?,
            Parsed::Whole(_) => panic!("{packet} wants fewer attachments"),
        };
    }
    match parsed {
        Parsed::Whole(packet) => Ok(packet),
        Parsed::Incomplete(_) => panic!("{packet} wants more attachments"),
    }
}

fn args(packet: Packet) -> Vec<String> {
    match packet.body {
        Content::Event { args, .. } | Content::Ack { args, .. } => {
            args.iter().map(|arg| arg.as_str().to_owned()).collect()
        }
        other => panic!("{other:?} has no arguments"),
    }
}

/// What polling would carry, without the `4` of Engine.IO.
fn wire(parcel: &Parcel) -> String {
    parcel.polling_for_tests().strip_prefix('4').unwrap().to_owned()
}

#[test]
fn packets_are_read_with_namespace_id_and_exact_arguments() {
    assert_eq!(read("0").unwrap(), Packet { namespace: "/".into(), body: Content::Connect { auth: None } });
    let packet = read(r#"0/admin,{"token":"123"}"#).unwrap();
    assert_eq!(packet.namespace, "/admin");
    assert_eq!(packet.body, Content::Connect { auth: Some(Json::from_static(r#"{"token":"123"}"#)) });
    assert_eq!(read("0/custom").unwrap().namespace, "/custom");
    assert_eq!(read("1/custom,").unwrap().body, Content::Disconnect);

    let packet = read(r#"2/chat,12["say",{"b":1,"a":1.0},1e3,12345678901234567890]"#).unwrap();
    let Content::Event { id, name, args } = packet.body else { panic!() };
    assert_eq!((id.as_deref(), name.as_text()), (Some("12"), "say"));
    let args: Vec<_> = args.iter().map(Json::as_str).collect();
    assert_eq!(args, [r#"{"b":1,"a":1.0}"#, "1e3", "12345678901234567890"]);
}

#[test]
fn names_may_hold_escapes_or_be_numbers() {
    let Content::Event { name, .. } = read(r#"2["a\"b\u00e9"]"#).unwrap().body else { panic!() };
    assert_eq!(name, EventName::Text("a\"b\u{e9}".into()));
    let Content::Event { name, .. } = read("2[1.50]").unwrap().body else { panic!() };
    assert_eq!(name, EventName::Number(Json::from_static("1.50")));
}

#[test]
fn ack_ids_are_echoed_as_they_were_written() {
    let id = "123456789012345678901234567890";
    let Content::Event { id: Some(read), .. } = read(&format!(r#"2{id}["x"]"#)).unwrap().body else {
        panic!()
    };
    assert_eq!(wire(&ack_parcel("/", &read, &[Json::from_static("1")])), format!("3{id}[1]"));
}

#[test]
fn what_is_no_packet_of_a_client_is_invalid() {
    let invalid = [
        "",
        "abc",
        "9",
        "999",
        "2",
        "2{}",
        "2[]",
        "2abc[\"x\"]",
        r#"442["some","data""#,
        r#"0/admin,"invalid""#,
        "0[]",
        "0[1]",
        "0null",
        "05{}",
        "1/admin,{}",
        r#"1{"a":1}"#,
        r#"2/admin,"invalid"#,
        "2/admin,{}",
        r#"2[{"toString":"foo"}]"#,
        r#"2[true,"foo"]"#,
        r#"2[null,"bar"]"#,
        r#"2["connect"]"#,
        r#"2["connect_error"]"#,
        r#"2["disconnect","123"]"#,
        r#"2["disconnecting"]"#,
        r#"2["newListener"]"#,
        r#"2["removeListener"]"#,
        "3[]",
        "3",
        "31{}",
        "4{}",
        r#"4"x""#,
        "5",
        "51",
        "5a-",
        "51.23-",
        "5-",
        "2\u{e9}",
        "21\u{e9}",
        "51\u{e9}",
        r#"2["e"],"admin":true"#,
        r#"2["e"]["f"]"#,
        "6",
        "61-",
        "61-[]",
        r#"2["\ud800"]"#,
    ];
    for packet in invalid {
        assert!(matches!(parse(text(packet), 10), Err(Invalid)), "{packet} was taken");
    }
}

#[test]
fn attachments_take_the_place_of_their_placeholders() {
    let packet = read_binary(
        r#"52-["e",{"x":[{"_placeholder":true,"num":1}],"n":[1e3,1.0]},{"num":0,"_placeholder":true},1E+2]"#,
        &[b"\x01\x02\x03", b"\x04"],
    );
    assert_eq!(
        args(packet.unwrap()),
        [r#"{"x":[{"$binary":"BA=="}],"n":[1e3,1.0]}"#, r#"{"$binary":"AQID"}"#, "1E+2"]
    );
    assert_eq!(args(read("50-[\"e\",1]").unwrap()), ["1"]);
}

#[test]
fn placeholders_that_point_nowhere_are_invalid() {
    for num in ["-1", "0.5", "\"0\"", "1", "1e9", "null"] {
        let packet = format!(r#"51-["e",{{"_placeholder":true,"num":{num}}}]"#);
        assert_eq!(read_binary(&packet, &[b"x"]), Err(Invalid), "{num}");
    }
    assert_eq!(read_binary(r#"51-["e",{"_placeholder":true}]"#, &[b"x"]), Err(Invalid));
    assert_eq!(read_binary(r#"51-["e",{"num":"0","_placeholder":true}]"#, &[b"x"]), Err(Invalid));
    // What only looks like one is the client's own.
    for own in
        [r#"{"_placeholder":"true","num":0}"#, r#"{"num":{"num":1}}"#, r#"["{\"_placeholder\":true}"]"#]
    {
        assert_eq!(args(read_binary(&format!(r#"51-["e",{own}]"#), &[b"x"]).unwrap()), [own]);
    }
    for count in [11, 10_000] {
        assert!(parse(text(&format!(r#"5{count}-["e"]"#)), 10).is_err());
    }
}

#[test]
fn a_clients_own_look_alike_is_escaped_and_comes_back() {
    let own = r#"{"$binary":"AQID"}"#;
    let packet =
        read(&format!(r#"2["e",{own},{{"a":[{{"\u0024binary":1}}]}},{{"$$binary":{own}}}]"#)).unwrap();
    let escaped = args(packet);
    assert_eq!(
        escaped,
        [r#"{"$$binary":"AQID"}"#, r#"{"a":[{"$$binary":1}]}"#, r#"{"$$$binary":{"$$binary":"AQID"}}"#]
    );
    let args =
        escaped.iter().map(|arg| Json::parse(Bytes::copy_from_slice(arg.as_bytes())).unwrap()).collect();
    let event = Outgoing { name: EventName::Text("e".into()), args, volatile: false };
    assert_eq!(
        wire(&event_parcel("/", &event, None)),
        format!(r#"2["e",{own},{{"a":[{{"$binary":1}}]}},{{"$$binary":{own}}}]"#)
    );
}

#[test]
fn events_are_written_with_their_attachments() {
    let args =
        vec![Json::from_static(r#"{"z":1.0,"file":{"$binary":"AQID"}}"#), Json::from_static("\"\u{e9}\"")];
    let event = Outgoing { name: EventName::Text("up\"load".into()), args, volatile: false };
    let parcel = event_parcel("/files", &event, Some(7));
    let expected = r#"51-/files,7["up\"load",{"z":1.0,"file":{"_placeholder":true,"num":0}},"é"]"#;
    assert_eq!(wire(&parcel), format!("{expected}\x1ebAQID"));
}

#[test]
fn connects_are_answered_as_node_does() {
    assert_eq!(wire(&connect_parcel("/", "abc", None)), r#"0{"sid":"abc"}"#);
    assert_eq!(wire(&connect_parcel("/custom", "abc", Some("def"))), r#"0/custom,{"sid":"abc","pid":"def"}"#);
    assert_eq!(
        wire(&connect_error_parcel("/random", "Invalid namespace", None)),
        r#"4/random,{"message":"Invalid namespace"}"#
    );
    let data = Json::from_static(r#"{"code":"x"}"#);
    assert_eq!(
        wire(&connect_error_parcel("/", "no", Some(&data))),
        r#"4{"message":"no","data":{"code":"x"}}"#
    );
    assert_eq!(wire(&disconnect_parcel("/custom")), "1/custom,");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
        "[$]{0,3}binary".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((prop_oneof!["[$]{0,2}binary", "[a-c]"], inner), 0..3)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_arguments_go_round_unchanged(values in prop::collection::vec(any_json(), 0..4), id in "[0-9]{0,30}") {
        let list: Vec<String> = values.iter().map(ToString::to_string).collect();
        let mut parts = vec!["\"e\"".to_owned()];
        parts.extend(list.clone());
        let packet = read(&format!("2/n,{id}[{}]", parts.join(","))).unwrap();
        let Content::Event { args, name, .. } = packet.body else { panic!() };
        let parcel = event_parcel("/n", &Outgoing { name, args, volatile: false }, None);
        prop_assert_eq!(wire(&parcel), format!("2/n,[{}]", parts.join(",")));
    }

    #[test]
    fn garbage_never_panics(garbage in "[0-9]{0,3}-?(/[a-z]*,?)?.{0,40}") {
        let _ = parse(text(&garbage), 10);
    }
}

#[test]
fn an_offset_is_the_last_argument() {
    let event = |args: &[&'static str]| Outgoing {
        name: EventName::Text("e".into()),
        args: args.iter().map(|arg| Json::from_static(arg)).collect(),
        volatile: false,
    };
    assert_eq!(wire(&event_parcel_at("/", &event(&[]), "o1")), r#"2["e","o1"]"#);
    assert_eq!(wire(&event_parcel_at("/n", &event(&["1", "{}"]), "o1")), r#"2/n,["e",1,{},"o1"]"#);
    assert_eq!(
        wire(&event_parcel_at("/", &event(&[r#"{"$binary":"AQID"}"#]), "o1")),
        "51-[\"e\",{\"_placeholder\":true,\"num\":0},\"o1\"]\u{1e}bAQID"
    );
}
