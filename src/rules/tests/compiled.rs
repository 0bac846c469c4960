use super::*;

#[derive(Default)]
struct Recorded {
    state: Vec<String>,
    commands: Vec<String>,
}

impl Doer for Recorded {
    fn state(&mut self, changes: Map<String, Value>) {
        self.state.push(Value::Object(changes).to_string());
    }

    fn command(&mut self, command: Command) {
        let list = |rooms: &[Arc<str>]| rooms.join(",");
        self.commands.push(match command {
            Command::Emit { namespace, target, event } | Command::Ask { namespace, target, event, .. } => {
                format!(
                    "{namespace} emit {} {:?} to {}{} except {}{}",
                    event.name.as_text(),
                    event.args,
                    list(&target.rooms),
                    if target.everyone { "everyone" } else { "" },
                    list(&target.except),
                    if event.volatile { " volatile" } else { "" },
                )
            }
            Command::Join { target, rooms, .. } => format!("{} joins {}", list(&target.rooms), list(&rooms)),
            Command::Leave { target, rooms, .. } => {
                format!("{} leaves {}", list(&target.rooms), list(&rooms))
            }
            Command::Disconnect { target, .. } => format!("disconnect {}", list(&target.rooms)),
        });
    }
}

fn rule(kind: Kind, yaml: &str) -> (Rule, Vec<String>) {
    let raw: file::Rule = serde_yaml::from_str(yaml).unwrap();
    let mut problems = Problems::default();
    let rule = Rule::compile("k", &raw, (kind, "e"), &[], &Upstreams::default(), &mut problems);
    (rule, text(problems))
}

fn perform(yaml: &str, data: &str, more: &[(&str, &str)]) -> (Recorded, Result<(), String>) {
    let (rule, problems) = rule(Kind::Event, yaml);
    assert_eq!(problems, Vec::<String>::new());
    let here = Here { namespace: "/".into(), socket: Some("me".into()), asking: None };
    let mut recorded = Recorded::default();
    let result = rule.effects.perform(&scope(data, more), &here, &mut recorded);
    (recorded, result.map_err(|error| error.to_string()))
}

