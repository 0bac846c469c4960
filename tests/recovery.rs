//! Connection state recovery over raw sockets: what goes over the wire, and who may come back.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::backend::Backend;
use support::gateway::Gateway;
use support::websocket::WebSocket;
use support::{eventually, http};

const RULES: &str = r#"
  connect: {request: "GET /connect/{{ socket.recovered }}", join: "{{ socket.handshake.auth.room }}"}
  disconnect: {request: "POST /left/{{ socket.id }}", body: {reason: "{{ reason }}"}}
  events:
    say: {emit: {event: said, to: "{{ data.to }}", data: "{{ data.n }}"}, ack: true}
    murmur: {emit: {event: said, to: "{{ data.to }}", data: "{{ data.n }}", volatile: true}, ack: true}
    join: {join: "{{ data }}", ack: true}
    leave: {leave: "{{ data }}", ack: true}
    note: {request: "POST /note", ack: true}
    whoami: {ack: ["{{ socket.id }}", "{{ socket.rooms }}", "{{ socket.recovered }}"]}
    expel: {disconnect: true}
  namespaces:
    /hook:
      connect: {hook: /hook}
      events: {"*": {hook: /hook}}
"#;

/// The gateway with `recovery`, the options of that section; answers of `/connect/..` are refused
/// while `refuses` is set, and wait while `waits` is.
struct Site {
    gateway: Gateway,
    backend: Backend,
    refuses: Arc<AtomicBool>,
    waits: Arc<AtomicBool>,
}

fn site_with(socketio: &str, recovery: &str) -> Site {
    let (refuses, waits) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (refusing, waiting) = (refuses.clone(), waits.clone());
    let backend = Backend::start(move |line, body| {
        match line {
        line if line.starts_with("GET /connect") => {
            while waiting.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(5));
            }
            match refusing.load(Ordering::Acquire) {
                true => (403, r#"{"message":"revoked"}"#.to_owned()),
                false => (200, "{}".to_owned()),
            }
        }
        "POST /hook" if body.contains(r#""type":"event""#) => {
            (200, r#"{"emit":[{"event":"asked","args":["x"],"ack":true},{"event":"raw","args":[{"$binary":"AQID"}]}]}"#.to_owned())
        }
        _ => (200, "{}".to_owned()),
    }
    });
    let config =
        format!("upstream: {}\nsocketio:\n{socketio}  recovery: {{{recovery}}}\n{RULES}", backend.url);
    Site { gateway: Gateway::start(&config), backend, refuses, waits }
}

fn site() -> Site {
    site_with("", "enabled: true")
}

/// A client with what it was told in its CONNECT packet.
struct Client {
    socket: WebSocket,
    sid: String,
    pid: String,
    /// What came before the CONNECT packet.
    missed: Vec<String>,
}

