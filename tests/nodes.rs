//! Sessions without stickiness: whichever node a request lands on, its session's node answers it.

#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

mod support;

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{Answer, get, request};
use support::polling::{HANDSHAKE, Polling};
use support::redis::Redis;
use support::websocket::{self, WebSocket};

const RULES: &str = "socketio: {eio3: true, events: {echo: {ack: '{{ data }}'}, \"*\": {emit: {event: back, data: '{{ data }}'}}}}\n";

/// Nodes around one Redis.
struct Site {
    redis: Redis,
    backend: Backend,
}

impl Site {
    fn new() -> Site {
        Site { redis: Redis::start(), backend: Backend::start(|_, _| (200, "{}".into())) }
    }

    /// A node with more in `cluster.node`, and more config.
    fn node_with(&self, node: &str, config: &str) -> Gateway {
        let (redis, upstream) = (self.redis.url(), &self.backend.url);
        Gateway::start(&format!(
            "upstream: {upstream}\ncluster: {{lease: 2s, redis: {{url: '{redis}'}}, \
             node: {{listen: 127.0.0.1:0, advertise: 'http://127.0.0.1:0', {node}}}}}\n{config}"
        ))
    }

    fn node(&self) -> Gateway {
        self.node_with("secret: the same for all", RULES)
    }
}

fn forwarded(gateway: &Gateway, result: &str) -> u64 {
    gateway.metric(&format!("frontroom_cluster_forwarded_total{{result=\"{result}\"}}"))
}

fn served(gateway: &Gateway, result: &str) -> u64 {
    gateway.metric(&format!("frontroom_cluster_served_total{{result=\"{result}\"}}"))
}

/// The same session, asked for at another node.
fn at(gateway: &Gateway, session: &Polling) -> Polling {
    Polling { address: gateway.address.clone(), target: session.target.clone() }
}

fn sid(session: &Polling) -> &str {
    session.target.split_once("sid=").expect("a session id").1
}

fn assert_unknown(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, r#"{"code":1,"message":"Session ID unknown"}"#)
    );
}

fn upgrade(address: &str, target: &str) -> Answer {
    request(address, "GET", target, &websocket::HANDSHAKE, b"")
}

