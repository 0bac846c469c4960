//! Rooms across nodes.

use serde_json::json;

use super::nodes::{call, client, emit, start};
use super::support::backend::{Backend, answer};
use super::support::eventually;
use super::support::http::request;
use super::support::redis::Redis;

#[test]
fn calls_act_on_the_sockets_of_every_node_and_count_them() {
    let redis = Redis::start();
    let nodes = start(&redis, 2, "upstream: http://127.0.0.1:9\n");
    let ((mut ann, ann_id), (mut bob, bob_id)) = (client(&nodes[0]), client(&nodes[1]));
    let joined = call(&nodes[0], "/v1/join", json!({ "to": [ann_id, bob_id], "rooms": "club" }));
    assert_eq!(joined, json!({ "sockets": 2 }));
    for (node, name) in nodes.iter().zip(["from the first", "from the second"]) {
        assert_eq!(emit(node, name, "club"), 2);
    }
    for socket in [&mut ann, &mut bob] {
        assert_eq!([socket.text(), socket.text()], ["42[\"from the first\"]", "42[\"from the second\"]"]);
    }
    let (_, rooms) = nodes[1].call("GET", "/v1/rooms", "");
    assert_eq!(rooms, json!({ "rooms": [{ "namespace": "/", "room": "club", "sockets": 2 }], "total": 1 }));
    for node in &nodes {
        let (_, sockets) = node.call("GET", "/v1/sockets?room=club", "");
        assert_eq!((&sockets["total"], sockets["sockets"].as_array().unwrap().len()), (&json!(2), 2));
        let (status, member) = node.call("GET", &format!("/v1/sockets/{ann_id}"), "");
        assert_eq!((status, &member["rooms"]), (200, &json!([ann_id, "club"])));
        assert_eq!(node.call("GET", "/v1/sockets/nobody", "").0, 404);
    }
    call(&nodes[1], "/v1/leave", json!({ "to": ann_id, "rooms": "club" }));
    assert_eq!(emit(&nodes[1], "to one", "club"), 1);
    assert_eq!(bob.text(), "42[\"to one\"]");
    assert_eq!(call(&nodes[0], "/v1/disconnect", json!({ "to": bob_id })), json!({ "sockets": 1 }));
    assert_eq!(bob.text(), "41");
    emit(&nodes[1], "last", &ann_id);
    assert_eq!(ann.text(), "42[\"last\"]", "nothing else came before it");
}

#[test]
fn lists_of_several_nodes_are_cut_into_pages_as_one() {
    let redis = Redis::start();
    let nodes = start(&redis, 2, "upstream: http://127.0.0.1:9\n");
    let clients: Vec<_> = (0..5).map(|n| client(&nodes[n % 2])).collect();
    for (n, (_, id)) in clients.iter().enumerate() {
        let rooms = ["all".to_owned(), format!("room{}", n / 2)];
        call(&nodes[0], "/v1/join", json!({ "to": id, "rooms": rooms }));
    }
    let pages = |path: &str, key: &str, name: &str| {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let (_, page) = nodes[1].call("GET", &format!("{path}?limit=2&after={after}"), "");
            let items = page[key].as_array().unwrap().clone();
            assert!(items.len() <= 2);
            found.extend(
                items.iter().map(|item| (item[name].as_str().unwrap().to_owned(), item["sockets"].clone())),
            );
            match page["next"].as_str() {
                Some(next) => after = next.replace(' ', "%20").replace('/', "%2F"),
                None => return (found, page["total"].clone()),
            }
        }
    };
    let (rooms, total) = pages("/v1/rooms", "rooms", "room");
    let expected = [("all", 5), ("room0", 2), ("room1", 2), ("room2", 1)];
    assert_eq!(rooms, expected.map(|(name, count)| (name.to_owned(), json!(count))));
    assert_eq!(total, 4);
    let (sockets, total) = pages("/v1/sockets", "sockets", "id");
    let mut ids: Vec<String> = clients.into_iter().map(|(_, id)| id).collect();
    ids.sort();
    assert_eq!(sockets.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
    assert_eq!(total, 5);
}

