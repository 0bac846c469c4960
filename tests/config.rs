//! Golden files of the config: what loads, and the exact text of what does not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this file is a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use frontroom::app;
use frontroom::config::{self, Problems, Report};
use serde_json::Value;

/// Stands between the config of an invalid case and the text that is expected.
const EXPECTED: &str = "---expected---\n";

/// The variables that the golden files know.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "CLIENT_URL" => "http://localhost:3000",
        "PING" => "25s",
        "ATTACHMENTS" => "10",
        "YES" => "true",
        "DIGITS" => "0123456",
        "ADMIN_TOKEN" | "HOOK_SECRET" | "JWT_SECRET" => "secret",
        "ADMIN_UI_PASSWORD" => "$2b$10$4ecMVjajjWYtPRLUAzKhDuRHI1j/kNgF86cBvA3hM22EU4wWZFn8u",
        "EMPTY" => "",
        "TLS_DIR" => return Some(tls_folder().display().to_string()),
        _ => return None,
    };
    Some(value.to_owned())
}

/// A folder with a certificate, its key, and an authority of clients.
fn tls_folder() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("tls.crt", made.cert.pem()),
            ("tls.key", made.signing_key.serialize_pem()),
            ("ca.crt", made.cert.pem()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    });
    FOLDER.path()
}

/// From a config's text to what is wrong with it: everything that `check` would say.
fn problems(text: &str) -> String {
    let loaded = config::load_text(text, "config.yaml", &variable);
    match loaded.and_then(|loaded| loaded.judge(Problems::default())) {
        Ok(_) => String::new(),
        Err(report) => report.to_string(),
    }
}

fn cases(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    cases.sort();
    cases
}

#[test]
fn invalid_configs_are_refused_in_the_expected_words() {
    let cases = cases("invalid");
    assert!(cases.len() >= 25, "only {} cases found", cases.len());
    for (path, case) in cases {
        let (text, expected) =
            case.split_once(EXPECTED).unwrap_or_else(|| panic!("{path:?} expects nothing"));
        assert_eq!(problems(text), expected, "{path:?}");
    }
}

/// What only the whole compilation finds: contradictions, templates, names that lead nowhere.
#[test]
fn configs_that_mean_nothing_are_refused_in_the_expected_words() {
    let cases = cases("refused");
    assert!(cases.len() >= 12, "only {} cases found", cases.len());
    for (path, case) in cases {
        let (text, expected) =
            case.split_once(EXPECTED).unwrap_or_else(|| panic!("{path:?} expects nothing"));
        let report = app::judge(text, "config.yaml", &variable).expect_err("a refusal");
        assert_eq!(report.to_string(), expected, "{path:?}");
    }
}

#[test]
fn the_example_compiles_with_and_without_its_optional_lines() {
    for text in example() {
        let judged = app::judge(&text, "config.yaml", &variable);
        assert_eq!(judged.err().map(|report| report.to_string()), None);
    }
}

#[test]
fn the_configs_of_the_guides_compile() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let mut configs = 0;
    for guide in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(&guide).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let (config, _) = block.split_once("```\n").unwrap();
            let judged = app::judge(config, "config.yaml", &variable);
            assert_eq!(judged.err().map(|report| report.to_string()), None, "{guide:?}");
            configs += 1;
        }
    }
    assert!(configs >= 3, "only {configs} configs found");
}

#[test]
fn valid_configs_load() {
    let cases = cases("valid");
    assert!(cases.len() >= 5, "only {} cases found", cases.len());
    for (path, text) in cases {
        assert_eq!(problems(&text), "", "{path:?}");
    }
}

/// The example config as it is, and with its `#: ` lines in use.
fn example() -> [String; 2] {
    let plain = include_str!("../config.example.yaml").to_owned();
    let full = plain.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    [plain, full]
}

fn uncommented(line: &str) -> String {
    without_mark(line, "#: ")
}

fn without_mark(line: &str, mark: &str) -> String {
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    text.strip_prefix(mark).map_or(line.to_owned(), |text| format!("{indent}{text}"))
}

