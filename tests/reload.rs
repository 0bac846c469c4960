//! A changed config is put in force whole, without a restart and without a connection lost; a bad one
//! changes nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{self, get, request};
use support::websocket::{HANDSHAKE, WebSocket};

/// A config whose event `who` is acked with `answer`.
fn config(backend: &Backend, answer: &str) -> String {
    format!("upstream: {}\nsocketio: {{events: {{who: {{ack: {answer}}}}}}}\n", backend.url)
}

fn who(socket: &mut WebSocket) -> String {
    socket.send("420[\"who\"]");
    socket.text()
}

fn backend(name: &'static str) -> Backend {
    Backend::start(move |_, _| (200, format!("\"{name}\"")))
}

#[test]
fn a_changed_file_is_in_force_for_the_next_event_and_request_of_old_connections() {
    let (one, two) = (backend("one"), backend("two"));
    let gateway = Gateway::start(&config(&one, "old"));
    let mut socket = WebSocket::connect(&gateway.address);
    assert_eq!(who(&mut socket), r#"430["old"]"#);
    assert_eq!(get(&gateway.address, "/x").text(), "\"one\"");
    let origin = ["Origin: https://a.test"];
    let allowed = |gateway: &Gateway| {
        let answer = request(&gateway.address, "GET", "/x", &origin, b"");
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(allowed(&gateway), None);

    gateway.rewrite(&format!("{}cors: {{allow_origins: 'https://a.test'}}\n", config(&two, "new")));
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    assert_eq!(who(&mut socket), r#"430["new"]"#, "the same socket");
    assert_eq!(get(&gateway.address, "/x").text(), "\"two\"");
    assert_eq!(allowed(&gateway).as_deref(), Some("https://a.test"));
}

#[test]
fn what_an_old_sockets_requests_carry_follows_the_config() {
    let backend = backend("x");
    let config = |cookies: bool| {
        let events = "{ask: {request: GET /ask}, tell: {request: POST /tell}}";
        let upstream = &backend.url;
        format!("upstream: {upstream}\ncredentials: {{cookies: {cookies}}}\nsocketio: {{events: {events}}}\n")
    };
    let gateway = Gateway::start(&config(true));
    let stream = http::connect(&gateway.address);
    let headers = [&HANDSHAKE[..], &["Cookie: a=1"]].concat();
    http::send(&stream, "GET", "/socket.io/?EIO=4&transport=websocket", &headers, b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut socket = WebSocket(stream);
    assert!(socket.text().starts_with("0{"));
    socket.send("40");
    assert!(socket.text().starts_with("40{"));
    let mut say = |event: &str| {
        socket.send(event);
        assert!(socket.text().starts_with("43"), "{event}");
        backend.seen().pop().expect("a request")
    };
    for _ in 0..2 {
        assert_eq!(say(r#"421["ask"]"#).header("cookie"), ["a=1"]);
    }
    gateway.rewrite(&config(false));
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    let asked = [r#"422["ask"]"#, r#"423["ask"]"#].map(&mut say);
    let told = [r#"424["tell",1]"#, r#"425["tell",2]"#].map(say);
    for (seen, kind) in
        asked.iter().map(|seen| (seen, None)).chain(told.iter().map(|seen| (seen, Some("application/json"))))
    {
        assert!(seen.header("cookie").is_empty(), "{}", seen.line);
        assert_eq!(seen.header("content-type").first().copied(), kind, "{}", seen.line);
    }
    for name in ["x-request-id", "idempotency-key"] {
        let mut ids: Vec<_> = asked.iter().chain(&told).flat_map(|seen| seen.header(name)).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each request has its own {name}");
    }
}

#[test]
fn a_bad_file_changes_nothing_and_a_good_one_after_it_is_taken() {
    let backend = backend("x");
    let gateway = Gateway::start(&config(&backend, "old"));
    let mut socket = WebSocket::connect(&gateway.address);
    gateway.rewrite("upstrem: http://127.0.0.1:1\n");
    eventually("the refusal", || (gateway.reloads("refused") == 1).then_some(()));
    assert_eq!(who(&mut socket), r#"430["old"]"#);
    // Its own parts are good, but it is refused whole.
    gateway.rewrite(&format!(
        "{}cors: {{allow_origins: '*', allow_credentials: true}}\n",
        config(&backend, "half")
    ));
    eventually("the refusal", || (gateway.reloads("refused") == 2).then_some(()));
    assert_eq!(who(&mut socket), r#"430["old"]"#);
    gateway.rewrite(&config(&backend, "new"));
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    assert_eq!(who(&mut socket), r#"430["new"]"#);
}

#[test]
fn sighup_reads_the_file_where_it_is_not_watched() {
    let backend = backend("x");
    let manual = |answer: &str| format!("{}reload: {{auto: false}}\n", config(&backend, answer));
    let gateway = Gateway::start(&manual("old"));
    let mut socket = WebSocket::connect(&gateway.address);
    gateway.rewrite(&manual("new"));
    assert_eq!(who(&mut socket), r#"430["old"]"#);
    gateway.signal("HUP");
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    assert_eq!(who(&mut socket), r#"430["new"]"#);
    assert_eq!(gateway.reloads("refused"), 0);
}

#[test]
fn a_configmap_swapped_by_kubernetes_is_noticed() {
    let backend = backend("x");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, answer: &str| {
        let data = folder.path().join(name);
        std::fs::create_dir(&data).expect("a folder");
        let listen = "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0, token: test}\n";
        std::fs::write(data.join("config.yaml"), format!("{listen}{}", config(&backend, answer)))
            .expect("a config");
    };
    write("..2026_1", "old");
    symlink("..2026_1", folder.path().join("..data")).expect("a link");
    symlink("..data/config.yaml", folder.path().join("config.yaml")).expect("a link");
    let gateway = Gateway::start_file(&folder.path().join("config.yaml"));
    let mut socket = WebSocket::connect(&gateway.address);
    assert_eq!(who(&mut socket), r#"430["old"]"#);
    // As the kubelet does it: new folder, new link, the link renamed over the old one, old folder gone.
    for (name, old, answer) in [("..2026_2", "..2026_1", "new"), ("..2026_3", "..2026_2", "newer")] {
        write(name, answer);
        symlink(name, folder.path().join("..data_tmp")).expect("a link");
        std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("a rename");
        std::fs::remove_dir_all(folder.path().join(old)).expect("the old one is gone");
        let expected = format!("430[\"{answer}\"]");
        eventually("the swap", || (who(&mut socket) == expected).then_some(()));
    }
    assert_eq!(gateway.reloads("reloaded"), 2);
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_in_force() {
    let backend = backend("x");
    let gateway = Gateway::start(&config(&backend, "old"));
    let mut socket = WebSocket::connect(&gateway.address);
    let path = gateway.folder().join("config.yaml");
    let text = std::fs::read_to_string(&path).expect("the config");
    let text = text.replacen("listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1).replace("old", "new");
    std::fs::write(&path, text).expect("the config is written");
    eventually("the reload", || (gateway.reloads("reloaded") >= 1).then_some(()));
    assert_eq!(who(&mut socket), r#"430["new"]"#);
    eventually("the warning", || gateway.printed("listen has changed: it needs a restart").then_some(()));
    assert_eq!(get(&gateway.address, "/").status, 200, "the old listener");
}

#[test]
fn reloads_under_load_lose_no_request_and_no_socket() {
    const RELOADS: u64 = 10;
    let backend = backend("x");
    let gateway = Gateway::start(&config(&backend, "v0"));
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let rest = (0..4).map(|_| {
        let (address, done, asked) = (gateway.address.clone(), done.clone(), asked.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let answer = get(&address, "/x");
                assert_eq!((answer.status, answer.text().as_str()), (200, "\"x\""));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let sockets = (0..8).map(|_| {
        let (address, done, asked) = (gateway.address.clone(), done.clone(), asked.clone());
        std::thread::spawn(move || {
            let mut socket = WebSocket::connect(&address);
            while !done.load(Ordering::Relaxed) {
                let answer = who(&mut socket);
                assert!(answer.starts_with(r#"430["v"#), "{answer}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
            who(&mut socket)
        })
    });
    let (rest, sockets): (Vec<_>, Vec<_>) = (rest.collect(), sockets.collect());
    for round in 1..=RELOADS {
        gateway.rewrite(&config(&backend, &format!("v{round}")));
        gateway.signal("HUP");
        eventually("a reload", || (gateway.reloads("reloaded") >= round).then_some(()));
    }
    // SIGHUP and a look at the file may both count one change.
    let (mut probe, last) = (WebSocket::connect(&gateway.address), format!("430[\"v{RELOADS}\"]"));
    eventually("the last config", || (who(&mut probe) == last).then_some(()));
    let enough = asked.load(Ordering::Relaxed) + 100;
    eventually("work after the last reload", || (asked.load(Ordering::Relaxed) > enough).then_some(()));
    done.store(true, Ordering::Relaxed);
    rest.into_iter().for_each(|thread| thread.join().expect("every request was answered"));
    for thread in sockets {
        assert_eq!(thread.join().expect("every event was acked"), last);
    }
}
