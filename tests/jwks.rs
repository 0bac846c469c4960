//! Tokens by the keys behind a URL: fetched, rotated, gone, wrong.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use support::backend::{Backend, Reply};
use support::eventually;
use support::gateway::Gateway;
use support::http::{Answer, request};
use support::websocket::WebSocket;

/// A key of an issuer.
struct Key {
    id: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Key {
        Key { id, pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key_raw()[1..].split_at(32);
        let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y})
    }

    fn token(&self) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(self.pair.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, &json!({"sub": "u"}), &key).unwrap()
    }
}

/// An issuer that answers what it is told to.
#[derive(Clone)]
struct Issuer {
    backend: Backend,
    reply: Arc<Mutex<Reply>>,
}

impl Issuer {
    fn start(reply: Reply) -> Issuer {
        let reply = Arc::new(Mutex::new(reply));
        let said = reply.clone();
        let backend = Backend::start(move |line, _| {
            assert_eq!(line, "GET /keys?of=us");
            said.lock().unwrap().clone()
        });
        Issuer { backend, reply }
    }

    fn of(keys: &[&Key]) -> Issuer {
        Issuer::start(published(keys))
    }

    fn says(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn asked(&self) -> usize {
        self.backend.seen().len()
    }

    fn url(&self) -> String {
        format!("{}/keys?of=us", self.backend.url)
    }
}

fn published(keys: &[&Key]) -> Reply {
    (200, json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string())
}

fn config(backend: &Backend, url: &str, more: &str) -> String {
    format!(
        "upstream: {}\ncredentials: {{jwt: {{jwks_url: '{url}', algorithms: [ES256, RS256], {more}}}, require: all}}\n",
        backend.url
    )
}

fn backend() -> Backend {
    Backend::start(|_, _| (200, "{}".into()))
}

fn ask(gateway: &Gateway, token: &str) -> Answer {
    request(&gateway.address, "GET", "/x", &[&format!("Authorization: Bearer {token}")], b"")
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    ask(gateway, token).status
}

fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.text()).unwrap();
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn keys_are_found_by_their_name_and_rotated() {
    let (first, second) = (Key::new("1"), Key::new("2"));
    let issuer = Issuer::of(&[&first]);
    let gateway = Gateway::start(&config(&backend(), &issuer.url(), ""));
    for _ in 0..5 {
        assert_eq!(status(&gateway, &first.token()), 200);
    }
    assert_eq!(issuer.asked(), 1, "fetched once, and kept");
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.text().starts_with('0'));
    socket.send(&format!("40{}", json!({"token": first.token()})));
    assert!(socket.text().starts_with("40{"));

    issuer.says(published(&[&second]));
    assert_eq!(status(&gateway, &second.token()), 200, "a new name is asked for at once");
    assert_eq!(issuer.asked(), 2);
    assert_eq!(
        code(&ask(&gateway, &first.token())),
        "token_invalid",
        "what is not published any more is over"
    );
    let impostor = Key { id: "2", pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() };
    assert_eq!(code(&ask(&gateway, &impostor.token())), "token_invalid");
}

#[test]
fn unknown_names_do_not_make_the_issuer_busy() {
    let known = Key::new("known");
    let issuer = Issuer::of(&[&known]);
    let gateway = Gateway::start(&config(&backend(), &issuer.url(), ""));
    assert_eq!(status(&gateway, &known.token()), 200);
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (address, token) = (gateway.address.clone(), Key::new("unknown").token());
            std::thread::spawn(move || {
                for _ in 0..10 {
                    let header = format!("Authorization: Bearer {token}");
                    assert_eq!(request(&address, "GET", "/x", &[&header], b"").status, 401);
                }
            })
        })
        .collect();
    asking.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(issuer.asked(), 2, "once for all of them");
}

#[test]
fn the_last_good_keys_stay_while_the_url_is_away_or_wrong() {
    let key = Key::new("1");
    let issuer = Issuer::of(&[&key]);
    let more = "jwks_refresh: 50ms, jwks_cooldown: 20ms, jwks_timeout: 1s";
    let gateway = Gateway::start(&config(&backend(), &issuer.url(), more));
    assert_eq!(status(&gateway, &key.token()), 200);
    let failed = || gateway.metric("frontroom_jwks_fetches_total{result=\"failed\"}");
    for reply in [
        (503, published(&[&key]).1),
        (301, String::new()),
        (200, "<html>maintenance</html>".to_owned()),
        (200, json!({"keys": []}).to_string()),
        (200, json!({"keys": [key.jwk()], "padding": "x".repeat(600_000)}).to_string()),
    ] {
        let before = failed();
        issuer.says(reply);
        eventually("two more failures", || (failed() >= before + 2).then_some(()));
        assert_eq!(status(&gateway, &key.token()), 200);
    }
    let next = Key::new("2");
    issuer.says(published(&[&next]));
    eventually("the keys of a URL that is back", || (status(&gateway, &next.token()) == 200).then_some(()));
    eventually("the end of the old key", || (status(&gateway, &key.token()) == 401).then_some(()));
}