/// The example with its `#| ` lines in use as well, which stand in place of others: to be read, not to be run.
fn example_with_alternatives() -> String {
    let [_, full] = example();
    full.lines().map(|line| without_mark(line, "#| ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_loads_with_and_without_its_optional_lines() {
    for text in example() {
        assert_eq!(problems(&text), "");
    }
}

#[test]
fn the_example_shows_every_key_of_the_schema() {
    let example: Value = serde_yaml::from_str(&example_with_alternatives()).unwrap();
    let schema = config::schema();
    let mut shown = BTreeSet::new();
    collect_shown(&example, &schema, "File", &schema, &mut shown);
    assert_eq!(shown, known(&schema));
}

/// `Type.key` for every key that the schema knows.
fn known(schema: &Value) -> BTreeSet<String> {
    let types = schema["$defs"].as_object().unwrap().iter().map(|(name, of)| (name.as_str(), of));
    let mut known = BTreeSet::new();
    for (name, of) in types.chain([("File", schema)]) {
        let long = of["anyOf"].as_array().into_iter().flatten();
        for of in long.chain([of]) {
            let keys = of["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
            known.extend(keys.map(|key| format!("{name}.{key}")));
        }
    }
    assert!(known.len() > 60, "only {} keys known", known.len());
    known
}

/// `Type.key` for every key of `value` that the schema knows.
fn collect_shown(value: &Value, of: &Value, name: &str, schema: &Value, shown: &mut BTreeSet<String>) {
    if let Some(to) = of["$ref"].as_str() {
        let name = to.strip_prefix("#/$defs/").unwrap();
        return collect_shown(value, &schema["$defs"][name], name, schema, shown);
    }
    for of in of["anyOf"].as_array().into_iter().flatten() {
        collect_shown(value, of, name, schema, shown);
    }
    for item in value.as_array().into_iter().flatten().filter(|_| of["items"].is_object()) {
        collect_shown(item, &of["items"], name, schema, shown);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        if let Some(of) = of["properties"].get(key) {
            shown.insert(format!("{name}.{key}"));
            collect_shown(value, of, "", schema, shown);
        } else if of["additionalProperties"].is_object() {
            collect_shown(value, &of["additionalProperties"], "", schema, shown);
        }
    }
}

fn load(text: &str) -> Result<config::file::File, Report> {
    config::load_text(text, "config.yaml", &variable)?.judge(Problems::default())
}

#[test]
fn the_defaults_that_the_example_shows_are_the_defaults() {
    use config::defaults;
    let [_, full] = example();
    let file = load(&full).unwrap();
    let socketio = &file.socketio;
    let listen = file.listen.unwrap().0;
    assert_eq!(listen[0].address, defaults::LISTEN);
    assert_eq!(listen[1].tls.as_ref().unwrap().min_version, config::file::MinVersion::default());
    assert!(!listen[1].proxy_protocol);
    let api = &file.upstreams["api"];
    assert_eq!(api.connect_timeout.unwrap().0, defaults::UPSTREAM_CONNECT_TIMEOUT);
    assert_eq!(api.response_timeout.unwrap().0, defaults::UPSTREAM_RESPONSE_TIMEOUT);
    assert_eq!(api.idle_timeout.unwrap().0, defaults::UPSTREAM_IDLE_TIMEOUT);
    assert_eq!(api.max_connection_age.unwrap().0, defaults::UPSTREAM_MAX_CONNECTION_AGE);
    assert_eq!(api.max_connections, Some(defaults::UPSTREAM_MAX_CONNECTIONS));
    assert_eq!(api.max_pending, Some(defaults::UPSTREAM_MAX_PENDING));
    assert_eq!(api.retry.attempts, Some(defaults::RETRY_ATTEMPTS));
    assert_eq!(api.retry.budget.unwrap().0, defaults::RETRY_BUDGET);
    let check = api.health_check.as_ref().unwrap();
    assert_eq!(check.interval.unwrap().0, defaults::HEALTH_CHECK_INTERVAL);
    assert_eq!(check.timeout.unwrap().0, defaults::HEALTH_CHECK_TIMEOUT);
    assert_eq!(check.unhealthy_after, Some(defaults::HEALTH_CHECK_UNHEALTHY_AFTER));
    assert_eq!(check.healthy_after, Some(defaults::HEALTH_CHECK_HEALTHY_AFTER));
    assert_eq!(api.outlier.consecutive_failures, Some(defaults::OUTLIER_CONSECUTIVE_FAILURES));
    assert_eq!(api.outlier.eject_for.unwrap().0, defaults::OUTLIER_EJECT_FOR);
    let cors = file.cors.unwrap();
    assert_eq!(cors.max_age.unwrap().0, defaults::CORS_MAX_AGE);
    assert_eq!(cors.allow_headers.unwrap().0, [defaults::CORS_ALLOW_HEADERS]);
    assert_eq!(cors.websocket_origin, config::file::WebsocketOrigin::default());
    assert_eq!(file.credentials.token.unwrap().0, defaults::CREDENTIALS_TOKEN);
    assert_eq!(file.credentials.cookies, Some(defaults::CREDENTIALS_COOKIES));
    assert_eq!(file.credentials.require, config::file::Require::default());
    assert_eq!(file.credentials.on_expiry, config::file::OnExpiry::default());
    let jwt = load(&example_with_alternatives()).unwrap().credentials.jwt.unwrap();
    assert_eq!(jwt.leeway.unwrap().0, defaults::JWT_LEEWAY);
    assert_eq!(jwt.max_token.unwrap().0, defaults::JWT_MAX_TOKEN);
    assert_eq!(jwt.jwks_refresh.unwrap().0, defaults::JWKS_REFRESH);
    assert_eq!(jwt.jwks_cooldown.unwrap().0, defaults::JWKS_COOLDOWN);
    assert_eq!(jwt.jwks_timeout.unwrap().0, defaults::JWKS_TIMEOUT);
    assert_eq!(socketio.path.as_deref(), Some(defaults::SOCKETIO_PATH));
    assert_eq!(socketio.ping_interval.unwrap().0, defaults::PING_INTERVAL);
    assert_eq!(socketio.ping_timeout.unwrap().0, defaults::PING_TIMEOUT);
    assert_eq!(socketio.upgrade_timeout.unwrap().0, defaults::UPGRADE_TIMEOUT);
    assert_eq!(socketio.connect_timeout.unwrap().0, defaults::CONNECT_TIMEOUT);
    assert_eq!(socketio.max_payload.unwrap().0, defaults::MAX_PAYLOAD);
    assert_eq!(socketio.max_attachments, Some(defaults::MAX_ATTACHMENTS));
    assert_eq!(socketio.attachment_timeout.unwrap().0, defaults::ATTACHMENT_TIMEOUT);
    assert_eq!(socketio.post_timeout.unwrap().0, defaults::POST_TIMEOUT);
    assert_eq!(socketio.max_packets_per_post, Some(defaults::MAX_PACKETS_PER_POST));
    assert_eq!(socketio.max_fragments, Some(defaults::MAX_FRAGMENTS));
    assert_eq!(socketio.max_sessions, Some(defaults::MAX_SESSIONS));
    assert_eq!(socketio.max_sessions_per_ip, Some(defaults::MAX_SESSIONS_PER_IP));
    assert_eq!(socketio.max_namespaces, Some(defaults::MAX_NAMESPACES));
    assert_eq!(socketio.max_rooms, Some(defaults::MAX_ROOMS));
    assert_eq!(socketio.max_pending_acks, Some(defaults::MAX_PENDING_ACKS));
    assert_eq!(socketio.transports.as_ref().unwrap().0, defaults::TRANSPORTS);
    assert_eq!(socketio.eio3, Some(defaults::EIO3));
    assert_eq!(socketio.send_queue.max_bytes.unwrap().0, defaults::SEND_QUEUE_MAX_BYTES);
    assert_eq!(socketio.send_queue.on_full, config::file::OnFull::default());
    assert_eq!(file.taps[1].namespace.as_deref(), Some(defaults::TAP_NAMESPACE));
    assert_eq!(file.taps[1].max_body.unwrap().0, defaults::TAP_MAX_BODY);
    assert_eq!(file.hooks.timeout.unwrap().0, defaults::HOOK_TIMEOUT);
    let admin = file.admin.unwrap();
    assert_eq!(admin.listen.as_deref(), Some(defaults::ADMIN_LISTEN));
    assert_eq!(admin.max_followers, Some(defaults::ADMIN_MAX_FOLLOWERS));
    assert_eq!(admin.follow_queue.unwrap().0, defaults::ADMIN_FOLLOW_QUEUE);
    assert_eq!(file.limits.connections, Some(defaults::LIMIT_CONNECTIONS));
    assert_eq!(file.limits.connections_per_ip, Some(defaults::LIMIT_CONNECTIONS_PER_IP));
    let rate = defaults::LIMIT_REQUESTS_PER_SECOND_PER_IP;
    assert_eq!(file.limits.requests_per_second_per_ip, Some(rate));
    assert_eq!(file.limits.tls_handshakes, Some(defaults::LIMIT_TLS_HANDSHAKES));
    assert_eq!(file.limits.header_bytes.unwrap().0, defaults::LIMIT_HEADER_BYTES);
    assert_eq!(file.limits.header_timeout.unwrap().0, defaults::LIMIT_HEADER_TIMEOUT);
    assert_eq!(file.limits.body_timeout.unwrap().0, defaults::LIMIT_BODY_TIMEOUT);
    assert_eq!(file.log.level.as_deref(), Some(defaults::LOG_LEVEL));
    assert_eq!(file.log.access, Some(defaults::LOG_ACCESS));
    assert_eq!(file.log.events, Some(defaults::LOG_EVENTS));
    assert_eq!(file.shutdown.delay.unwrap().0, defaults::SHUTDOWN_DELAY);
    assert_eq!(file.shutdown.grace.unwrap().0, defaults::SHUTDOWN_GRACE);
}

fn frontroom(args: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_frontroom")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_says_ok_or_tells_every_problem_and_exits_accordingly() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("config.yaml", "upstream: http://127.0.0.1:3000\n");
    write("bad.yaml", "upstream: http://127.0.0.1:3000\nlgo: {}\nlog: {format: xml}\n");

    let (code, out, err) = frontroom(&["check"], folder.path());
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "config.yaml: ok\n", ""));

    let (code, out, err) = frontroom(&["check", "-c", "bad.yaml"], folder.path());
    let expected = "bad.yaml:2:1: lgo: unknown key; did you mean log?\n\
                    bad.yaml:3:15: log.format: `xml` is not known; write text or json\n\
                    2 problems\n";
    assert_eq!((code, out.as_str(), err.as_str()), (Some(2), "", expected));

    let (code, _, err) = frontroom(&["run", "--config", "bad.yaml"], folder.path());
    assert_eq!(code, Some(2));
    assert!(err.ends_with("\n2 problems, not started\n"), "{err}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = frontroom(&["check", "-c", "none.yaml"], folder.path());
    assert_eq!(code, Some(2));
    assert!(err.starts_with("none.yaml: cannot be read: No such file"), "{err}");

    let loaded = |bytes: &[u8]| {
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, bytes).unwrap();
        let report = config::load(&path).unwrap_err().to_string();
        report.replace(&path.display().to_string(), "config.yaml")
    };
    assert_eq!(
        loaded(b"listen: 0.0.0.0:1\nupstream: \xff"),
        "config.yaml:2:11: this is not UTF-8; save the file as UTF-8\n"
    );
    assert_eq!(
        loaded(&[b'#'; (1 << 20) + 1]),
        "config.yaml: is larger than 1 MiB; name a config file with --config\n"
    );
}

#[test]
fn schema_prints_json_and_wrong_usage_exits_with_2() {
    let here = Path::new(".");
    let (code, out, _) = frontroom(&["schema"], here);
    assert_eq!(code, Some(0));
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "frontroom config");
    for usage in [&["chek"][..], &["run", "--workers", "0"], &[]] {
        assert_eq!(frontroom(usage, here).0, Some(2), "{usage:?}");
    }
}
