//! TLS as clients see it: which certificate, which protocol, who may come in, and files that change.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod support;
#[path = "support/tls.rs"]
mod tls;

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite as Suite, HandshakeKind};
use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::polling::Polling;
use support::websocket::WebSocket;
use tls::{Authority, Client, Made, exchange};

/// A gateway with one TLS listener, and the folder of its files.
struct Site {
    gateway: Gateway,
    _backend: Backend,
    folder: tempfile::TempDir,
}

/// Starts a site; `certificates` are made files `NAME.crt` and `NAME.key`, `tls` and `more` go into the config.
fn site(certificates: &[(&str, &Made)], tls: &str, more: &str) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, made) in certificates {
        made.write(folder.path(), name);
    }
    let backend = Backend::start(|_, _| (200, "\"fine\"".into()));
    let config = config(folder.path(), &backend, &names(certificates), tls, more);
    std::fs::write(folder.path().join("config.yaml"), config).expect("a config");
    let gateway = Gateway::start_file(&folder.path().join("config.yaml"));
    Site { gateway, _backend: backend, folder }
}

fn names<'a>(certificates: &[(&'a str, &Made)]) -> Vec<&'a str> {
    certificates.iter().map(|(name, _)| *name).collect()
}

fn config(folder: &Path, backend: &Backend, names: &[&str], tls: &str, more: &str) -> String {
    let folder = folder.display();
    let pairs: Vec<String> =
        names.iter().map(|name| format!("{{cert: {folder}/{name}.crt, key: {folder}/{name}.key}}")).collect();
    format!(
        "listen: {{address: 127.0.0.1:0, tls: {{certificates: [{}], {}}}}}\n\
         admin: {{listen: 127.0.0.1:0, token: test}}\nlog: {{access: false}}\nupstream: {}\n{more}",
        pairs.join(", "),
        tls.replace("FOLDER", &folder.to_string()),
        backend.url,
    )
}

fn one() -> (Made, Site) {
    let made = Made::for_names(&["localhost"]);
    let site = site(&[("a", &made)], "", "");
    (made, site)
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let made = [&["a.test"][..], &["*.b.test", "c.test"], &["x.b.test"]].map(Made::for_names);
    let [first, wildcard, exact] = &made;
    let site = site(&[("1", first), ("2", wildcard), ("3", exact)], "", "");
    let client = Client::new(&[]);
    for (name, expected) in [
        ("a.test", first),
        ("c.test", wildcard),
        ("y.b.test", wildcard),
        ("X.b.test", exact),
        ("z.y.b.test", first),
        ("b.test", first),
        ("127.0.0.1", first),
    ] {
        assert_eq!(client.certificate(&site.gateway.address, name), expected.der, "{name}");
    }
    // The same as curl sees it, which verifies.
    let port = site.gateway.address.rsplit(':').next().unwrap();
    let curl = Command::new("curl")
        .args(["-sS", "--cacert", &site.folder.path().join("3.crt").display().to_string()])
        .args(["--resolve", &format!("x.b.test:{port}:127.0.0.1"), &format!("https://x.b.test:{port}/")])
        .args(["-w", " %{http_version}"])
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "\"fine\" 2", "{curl:?}");
}

#[test]
fn http2_is_spoken_to_who_offers_it() {
    let (_, site) = one();
    for (offered, expected) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = Client::new(offered).connect(&site.gateway.address, "localhost").expect("a handshake");
        let chosen = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(chosen.as_deref(), expected, "{offered:?}");
    }
    assert!(Client::new(&["spdy/3"]).connect(&site.gateway.address, "localhost").is_err());
}

