//! What a panic takes down: the one request or event that it happened in. Over real connections, with doors and
//! rules that have a defect.

use std::net::SocketAddr;
use std::process::Command;

use super::*;
use crate::config::{Problems, load_text};
use crate::credentials::Credentials;
use crate::engineio::{Application, Conversation, Options, Session, random_id};
use crate::rules::{Destination, Resolve, Rulebook, Rules};
use crate::server::{Handle, Listener, Terms, Workers};
use crate::socketio::{Door, Limits};
use crate::telemetry::metrics::Metrics;

const CONFIG: &str = r#"
upstream: http://127.0.0.1:9
cors: {allow_origins: ["https://app.example"], allow_credentials: true}
log: {access: false}
socketio:
  events:
    asks: {request: GET /anything}
    computes: {ack: ["{{ panics() }}"]}
    sound: {ack: ["{{ data }}"]}
  namespaces: {"/closed": {connect: {request: GET /anything}}}
"#;

/// Panics at handshakes that say so.
struct Trapdoor(Door);

impl Application for Trapdoor {
    fn open(&self, session: &Arc<Session>) -> Box<dyn Conversation> {
        assert!(session.handshake().query.iter().all(|(name, _)| name != "trap"), "the trap has snapped");
        self.0.open(session)
    }
}

/// Panics when it is asked where a rule's request goes.
#[derive(Debug)]
struct Lost;

impl Resolve for Lost {
    fn resolve(&self, _: &str, _: &str) -> Option<Destination> {
        panic!("nobody knows the way")
    }
}

/// A gateway on a thread of its own, for as long as the test runs.
fn start() -> SocketAddr {
    Metrics::install();
    let loaded = load_text(CONFIG, "test", &|_| None).map_err(|report| report.to_string()).unwrap();
    let (file, mut problems) = (loaded.file(), Problems::default());
    let routes = Arc::new(Routes::build(file, None, &mut problems));
    let credentials = Arc::new(Credentials::build(&file.credentials, &mut problems));
    let rules = Rules::build(file, credentials.clone(), routes.upstreams(), Arc::new(Lost), &mut problems);
    let snapshot = Snapshot::build(file, routes, credentials, rules.taps().clone(), &mut problems);
    let limits = Limits::build(&file.socketio, &mut problems);
    let options = Options::build(&file.socketio, &mut problems);
    assert!(problems.is_empty());
    let hub = Arc::new(Hub::new(Arc::new(Rulebook::new(rules)), limits));
    let application = Arc::new(Trapdoor(Door(hub.clone())));
    let engine = Arc::new(Engine::new(options, application, unwrap, Box::new(random_id)));
    let gateway = Arc::new(Gateway::new(snapshot, engine, hub, None));
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let workers = Workers::start(std::num::NonZero::new(1)).unwrap();
        let terms = Handle::new(Terms::plain(crate::server::Options::default()));
        runtime.block_on(listener.run(gateway, terms, &workers, Default::default()))
    });
    address
}

/// What curl gets, head and body.
fn curl(address: SocketAddr, path: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-i", "--max-time", "10", "-H", "Origin: https://app.example"])
        .args(arguments)
        .arg(format!("http://{address}{path}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn panics(kind: &str) -> u64 {
    let line = format!("frontroom_panics_total{{kind=\"{kind}\"}} ");
    let text = Metrics::install().render();
    text.lines().find_map(|text| text.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_request_that_panics_is_answered_and_takes_nobody_with_it() {
    let address = start();
    for (arguments, closes) in [(&["--http1.1"][..], true), (&["--http2-prior-knowledge"][..], false)] {
        let before = panics("request");
        let answer = curl(address, "/socket.io/?EIO=4&transport=polling&trap", arguments);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().next().unwrap().contains(" 500"), "{head}");
        let head = head.to_lowercase();
        for line in [
            "content-type: application/json",
            "access-control-allow-origin: https://app.example",
            "access-control-allow-credentials: true",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert_eq!(head.contains("connection: close"), closes, "{head}");
        let error: serde_json::Value = serde_json::from_str(body).unwrap();
        let id = error["error"]["request_id"].as_str().unwrap();
        assert!(head.contains(&format!("x-request-id: {id}")), "{head}");
        assert_eq!(
            (&error["error"]["status"], &error["error"]["code"]),
            (&500.into(), &"internal_error".into())
        );
        assert!(!body.contains("snapped"), "what it says is for the log alone");
        assert!(panics("request") > before);
        assert!(curl(address, "/socket.io/?EIO=4&transport=polling", arguments).contains("\"sid\":"));
    }
}

#[test]
fn a_rule_that_panics_fails_and_its_socket_goes_on() {
    let address = start();
    let opened = curl(address, "/socket.io/?EIO=4&transport=polling", &[]);
    let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    let say = |packet: &str| {
        assert!(curl(address, &path, &["--data-binary", packet]).ends_with("ok"));
        let answer = curl(address, &path, &[]);
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let before = panics("event");
    assert!(say("40").starts_with("40{"));
    for (packet, id) in [(r#"421["asks"]"#, 1), (r#"422["computes"]"#, 2)] {
        let answer = say(packet);
        let start = format!(r#"43{id}[{{"error":{{"status":500,"code":"internal_error","message":"#);
        assert!(answer.starts_with(&start), "{answer}");
    }
    assert!(say(r#"42["computes"]"#).starts_with(r#"42["exception",{"error":{"status":500,"#));
    assert_eq!(say(r#"423["sound",7]"#), "433[7]");
    assert!(say("40/closed,").starts_with(r#"44/closed,{"message":"the gateway failed"#));
    assert_eq!(say(r#"424["sound",8]"#), "434[8]");
    assert!(panics("event") >= before + 4);
}
