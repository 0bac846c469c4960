//! What the config says of the Admin UI, and what is wrong with it.

use std::sync::LazyLock;

use super::*;
use crate::config::{Problems, load_text};

static HASH: LazyLock<String> = LazyLock::new(|| bcrypt::hash("password", 4).unwrap());

/// The compiled section, and everything that is wrong with it. `HASH` in it is that of `password`.
fn build(section: &str, rest: &str) -> (Option<Options>, Vec<String>) {
    let costly = HASH.replace("$04$", "$20$");
    let section =
        section.replace("HASH", &format!("\"{}\"", *HASH)).replace("COSTLY", &format!("\"{costly}\""));
    let text = format!(
        "upstream: http://127.0.0.1:9\n{rest}\nsocketio:\n  namespaces: {{/support: {{}}, '/org-{{id}}': {{}}}}\n  admin_ui: {{{section}}}\n"
    );
    let loaded = load_text(&text, "test", &|_| None).map_err(|report| report.to_string()).unwrap();
    let mut problems = Problems::default();
    let options = Options::build(loaded.file(), &mut problems);
    (options, problems.into_vec().iter().map(ToString::to_string).collect())
}

/// Options of a section that has nothing wrong.
pub(super) fn options(section: &str) -> Options {
    let (options, problems) = build(&format!("enabled: true, {section}"), "");
    assert_eq!(problems, Vec::<String>::new());
    options.unwrap()
}

#[test]
fn it_is_off_unless_asked_for_and_asks_for_a_password_unless_told_otherwise() {
    assert_eq!(build("", ""), (None, Vec::new()));
    assert_eq!(build("username: admin, password: HASH", ""), (None, Vec::new()));
    let made = options("username: admin, password: HASH");
    assert_eq!(&*made.namespace, "/admin");
    assert!(made.account.is_some() && !made.development && !made.read_only);
    assert_eq!(made.namespaces.iter().map(|name| &**name).collect::<Vec<_>>(), ["/", "/support", "/admin"]);
    assert!(options("auth: none").account.is_none());
    for (section, wrong) in [
        (
            "enabled: true",
            "socketio.admin_ui.password: is missing; give the hash that `htpasswd -nbBC 10 admin",
        ),
        ("enabled: true, password: HASH", "socketio.admin_ui.username: is missing; "),
        ("enabled: true, password: HASH, username: ''", "socketio.admin_ui.username: is missing; "),
        ("enabled: true, username: a, password: secret", "socketio.admin_ui.password: is no bcrypt hash; "),
        (
            "username: a, password: COSTLY",
            "socketio.admin_ui.password: has the cost 20; make it with a cost of 10 to 15",
        ),
        ("auth: none, username: a", "socketio.admin_ui.username: contradicts `auth: none`; "),
        ("auth: none, password: HASH", "socketio.admin_ui.password: contradicts `auth: none`; "),
        (
            "enabled: true, auth: none, namespace: /support",
            "socketio.admin_ui.namespace: `/support` has rules",
        ),
        ("namespace: /", "socketio.admin_ui.namespace: `/` can be no namespace of the Admin UI; "),
        ("namespace: admin", "socketio.admin_ui.namespace: `admin` can be no"),
        ("namespace: '/{x}'", "socketio.admin_ui.namespace: `/{x}` can be no"),
        ("max_logins: 0", "socketio.admin_ui.max_logins: nobody could log in; "),
        (
            "max_queue: 1KB",
            "socketio.admin_ui.max_queue: what one event may show does not fit; at least 64000",
        ),
        ("session: 0s", "socketio.admin_ui.session: no time at all; "),
    ] {
        let (_, problems) = build(section, "");
        assert!(problems.iter().any(|problem| problem.starts_with(wrong)), "{section}: {problems:?}");
        assert!(problems.iter().all(|problem| !problem.contains(&**HASH)), "{problems:?}");
    }
}

#[test]
fn neither_options_nor_the_file_print_the_hash() {
    let options = options("username: admin, password: HASH");
    assert!(!format!("{options:?} {:?}", options.account).contains("$2"));
    let text = format!("socketio: {{admin_ui: {{password: \"{}\"}}}}", *HASH);
    let loaded = load_text(&text, "test", &|_| None).map_err(|report| report.to_string()).unwrap();
    assert!(!format!("{:?}", loaded.file()).contains("$2"));
}