#[test]
fn the_backend_and_sockets_are_told_that_it_was_https() {
    let made = Made::for_names(&["localhost"]);
    let rules = "socketio: {events: {how: {ack: \"{{ socket.handshake.secure }}\"}}}\n";
    let site = site(&[("a", &made)], "", rules);
    let port = tls::plain_port_to(&site.gateway.address);
    assert_eq!(http::get(&port, "/x").text(), "\"fine\"");
    let seen = site._backend.seen();
    let proto = seen[0].headers.iter().find(|line| line.to_lowercase().starts_with("x-forwarded-proto"));
    assert_eq!(proto.unwrap().to_lowercase(), "x-forwarded-proto: https");
    let mut socket = WebSocket::connect(&port);
    socket.send(r#"420["how"]"#);
    assert_eq!(socket.text(), "430[true]");
    let polling = Polling::connect(&port);
    polling.post(r#"421["how"]"#);
    assert_eq!(polling.get().text(), "431[true]");
}

#[test]
fn an_old_version_is_spoken_where_it_is_allowed() {
    let made = Made::for_names(&["localhost"]);
    let (open, strict) = (site(&[("a", &made)], "", ""), site(&[("a", &made)], "min_version: 1.3", ""));
    let (old, new) = (Client::with(&[], &[&TLS12], None), Client::with(&[], &[&TLS13], None));
    assert!(old.get(&open.gateway.address, "/").unwrap().0.ends_with("\"fine\""));
    assert!(new.get(&open.gateway.address, "/").is_ok() && new.get(&strict.gateway.address, "/").is_ok());
    assert!(old.get(&strict.gateway.address, "/").is_err());
    let handshakes = |result: &str| {
        strict.gateway.metric(&format!("frontroom_tls_handshakes_total{{result=\"{result}\"}}"))
    };
    // The server counts when it has heard of the end, which may be after the client.
    eventually("both are counted", || (handshakes("failed") + handshakes("ok") == 2).then_some(()));
    assert_eq!((handshakes("failed"), handshakes("ok")), (1, 1));
}

#[test]
fn aes_128_is_spoken_with_all_but_clients_that_compute_aes_slowly() {
    let (_, site) = one();
    let spoken = |preferred, version| {
        let client = Client::that_prefers(preferred, version);
        let mut stream = client.connect(&site.gateway.address, "localhost").expect("a handshake");
        assert!(exchange(&mut stream, "/").expect("an answer").ends_with("\"fine\""));
        stream.conn.negotiated_cipher_suite().expect("a suite").suite()
    };
    let (aes_128, chacha) = (Suite::TLS13_AES_128_GCM_SHA256, Suite::TLS13_CHACHA20_POLY1305_SHA256);
    assert_eq!(spoken(Suite::TLS13_AES_256_GCM_SHA384, &TLS13), aes_128);
    assert_eq!(spoken(aes_128, &TLS13), aes_128);
    assert_eq!(spoken(chacha, &TLS13), chacha);
    let aes_128 = Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let chacha = Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    assert_eq!(spoken(Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &TLS12), aes_128);
    assert_eq!(spoken(chacha, &TLS12), chacha);
}

#[test]
fn a_client_without_a_certificate_of_the_authority_stays_outside() {
    let (made, ours, theirs) = (Made::for_names(&["localhost"]), Authority::new(), Authority::new());
    let site = {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.crt"), &ours.pem).expect("written");
        let at = folder.path().join("ca.crt").display().to_string();
        (site(&[("a", &made)], &format!("client_ca: {at}"), ""), folder)
    };
    let address = &site.0.gateway.address;
    let with = |made: Option<&Made>, version| Client::with(&[], &[version], made).get(address, "/");
    for version in [&TLS12, &TLS13] {
        assert!(with(Some(&ours.sign("client")), version).unwrap().0.ends_with("\"fine\""));
        assert!(with(Some(&theirs.sign("client")), version).is_err());
        assert!(with(None, version).is_err());
    }
    // When others are believed, a ticket of before is good no more.
    let client = ours.sign("client");
    let client = Client::with(&[], &[&TLS13], Some(&client));
    client.get(address, "/").expect("let in");
    assert_eq!(client.get(address, "/").unwrap().1, HandshakeKind::Resumed);
    std::fs::write(site.1.path().join("ca.crt"), &theirs.pem).expect("written");
    eventually("the other authority", || with(Some(&theirs.sign("client")), &TLS13).ok());
    assert!(client.get(address, "/").is_err());
}

#[test]
fn sessions_are_resumed_also_after_the_certificate_has_changed() {
    let (_, site) = one();
    for version in [&TLS12, &TLS13] {
        let client = Client::with(&[], &[version], None);
        assert_eq!(client.get(&site.gateway.address, "/").unwrap().1, HandshakeKind::Full);
        assert_eq!(client.get(&site.gateway.address, "/").unwrap().1, HandshakeKind::Resumed);
    }
    let client = Client::new(&[]);
    client.get(&site.gateway.address, "/").expect("a session");
    let new = Made::for_names(&["localhost"]);
    new.write(site.folder.path(), "a");
    eventually("the new certificate", || {
        (Client::new(&[]).certificate(&site.gateway.address, "localhost") == new.der).then_some(())
    });
    assert_eq!(client.get(&site.gateway.address, "/").unwrap().1, HandshakeKind::Resumed);
}

#[test]
fn certificates_are_swapped_under_open_connections_and_bad_ones_never_serve() {
    let (old, site) = one();
    let address = &site.gateway.address;
    let now = || Client::new(&[]).certificate(address, "localhost");
    let reloads =
        |result| site.gateway.metric(&format!("frontroom_certificate_reloads_total{{result=\"{result}\"}}"));
    let mut open = Client::new(&[]).connect(address, "localhost").expect("a handshake");
    assert!(exchange(&mut open, "/").unwrap().ends_with("\"fine\""));

    // The certificate is there before its key is.
    let new = Made::for_names(&["localhost"]);
    std::fs::write(site.folder.path().join("a.crt"), &new.cert).expect("written");
    eventually("the refusal", || (reloads("failed") > 0).then_some(()));
    eventually("what is wrong", || {
        site.gateway.printed("this is not the key of the certificate").then_some(())
    });
    assert_eq!(now(), old.der);
    std::fs::write(site.folder.path().join("a.key"), &new.key).expect("written");
    eventually("the swap", || (now() == new.der).then_some(()));
    assert_eq!(reloads("ok"), 1);

    for (name, bytes) in [("a.crt", ""), ("a.key", "no key"), ("a.crt", "-----BEGIN CERTIFICATE-----")] {
        let (ok, failed) = (reloads("ok"), reloads("failed"));
        std::fs::write(site.folder.path().join(name), bytes).expect("written");
        eventually("the refusal", || (reloads("failed") > failed).then_some(()));
        assert_eq!(now(), new.der);
        new.write(site.folder.path(), "a");
        eventually("the good ones are seen", || (reloads("ok") > ok).then_some(()));
    }
    let expired = Made::in_years(&["localhost"], 2020, 2021);
    expired.write(site.folder.path(), "a");
    eventually("the refusal", || site.gateway.printed("it expired on 2021-01-01").then_some(()));
    assert_eq!(now(), new.der);
    assert!(exchange(&mut open, "/").unwrap().ends_with("\"fine\""), "the connection of the begin");
}

#[test]
fn a_secret_swapped_by_kubernetes_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |version: &str, made: &Made| {
        std::fs::create_dir(folder.path().join(version)).expect("a folder");
        made.write(&folder.path().join(version), "tls");
    };
    let (one, two) = (Made::for_names(&["localhost"]), Made::for_names(&["localhost"]));
    write("..2026_1", &one);
    symlink("..2026_1", folder.path().join("..data")).expect("a link");
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.path().join(name)).expect("a link");
    }
    let backend = Backend::empty();
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(&file, config(folder.path(), &backend, &["tls"], "", "")).expect("a config");
    let gateway = Gateway::start_file(file.path());
    let now = || Client::new(&[]).certificate(&gateway.address, "localhost");
    assert_eq!(now(), one.der);
    write("..2026_2", &two);
    symlink("..2026_2", folder.path().join("..data_tmp")).expect("a link");
    std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("a rename");
    std::fs::remove_dir_all(folder.path().join("..2026_1")).expect("the old one is gone");
    eventually("the swap", || (now() == two.der).then_some(()));
}