#[test]
fn effects_are_done_in_the_contracts_order() {
    let (done, result) = perform(
        "{disconnect: true, ack: [1], emit: [{event: a, data: '{{ data }}'}, {event: '{{ event }}', args: [1.0, x], everyone: true, except: '{{ data.x }}'}],
          join: ['chat:{{ data.id }}'], leave: old, state: {u: '{{ data.id }}', k: v}}",
        r#"{"id":1.0}"#,
        &[("event", r#""e""#)],
    );
    assert_eq!(result, Ok(()));
    assert_eq!(done.state, [r#"{"u":1.0,"k":"v"}"#]);
    assert_eq!(
        done.commands,
        [
            "me leaves old",
            "me joins chat:1.0",
            r#"/ emit a [{"id":1.0}] to me except "#,
            r#"/ emit e [1.0, "x"] to everyone except "#,
        ]
    );
}

#[test]
fn the_first_failure_ends_a_rule() {
    let (done, result) = perform("{join: a, emit: [{event: a, to: '{{ data.x }}'}, {event: b}]}", "{}", &[]);
    assert_eq!(done.commands, ["me joins a"]);
    assert!(result.unwrap_err().contains("data.x"));
    for data in ["null", r#""""#, "{}", "[[1]]"] {
        let (done, result) = perform("{join: '{{ data }}'}", data, &[]);
        assert!(done.commands.is_empty() && result.is_err(), "{data}");
    }
    let (_, result) = perform("{emit: {event: '{{ data }}'}}", r#""connect""#, &[]);
    assert!(result.unwrap_err().contains("reserved"));
}

#[test]
fn the_typing_rule_of_the_contract_works() {
    let (done, result) = perform(
        r#"{emit: {event: typing, to: "chat:{{ data.chatRoomId }}", except: "{{ socket.id }}", data: {user: "{{ state.user_id }}"}, volatile: true}, rate_limit: 5/s}"#,
        r#"{"chatRoomId":42}"#,
        &[("socket", r#"{"id":"me"}"#), ("state", r#"{"user_id":7}"#)],
    );
    assert_eq!(result, Ok(()));
    assert_eq!(done.commands, [r#"/ emit typing [{"user":7}] to chat:42 except me volatile"#]);
}

#[test]
fn an_ack_has_the_arguments_the_contract_gives_it() {
    let args = |yaml: &str, reply: Option<&Reply>| {
        let (rule, problems) = rule(Kind::Event, yaml);
        assert_eq!(problems, Vec::<String>::new());
        let args = rule.effects.ack.args(&scope(r#"{"a":[1,2.0]}"#, &[]), reply).unwrap();
        args.map(|args| format!("{args:?}"))
    };
    let reply = reply(200, "application/json", "[1, 2.0]");
    assert_eq!(args("{}", None).as_deref(), Some("[]"));
    assert_eq!(args("{}", Some(&reply)).as_deref(), Some("[[1, 2.0]]"));
    assert_eq!(args("{ack: false}", Some(&reply)), None);
    assert_eq!(args("{ack: null}", None).as_deref(), Some("[null]"));
    assert_eq!(args("{ack: []}", Some(&reply)).as_deref(), Some("[]"));
    assert_eq!(args("{ack: [1.0, '{{ data.a }}']}", None).as_deref(), Some("[1.0, [1,2.0]]"));
    assert_eq!(args("{ack: '{{ data.a }}'}", None).as_deref(), Some("[[1,2.0]]"));
    assert_eq!(args("{ack: {ok: true}}", None).as_deref(), Some(r#"[{"ok":true}]"#));
}

#[test]
fn a_disconnect_may_be_an_expression() {
    let disconnects = |yaml: &str| {
        let (rule, _) = rule(Kind::Event, yaml);
        rule.effects.disconnects(&scope(r#"{"a":true,"b":0}"#, &[]))
    };
    assert_eq!(disconnects("{}"), Ok(false));
    assert_eq!(disconnects("{disconnect: true}"), Ok(true));
    assert_eq!(disconnects("{disconnect: false}"), Ok(false));
    assert_eq!(disconnects("{disconnect: '{{ data.a }}'}"), Ok(true));
    assert_eq!(disconnects("{disconnect: '{{ data.b > 0 }}'}"), Ok(false));
    assert!(disconnects("{disconnect: '{{ data.c }}'}").is_err());
}

fn request(yaml: &str, data: &str) -> Result<crate::rules::request::Prepared, String> {
    let (rule, problems) = rule(Kind::Event, yaml);
    assert_eq!(problems, Vec::<String>::new());
    let Some(Call::Request(request)) = rule.call else { panic!("no request") };
    request.fill(&scope(data, &[])).map_err(|error| error.to_string())
}

#[test]
fn a_request_has_its_values_in_place() {
    let plain =
        request("{request: 'GET /rooms/{{ data.id }}?q={{ data.q }}'}", r#"{"id":"a/b","q":"x y"}"#).unwrap();
    assert_eq!((plain.method.as_str(), plain.target.as_str()), ("GET", "/rooms/a%2Fb?q=x+y"));
    assert!(plain.body.is_none());
    let long = request(
        "{request: {method: PUT, path: /x, headers: {X-Room: 'r{{ data.id }}'}, timeout: 2s}}",
        r#"{"id": 1.0, "z": [ 1 ]}"#,
    )
    .unwrap();
    assert_eq!(long.headers["x-room"], "r1.0");
    assert_eq!(long.timeout, Some(Duration::from_secs(2)));
    assert_eq!(long.body.unwrap().as_str(), r#"{"id": 1.0, "z": [ 1 ]}"#);
    let body = request("{request: POST /x, body: {b: '{{ data.id }}', a: 1.0}}", r#"{"id":1e3}"#).unwrap();
    assert_eq!(body.body.unwrap().as_str(), r#"{"b":1e3,"a":1.0}"#);
    assert!(
        request("{request: {method: GET, path: /x, headers: {x-a: '{{ data }}'}}}", r#""a\r\nb: c""#)
            .is_err()
    );
    assert!(request("{request: 'GET /rooms/{{ data.id }}'}", "{}").unwrap_err().contains("data.id"));
}

#[test]
fn rules_that_cannot_be_are_problems() {
    for (kind, yaml, expected) in [
        (Kind::Event, "{request: GET /x, hook: /h}", "k: both `request` and `hook`"),
        (Kind::Event, "{body: 1}", "k.body: a body without a `request`"),
        (Kind::Event, "{request: FETCH /x}", "k.request: `FETCH` is no method"),
        (Kind::Event, "{request: GET x}", "k.request: `x` does not begin with one `/`"),
        (
            Kind::Event,
            "{request: {method: GET, path: /x, upstream: nope}}",
            "k.request.upstream: no upstream is named `nope`",
        ),
        (
            Kind::Event,
            "{request: {method: GET, path: /x, headers: {Host: a}}}",
            "k.request.headers.Host: host is set by frontroom",
        ),
        (
            Kind::Event,
            "{request: {method: GET, path: /x, headers: {X_Forwarded_For: a}}}",
            "is set by frontroom",
        ),
        (
            Kind::Event,
            "{request: {method: GET, path: /x, headers: {Content-Length: 1}}}",
            "is set by frontroom",
        ),
        (Kind::Event, "{request: {method: GET, path: /x, headers: {'a b': 1x}}}", "no name of a header"),
        (Kind::Event, "{emit: {data: 1}}", "k.emit.event: is empty"),
        (Kind::Event, "{emit: {event: disconnect}}", "k.emit.event: `disconnect` is reserved"),
        (Kind::Event, "{emit: {event: a, to: b, everyone: true}}", "k.emit.everyone: contradicts `to`"),
        (
            Kind::Event,
            "{emit: [{event: a}, {event: b, data: 1, args: []}]}",
            "k.emit[1].data: contradicts `args`",
        ),
        (Kind::Event, "{emit: {event: a, namespace: b}}", "k.emit.namespace: does not begin"),
        (Kind::Event, "{join: '{{ response.body }}'}", "k.join: unknown name `response`"),
        (Kind::Event, "{request: 'GET /{{ response.body }}'}", "k.request: unknown name `response`"),
        (Kind::Event, "{when: 'data.'}", "k.when: syntax error"),
        (Kind::Event, "{join: '{{ path.id }}'}", "k.join: unknown name `path`"),
        (Kind::Event, "{disconnect: 1}", "k.disconnect: is neither true nor false"),
        (Kind::Connect, "{ack: [1]}", "k.ack: has no meaning here"),
        (Kind::Connect, "{join: '{{ data.id }}'}", "k.join: unknown name `data`"),
        (Kind::Event, "{emit: {event: a, data: '{{ reason }}'}}", "unknown name `reason`"),
    ] {
        let (_, problems) = rule(kind, yaml);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{yaml}: {problems:?}");
    }
    let fine =
        "{request: GET /x, when: response.status == 200, join: '{{ response.body.id }}', state: {a: 1}}";
    assert_eq!(rule(Kind::Connect, fine).1, Vec::<String>::new());
    assert_eq!(
        rule(Kind::Disconnect, "{request: POST /x, body: {r: '{{ reason }}'}}").1,
        Vec::<String>::new()
    );
    assert_eq!(rule(Kind::Event, "{hook: /h, body: 1, emit: {event: a}}").1, Vec::<String>::new());
}

struct Nowhere;

impl Resolve for Nowhere {
    fn resolve(&self, _: &str, _: &str) -> Option<Destination> {
        None
    }
}

fn rules(yaml: &str) -> (Rules, Vec<String>) {
    let file: file::File = serde_yaml::from_str(yaml).unwrap();
    let mut problems = Problems::default();
    let credentials = Arc::new(Credentials::build(&file.credentials, &mut problems));
    let rules = Rules::build(&file, credentials, &Upstreams::default(), Arc::new(Nowhere), &mut problems);
    (rules, text(problems))
}

#[test]
fn namespaces_are_found_exactly_first_and_then_by_pattern() {
    let (rules, problems) =
        rules("socketio: {namespaces: {'/org-{id}': {}, '/{a}/{b}': {}, /org-special: {}, '/v1.{x}': {}}}");
    assert_eq!(problems, Vec::<String>::new());
    let captures = |name: &str| {
        rules.namespaces.captures(name).map(|captures| {
            captures.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        })
    };
    for (name, expected) in [
        ("/", Some("")),
        ("/org-7", Some("id=7")),
        ("/org-special", Some("")),
        ("/org-", None),
        ("/org-a/b", Some("a=org-a b=b")),
        ("/x", None),
        ("/x/y", Some("a=x b=y")),
        ("/x/", None),
        ("/x/y/z", None),
        ("/v1.a", Some("x=a")),
        ("/v1xa", None),
        ("", None),
    ] {
        assert_eq!(captures(name).as_deref(), expected, "{name}");
    }
    assert_eq!(&*rules.namespaces.get("/org-7").unwrap().label, "/org-{id}");
}

#[test]
fn an_event_finds_its_rule_or_the_one_for_all() {
    let (rules, problems) =
        rules("socketio: {events: {a: {}, '5': {}}, namespaces: {/n: {events: {'*': {}, a: {}}}}}");
    assert_eq!(problems, Vec::<String>::new());
    let label = |namespace: &str, event: &str| {
        rules.namespaces.get(namespace).unwrap().rule(event).map(|rule| rule.label.to_string())
    };
    assert_eq!(label("/", "a").as_deref(), Some("a"));
    assert_eq!(label("/", "5").as_deref(), Some("5"));
    assert_eq!(label("/", "b"), None);
    assert_eq!(label("/n", "b").as_deref(), Some("*"));
    assert_eq!(label("/n", "a").as_deref(), Some("a"));
}

#[test]
fn namespaces_and_events_that_cannot_be_are_problems() {
    for (yaml, expected) in [
        ("socketio: {events: {connect: {}}}", "socketio.events.connect: `connect` is reserved"),
        ("socketio: {events: {'frontroom:auth': {}}}", "frontroom's own"),
        ("socketio: {namespaces: {org: {}}}", "socketio.namespaces.org: a namespace begins with `/`"),
        ("socketio: {namespaces: {/: {}}}", "stand directly under `socketio`"),
        ("socketio: {namespaces: {'/{a}-{a}': {}}}", "captured twice"),
        ("socketio: {namespaces: {'/{a-b}': {}}}", "no name of a capture"),
        ("socketio: {namespaces: {'/{a': {}}}", "without its `}`"),
        (
            "socketio: {namespaces: {'/o-{id}': {connect: {join: '{{ namespace.ix }}'}}}}",
            "did you mean `namespace.id`?",
        ),
        (
            "socketio: {namespaces: {/o: {events: {a: {when: 'x'}}}}}",
            "socketio.namespaces./o.events.a.when: unknown name `x`",
        ),
        ("hooks: {secrets: ['']}", "hooks.secrets[0]: is empty"),
    ] {
        let (_, problems) = rules(yaml);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{yaml}: {problems:?}");
    }
}

#[test]
fn the_contracts_own_rules_have_no_problems() {
    let (_, problems) = rules(
        r#"
socketio:
  connect:
    request: GET /auth/me
    state: {user_id: "{{ response.body.id }}"}
    join: "user:{{ response.body.id }}"
  events:
    joinRoom:
      request: GET /chat/rooms/{{ data.chatRoomId }}
      join: "chat:{{ data.chatRoomId }}"
    leaveRoom:
      leave: "chat:{{ data.chatRoomId }}"
    sendMessage:
      request: POST /chat/rooms/{{ data.chatRoomId }}/messages
      body: "{{ data }}"
    typing:
      emit: {event: typing, to: "chat:{{ data.chatRoomId }}", except: "{{ socket.id }}", data: {user: "{{ state.user_id }}"}, volatile: true}
      rate_limit: 5/s
  disconnect:
    request: POST /presence/left
    body: {user: "{{ state.user_id }}", reason: "{{ reason }}"}
  namespaces:
    /support: {connect: {hook: /hooks/socket}, events: {"*": {hook: /hooks/socket}}}
taps:
  - on: POST /chat/rooms/{room_id}/messages
    emit: {event: newMessage, to: "chat:{{ path.room_id }}", data: "{{ response.body }}"}
"#,
    );
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn an_ack_default_is_told_apart_from_never() {
    assert!(matches!(rule(Kind::Event, "{}").0.effects.ack, Ack::Default));
    assert!(matches!(rule(Kind::Event, "{ack: false}").0.effects.ack, Ack::Never));
}
