//! One table of actions, done in every way that a backend can say them: by a rule, by a hook's reply,
//! by the header `Frontroom-Actions` on the answer to a rule and to a forwarded request, and by the
//! admin API. What clients get of it must not depend on the way.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

mod support;

use serde_json::{Value, json};

use support::backend::{Backend, answer};
use support::gateway::Gateway;
use support::http;
use support::websocket::WebSocket;

/// Actions, and what comes of them. `$ME` and `$BOB` stand for ids.
struct Row {
    actions: &'static str,
    /// What the socket that they are about gets, beside the ack.
    me: &'static [&'static str],
    /// What a socket in the room `club` gets.
    bob: &'static [&'static str],
    /// What a socket in no room gets.
    eve: &'static [&'static str],
    /// What a socket of the namespace `/side` gets.
    dan: &'static [&'static str],
    /// The rooms that the socket is in afterwards, beside its own.
    rooms: &'static [&'static str],
}

const NOTHING: Row = Row { actions: "{}", me: &[], bob: &[], eve: &[], dan: &[], rooms: &["club2"] };

const TABLE: &[Row] = &[
    NOTHING,
    Row {
        actions: r#"{"emit":[{"event":"hi","args":[1.0,"2",{"3":[true]},null]}]}"#,
        me: &[r#"42["hi",1.0,"2",{"3":[true]},null]"#],
        ..NOTHING
    },
    Row { actions: r#"{"emit":[{"event":"hi"}]}"#, me: &[r#"42["hi"]"#], ..NOTHING },
    Row {
        actions: r#"{"emit":[{"event":"hi","data":1.50,"to":"club"}]}"#,
        bob: &[r#"42["hi",1.50]"#],
        ..NOTHING
    },
    Row {
        actions: r#"{"emit":[{"event":"hi","to":["club","$BOB","nobody"],"data":[1]},{"event":"ho","to":[]}]}"#,
        bob: &[r#"42["hi",[1]]"#],
        ..NOTHING
    },
    Row {
        actions: r#"{"emit":[{"event":"hi","to":["club","$ME"],"except":"$BOB","data":"x"}]}"#,
        me: &[r#"42["hi","x"]"#],
        ..NOTHING
    },
    Row {
        actions: r#"{"emit":[{"event":"hi","everyone":true,"except":["club"],"args":[]}]}"#,
        me: &[r#"42["hi"]"#],
        eve: &[r#"42["hi"]"#],
        ..NOTHING
    },
    Row {
        actions: r#"{"emit":[{"event":"hi","everyone":true,"namespace":"/side","data":1,"volatile":true}]}"#,
        dan: &[r#"42/side,["hi",1]"#],
        ..NOTHING
    },
    Row {
        actions: r#"{"emit":[{"event":"bin","data":{"x":{"$binary":"AQID"}}},{"event":"own","data":{"$$binary":"AQID"}}]}"#,
        me: &[
            r#"451-["bin",{"x":{"_placeholder":true,"num":0}}]"#,
            "b010203",
            r#"42["own",{"$binary":"AQID"}]"#,
        ],
        ..NOTHING
    },
    Row {
        actions: r#"{"join":["a",7],"emit":[{"event":"in","to":"a"},{"event":"in","to":7}]}"#,
        me: &[r#"42["in"]"#, r#"42["in"]"#],
        rooms: &["7", "a", "club2"],
        ..NOTHING
    },
    Row { actions: r#"{"leave":"club2","emit":[{"event":"out","to":"club2"}]}"#, rooms: &[], ..NOTHING },
    Row { actions: r#"{"leave":["$ME","nowhere"],"join":[]}"#, ..NOTHING },
    Row {
        actions: r#"{"emit":[{"event":"bye"}],"disconnect":true}"#,
        me: &[r#"42["bye"]"#, "41"],
        rooms: &["gone"],
        ..NOTHING
    },
];

/// Actions that are wrong, and what is said of them.
const WRONG: &[(&str, &str)] = &[
    (r#"{"emit":[{"to":"a"}]}"#, "event: is missing"),
    (r#"{"emit":[{"event":"","to":"a"}]}"#, "event: is empty"),
    (r#"{"emit":[{"event":"disconnect","to":"a"}]}"#, "event: `disconnect` is reserved by Socket.IO"),
    (r#"{"emit":[{"event":"frontroom:x","to":"a"}]}"#, "event: names that begin with `frontroom:`"),
    (r#"{"emit":[{"event":"e","to":[null]}]}"#, "to[0]: must be a room's name"),
    (r#"{"emit":[{"event":"e","to":""}]}"#, "to: must be a room's name"),
    (r#"{"emit":[{"event":"e","to":"a","everyone":true}]}"#, "everyone: contradicts `to`"),
    (r#"{"emit":[{"event":"e","to":"a","data":1,"args":[]}]}"#, "data: contradicts `args`"),
    (r#"{"emit":[{"event":"e","to":"a","args":1}]}"#, "args: must be a list"),
    (r#"{"emit":[{"event":"e","to":"a","volatile":"yes"}]}"#, "volatile: must be true or false"),
    (r#"{"emit":[{"event":"e","to":"a","namespace":"side"}]}"#, "namespace: must begin with `/`"),
    (r#"{"emit":[{"event":"e","to":"a","room":"b"}]}"#, "room: unknown key"),
    (r#"{"join":[["a"]]}"#, "[0]: must be a room's name"),
    (r#"{"leave":{}}"#, "must be a room's name"),
];

/// A gateway whose rules `rule0`, `rule1` and so on are the rows, before a backend that says whatever
/// the request asks it to say.
fn site() -> (Gateway, Backend) {
    let backend = Backend::raw(|seen| match seen.line.as_str() {
        // The envelope's first argument is what to reply.
        "POST /hook" => {
            let envelope: Value = serde_json::from_str(&seen.body).expect("an envelope");
            match envelope["args"][0].as_str() {
                Some(reply) => answer(200, &["Content-Type: application/json"], reply.as_bytes()),
                None => answer(204, &[], b""),
            }
        }
        // A rule sends it as a JSON string: an object would have its `$binary` escaped.
        "POST /say" => {
            let said = serde_json::from_str(&seen.body).unwrap_or_else(|_| seen.body.clone());
            answer(201, &[&format!("Frontroom-Actions: {said}")], b"[1.0]")
        }
        _ => answer(404, &[], b""),
    });
    let rules: String = TABLE
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let rule = row.actions.replace("$ME", "{{ socket.id }}").replace("$BOB", "{{ data }}");
            format!("    rule{index}: {rule}\n")
        })
        .collect();
    let config = format!(
        "upstream: {}\nsocketio:\n  connect: {{join: \"{{{{ socket.handshake.auth.room }}}}\"}}\n  events:\n    hook: {{hook: /hook}}\n    say: {{request: POST /say}}\n    fence: {{}}\n{rules}  namespaces: {{/side: {{}}}}\n",
        backend.url
    );
    (Gateway::start(&config), backend)
}

/// A socket in this room.
fn join(gateway: &Gateway, room: &str) -> (WebSocket, String) {
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.text().starts_with("0{"));
    socket.send(&format!(r#"40{{"room":"{room}"}}"#));
    let connected = socket.text();
    let id = connected.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.split('"').next());
    (socket, id.unwrap_or_else(|| panic!("{connected}")).to_owned())
}

/// A way in which actions are said; `ask` has them done to the socket `me`.
struct Way {
    name: &'static str,
    ask: fn(&Gateway, me: &mut WebSocket, id: &str, row: usize, actions: &str, bob: &str),
}

const WAYS: &[Way] = &[
    Way { name: "rule", ask: |_, me, _, row, _, bob| me.send(&format!(r#"42["rule{row}","{bob}"]"#)) },
    Way { name: "hook", ask: |_, me, _, _, actions, _| me.send(&format!("42{}", json!(["hook", actions]))) },
    Way {
        name: "header, rule",
        ask: |_, me, _, _, actions, _| me.send(&format!("42{}", json!(["say", actions]))),
    },
    Way {
        name: "header, forwarded",
        ask: |gateway, _, id, _, actions, _| {
            let named = format!("X-Socket-Id: {id}");
            let answer = http::request(&gateway.address, "POST", "/say", &[&named], actions.as_bytes());
            assert_eq!((answer.status, answer.text().as_str()), (201, "[1.0]"));
            assert_eq!(answer.header("frontroom-actions"), None);
        },
    },
    Way {
        name: "admin",
        ask: |gateway, _, id, _, actions, _| {
            let (status, results) = gateway.call("POST", "/v1/batch", &batch(actions, id));
            let failed =
                results.as_array().expect("results").iter().any(|result| result["sockets"].is_null());
            assert!(status == 200 && !failed, "{results}");
        },
    },
];

/// The same actions as calls of the admin API, where a socket is a room.
fn batch(actions: &str, id: &str) -> String {
    let read = |key: &str| {
        let whole = actions.split_once(&format!("\"{key}\":"));
        whole.map(|_| serde_json::from_str::<Value>(actions).expect("JSON")[key].clone())
    };
    let mut calls = Vec::new();
    for key in ["leave", "join"] {
        calls.extend(read(key).map(|rooms| json!({ key: {"to": id, "rooms": rooms} })));
    }
    for mut emission in read("emit").and_then(|emit| emit.as_array().cloned()).unwrap_or_default() {
        if emission["to"].is_null() && emission["everyone"] != true {
            emission["to"] = json!(id);
        }
        calls.push(json!({ "emit": emission }));
    }
    calls.extend(read("disconnect").map(|_| json!({"disconnect": {"to": id}})));
    Value::from(calls).to_string()
}

/// What came until `end`, binary as `b` and hex. Pings of Engine.IO are answered on the way.
fn until(socket: &mut WebSocket, end: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let next = match socket.next() {
            Some((1, text)) => String::from_utf8(text).expect("text"),
            Some((2, bytes)) => bytes.iter().fold("b".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
            other => panic!("expected more after {all:?}, got {other:?}"),
        };
        match next.as_str() {
            "2" => socket.send("3"),
            next if next == end => return all,
            _ => all.push(next),
        }
    }
}

#[test]
fn actions_do_the_same_whichever_way_they_are_said() {
    let (gateway, _backend) = site();
    for (index, row) in TABLE.iter().enumerate() {
        for way in WAYS {
            let at = format!("{}: {}", way.name, row.actions);
            let (mut me, my_id) = join(&gateway, "club2");
            let (mut bob, bobs_id) = join(&gateway, "club");
            let (mut eve, _) = join(&gateway, "elsewhere");
            let (mut dan, _) = join(&gateway, "elsewhere");
            dan.enter("/side");
            let actions = row.actions.replace("$ME", &my_id).replace("$BOB", &bobs_id);
            (way.ask)(&gateway, &mut me, &my_id, index, &actions, &bobs_id);
            let mut mine = Vec::new();
            if row.me.last() == Some(&"41") {
                mine = until(&mut me, "41");
                mine.push("41".to_owned());
            } else {
                // What it asked for is done before what it asks for then.
                me.send(r#"429["fence"]"#);
                mine.extend(until(&mut me, "439[]"));
            }
            let over = r#"[{"emit":{"event":"over","everyone":true}},{"emit":{"event":"over","everyone":true,"namespace":"/side"}}]"#;
            gateway.call("POST", "/v1/batch", over);
            assert_eq!(mine, row.me, "me, {at}");
            assert_eq!(until(&mut bob, r#"42["over"]"#), row.bob, "bob, {at}");
            assert_eq!(until(&mut eve, r#"42["over"]"#), row.eve, "eve, {at}");
            let mut dans = until(&mut dan, r#"42/side,["over"]"#);
            dans.retain(|text| text.starts_with("42/side,"));
            assert_eq!(dans, row.dan, "dan, {at}");
            let (status, told) = gateway.call("GET", &format!("/v1/sockets/{my_id}"), "");
            let mut rooms: Vec<_> = told["rooms"]
                .as_array()
                .into_iter()
                .flatten()
                .skip(1)
                .map(|room| room.as_str().unwrap_or_default())
                .collect();
            rooms.sort_unstable();
            match status {
                404 => assert_eq!(row.rooms, ["gone"], "{at}"),
                _ => assert_eq!(rooms, row.rooms, "{at}"),
            }
        }
    }
}

#[test]
fn what_is_wrong_is_told_in_the_same_words_and_nothing_of_it_is_done() {
    let (gateway, _backend) = site();
    let (mut me, id) = join(&gateway, "a");
    for (index, (actions, wrong)) in WRONG.iter().enumerate() {
        me.send(&format!("421{}", json!(["hook", actions])));
        let told = me.text();
        assert!(told.contains(r#""status":502,"code":"bad_hook_reply""#), "{actions}: {told}");
        assert!(told.contains(wrong), "{actions}: {told}");

        let (status, results) = gateway.call("POST", "/v1/batch", &batch(actions, &id));
        assert_eq!((status, &results[0]["error"]["code"]), (200, &json!("bad_request")), "{actions}");
        let message = results[0]["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(wrong), "{actions}: {message}");

        // A header that is wrong breaks no answer: neither the event's nor the request's.
        me.send(&format!("422{}", json!(["say", actions])));
        assert_eq!(me.text(), "432[[1.0]]", "{actions}");
        let named = format!("X-Socket-Id: {id}");
        let answer = http::request(&gateway.address, "POST", "/say", &[&named], actions.as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (201, "[1.0]"), "{actions}");
        let bad = gateway.metric(r#"frontroom_header_actions_total{result="bad"}"#);
        assert_eq!(bad, 2 * (index as u64 + 1), "{actions}");
    }
    // The same in a config is found before anything runs.
    // There a single value will do for a list.
    for (actions, _) in WRONG.iter().filter(|(_, wrong)| !wrong.starts_with("args: must be a list")) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("site.yaml");
        let config = format!("upstream: http://127.0.0.1:1\nsocketio: {{events: {{e: {actions}}}}}\n");
        std::fs::write(&file, config).expect("the config is written");
        let check = std::process::Command::new(support::binary()).args(["check", "-c"]).arg(&file).output();
        assert_eq!(check.expect("it runs").status.code(), Some(2), "{actions}");
    }
}

#[test]
fn state_ack_and_error_are_for_those_who_are_asked() {
    let (gateway, _backend) = site();
    let (mut me, id) = join(&gateway, "a");
    let state = r#"{"state":{"n":1.0},"ack":[1,2e0]}"#;
    me.send(&format!("421{}", json!(["hook", state])));
    assert_eq!(me.text(), "431[1,2e0]");
    // The header's ack comes before the body's.
    me.send(&format!("422{}", json!(["say", state])));
    assert_eq!(me.text(), "432[1,2e0]");
    let named = format!("X-Socket-Id: {id}");
    http::request(&gateway.address, "POST", "/say", &[&named], br#"{"state":{"m":2},"ack":[1]}"#);
    let (_, told) = gateway.call("GET", &format!("/v1/sockets/{id}"), "");
    assert_eq!(told["state"].to_string(), r#"{"n":1.0,"m":2}"#);

    let error = r#"{"error":{"status":409,"code":"full","message":"no room","data":{"x":1.0}},"join":"b"}"#;
    let failure = r#"[{"error":{"status":409,"code":"full","message":"no room","body":{"x":1.0}}}]"#;
    me.send(&format!("423{}", json!(["hook", error])));
    assert_eq!(me.text(), format!("433{failure}"));
    me.send(&format!("424{}", json!(["say", error])));
    assert_eq!(me.text(), format!("434{failure}"));
    let answer = http::request(&gateway.address, "POST", "/say", &[&named], error.as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (201, "[1.0]"));
    let (_, told) = gateway.call("GET", &format!("/v1/sockets/{id}"), "");
    assert_eq!(told["rooms"], json!([id, "a"]), "with an error nothing is done");
    assert_eq!(gateway.metric(r#"frontroom_header_actions_total{result="refused"}"#), 2);
}

#[test]
fn a_header_acts_on_the_socket_that_is_named_and_on_no_room() {
    let (gateway, _backend) = site();
    let (mut me, _) = join(&gateway, "club");
    let say = |named: &[&str], actions: &str| {
        let answer = http::request(&gateway.address, "POST", "/say", named, actions.as_bytes());
        assert_eq!((answer.status, answer.header("frontroom-actions")), (201, None));
    };
    let actions = r#"{"emit":[{"event":"mine"},{"event":"ours","to":"club"}],"join":"x","disconnect":true}"#;
    // A room's name, an id that nobody has, and none at all.
    for named in [&["X-Socket-Id: club"][..], &["X-Socket-Id: AAAAAAAAAAAAAAAAAAAA"], &[]] {
        say(named, actions);
        assert_eq!(me.text(), r#"42["ours"]"#, "{named:?}");
    }
    assert_eq!(gateway.metric(r#"frontroom_header_actions_total{result="no_socket"}"#), 3);
    // A socket of another namespace is found as well, and acts there.
    let id = me.enter("/side");
    say(&[&format!("X-Socket-Id: {id}")], r#"{"emit":[{"event":"mine"},{"event":"all","everyone":true}]}"#);
    assert_eq!([me.text(), me.text()], [r#"42/side,["mine"]"#, r#"42/side,["all"]"#]);
    // Several values are done one after another, all or none.
    say(&[&format!("X-Socket-Id: {id}")], r#"{"emit":[{"event":"a"}]}, {"emit":[{"event":"b"}]}"#);
    assert_eq!([me.text(), me.text()], [r#"42/side,["a"]"#, r#"42/side,["b"]"#]);
    say(&[&format!("X-Socket-Id: {id}")], r#"{"emit":[{"event":"a"}]}, {"emit":1}"#);
    say(&[&format!("X-Socket-Id: {id}")], "no JSON");
    say(&[&format!("X-Socket-Id: {id}")], r#"{"emit":[{"event":"a","ack":true}]}"#);
    assert_eq!(gateway.metric(r#"frontroom_header_actions_total{result="bad"}"#), 3);
}

#[test]
fn a_rules_own_request_names_its_own_socket() {
    let backend = Backend::raw(|seen| {
        let id = seen.header("x-socket-id").concat();
        answer(200, &[r#"Frontroom-Actions: {"emit":[{"event":"you"}]}"#], format!("\"{id}\"").as_bytes())
    });
    let config = format!("upstream: {}\nsocketio: {{events: {{ask: {{request: GET /me}}}}}}\n", backend.url);
    let gateway = Gateway::start(&config);
    let (_bystander, other) = WebSocket::join(http::connect(&gateway.address));
    // What the handshake says of X-Socket-Id counts for nothing.
    let stream = http::connect(&gateway.address);
    let named = format!("X-Socket-Id: {other}");
    let headers = [&support::websocket::HANDSHAKE[..], &[named.as_str()]].concat();
    http::send(&stream, "GET", "/socket.io/?EIO=4&transport=websocket", &headers, b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut me = WebSocket(stream);
    me.text();
    me.send("40");
    let id = me.text();
    me.send(r#"421["ask"]"#);
    assert_eq!(me.text(), r#"42["you"]"#);
    let told = me.text();
    assert!(id.contains(told.trim_start_matches("431[\"").trim_end_matches("\"]")), "{id} {told}");
}

#[test]
fn what_a_failed_answer_says_is_done_all_the_same() {
    let backend = Backend::raw(|_| {
        let actions = r#"Frontroom-Actions: {"emit":[{"event":"why"}],"ack":[1],"disconnect":true}"#;
        answer(403, &[actions], br#"{"message":"banned"}"#)
    });
    let config = format!("upstream: {}\nsocketio: {{events: {{ask: {{request: GET /me}}}}}}\n", backend.url);
    let gateway = Gateway::start(&config);
    let mut me = WebSocket::connect(&gateway.address);
    me.send(r#"421["ask"]"#);
    assert_eq!(me.text(), r#"42["why"]"#);
    assert!(me.text().starts_with(r#"431[{"error":{"status":403,"#));
    assert_eq!(me.text(), "41");
}