#[test]
fn a_reload_of_the_config_swaps_tls_and_limits_and_keeps_connections() {
    let made = Made::for_names(&["localhost"]);
    let site = site(&[("a", &made)], "", "");
    let old = Client::with(&[], &[&TLS12], None);
    let mut open = old.connect(&site.gateway.address, "localhost").expect("a handshake");
    assert!(exchange(&mut open, "/").unwrap().ends_with("\"fine\""));
    let rewrite = |tls: &str, more: &str| {
        let text = config(site.folder.path(), &site._backend, &["a"], tls, more);
        std::fs::write(site.folder.path().join("new"), text).expect("written");
        let file = site.folder.path().join("config.yaml");
        std::fs::rename(site.folder.path().join("new"), file).expect("a rename");
    };
    rewrite("min_version: 1.3", "limits: {header_bytes: 1KB}\n");
    eventually("the reload", || (site.gateway.reloads("reloaded") == 1).then_some(()));
    assert!(old.connect(&site.gateway.address, "localhost").is_err());
    let long = format!("/{}", "x".repeat(2000));
    assert!(Client::new(&[]).get(&site.gateway.address, &long).unwrap().0.starts_with("HTTP/1.1 414"));
    assert!(exchange(&mut open, "/").unwrap().starts_with("HTTP/1.1 200"), "the old connection");
    assert!(!site.gateway.printed("restart"));
    // A bad certificate refuses the whole config.
    rewrite("client_ca: FOLDER/none.crt", "");
    eventually("the refusal", || (site.gateway.reloads("refused") == 1).then_some(()));
    assert!(Client::new(&[]).get(&site.gateway.address, "/").is_ok());
}