fn member(packet: &str, name: &str) -> String {
    let (_, rest) = packet.split_once(&format!("\"{name}\":\"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

impl Site {
    fn open(&self) -> WebSocket {
        let mut socket = WebSocket::open(&self.gateway.address, "/socket.io/?EIO=4&transport=websocket");
        assert!(socket.text().starts_with("0{"));
        socket
    }

    /// Sends `40` with `auth` and reads up to the CONNECT packet.
    fn connect(&self, auth: &str) -> Client {
        let mut socket = self.open();
        socket.send(&format!("40{{\"room\":\"r\"{auth}}}"));
        connected(socket)
    }

    fn come_back(&self, pid: &str, offset: Option<&str>) -> Client {
        let offset = offset.map(|offset| format!(",\"offset\":\"{offset}\"")).unwrap_or_default();
        self.connect(&format!(",\"pid\":\"{pid}\"{offset}"))
    }

    /// Somebody else, who speaks.
    fn speaker(&self) -> Client {
        let mut socket = self.open();
        socket.send("40{\"room\":\"speakers\"}");
        connected(socket)
    }

    /// Waits until the backend was told that the socket has left.
    fn left(&self, sid: &str) {
        let line = format!("POST /left/{sid}");
        eventually(&line, || self.backend.seen().iter().any(|seen| seen.line == line).then_some(()));
    }
}

fn connected(mut socket: WebSocket) -> Client {
    let mut missed = Vec::new();
    loop {
        let text = socket.text();
        if text.starts_with("40") {
            let (sid, pid) = (member(&text, "sid"), member(&text, "pid"));
            return Client { socket, sid, pid, missed };
        }
        missed.push(text);
    }
}

impl Client {
    /// Sends an event and waits for its ack; what comes before it is returned.
    fn ask(&mut self, event: &str) -> (Vec<String>, String) {
        self.socket.send(&format!("421{event}"));
        let mut before = Vec::new();
        loop {
            let text = self.socket.text();
            if text.starts_with("431") {
                return (before, text);
            }
            before.push(text);
        }
    }

    fn say(&mut self, room: &str, n: u32) {
        self.ask(&format!(r#"["say",{{"to":"{room}","n":{n}}}]"#));
    }

    fn murmur(&mut self, room: &str, n: u32) {
        self.ask(&format!(r#"["murmur",{{"to":"{room}","n":{n}}}]"#));
    }

    /// The next event's number and offset.
    fn hear(&mut self) -> (u32, String) {
        heard(&self.socket.text())
    }

    /// Breaks the connection.
    fn drop(self, site: &Site) {
        drop(self.socket);
        site.left(&self.sid);
    }
}

/// Number and offset of `42["said",N,"OFFSET"]`.
fn heard(text: &str) -> (u32, String) {
    let inner = text.strip_prefix("42[\"said\",").and_then(|rest| rest.strip_suffix("\"]"));
    let (n, offset) = inner.and_then(|inner| inner.split_once(",\"")).unwrap_or_else(|| panic!("{text}"));
    (n.parse().expect("a number"), offset.to_owned())
}

fn numbers(missed: &[String]) -> Vec<u32> {
    missed.iter().map(|text| heard(text).0).collect()
}

#[test]
fn the_wire_is_that_of_node() {
    let site = site();
    let mut client = site.connect("");
    assert_eq!([client.sid.len(), client.pid.len()], [20, 20]);
    assert_ne!(client.sid, client.pid);
    let mut speaker = site.speaker();
    speaker.say("r", 1);
    speaker.murmur("r", 2);
    let ((one, first), (two, second)) = (client.hear(), client.hear());
    assert_eq!([one, two], [1, 2]);
    assert!(first < second, "offsets are in order, those of volatile events as well");
    // Acks carry none.
    assert_eq!(client.ask(r#"["join","x"]"#).1, "431[true]");
}

#[test]
fn binary_events_have_an_offset_and_events_that_ask_for_an_ack_have_none() {
    let site = site();
    let mut socket = site.open();
    socket.send("40/hook,{\"pid\":\"stale\",\"token\":\"t\",\"offset\":\"o\"}");
    assert!(socket.text().starts_with("40/hook,"));
    socket.send("42/hook,[\"go\"]");
    assert_eq!(socket.text(), r#"42/hook,0["asked","x"]"#);
    let text = socket.text();
    let offset = text.strip_prefix(r#"451-/hook,["raw",{"_placeholder":true,"num":0},""#);
    assert_eq!(offset.and_then(|rest| rest.strip_suffix("\"]")).map(str::len), Some(10), "{text}");
    assert_eq!(socket.next(), Some((2, vec![1, 2, 3])));
    for seen in site.backend.seen().iter().filter(|seen| seen.line == "POST /hook") {
        assert!(seen.body.contains(r#""auth":{"token":"t"}"#), "{}", seen.body);
        assert!(!seen.body.contains("stale"), "{}", seen.body);
        assert!(seen.body.contains(r#""recovered":false"#));
    }
}

#[test]
fn what_was_missed_comes_before_connect_with_its_offsets() {
    let site = site();
    let mut client = site.connect("");
    client.ask(r#"["join","other"]"#);
    let mut speaker = site.speaker();
    speaker.say("r", 1);
    let (_, offset) = client.hear();
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    for (n, room) in [(2, "r"), (3, "other"), (4, "foreign"), (5, &sid)] {
        speaker.say(room, n);
    }
    speaker.murmur("r", 6);

    let mut back = site.come_back(&pid, Some(&offset));
    assert_eq!((&back.sid, &back.pid), (&sid, &pid));
    assert_eq!(numbers(&back.missed), [2, 3, 5]);
    assert!(back.missed.iter().all(|text| heard(text).1 > offset));
    assert_eq!(back.ask(r#"["whoami"]"#).1, format!(r#"431["{sid}",["{sid}","r","other"],true]"#));
    speaker.say("other", 7);
    assert_eq!(back.hear().0, 7);
    let lines: Vec<String> = site.backend.seen().into_iter().map(|seen| seen.line).collect();
    let left = lines.iter().position(|line| *line == format!("POST /left/{sid}"));
    let recovered = lines.iter().position(|line| line == "GET /connect/true");
    assert!(left.is_some() && left < recovered, "{lines:?}");
    assert_eq!(site.gateway.metric("frontroom_recoveries_total{result=\"recovered\"}"), 1);
}

#[test]
fn a_client_without_an_offset_gets_everything_and_comes_back_again_and_again() {
    let site = site();
    let client = site.connect("");
    let mut speaker = site.speaker();
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    speaker.say("r", 1);
    let back = site.come_back(&pid, None);
    assert_eq!((&back.sid, numbers(&back.missed)), (&sid, vec![1]));
    let mut offset = heard(&back.missed[0]).1;
    drop(back);
    for n in 2..6 {
        speaker.say("r", n);
        let back = site.come_back(&pid, Some(&offset));
        assert_eq!((&back.sid, numbers(&back.missed)), (&sid, vec![n]));
        offset = heard(&back.missed[0]).1;
        drop(back);
    }
}

#[test]
fn an_offset_that_is_none_is_the_last_that_is_known() {
    let site = site();
    let mut client = site.connect("");
    let mut speaker = site.speaker();
    speaker.murmur("r", 1);
    let (_, volatile) = client.hear();
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    speaker.say("r", 2);
    let back = site.come_back(&pid, Some(&volatile));
    assert_eq!((&back.sid, numbers(&back.missed)), (&sid, vec![2]));
    drop(back);
    speaker.say("r", 3);
    let back = site.come_back(&pid, Some("the end of some text"));
    assert_eq!((&back.sid, numbers(&back.missed)), (&sid, vec![2, 3]));
}

#[test]
fn rooms_count_for_the_time_one_was_in_them() {
    let site = site();
    let mut client = site.connect("");
    let mut speaker = site.speaker();
    speaker.say("late", 1);
    client.ask(r#"["join","late"]"#);
    speaker.say("late", 2);
    client.ask(r#"["leave","late"]"#);
    speaker.say("late", 3);
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    // It never said that it received 2.
    let back = site.come_back(&pid, None);
    assert_eq!((back.sid, numbers(&back.missed)), (sid, vec![2]));
}

#[test]
fn a_connection_that_seems_alive_is_taken_over() {
    let site = site();
    let mut old = site.connect("");
    let mut speaker = site.speaker();
    speaker.say("r", 1);
    let (_, offset) = old.hear();
    // Sent to the old connection, and never read by its client.
    speaker.say("r", 2);
    let mut back = site.come_back(&old.pid, Some(&offset));
    assert_eq!((&back.sid, numbers(&back.missed)), (&old.sid, vec![2]));
    assert_eq!(old.socket.closed(), None);
    speaker.say("r", 3);
    assert_eq!(back.hear().0, 3);
    let seen = site.backend.seen();
    assert!(seen.iter().any(|seen| seen.body.contains("transport close")), "its disconnect rule has run");
}

#[test]
fn drops_in_the_middle_of_many_speakers_lose_nothing_and_double_nothing() {
    const EACH: u32 = 150;
    let site = site();
    let mut client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        for speaker in 0..4 {
            let mut socket = site.speaker();
            scope.spawn(move || (0..EACH).for_each(|n| socket.say("r", speaker * 1_000 + n)));
        }
        while received.len() < 4 * EACH as usize {
            // What its connection still holds is lost with it.
            for _ in 0..(received.len() % 23 + 1).min(4 * EACH as usize - received.len()) {
                received.push(client.hear());
            }
            let offset = received.last().map(|(_, offset)| offset.clone());
            client = site.come_back(&pid, offset.as_deref());
            assert_eq!(client.sid, sid);
            received.extend(client.missed.iter().map(|text| heard(text)));
        }
    });
    assert!(received.is_sorted_by(|(_, one), (_, next)| one < next), "offsets are in order");
    for speaker in 0..4 {
        let heard = received.iter().map(|(n, _)| *n).filter(|n| n / 1_000 == speaker);
        assert!(heard.eq((0..EACH).map(|n| speaker * 1_000 + n)), "of speaker {speaker}");
    }
}

#[test]
fn one_client_is_never_two() {
    let site = site();
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    let sockets: Vec<WebSocket> = (0..8)
        .map(|_| {
            let mut socket = site.open();
            socket.send(&format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
            socket
        })
        .collect();
    // The last that asked has it; each before it was taken over, or never got as far.
    let mut speaker = site.speaker();
    std::thread::sleep(Duration::from_millis(300));
    speaker.say(&sid, 1);
    let heard = sockets.into_iter().filter_map(|mut socket| {
        let mut texts = Vec::new();
        socket.0.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        while let Some((opcode, payload)) = socket.next() {
            texts.push((opcode, String::from_utf8_lossy(&payload).into_owned()));
        }
        texts.iter().any(|(_, text)| text.starts_with("42[\"said\",1")).then_some(texts)
    });
    assert_eq!(heard.count(), 1);
}

#[test]
fn whoever_left_or_was_told_to_leave_begins_anew() {
    let site = site();
    let mut client = site.connect("");
    client.socket.send("41");
    site.left(&client.sid);
    let back = site.come_back(&client.pid, None);
    assert_ne!((&back.sid, &back.pid), (&client.sid, &client.pid));

    let mut client = site.connect("");
    client.socket.send("42[\"expel\"]");
    assert_eq!(client.socket.text(), "41");
    let back = site.come_back(&client.pid, None);
    assert_ne!(back.sid, client.sid);

    // What breaks the Engine.IO protocol is no accident either.
    let mut client = site.connect("");
    client.socket.send("7");
    client.socket.closed();
    let back = site.come_back(&client.pid, None);
    assert_ne!(back.sid, client.sid);
    assert_eq!(site.gateway.metric("frontroom_recoveries_total{result=\"unknown\"}"), 3);
}

#[test]
fn a_user_whose_access_was_revoked_is_refused_and_forgotten() {
    let site = site();
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    site.refuses.store(true, Ordering::Release);
    let mut socket = site.open();
    socket.send(&format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
    assert_eq!(socket.text(), r#"44{"message":"revoked","data":{"message":"revoked"}}"#);
    site.refuses.store(false, Ordering::Release);
    assert_ne!(site.come_back(&pid, None).sid, sid);
    assert_eq!(site.gateway.metric("frontroom_recoveries_total{result=\"refused\"}"), 1);
}

#[test]
fn what_is_sent_while_the_connect_rule_runs_is_not_lost() {
    let site = site();
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    let mut speaker = site.speaker();
    client.drop(&site);
    speaker.say("r", 1);
    site.waits.store(true, Ordering::Release);
    let mut socket = site.open();
    socket.send(&format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
    std::thread::sleep(Duration::from_millis(100));
    speaker.say("r", 2);
    // The connection breaks meanwhile: the next one finds all there was.
    drop(socket);
    std::thread::sleep(Duration::from_millis(100));
    speaker.say("r", 3);
    let mut socket = site.open();
    socket.send(&format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
    std::thread::sleep(Duration::from_millis(100));
    speaker.say("r", 4);
    site.waits.store(false, Ordering::Release);
    let back = connected(socket);
    assert_eq!((back.sid, numbers(&back.missed)), (sid, vec![1, 2, 3, 4]));
}

#[test]
fn what_was_done_before_the_break_is_done_before_the_client_is_back() {
    let site = site();
    let mut client = site.connect("");
    for n in 0..20 {
        client.socket.send(&format!("42[\"note\",{n}]"));
    }
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    drop(client);
    let mut back = site.come_back(&pid, None);
    assert_eq!(back.sid, sid);
    back.ask(r#"["note",20]"#);
    let lines: Vec<String> = site.backend.seen().into_iter().map(|seen| seen.line).collect();
    let order: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.ends_with("false")).collect();
    let notes = order.iter().position(|line| line.starts_with("POST /left")).expect("it left");
    assert!(order[..notes].iter().all(|line| *line == "POST /note"), "{order:?}");
    assert_eq!(order[notes + 1..], ["GET /connect/true", "POST /note"]);
}

#[test]
fn a_polling_client_comes_back_too() {
    let site = site();
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    site.speaker().say("r", 1);
    let exchange = |method: &str, target: &str, body: &str| {
        let stream = http::connect(&site.gateway.address);
        http::send(&stream, method, target, &[], body.as_bytes());
        http::read(&stream).text()
    };
    let open = exchange("GET", "/socket.io/?EIO=4&transport=polling", "");
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", member(&open, "sid"));
    exchange("POST", &target, &format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
    let body = exchange("GET", &target, "");
    let packets: Vec<&str> = body.split('\x1e').collect();
    assert_eq!(packets.len(), 2, "{body}");
    assert_eq!(heard(packets[0]).0, 1);
    assert_eq!(packets[1], format!(r#"40{{"sid":"{sid}","pid":"{pid}"}}"#));
}

#[test]
fn much_that_was_missed_is_no_slow_consumer() {
    let site = site_with("  send_queue: {max_bytes: 4KB}\n", "enabled: true");
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    let mut speaker = site.speaker();
    for n in 0..400 {
        speaker.say("r", n);
    }
    let mut back = site.come_back(&pid, None);
    assert_eq!((back.sid.as_str(), back.missed.len()), (sid.as_str(), 400));
    speaker.say("r", 400);
    assert_eq!(back.hear().0, 400);
}

#[test]
fn the_log_is_bounded_in_bytes() {
    let site = site_with("", "enabled: true, max_bytes: 2KB");
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    let mut speaker = site.speaker();
    for n in 0..20 {
        speaker.say("r", n);
    }
    assert!(site.gateway.metric("frontroom_recovery_bytes") <= 2_000);
    assert!(site.gateway.refused("socketio.recovery.max_bytes") > 0);
    let back = site.come_back(&pid, None);
    assert!(back.sid != sid && back.pid != pid && back.missed.is_empty());
    assert_eq!(site.gateway.metric("frontroom_recoveries_total{result=\"too_old\"}"), 1);
}

#[test]
fn what_goes_out_of_the_log_while_the_connect_rule_runs_makes_a_new_client() {
    let site = site_with("", "enabled: true, max_bytes: 2KB");
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    let mut speaker = site.speaker();
    client.drop(&site);
    speaker.say("r", 1);
    site.waits.store(true, Ordering::Release);
    let mut socket = site.open();
    socket.send(&format!("40{{\"room\":\"r\",\"pid\":\"{pid}\"}}"));
    std::thread::sleep(Duration::from_millis(100));
    for n in 2..20 {
        speaker.say("r", n);
    }
    site.waits.store(false, Ordering::Release);
    let mut back = connected(socket);
    assert!(back.sid != sid && back.pid != pid && back.missed.is_empty());
    assert_eq!(back.ask(r#"["whoami"]"#).1, format!(r#"431["{}",["{}","r"],false]"#, back.sid, back.sid));
    let lines: Vec<String> = site.backend.seen().into_iter().map(|seen| seen.line).collect();
    let left = lines.iter().filter(|line| **line == format!("POST /left/{sid}")).count();
    assert_eq!(left, 2, "each admission has its disconnect: {lines:?}");
}

#[test]
fn a_quiet_client_comes_back_though_the_log_has_moved_on() {
    let site = site_with("  ping_interval: 200ms\n", "enabled: true, max_bytes: 2KB");
    let mut client = site.connect("");
    let mut speaker = site.speaker();
    speaker.say("r", 0);
    let (_, offset) = client.hear();
    for n in 1..20 {
        speaker.say("elsewhere", n);
    }
    // Its pongs say that it lives and has nothing to miss.
    client.socket.0.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        if client.socket.next().is_some_and(|frame| frame == (1, b"2".to_vec())) {
            client.socket.send("3");
        }
    }
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    speaker.say("r", 20);
    let back = site.come_back(&pid, Some(&offset));
    assert_eq!((back.sid, numbers(&back.missed)), (sid, vec![20]));
}

#[test]
fn those_who_may_come_back_are_bounded_in_number_and_time() {
    let site = site_with("", "enabled: true, max_sessions: 1, max_disconnection: 600ms");
    let [first, second] = [site.connect(""), site.connect("")];
    let (first_pid, second_pid) = (first.pid.clone(), second.pid.clone());
    let (first_sid, second_sid) = (first.sid.clone(), second.sid.clone());
    first.drop(&site);
    second.drop(&site);
    assert_eq!(site.gateway.metric("frontroom_recovery_sessions"), 1);
    assert_eq!(site.gateway.refused("socketio.recovery.max_sessions"), 1);
    let stranger = site.come_back(&first_pid, None);
    assert_ne!(stranger.sid, first_sid, "it gave way");
    let back = site.come_back(&second_pid, None);
    assert_eq!(back.sid, second_sid);
    back.drop(&site);
    std::thread::sleep(Duration::from_millis(900));
    assert_ne!(site.come_back(&second_pid, None).sid, second_sid, "too late");
}

#[test]
fn a_pid_is_known_in_its_namespace_only() {
    let site = site();
    let client = site.connect("");
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.drop(&site);
    let mut socket = site.open();
    socket.send(&format!("40/hook,{{\"pid\":\"{pid}\"}}"));
    assert_ne!(member(&socket.text(), "sid"), sid);
    assert_eq!(site.come_back(&pid, None).sid, sid);
}

#[test]
fn nothing_of_it_is_there_while_it_is_off() {
    let site = site_with("", "enabled: false");
    let mut client = site.connect("");
    assert_eq!(client.pid, "");
    site.speaker().say("r", 1);
    assert_eq!(client.socket.text(), r#"42["said",1]"#);
    client.socket.send("40/hook,{\"pid\":\"mine\",\"offset\":1}");
    assert_eq!(member(&client.socket.text(), "pid"), "");
    let seen = site.backend.seen();
    assert!(seen.iter().any(|seen| seen.body.contains(r#""auth":{"pid":"mine","offset":1}"#)));
}