#[test]
fn without_any_keys_nobody_can_tell() {
    let key = Key::new("1");
    let issuer = Issuer::start((500, String::new()));
    let more = "jwks_cooldown: 50ms";
    let gateway = Gateway::start(&config(&backend(), &issuer.url(), more));
    let answer = ask(&gateway, &key.token());
    assert_eq!((answer.status, code(&answer).as_str()), (503, "token_keys_unavailable"));
    assert!(answer.header("retry-after").is_some() && answer.header("www-authenticate").is_none());
    assert_eq!(
        code(&request(&gateway.address, "GET", "/x", &[], b"")),
        "token_missing",
        "that much is clear"
    );
    issuer.says(published(&[&key]));
    eventually("the first keys", || (status(&gateway, &key.token()) == 200).then_some(()));
}

#[test]
fn an_issuer_that_hangs_is_not_waited_for_long() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", silent.local_addr().unwrap());
    let gateway = Gateway::start(&config(&backend(), &url, "jwks_timeout: 300ms"));
    let started = Instant::now();
    assert_eq!(status(&gateway, &Key::new("1").token()), 503);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(request(&gateway.address, "GET", "/x", &[], b"").status, 401, "others do not wait");
}

#[test]
fn a_published_key_is_no_secret() {
    let key = Key::new("1");
    let issuer = Issuer::of(&[&key]);
    let gateway = Gateway::start(&config(&backend(), &issuer.url(), ""));
    let pem = key.pair.public_key_pem();
    let jwk = key.jwk().to_string();
    let x = URL_SAFE_NO_PAD.decode(key.jwk()["x"].as_str().unwrap()).unwrap();
    for secret in
        [pem.as_bytes(), pem.trim_end().as_bytes(), jwk.as_bytes(), &x, key.pair.public_key_raw(), b""]
    {
        let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &json!({}), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(code(&ask(&gateway, &token)), "token_invalid");
    }
    assert_eq!(issuer.asked(), 1, "for an algorithm that is not listed no key is looked for");
    assert_eq!(status(&gateway, &key.token()), 200);
}

#[test]
fn a_reload_keeps_the_keys_unless_the_url_is_another() {
    let (key, other) = (Key::new("1"), Key::new("2"));
    let (issuer, elsewhere) = (Issuer::of(&[&key]), Issuer::of(&[&other]));
    let backend = backend();
    let gateway = Gateway::start(&config(&backend, &issuer.url(), ""));
    assert_eq!(status(&gateway, &key.token()), 200);
    issuer.says((500, String::new()));
    gateway
        .rewrite(&(config(&backend, &issuer.url(), "leeway: 1s") + "socketio: {events: {e: {ack: true}}}\n"));
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    assert_eq!(status(&gateway, &key.token()), 200);
    assert_eq!(issuer.asked(), 1);
    gateway.rewrite(&config(&backend, &elsewhere.url(), ""));
    eventually("the reload", || (gateway.reloads("reloaded") == 2).then_some(()));
    assert_eq!(status(&gateway, &other.token()), 200);
    assert_eq!(status(&gateway, &key.token()), 401);
}

/// Serves a set over TLS, with a certificate that nobody but its own PEM vouches for.
fn encrypted(keys: &[&Key]) -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let (config, (_, body)) = (Arc::new(config), published(keys));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/keys", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            let mut head = [0; 4096];
            // A client that does not trust us goes away.
            let Ok(1..) = tls.read(&mut head) else { continue };
            let length = body.len();
            let _ = write!(tls, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = tls.flush();
        }
    });
    (url, cert.pem())
}

#[test]
fn an_issuer_over_tls_is_asked_if_its_authority_is_trusted() {
    let key = Key::new("1");
    let (url, ca) = encrypted(&[&key]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca).unwrap();
    let more = format!("jwks_ca: {}", file.path().display());
    let gateway = Gateway::start(&config(&backend(), &url, &more));
    assert_eq!(status(&gateway, &key.token()), 200);
    let doubtful = Gateway::start(&config(&backend(), &url, ""));
    assert_eq!(status(&doubtful, &key.token()), 503);
}