#[test]
fn days_left_are_told() {
    let made = Made::in_years(&["localhost"], 2020, 4000);
    let site = site(&[("a", &made)], "", "");
    let name = format!(
        "frontroom_certificate_expiry_days{{certificate=\"{}/a.crt\"}}",
        site.folder.path().display()
    );
    let days = eventually("the metric", || Some(site.gateway.metric(&name)).filter(|days| *days > 0));
    assert!((700_000..731_000).contains(&days), "{days}");
}

#[test]
fn plain_http_on_a_tls_port_is_told_what_is_wrong() {
    let (_, site) = one();
    let answer = http::get(&site.gateway.address, "/");
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    assert!(answer.text().contains("https://"), "{}", answer.text());
}

#[test]
fn who_does_not_finish_the_handshake_is_let_go() {
    let made = Made::for_names(&["localhost"]);
    let site = site(&[("a", &made)], "", "limits: {header_timeout: 400ms}\n");
    for begin in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1]] {
        let begun = Instant::now();
        let mut stream = http::connect(&site.gateway.address);
        stream.write_all(begin).expect("written");
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "{begin:?}");
        assert!((300..4000).contains(&begun.elapsed().as_millis()), "{begin:?}: {:?}", begun.elapsed());
    }
    eventually("they are counted", || {
        (site.gateway.metric("frontroom_tls_handshakes_total{result=\"timeout\"}") == 3).then_some(())
    });
    // Time begins anew with the first request.
    let mut stream = Client::new(&[]).connect(&site.gateway.address, "localhost").expect("a handshake");
    std::thread::sleep(Duration::from_millis(200));
    assert!(exchange(&mut stream, "/").is_ok());
}

