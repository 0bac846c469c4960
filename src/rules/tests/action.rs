use super::*;

#[test]
fn actions_of_the_contract_are_read() {
    let actions = Actions::parse(&json(
        r#"{"state":{"a":1.0}, "leave":["a"], "join":["b", 7],
            "emit":[{"event":"hi","args":[1.0,{"$binary":"AQID"}],"to":["room"],"except":["id"],"namespace":"/x","volatile":true,"ack":false},
                    {"event":5,"data":{"k":1e3}}],
            "ack":[1,2e0], "disconnect":true}"#,
    ))
    .unwrap();
    assert_eq!(Value::Object(actions.state).to_string(), r#"{"a":1.0}"#);
    assert_eq!(actions.join, ["b", "7"].map(Arc::<str>::from));
    assert_eq!(actions.ack.unwrap()[1].as_str(), "2e0");
    assert!(actions.disconnect);
    let [first, second] = actions.emit.try_into().unwrap();
    assert_eq!(first.args[1].as_str(), r#"{"$binary":"AQID"}"#);
    assert_eq!((first.to.as_deref(), first.volatile), (Some(["room".into()].as_slice()), true));
    assert!(matches!(&second.event, EventName::Number(number) if number.as_str() == "5"));
    assert_eq!((second.args[0].as_str(), &second.to), (r#"{"k":1e3}"#, &None));
}

#[test]
fn no_actions_are_actions_too() {
    let actions = Actions::parse(&json("{}")).unwrap();
    assert!(
        actions.emit.is_empty() && actions.ack.is_none() && !actions.disconnect && actions.error.is_none()
    );
}

#[test]
fn actions_that_are_wrong_name_the_field() {
    for (actions, error) in [
        ("[]", "actions: must be an object"),
        ("null", "actions: must be an object"),
        (r#"{"emits":[]}"#, "emits: unknown key"),
        (r#"{"state":[]}"#, "state: must be an object"),
        (r#"{"join":[null]}"#, "join[0]: must be a room's name"),
        (r#"{"join":""}"#, "join: must be a room's name"),
        (r#"{"leave":[["a"]]}"#, "leave[0]: must be a room's name"),
        (r#"{"leave":{}}"#, "leave: must be a room's name"),
        (r#"{"emit":{}}"#, "emit: must be a list"),
        (r#"{"emit":[{}]}"#, "emit[0].event: is missing"),
        (r#"{"emit":[{"event":null}]}"#, "emit[0].event: must be a string or a number"),
        (r#"{"emit":[{"event":""}]}"#, "emit[0].event: is empty"),
        (r#"{"emit":[{"event":"connect"}]}"#, "emit[0].event: `connect` is reserved"),
        (r#"{"emit":[{"event":"frontroom:x"}]}"#, "emit[0].event: names that begin with"),
        (r#"{"emit":[{"event":"a"},{"event":"b","args":1}]}"#, "emit[1].args: must be a list"),
        (r#"{"emit":[{"event":"a","args":[],"data":1}]}"#, "emit[0].data: contradicts"),
        (r#"{"emit":[{"event":"a","to":"r","everyone":true}]}"#, "emit[0].everyone: contradicts"),
        (r#"{"emit":[{"event":"a","to":[{}]}]}"#, "emit[0].to[0]: must be a room's name"),
        (r#"{"emit":[{"event":"a","volatile":1}]}"#, "emit[0].volatile: must be true or false"),
        (r#"{"emit":[{"event":"a","namespace":"x"}]}"#, "emit[0].namespace: must begin with"),
        (r#"{"emit":[{"event":"a","rooms":[]}]}"#, "emit[0].rooms: unknown key"),
        (r#"{"ack":1}"#, "ack: must be a list"),
        (r#"{"disconnect":"yes"}"#, "disconnect: must be true or false"),
        (r#"{"error":"no"}"#, "error: must be an object"),
        (r#"{"error":{"status":200}}"#, "error.status: must be a status"),
        (r#"{"error":{"message":1}}"#, "error.message: must be a string"),
        (r#"{"error":{"why":1}}"#, "error.why: unknown key"),
    ] {
        let found = Actions::parse(&json(actions)).unwrap_err().to_string();
        assert!(found.starts_with(error), "{actions}: {found}");
    }
}

#[test]
fn an_emission_goes_to_its_rooms_the_socket_everyone_or_nobody() {
    let here = Here { namespace: "/a".into(), socket: Some("me".into()), asking: None };
    let nobody = Here::namespace("/a".into());
    let emission = |text: &str| crate::rules::actions::Emission::parse("emit", &json(text)).unwrap();
    let target = |text: &str, here: &Here| match emission(text).command(here) {
        Some(Command::Emit { namespace, target, .. }) => Some((namespace.to_string(), target)),
        _ => None,
    };
    let (namespace, to) = target(r#"{"event":"e"}"#, &here).unwrap();
    assert_eq!((namespace.as_str(), to.rooms, to.everyone), ("/a", vec!["me".into()], false));
    let (_, to) = target(r#"{"event":"e","to":[]}"#, &here).unwrap();
    assert_eq!((to.rooms.len(), to.everyone), (0, false));
    let (namespace, to) =
        target(r#"{"event":"e","everyone":true,"namespace":"/b","except":"x"}"#, &nobody).unwrap();
    assert_eq!((namespace.as_str(), to.everyone, to.except), ("/b", true, vec!["x".into()]));
    assert!(target(r#"{"event":"e"}"#, &nobody).is_none());
}

#[test]
fn a_rejection_has_status_400_unless_it_gives_one() {
    let failure = |text: &str| Actions::parse(&json(text)).unwrap().error.unwrap().failure();
    let plain = failure(r#"{"error":{"message":"no","data":{"x":1.0}}}"#);
    assert_eq!(
        plain.error().as_str(),
        r#"{"status":400,"code":"bad_request","message":"no","body":{"x":1.0}}"#
    );
    let refusal = plain.refusal();
    assert_eq!((refusal.message.as_str(), refusal.data.unwrap().as_str()), ("no", r#"{"x":1.0}"#));
    let given = failure(r#"{"error":{"status":403,"code":"c"}}"#);
    assert_eq!(given.error().as_str(), r#"{"status":403,"code":"c","message":"Forbidden"}"#);
}
