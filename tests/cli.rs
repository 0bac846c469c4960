//! The command line as a user meets it: exit codes, problems with their place, start-up failures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const FILE: &str = "site.yaml";

fn frontroom(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_frontroom"))
        .args(args)
        .current_dir(folder)
        .env_remove("FRONTROOM_UNSET")
        .output()
        .unwrap()
}

/// Runs a command on a config file; gives its exit code and all it printed.
fn on_config(command: &str, yaml: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), yaml).unwrap();
    let output = frontroom(folder.path(), &[command, "--config", FILE]);
    (output.status.code(), text(&output))
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The line that begins with `FILE:PLACE`, where `place` is `LINE:COL: key.path: `.
fn line_at<'a>(printed: &'a str, place: &str) -> &'a str {
    let start = format!("{FILE}:{place}");
    let found = printed.lines().find(|line| line.starts_with(&start));
    found.unwrap_or_else(|| panic!("no line begins with `{start}` in:\n{printed}"))
}

fn problem_lines(printed: &str) -> usize {
    let placed = |line: &&str| line.strip_prefix(&format!("{FILE}:")).is_some_and(starts_with_digit);
    printed.lines().filter(placed).count()
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[test]
fn a_good_config_is_accepted() {
    let (code, printed) = on_config(
        "check",
        "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:1\ncors: {allow_origins: 'http://a.test', allow_credentials: true}\n",
    );
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(problem_lines(&printed), 0, "{printed}");
}

#[test]
fn the_example_config_is_accepted() {
    let output =
        frontroom(Path::new(env!("CARGO_MANIFEST_DIR")), &["check", "--config", "config.example.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_wrong_key_is_told_with_its_place_and_the_nearest_right_one() {
    let (code, printed) = on_config(
        "check",
        "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:1\ncors:\n  alow_origins: ['http://a.test']\n",
    );
    assert_eq!(code, Some(2), "{printed}");
    let line = line_at(&printed, "4:3: cors.alow_origins: ");
    assert!(line.contains("`allow_origins`") || line.contains("allow_origins"), "{line}");
    assert!(line.contains("; "), "what is wrong; what would be right: {line}");
}

#[test]
fn all_problems_are_told_at_once() {
    let (code, printed) = on_config(
        "check",
        "listen: 127.0.0.1:0
upstream: http://127.0.0.1:1
cors: {allow_origins: '*', allow_credentials: true}
socketio:
  pinginterval: 25s
  events:
    joinRoom:
      request: GET /chat/rooms/{{ data.chatRoomId
taps:
  - on: POST /messages
    emit: {event: newMessage, to: all}
admin: {listen: '0.0.0.0:4001'}
",
    );
    assert_eq!(code, Some(2), "{printed}");
    assert!(line_at(&printed, "5:3: socketio.pinginterval: ").contains("ping_interval"), "{printed}");
    for key in ["cors", "socketio.events.joinRoom.request", "taps[0].emit", "admin"] {
        let told =
            printed.lines().any(|line| line.split(": ").nth(1).is_some_and(|path| path.starts_with(key)));
        assert!(told, "a problem of {key} in:\n{printed}");
    }
}

#[test]
fn problems_name_the_line_of_their_key() {
    let (code, printed) = on_config(
        "check",
        "upstream: http://127.0.0.1:1\nsocketio:\n  ping_interval: soon\n  events:\n    typing:\n      rate_limit: often\n",
    );
    assert_eq!(code, Some(2), "{printed}");
    for place in ["3:", "6:"] {
        line_at(&printed, place);
    }
    assert!(line_at(&printed, "3:").contains(": socketio.ping_interval: "), "{printed}");
    assert!(line_at(&printed, "6:").contains(": socketio.events.typing.rate_limit: "), "{printed}");
}

#[test]
fn an_unset_variable_is_told_with_the_key_that_holds_it() {
    let (code, printed) = on_config("check", "listen: 127.0.0.1:0\nupstream: ${FRONTROOM_UNSET}\n");
    assert_eq!(code, Some(2), "{printed}");
    let line = line_at(&printed, "2:");
    assert!(line.contains(": upstream: ") && line.contains("FRONTROOM_UNSET"), "{line}");

    let (code, printed) =
        on_config("check", "listen: 127.0.0.1:0\nupstream: ${FRONTROOM_UNSET:-http://127.0.0.1:1}\n");
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn what_is_no_yaml_and_what_is_no_file_are_bad_configs() {
    let (code, printed) = on_config("check", "listen: [127.0.0.1:0\nupstream: }\n");
    assert_eq!(code, Some(2), "{printed}");
    assert!(problem_lines(&printed) >= 1, "{printed}");

    let folder = tempfile::tempdir().unwrap();
    for command in ["check", "run"] {
        let output = frontroom(folder.path(), &[command, "--config", "missing.yaml"]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("missing.yaml"), "{}", text(&output));
    }
}

#[test]
fn run_refuses_a_bad_config_before_it_binds_anything() {
    // Were the address bound first, the port in use would be the failure, with another exit code.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, printed) =
        on_config("run", &format!("listen: {address}\nupstream: http://127.0.0.1:1\nsocket_io: {{}}\n"));
    assert_eq!(code, Some(2), "{printed}");
    assert!(line_at(&printed, "3:1: socket_io: ").contains("socketio"), "{printed}");
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let admin = "admin: {listen: '127.0.0.1:0'}";
    let (code, printed) =
        on_config("run", &format!("listen: {address}\nupstream: http://127.0.0.1:1\n{admin}\n"));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains(&address.to_string()), "{printed}");
}

#[test]
fn the_schema_describes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = frontroom(folder.path(), &["schema"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = schema["properties"].as_object().unwrap();
    for key in ["listen", "upstream", "cors", "socketio", "taps", "admin"] {
        assert!(keys.contains_key(key), "the schema has {key}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn help_names_the_commands_and_bad_usage_is_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let help = frontroom(folder.path(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in ["demo", "run", "check", "schema"] {
        assert!(text(&help).contains(command), "help names {command}");
    }
    for usage in [&["chek"][..], &["run", "--cofig", "x"], &["demo", "--listen", "nowhere"]] {
        let output = frontroom(folder.path(), usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}: {}", text(&output));
    }
}