#[test]
fn handshakes_beyond_the_bound_wait_for_their_turn() {
    let made = Made::for_names(&["localhost"]);
    let site = site(&[("a", &made)], "", "limits: {tls_handshakes: 1, header_timeout: 1s}\n");
    // Silent ones take no turn.
    let _silent: Vec<_> = (0..5).map(|_| http::connect(&site.gateway.address)).collect();
    let begun = Instant::now();
    assert!(Client::new(&[]).get(&site.gateway.address, "/").is_ok());
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    let mut stuck = http::connect(&site.gateway.address);
    stuck.write_all(&[22]).expect("written");
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    assert!(Client::new(&[]).get(&site.gateway.address, "/").is_ok());
    assert!((300..4000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[test]
fn check_tells_what_is_wrong_with_a_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let (good, other) = (Made::for_names(&["localhost"]), Made::for_names(&["localhost"]));
    Made::in_years(&["localhost"], 2020, 2021).write(folder.path(), "expired");
    Made::in_years(&["localhost"], 3000, 3001).write(folder.path(), "early");
    write("good.crt", &good.cert);
    write("good.key", &good.key);
    write("other.key", &other.key);
    write("empty", "");
    write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let pairs = [
        ("none.crt", "good.key"),
        ("good.crt", "other.key"),
        ("good.key", "good.key"),
        ("good.crt", "empty"),
        ("broken", "good.key"),
        ("good.crt", "good.crt"),
    ];
    let certificates: String =
        pairs.iter().map(|(cert, key)| format!("      - {{cert: {cert}, key: {key}}}\n")).collect();
    let listen = format!(
        "upstream: http://127.0.0.1:1\nlisten:\n  address: 127.0.0.1:0\n  tls:\n    certificates:\n{certificates}"
    );
    let check = |text: &str| {
        write("config.yaml", text);
        let checked = Command::new(env!("CARGO_BIN_EXE_frontroom"))
            .args(["check"])
            .current_dir(folder.path())
            .output()
            .expect("check runs");
        (checked.status.code(), String::from_utf8(checked.stderr).unwrap())
    };
    let cert = "it begins with -----BEGIN CERTIFICATE-----, the server's own first";
    let key = "it begins with -----BEGIN PRIVATE KEY-----, unencrypted";
    let (code, said) = check(&listen);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(
        said,
        format!(
            "config.yaml:6:16: listen[0].tls.certificates[0].cert: `none.crt` cannot be read: No such file or directory (os error 2); name a PEM file with the certificate and its chain\n\
             config.yaml:7:31: listen[0].tls.certificates[1].key: this is not the key of the certificate; name the key that the certificate was made for\n\
             config.yaml:8:16: listen[0].tls.certificates[2].cert: there is no certificate in the file; {cert}\n\
             config.yaml:9:31: listen[0].tls.certificates[3].key: there is no private key in the file; {key}\n\
             config.yaml:10:16: listen[0].tls.certificates[4].cert: the certificate at place 1 is none of X.509; {cert}\n\
             config.yaml:11:31: listen[0].tls.certificates[5].key: there is no private key in the file; {key}\n\
             6 problems\n"
        )
    );
    let timely = |name: &str| {
        check(&format!(
            "upstream: http://127.0.0.1:1\nlisten: {{address: 127.0.0.1:0, tls: {{certificates: {{cert: {name}.crt, key: {name}.key}}}}}}\n"
        ))
    };
    let (code, said) = timely("expired");
    assert_eq!(code, Some(2));
    assert!(said.contains("certificates[0].cert: it expired on 2021-01-01; get a new certificate"), "{said}");
    assert!(timely("early").1.contains("it is valid only from 3000-01-01 on"));
    let (_, said) = check(
        "upstream: http://127.0.0.1:1\nlisten: {address: 127.0.0.1:0, proxy_protocol: true, tls: {certificates: []}}\n",
    );
    assert_eq!(
        said,
        "config.yaml:2:48: listen[0].proxy_protocol: nobody may send the header, since `trusted_proxies` is empty; name your load balancer's networks in `trusted_proxies`\n\
         config.yaml:2:74: listen[0].tls.certificates: there is no certificate; write `certificates: [{cert: tls.crt, key: tls.key}]`\n\
         2 problems\n"
    );
}

#[test]
fn an_expired_certificate_is_told_of_at_the_start_and_keeps_nobody_from_starting() {
    let made = Made::in_years(&["localhost"], 2020, 2021);
    let site = site(&[("a", &made)], "", "");
    let told = "listen[0].tls.certificates[0].cert: it expired on 2021-01-01";
    eventually("it is told", || site.gateway.printed(told).then_some(()));
    assert!(Client::new(&[]).get(&site.gateway.address, "/").is_ok());
    let text =
        http::request(&site.gateway.admin, "GET", "/metrics", &["Authorization: Bearer test"], b"").text();
    let line = text.lines().find(|line| line.starts_with("frontroom_certificate_expiry_days{")).unwrap();
    assert!(line.rsplit(' ').next().unwrap().starts_with('-'), "{line}");
}