#[test]
fn a_session_is_polled_at_one_node_and_posted_to_at_another() {
    let site = Site::new();
    let (one, two, three) = (site.node(), site.node(), site.node());
    let home = Polling::open(&one.address);
    assert_eq!(sid(&home).len(), 52);
    let (second, third) = (at(&two, &home), at(&three, &home));
    assert_eq!(second.post("40").text(), "ok");
    assert!(third.get().text().starts_with("40{"));
    let pending = third.begin_get();
    assert_eq!(second.post(r#"42["x",1]"#).text(), "ok");
    assert_eq!(support::http::read(&pending).text(), r#"42["back",1]"#);
    // Home again, and all at once: the order stays.
    for count in 0..20 {
        let node = [&home, &second, &third][count % 3];
        assert_eq!(node.post(&format!(r#"42["x",{count}]"#)).status, 200);
    }
    let mut got = String::new();
    while !got.contains("19]") {
        got += &third.get().text();
        got += "\u{1e}";
    }
    let expected: String = (0..20).map(|count| format!("42[\"back\",{count}]\u{1e}")).collect();
    assert_eq!(got, expected);
    assert!(forwarded(&two, "ok") >= 8 && forwarded(&three, "ok") >= 8);
    assert_eq!(forwarded(&one, "ok"), 0);
    assert_eq!(served(&one, "ok"), forwarded(&two, "ok") + forwarded(&three, "ok"));
}

#[test]
fn an_upgrade_at_another_node_carries_on_the_session() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    let mut socket = WebSocket::open(&two.address, &home.websocket());
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    assert_eq!(at(&two, &home).get().text(), "6");
    socket.send("5");
    socket.send(r#"421["echo",{"a":1}]"#);
    assert_eq!(socket.text(), r#"431[{"a":1}]"#);
    let large = "x".repeat(300_000);
    socket.send(&format!(r#"422["echo","{large}"]"#));
    assert_eq!(socket.text(), format!(r#"432["{large}"]"#));
    assert_eq!(two.metric("frontroom_cluster_tunnels"), 1);
    assert_eq!(one.metric(r#"frontroom_sockets{namespace="/",transport="websocket"}"#), 1);
    // Polling is over, at every node; a second WebSocket is turned away, and the first one stays.
    assert_eq!(at(&two, &home).get().text(), r#"{"code":3,"message":"Bad request"}"#);
    assert_eq!(WebSocket::open(&two.address, &home.websocket()).closed(), None);
    socket.send(r#"423["echo",3]"#);
    assert_eq!(socket.text(), "433[3]");
    drop(socket);
    eventually("the session ends with its WebSocket", || {
        let gone = one.metric(r#"frontroom_sockets{namespace="/",transport="websocket"}"#) == 0;
        (gone && two.metric("frontroom_cluster_tunnels") == 0).then_some(())
    });
}

#[test]
fn a_client_of_protocol_3_is_served_by_every_node() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let opened = get(&one.address, "/socket.io/?EIO=3&transport=polling").text();
    let sid =
        opened.split_once("\"sid\":\"").and_then(|(_, rest)| rest.split('"').next()).expect("a session id");
    let target = format!("/socket.io/?EIO=3&transport=polling&sid={sid}");
    assert!(get(&two.address, &target).text().contains("40"));
    let event = r#"42["x",1]"#;
    let posted = request(&two.address, "POST", &target, &[], format!("{}:{event}", event.len()).as_bytes());
    assert_eq!(posted.text(), "ok");
    let answer = get(&two.address, &target).text();
    assert!(answer.contains(r#"42["back",1]"#), "{answer}");
}

#[test]
fn a_large_post_streams_through_and_one_too_large_is_refused_as_at_home() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    let away = at(&two, &home);
    let text = "y".repeat(990_000);
    assert_eq!(away.post(&format!(r#"421["echo","{text}"]"#)).text(), "ok");
    assert_eq!(away.get().text(), format!(r#"431["{text}"]"#));
    let answer = away.post(&"z".repeat(1_000_001));
    assert_eq!((answer.status, answer.body.len()), (413, 0));
    assert_eq!(away.post(r#"422["echo",2]"#).text(), "ok");
    assert_eq!(home.get().text(), "432[2]");
    // In chunks, of a length that nobody tells.
    let stream = support::http::connect(&two.address);
    let head = format!("POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", away.target);
    (&stream)
        .write_all(format!("{head}f\r\n423[\"echo\",\"é\"\r\n1\r\n]\r\n0\r\n\r\n").as_bytes())
        .expect("sent");
    assert_eq!(support::http::read(&stream).text(), "ok");
    assert_eq!(away.get().text(), r#"433["é"]"#);
}

#[test]
fn long_answers_of_many_at_once_share_the_connection() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let clients: Vec<_> = (0..12).map(|_| Polling::connect(&one.address)).collect();
    let pending: Vec<_> = clients.iter().map(|client| at(&two, client).begin_get()).collect();
    eventually("the GETs are at their node", || (served(&one, "ok") == 12).then_some(()));
    let text = |count: usize| char::from(b'a' + count as u8).to_string().repeat(700_000);
    for (count, client) in clients.iter().enumerate() {
        assert_eq!(client.post(&format!(r#"421["echo","{}"]"#, text(count))).text(), "ok");
    }
    for (count, pending) in pending.iter().enumerate() {
        assert_eq!(support::http::read(pending).text(), format!(r#"431["{}"]"#, text(count)));
    }
    assert_eq!(forwarded(&two, "ok"), 12);
}

#[test]
fn a_get_that_is_given_up_at_another_node_ends_the_session_as_at_home() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    let pending = at(&two, &home).begin_get();
    eventually("the GET is at its node", || (served(&one, "ok") == 1).then_some(()));
    drop(pending);
    eventually("the session has ended", || (!home.is_known()).then_some(()));
    assert_unknown(&at(&two, &home).get());
}

#[test]
fn a_forged_id_is_unknown_and_goes_nowhere() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let other = site.node_with("secret: another", RULES);
    let home = Polling::connect(&one.address);
    let id = sid(&home);
    for at in [0, 9, 15, 31, 40, 51] {
        let mut forged = id.as_bytes().to_vec();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = home.target.replace(id, std::str::from_utf8(&forged).expect("ASCII"));
        for node in [&one, &two] {
            assert_unknown(&get(&node.address, &forged));
            let refused = upgrade(&node.address, &forged.replace("polling", "websocket"));
            assert_eq!((refused.status, refused.text().as_str()), (400, "Session ID unknown"));
            assert_eq!(refused.header("connection"), Some("close"));
        }
    }
    assert_unknown(&get(&two.address, &home.target.replace(id, &id[..50])));
    assert!(forwarded(&two, "forged") >= 12);
    // What is sealed with another secret is as good as forged, on both sides.
    assert_unknown(&at(&other, &home).get());
    assert_unknown(&at(&one, &Polling::open(&other.address)).get());
    assert_eq!((forwarded(&two, "ok"), served(&one, "ok"), served(&other, "ok")), (0, 0, 0));
    assert_eq!(home.post("3").text(), "ok");
}

#[test]
fn a_dead_owner_makes_its_sessions_unknown() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    let away = at(&two, &home);
    let pending = away.begin_get();
    eventually("the GET is at its node", || (served(&one, "ok") == 1).then_some(()));
    one.signal("KILL");
    assert_unknown(&support::http::read(&pending));
    assert_unknown(&away.post("3"));
    let refused = upgrade(&two.address, &away.websocket());
    assert_eq!((refused.status, refused.text().as_str()), (400, "Session ID unknown"));
    // A connection that was idle may take a moment to be seen as closed.
    let (broken, unreachable) = (forwarded(&two, "broken"), forwarded(&two, "unreachable"));
    assert!(broken >= 1 && unreachable >= 1 && broken + unreachable == 3, "{broken} and {unreachable}");
    eventually("the lease has ended", || {
        assert_unknown(&away.get());
        (forwarded(&two, "gone") > 0).then_some(())
    });
    assert_eq!(Polling::connect(&two.address).post("3").text(), "ok");
}

#[test]
fn an_owner_that_does_not_answer_in_time_makes_its_sessions_unknown() {
    let site = Site::new();
    let one = site.node();
    let two = site
        .node_with("secret: the same for all, response_timeout: 300ms", "socketio: {ping_interval: 500ms}\n");
    let home = Polling::connect(&one.address);
    let away = at(&two, &home);
    assert_eq!(away.post("3").text(), "ok");
    one.signal("STOP");
    let begun = Instant::now();
    assert_unknown(&away.post("3"));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // A GET waits for news, but not where nobody says that he is there.
    assert_unknown(&away.get());
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    assert_eq!(forwarded(&two, "timeout"), 2);
    assert_eq!(two.metric("frontroom_cluster_links"), 0);
    one.signal("CONT");
}

#[test]
fn a_get_waits_for_news_longer_than_an_answer_may_take() {
    let site = Site::new();
    let quick = "secret: the same for all, response_timeout: 200ms";
    let rules = "socketio: {ping_interval: 1500ms}\n";
    let (one, two) = (site.node_with(quick, rules), site.node_with(quick, rules));
    let home = Polling::connect(&one.address);
    let begun = Instant::now();
    assert_eq!(at(&two, &home).get().text(), "2");
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
    assert_eq!((forwarded(&two, "ok"), forwarded(&two, "timeout")), (1, 0));
}

#[test]
fn a_node_that_ends_answers_what_others_have_asked_it() {
    let site = Site::new();
    let (one, two) = (site.node_with("secret: the same for all", "shutdown: {grace: 20s}\n"), site.node());
    let home = Polling::connect(&one.address);
    let pending = at(&two, &home).begin_get();
    eventually("the GET is at its node", || (served(&one, "ok") == 1).then_some(()));
    assert_eq!(two.metric("frontroom_cluster_links"), 1);
    let begun = Instant::now();
    one.signal("TERM");
    assert_eq!(support::http::read(&pending).text(), "1");
    // Nobody waits for the link, which has nothing more to answer.
    eventually("the link is closed", || (two.metric("frontroom_cluster_links") == 0).then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!((forwarded(&two, "ok"), forwarded(&two, "broken")), (1, 0));
}

#[test]
fn connections_to_a_node_are_bounded_and_many_polls_share_one() {
    let site = Site::new();
    let one = site.node();
    let two = site.node_with(
        "secret: the same for all, max_connections: 1, max_pending: 1, connect_timeout: 200ms",
        RULES,
    );
    let clients: Vec<Polling> = (0..40).map(|_| Polling::connect(&one.address)).collect();
    let [first, second, ..] = clients.as_slice() else { panic!("no clients") };
    let mut socket = WebSocket::open(&two.address, &first.websocket());
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    assert_eq!(upgrade(&two.address, &second.websocket()).text(), "Session ID unknown");
    assert_eq!(forwarded(&two, "busy"), 1);
    // Polling goes on beside it.
    let pending: Vec<_> = clients[1..].iter().map(|client| at(&two, client).begin_get()).collect();
    eventually("the GETs are at their node", || (served(&one, "ok") == 40).then_some(()));
    for (count, client) in clients[1..].iter().enumerate() {
        assert_eq!(at(&two, client).post(&format!(r#"42["x",{count}]"#)).text(), "ok");
    }
    for (count, pending) in pending.iter().enumerate() {
        assert_eq!(support::http::read(pending).text(), format!(r#"42["back",{count}]"#));
    }
    let links = two.metric("frontroom_cluster_links");
    assert!((1..=8).contains(&links), "one for each worker: {links}");
}

#[test]
fn a_stranger_is_refused_at_the_port_for_nodes() {
    let site = Site::new();
    let one = site.node();
    let home = Polling::connect(&one.address);
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, 401);
        assert!(answer.text().contains("not_a_node") && !answer.text().contains("sid"));
    };
    for target in [&home.target, HANDSHAKE, "/", "/metrics", "/v1/emit"] {
        refused(&get(&one.nodes, target));
        refused(&request(&one.nodes, "POST", target, &["Frontroom-Client: 127.0.0.1"], b"3"));
        refused(&upgrade(&one.nodes, &target.replace("polling", "websocket")));
    }
    refused(&asked_as_node(&one.nodes, "GET", &home.target, "a guess"));
    assert_eq!(served(&one, "refused"), 16);
    assert_eq!(served(&one, "ok"), 0);
    assert!(home.is_known());
    // Who knows the secret opens no sessions here: they are opened where their clients come in.
    let answer = asked_as_node(&one.nodes, "GET", HANDSHAKE, "the same for all");
    assert_eq!(answer.text(), r#"{"code":3,"message":"Bad request"}"#);
    assert_eq!(served(&one, "no_session"), 1);
}

#[test]
fn what_was_sent_on_once_is_never_sent_on_again() {
    let site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    // As if node one had sent its own session's request to node two.
    assert_unknown(&asked_as_node(&two.nodes, "GET", &home.target, "the same for all"));
    assert_eq!((served(&two, "astray"), forwarded(&two, "ok"), served(&one, "ok")), (1, 0, 0));
    // The pass of a request from a client is no pass: fields of that name do not travel.
    let pass = pass("POST", &home.target, "the same for all");
    let answer = request(&two.address, "POST", &home.target, &[&pass], b"3");
    assert_eq!(answer.text(), "ok");
    assert_eq!(served(&one, "ok"), 1);
}

#[test]
fn a_link_is_for_a_node_that_proves_itself_and_asks_for_this_one() {
    let site = Site::new();
    let one = site.node();
    let home = Polling::connect(&one.address);
    let id = URL_SAFE_NO_PAD.decode(sid(&home)).expect("an id");
    let own: String = id[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = "the same for all";
    let ask = |target: &str, secret: &str| {
        let fields = ["Connection: Upgrade", "Upgrade: frontroom-link", &pass("GET", target, secret)];
        let stream = support::http::connect(&one.nodes);
        let fields = fields.join("\r\n");
        write!(&stream, "GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").expect("sent");
        stream
    };
    let target = format!("/frontroom-link?to={own}");
    assert_eq!(support::http::read(&ask(&target, "a guess")).status, 401);
    assert_eq!(support::http::read(&ask("/frontroom-link?to=00000000000000ff", secret)).status, 421);
    assert_eq!(support::http::read(&ask("/frontroom-link", secret)).status, 400);
    assert_eq!((served(&one, "refused"), served(&one, "astray")), (1, 1));
    // Whoever has overheard a pass cannot meet the challenge, which is another each time.
    let mut challenges = HashSet::new();
    for _ in 0..2 {
        let mut stream = ask(&target, secret);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        let challenge = head.split_once("frontroom-challenge: ").expect("a challenge").1;
        assert!(challenges.insert(challenge.to_owned()));
        stream.write_all(&[0; 32]).expect("sent");
        let mut get = Vec::from((9 + 52_u32).to_be_bytes());
        get.extend([0, 0, 0, 0, 0, 0, 0, 1, 1]);
        get.extend_from_slice(sid(&home).as_bytes());
        let _ = stream.write_all(&get);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
    assert_eq!((served(&one, "refused"), served(&one, "ok")), (3, 0));
    assert!(home.is_known());
}

fn asked_as_node(address: &str, method: &str, target: &str, secret: &str) -> Answer {
    request(address, method, target, &[&pass(method, target, secret)], b"")
}

/// The pass of a request of which no more is told than its method and target.
fn pass(method: &str, target: &str, secret: &str) -> String {
    let code = |key: &[u8], text: &str| {
        let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        code.update(text.as_bytes());
        code.finalize().into_bytes()
    };
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let key = code(secret.as_bytes(), "frontroom node to node 1");
    let code = code(&key, &format!("{time}\n{method}\n{target}\n\n\n\n"));
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Frontroom-Pass: t={time},v1={code}")
}

#[test]
fn one_node_decides_who_may_and_says_so_once() {
    let site = Site::new();
    let config = format!("{RULES}cors: {{allow_origins: 'https://app.test', allow_credentials: true}}\n");
    let node = || site.node_with("secret: the same for all", &config);
    let (one, two) = (node(), node());
    let home = Polling::connect(&one.address);
    let ask = |origin: &str| request(&two.address, "POST", &home.target, &[origin], b"3");
    let answer = ask("Origin: https://app.test");
    let lines = |name: &str| answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).count();
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("https://app.test"))
    );
    for name in
        ["access-control-allow-origin", "access-control-allow-credentials", "vary", "x-request-id", "date"]
    {
        assert_eq!(lines(name), 1, "{name}: {answer:?}");
    }
    assert_eq!(lines("frontroom-pass") + lines("via"), 0);
    assert_eq!(
        answer.headers.len(),
        request(&one.address, "POST", &home.target, &["Origin: https://app.test"], b"3").headers.len()
    );
    let refused = ask("Origin: https://other.test");
    assert_eq!((refused.status, refused.text().as_str()), (403, r#"{"code":4,"message":"Forbidden"}"#));
    assert_eq!(served(&one, "ok"), 1);
}

#[test]
fn the_backend_and_the_limits_see_the_client_and_not_the_node() {
    let site = Site::new();
    let config = "trusted_proxies: 127.0.0.1\nlimits: {requests_per_second_per_ip: 4}\n\
                  socketio: {max_sessions_per_ip: 1, events: {\"*\": {hook: /hook}}}\n";
    let one = site.node_with("secret: the same for all", config);
    let two = site.node();
    let client = |last: u8| format!("X-Forwarded-For: 192.0.2.{last}");
    let sessions: Vec<Polling> = (1..=3)
        .map(|last| {
            let answer = request(&one.address, "GET", HANDSHAKE, &[&client(last)], b"");
            let text = answer.text();
            let sid = text.split_once("\"sid\":\"").and_then(|(_, rest)| rest.split('"').next());
            let target = format!("{HANDSHAKE}&sid={}", sid.expect("a session id"));
            Polling { address: two.address.clone(), target }
        })
        .collect();
    assert_eq!(request(&one.address, "GET", HANDSHAKE, &[&client(2)], b"").status, 429);
    // Through the other node come more requests than one address may make, and none is counted as that node's.
    for session in &sessions {
        for text in ["40", r#"42["hello"]"#, "3", "3"] {
            assert_eq!(session.post(text).text(), "ok");
        }
    }
    assert_eq!(one.refused("limits.requests_per_second_per_ip"), 0);
    let addresses = eventually("the hook has heard of all", || {
        let seen = site.backend.seen();
        let told: Vec<serde_json::Value> = seen
            .iter()
            .filter(|seen| seen.line == "POST /hook")
            .map(|seen| serde_json::from_str(&seen.body).expect("JSON"))
            .collect();
        (told.len() == 3).then(|| {
            let mut told: Vec<_> =
                told.iter().map(|told| told["socket"]["handshake"]["address"].clone()).collect();
            told.sort_by_key(ToString::to_string);
            told
        })
    });
    assert_eq!(addresses, [json!("192.0.2.1"), json!("192.0.2.2"), json!("192.0.2.3")]);
}

#[test]
fn while_redis_is_away_sessions_are_found_as_before() {
    let mut site = Site::new();
    let (one, two) = (site.node(), site.node());
    let home = Polling::connect(&one.address);
    let away = at(&two, &home);
    assert_eq!(away.post("3").text(), "ok");
    site.redis.stop();
    let begun = Instant::now();
    eventually("more than a lease has passed", || {
        assert_eq!(away.post("3").text(), "ok");
        (begun.elapsed() > Duration::from_millis(4500)).then_some(())
    });
    site.redis.launch();
    // It knows nobody when it is back. The nodes come back one after another.
    let third = site.node();
    let new = Polling::connect(&third.address);
    eventually("all are found", || {
        assert_eq!(away.post("3").text(), "ok");
        let found =
            [at(&two, &new), at(&third, &home)].iter().all(|session| session.post("3").text() == "ok");
        (found && begun.elapsed() > Duration::from_millis(6000)).then_some(())
    });
}

#[test]
fn a_node_that_ends_serves_its_sessions_for_others_and_lets_go_of_theirs() {
    let site = Site::new();
    let config = format!("{RULES}shutdown: {{delay: 500ms, grace: 8s}}\n");
    let node = || site.node_with("secret: the same for all", &config);
    let (mut one, mut two) = (node(), node());
    let (first, second) = (Polling::connect(&one.address), Polling::connect(&one.address));
    let mut tunnel = WebSocket::open(&two.address, &second.websocket());
    tunnel.send("2probe");
    assert_eq!(tunnel.text(), "3probe");
    tunnel.send("5");
    two.terminate();
    // What goes through it to other nodes ends well before the grace does: its client comes back elsewhere.
    assert!(tunnel.next().is_none());
    let begun = Instant::now();
    assert_eq!(two.wait(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let three = node();
    let away = at(&three, &first);
    let pending = away.begin_get();
    eventually("the GET is at its node", || (served(&one, "ok") > 0).then_some(()));
    one.terminate();
    assert_eq!(away.post(r#"421["echo",1]"#).text(), "ok");
    assert_eq!(support::http::read(&pending).text(), "431[1]");
    // The end of the session is told through the other node too.
    assert_eq!(away.get().text(), "1");
    assert_eq!(one.wait(), Some(0));
    assert_unknown(&away.get());
}