#[test]
fn events_keep_their_order_and_their_bytes_on_the_way_to_another_node() {
    let rules = "upstream: http://127.0.0.1:9\nsocketio:\n  connect: {join: all}\n  events:\n    \
                 say: {emit: {event: said, to: all, except: \"{{ socket.id }}\", args: \"{{ args }}\"}}\n    \
                 raw: {emit: {event: raw, to: all, except: \"{{ socket.id }}\", data: \"{{ data }}\"}}\n";
    let rules = rules.replace("args: \"{{ args }}\"", "data: \"{{ data }}\"");
    let redis = Redis::start();
    let nodes = start(&redis, 2, &rules);
    let ((mut ann, _), (mut bob, _)) = (client(&nodes[0]), client(&nodes[1]));
    for n in 0..500 {
        ann.send(&format!("42[\"say\",{n}.0]"));
    }
    for n in 0..500 {
        assert_eq!(bob.text(), format!("42[\"said\",{n}.0]"));
    }
    ann.send("451-[\"raw\",{\"a\":{\"_placeholder\":true,\"num\":0}}]");
    ann.send_binary(&[0, 255, 1, 254]);
    assert_eq!(bob.text(), "451-[\"raw\",{\"a\":{\"_placeholder\":true,\"num\":0}}]");
    assert_eq!(bob.next(), Some((2, vec![0, 255, 1, 254])));
    // What only looks like binary, or like its place, stays what it is.
    ann.send("42[\"raw\",{\"$binary\":\"AA==\"}]");
    assert_eq!(bob.text(), "42[\"raw\",{\"$binary\":\"AA==\"}]");
    ann.send("42[\"raw\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(bob.text(), "42[\"raw\",{\"_placeholder\":true,\"num\":0}]");
}

#[test]
fn taps_and_hooks_reach_every_node_and_acks_come_back() {
    let backend = Backend::start(|line, body| match line {
        "POST /rooms/club/messages" => (201, "{\"id\":7}".into()),
        "POST /hook" if body.contains("\"type\":\"event\"") => (
            200,
            "{\"emit\":[{\"event\":\"q\",\"to\":\"club\",\"except\":[],\"ack\":true}],\"join\":[\"asker\"]}"
                .into(),
        ),
        _ => (204, String::new()),
    });
    let config = format!(
        "upstream: {}\nsocketio:\n  events: {{ask: {{hook: /hook}}}}\ntaps:\n  \
         - {{on: \"POST /rooms/{{room}}/messages\", emit: {{event: message, to: \"{{{{ path.room }}}}\", data: \"{{{{ response.body }}}}\"}}}}\n",
        backend.url
    );
    let redis = Redis::start();
    let nodes = start(&redis, 2, &config);
    let ((mut ann, ann_id), (mut bob, bob_id)) = (client(&nodes[0]), client(&nodes[1]));
    call(&nodes[0], "/v1/join", json!({ "to": bob_id, "rooms": "club" }));
    assert_eq!(request(&nodes[0].address, "POST", "/rooms/club/messages", &[], b"{}").status, 201);
    assert_eq!(bob.text(), "42[\"message\",{\"id\":7}]");
    ann.send("42[\"ask\"]");
    assert_eq!(bob.text(), "420[\"q\"]");
    bob.send("430[\"yes\"]");
    let told = eventually("the hook is told of the answer", || {
        backend.seen().into_iter().find(|seen| seen.body.contains("\"type\":\"ack\""))
    });
    assert!(told.body.contains("\"args\":[\"yes\"]") && told.body.contains(&bob_id), "{}", told.body);
    // The admin API's own way of asking.
    let asking = std::thread::scope(|scope| {
        let body = json!({ "event": "how", "to": ["club", ann_id], "ack_timeout": "5s" });
        let asking = scope.spawn(|| call(&nodes[0], "/v1/emit", body));
        assert_eq!(bob.text(), "421[\"how\"]");
        bob.send("431[1.50]");
        assert_eq!(ann.text(), "420[\"how\"]");
        ann.send("430[]");
        asking.join().unwrap()
    });
    assert_eq!((&asking["sockets"], &asking["missing"]), (&json!(2), &json!(0)));
    let exact: serde_json::Value = serde_json::from_str("[1.50]").unwrap();
    let acks = asking["acks"].as_array().unwrap();
    assert!(acks.iter().any(|ack| ack["socket"] == json!(bob_id) && ack["args"] == exact), "{acks:?}");
}

#[test]
fn what_strangers_publish_is_counted_and_ignored() {
    let redis = Redis::start();
    let nodes = start(&redis, 2, "upstream: http://127.0.0.1:9\n");
    let (mut ann, id) = client(&nodes[0]);
    for garbage in
        ["", "garbage", "\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &"x".repeat(100_000)]
    {
        assert_eq!(redis.cli(&["PUBLISH", "frontroom:bus", garbage]).trim(), "2");
    }
    for node in &nodes {
        eventually("it is counted", || {
            (node.metric("frontroom_cluster_unreadable_total") == 4).then_some(())
        });
    }
    assert_eq!(emit(&nodes[1], "still here", &id), 1);
    assert_eq!(ann.text(), "42[\"still here\"]");
}

#[test]
fn a_response_acts_on_the_socket_that_its_request_names_wherever_that_is() {
    let backend = Backend::raw(|_| {
        let actions = "Frontroom-Actions: {\"join\":[\"named\"],\"state\":{\"n\":1},\"emit\":[{\"event\":\"you\"},{\"event\":\"all\",\"everyone\":true}]}";
        answer(200, &[actions], b"ok")
    });
    let redis = Redis::start();
    let nodes = start(&redis, 2, &format!("upstream: {}\n", backend.url));
    let ((mut ann, id), (mut bob, _)) = (client(&nodes[1]), client(&nodes[0]));
    let named = format!("X-Socket-Id: {id}");
    assert_eq!(request(&nodes[0].address, "POST", "/x", &[&named], b"{}").status, 200);
    assert_eq!([ann.text(), ann.text()], ["42[\"you\"]", "42[\"all\"]"]);
    assert_eq!(bob.text(), "42[\"all\"]");
    let (_, member) = nodes[0].call("GET", &format!("/v1/sockets/{id}"), "");
    assert_eq!((&member["rooms"][1], &member["state"]), (&json!("named"), &json!({ "n": 1 })));
    // One that nobody has: what is not about it is done, once.
    assert_eq!(request(&nodes[0].address, "POST", "/x", &["X-Socket-Id: nobody"], b"{}").status, 200);
    assert_eq!([ann.text(), bob.text()], ["42[\"all\"]", "42[\"all\"]"]);
    emit(&nodes[0], "last", "named");
    assert_eq!(ann.text(), "42[\"last\"]");
}
