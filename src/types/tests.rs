use crate::config::{Problems, load_text};

use super::*;

fn file(rules: &str) -> File {
    let text = format!("upstream: http://127.0.0.1:1\n{rules}");
    load_text(&text, "config.yaml", &|_| None).unwrap().judge(Problems::default()).unwrap()
}

fn typescript_of(rules: &str) -> String {
    print(&file(rules), Format::Typescript)
}

/// The type that the schema of an event `e` becomes.
fn type_of(schema: &str) -> String {
    let text = typescript_of(&format!("socketio: {{events: {{e: {{schema: {schema}}}}}}}"));
    let (_, rest) = text.split_once("export type EData = ").unwrap();
    let (kind, _) = rest.split_once(";\n\n").unwrap();
    kind.to_owned()
}

/// The line of an interface that holds an event.
fn line_of(rules: &str, event: &str) -> String {
    let text = typescript_of(rules);
    let line = text.lines().find(|line| line.trim_start().starts_with(event));
    line.unwrap_or_else(|| panic!("no {event} in:\n{text}")).trim().to_owned()
}

#[test]
fn schemas_become_types() {
    for (schema, kind) in [
        ("true", "unknown"),
        ("false", "never"),
        ("{}", "unknown"),
        ("{type: integer}", "number"),
        ("{type: [string, 'null']}", "string | null"),
        ("{const: a}", r#""a""#),
        ("{const: 12345678901234567890}", "number"),
        ("{enum: [a, 1, true, null, {b: [1]}]}", r#""a" | 1 | true | null | { b: [1] }"#),
        ("{type: array}", "unknown[]"),
        ("{type: array, items: {enum: [a, b]}}", r#"("a" | "b")[]"#),
        ("{prefixItems: [{type: string}, {type: number}], minItems: 1}", "[string, number?, ...unknown[]]"),
        ("{prefixItems: [{type: string}], minItems: 1, items: {type: number}}", "[string, ...number[]]"),
        ("{prefixItems: [{type: string}], minItems: 1, items: false}", "[string]"),
        (
            "{$schema: 'http://json-schema.org/draft-07/schema#', items: [{type: string}], additionalItems: false}",
            "[string?]",
        ),
        ("{type: object}", "{ [key: string]: unknown }"),
        ("{type: object, additionalProperties: false}", "{ [key: string]: never }"),
        ("{type: object, additionalProperties: {type: number}}", "{ [key: string]: number }"),
        (
            "{properties: {a: {type: string}}, additionalProperties: {type: number}}",
            "{ a?: string; [key: string]: unknown }",
        ),
        (
            "{patternProperties: {'^x': {type: number}}, additionalProperties: false}",
            "{ [key: string]: number }",
        ),
        ("{required: [a], properties: {b: true}}", "{ b?: unknown; a: unknown }"),
        (
            "{properties: {'a b': {type: string}, 'q\"': {}, 1: {}}}",
            r#"{ "a b"?: string; "q\""?: unknown; "1"?: unknown }"#,
        ),
        ("{allOf: [{type: string}, {minLength: 1}]}", "string"),
        (
            "{required: [a], properties: {a: {type: string}}, oneOf: [{required: [b]}, {required: [c]}]}",
            "{ a: string } & ({ b: unknown } | { c: unknown })",
        ),
        ("{anyOf: [{type: string}, {type: string}, false]}", "string"),
        ("{anyOf: [{type: string}, true]}", "unknown"),
        ("{type: array, items: {const: 'a | b'}}", r#""a | b"[]"#),
        ("{required: [$binary], properties: {$binary: {type: string}}}", "Binary"),
    ] {
        assert_eq!(type_of(schema), kind, "{schema}");
    }
}

#[test]
fn descriptions_become_comments_that_cannot_be_left() {
    let schema = "{description: 'a */ b', properties: {at: {type: string, format: date-time, description: When, deprecated: true}}}";
    let text = typescript_of(&format!("socketio: {{events: {{e: {{schema: {schema}}}}}}}"));
    assert!(text.contains("/** a *\\/ b */\nexport type EData = {\n"), "{text}");
    let member = "  /**\n   * When\n   * @format date-time\n   * @deprecated\n   */\n  at?: string;\n};\n";
    assert!(text.contains(member), "{text}");
}

#[test]
fn references_become_names_however_they_are_written() {
    let schema = "
        $ref: '#/$defs/node'
        $defs:
          node: {properties: {next: {$ref: '#/$defs/node'}, all: {$ref: '#'}, tag: {$ref: '#tag'}, a: {$ref: '#/$defs/a~1b%20c'}}}
          tagged: {$anchor: tag, type: string}
          a/b c: {type: number}
          unused: {type: string}";
    let text = typescript_of(&format!("socketio:\n  events:\n    e:\n      schema:{schema}\n"));
    for line in [
        "export type EData = ENode;",
        "export type ENode = { next?: ENode; all?: EData; tag?: ETag; a?: EA1bC };",
        "export type ETag = string;",
        "export type EA1bC = number;",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    assert!(!text.contains("Unused"), "{text}");
}

#[test]
fn names_of_events_and_namespaces_are_kept_apart() {
    let text = typescript_of(
        "socketio:
  events:
    a-b: {schema: {type: string}}
    aB: {schema: {type: number}}
    \"7\": {schema: {type: boolean}}
    exception: {schema: {const: 1}}
    error_response: {schema: {$defs: {response: {type: 'null'}}, $ref: '#/$defs/response'}}
  namespaces:
    /a: {events: {b: {schema: {type: array}}}}
    /a-: {}
    /--: {}
    /a/{x}: {}",
    );
    for line in [
        "export type ABData = string;",
        "export type ABData2 = number;",
        "export type Event7Data = boolean;",
        "export type ErrorResponseResponse = null;",
        "export type ABData3 = unknown[];",
        "  \"a-b\": (...args:",
        "  \"7\": (...args:",
        "export interface AClientToServerEvents {",
        "export interface A2ClientToServerEvents {",
        "export interface NamespaceClientToServerEvents {",
        "export interface AXClientToServerEvents {",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
}

#[test]
fn what_is_not_known_is_unknown_and_what_is_decided_elsewhere_is_open() {
    let rules = "
socketio:
  events:
    read: {request: 'GET /a?q={{ data.q }}'}
    write: {request: POST /a}
    second: {join: '{{ args[1].room }}'}
    all: {when: 'args | length > 2'}
    never: {schema: {type: string}, ack: false}
    hooked: {hook: /h}
    typed: {schema: {type: string}, hook: /h}
    any: {emit: {event: '{{ event }}', data: '{{ data | upper }}'}}
    '*': {emit: {event: 're:{{ event }}`$${', data: 1}}
";
    let ack = "| [data: unknown, callback: (response: unknown) => void]";
    let text = typescript_of(rules);
    assert_eq!(text.matches(ack).count(), 2, "{text}");
    for line in [
        "    | [data: unknown, arg2: unknown]\n",
        "  all: (...args: unknown[]) => void;\n",
        "  never: (data: NeverData) => void;\n",
        "  hooked: (...args: unknown[]) => void;\n",
        "    | [data: TypedData, callback: (...response: unknown[]) => void]\n",
        "  any: (data: unknown) => void;\n",
        "  [event: `re:${string}\\`\\${`]: (...args: any[]) => void;\n",
        "  /** The rule \"*\" takes every other event. */\n  [event: string]: (...args: any[]) => void;\n",
        " * The hooks of `hooked`, `typed` may send more than is known here.\n",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
}

#[test]
fn what_templates_give_has_the_type_of_what_they_read() {
    let rules = |data: &str| {
        format!(
            "
socketio:
  events:
    e:
      schema:
        allOf: [{{properties: {{b: {{$ref: '#/$defs/b'}}, list: {{prefixItems: [{{const: 1}}], items: {{type: boolean}}}}}}}}]
        $defs: {{b: {{properties: {{c: {{type: integer}}}}, additionalProperties: {{type: string}}}}}}
      request: GET /
      emit: {{event: out, data: {data}}}
"
        )
    };
    for (data, kind) in [
        ("'{{ data }}'", "EData"),
        ("'{{ args[0] }}'", "EData"),
        ("'{{ args[1] }}'", "unknown"),
        ("'{{ data.b.c }}'", "number"),
        ("'{{ data.b.other }}'", "string"),
        ("'{{ data.list[0] }}'", "1"),
        ("'{{ data.list[3] }}'", "boolean"),
        ("'{{ data.none }}'", "unknown"),
        ("'{{ data.b.c }}!'", "string"),
        ("'{% if true %}1{% endif %}'", "string"),
        ("'{{ data.b.c + 1 }}'", "unknown"),
        ("'{{ event }}'", "\"e\""),
        ("'{{ response.status }}'", "number"),
        ("'{{ response.headers.etag }}'", "string"),
        ("'{{ response.body }}'", "unknown"),
        ("'{{ socket.handshake.secure }}'", "boolean"),
        ("[1, '{{ socket.id }}', [{a: null}]]", "[1, string, [{ a: null }]]"),
        ("{a: {b: '{{ socket.rooms }}'}}", "{ a: { b: string[] } }"),
        ("null", "null"),
    ] {
        assert_eq!(line_of(&rules(data), "out"), format!("out: (data: {kind}) => void;"), "{data}");
    }
}

#[test]
fn events_are_told_in_the_namespace_where_they_are_sent() {
    let rules = "
socketio:
  events: {e: {emit: [{event: away, namespace: /org-9, data: 1}, {event: nowhere, namespace: /none, data: 1}]}}
  namespaces: {'/org-{id}': {}}
taps:
  - {on: GET /a, namespace: /org-7, emit: {event: tapped, everyone: true, data: '{{ request.method }}'}}
  - {on: GET /b, dry_run: true, emit: {event: dry, everyone: true, data: 1}}
  - {on: GET /c, emit: [{event: exception, everyone: true, args: [1, 2]}, {event: twice, everyone: true, data: 1}]}
  - {on: GET /d, emit: {event: twice, everyone: true, data: 1}}
";
    let text = typescript_of(rules);
    let (root, org) = text.split_once("export interface OrgIdServerToClientEvents").unwrap();
    assert!(
        org.contains("  away: (data: 1) => void;\n") && org.contains("  tapped: (data: string) => void;\n"),
        "{org}"
    );
    assert!(
        root.contains("exception: (...args: [failure: Exception] | [data: 1, arg2: 2]) => void;"),
        "{root}"
    );
    assert!(
        root.contains("answered. Sent when `GET /d` is answered. */\n  twice: (data: 1) => void;"),
        "{root}"
    );
    assert!(!text.contains("nowhere") && !text.contains("dry"), "{text}");
}
