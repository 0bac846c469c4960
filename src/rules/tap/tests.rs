use std::io::Write;
use std::sync::Mutex;

use http::header;
use http_body_util::BodyExt;

use crate::body::Body;
use crate::message::{Fields, Response};
use crate::rules::template::tests::json;

use super::*;

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Sink for Recorder {
    fn run(&self, command: &Command) -> usize {
        let told = match command {
            Command::Emit { namespace, target, event } | Command::Ask { namespace, target, event, .. } => {
                format!(
                    "{namespace} {} {:?} to {:?}{} except {:?}",
                    event.name.as_text(),
                    event.args,
                    target.rooms,
                    if target.everyone { " everyone" } else { "" },
                    target.except
                )
            }
            Command::Join { target, rooms, .. } => format!("join {:?} {rooms:?}", target.rooms),
            Command::Leave { target, rooms, .. } => format!("leave {:?} {rooms:?}", target.rooms),
            Command::Disconnect { target, close, .. } => format!("disconnect {:?} {close}", target.rooms),
        };
        self.0.lock().unwrap().push(told);
        1
    }
}

impl Recorder {
    fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The same once nothing waits any more.
    async fn settled(&self) -> Vec<String> {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.told()
    }
}

fn build(yaml: &str) -> (Arc<Taps>, Vec<String>) {
    let raw: Vec<file::Tap> = serde_yaml::from_str(yaml).unwrap();
    let mut problems = Problems::default();
    let taps = Taps::build(&raw, None, &mut problems);
    (Arc::new(taps), problems.into_vec().iter().map(ToString::to_string).collect())
}

fn taps(yaml: &str) -> Arc<Taps> {
    let (taps, problems) = build(yaml);
    assert_eq!(problems, Vec::<String>::new());
    taps
}

const CHAT: &str = r#"
- on: POST /chat/rooms/{room_id}/messages
  emit: {event: newMessage, to: "chat:{{ path.room_id }}", data: "{{ response.body }}"}
"#;

fn watch(taps: &Arc<Taps>, method: &str, target: &str) -> Option<Watch> {
    taps.watch(&method.parse().unwrap(), target, &Fields::new())
}

fn response(status: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
    }
    response
}

/// A body in these chunks, its length unknown.
fn chunks(parts: &[&[u8]]) -> Body {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::copy_from_slice(part))))
        .collect();
    Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(parts)))
}

async fn read(body: Body) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

async fn run(yaml: &str, method: &str, target: &str, response: Response<Body>) -> Vec<String> {
    let (taps, recorder) = (taps(yaml), Arc::new(Recorder::default()));
    let watch = watch(&taps, method, target).expect("a tap matches");
    read(watch.response(response, &recorder).into_body()).await;
    recorder.settled().await
}

#[test]
fn patterns_match_by_segment_on_the_raw_path() {
    for (on, request, captures) in [
        ("GET /a", "GET /a", Some("{}")),
        ("GET /a", "POST /a", None),
        ("GET /a", "GET /a/", None),
        ("GET /a", "GET /A", None),
        ("POST|PUT /a", "PUT /a", Some("{}")),
        ("GET /", "GET /", Some("{}")),
        ("GET /r/{id}", "GET /r/7", Some(r#"{"id": "7"}"#)),
        ("GET /r/{id}", "GET /r/", None),
        ("GET /r/{id}", "GET /r/7/x", None),
        ("GET /r/{id}/m", "GET /r/a%2Fb%20c/m", Some(r#"{"id": "a/b c"}"#)),
        ("GET /r/{id}/m", "GET /%72/é/m", Some(r#"{"id": "é"}"#)),
        ("GET /r/{id}", "GET /r/%2e%2E", None),
        ("GET /r/{id}", "GET /r/..", None),
        ("GET /f/{*rest}", "GET /f/a/b%2Fc", Some(r#"{"rest": "a/b/c"}"#)),
        ("GET /f/{*rest}", "GET /f", None),
        ("GET /f/{*rest}", "GET /f/", None),
        ("GET /f/{*rest}", "GET /f/a/../b", None),
        ("GET /{a}/{b}/{*c}", "GET /1/2/3/4", Some(r#"{"a": "1", "b": "2", "c": "3/4"}"#)),
        ("GET /a", "GET *", None),
    ] {
        let pattern = Pattern::parse(on).unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        let found =
            pattern.matches(&method.parse().unwrap(), path).then(|| format!("{:?}", pattern.captures(path)));
        assert_eq!(found.as_deref(), captures, "{on} {request}");
    }
}

#[test]
fn taps_that_cannot_be_are_problems() {
    for (yaml, expected) in [
        ("[{on: /x, emit: {event: a, to: b, data: 1}}]", "taps[0].on: `/x` has no method"),
        ("[{on: GET x, emit: {event: a, to: b, data: 1}}]", "does not begin with `/`"),
        ("[{on: get /x, emit: {event: a, to: b, data: 1}}]", "`get` is no method"),
        ("[{on: 'GET /x?y', emit: {event: a, to: b, data: 1}}]", "is not a path alone"),
        ("[{on: 'GET /{a}/{a}', emit: {event: a, to: b, data: 1}}]", "captured twice"),
        ("[{on: 'GET /{*a}/b', emit: {event: a, to: b, data: 1}}]", "must come last"),
        ("[{on: 'GET /r-{a}', emit: {event: a, to: b, data: 1}}]", "a whole segment"),
        ("[{on: 'GET /{a b}', emit: {event: a, to: b, data: 1}}]", "is not a path alone"),
        ("[{on: GET /x, emit: {event: a, to: b}}]", "taps[0].emit: neither `data` nor `args`"),
        ("[{on: GET /x, emit: {event: a, data: 1}}]", "taps[0].emit: neither `to` nor `everyone: true`"),
        ("[{on: GET /x, emit: {to: a, data: 1}}]", "taps[0].emit.event: is empty"),
        ("[{on: GET /x}]", "taps[0]: does nothing"),
        ("[{on: GET /x, status: [3x], emit: {event: a, to: b, data: 1}}]", "`3x` is no status"),
        ("[{on: GET /x, emit: {event: a, to: '{{ path.id }}', data: 1}}]", "unknown name `path.id`"),
        ("[{on: 'GET /{id}', emit: {event: a, to: '{{ path.idd }}', data: 1}}]", "did you mean `path.id`?"),
        ("[{on: GET /x, emit: {event: a, to: b, data: '{{ data }}'}}]", "unknown name `data`"),
        ("[{on: GET /x, join: {rooms: a}}]", "taps[0].join: no `to`"),
        ("[{on: GET /x, leave: {to: a}}]", "taps[0].leave: no `rooms`"),
        ("[{on: GET /x, disconnect: {close: true}}]", "taps[0].disconnect: no `to`"),
        ("[{on: GET /x, namespace: x, emit: {event: a, to: b, data: 1}}]", "taps[0].namespace"),
    ] {
        let (_, problems) = build(yaml);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{yaml}: {problems:?}");
    }
}

#[test]
fn what_no_tap_matches_is_not_watched() {
    let taps = taps(CHAT);
    for (method, target) in
        [("GET", "/chat/rooms/1/messages"), ("POST", "/chat/rooms"), ("POST", "/x?/chat/rooms/1/messages")]
    {
        assert!(watch(&taps, method, target).is_none(), "{method} {target}");
    }
    assert!(watch(&taps, "POST", "/chat/rooms/1/messages?x=1").is_some());
}

#[tokio::test]
async fn an_answer_becomes_an_event_exactly() {
    let body = r#"{"b":1.0,"a":[1e3], "t":"\u00e9"}"#;
    let told = run(
        CHAT,
        "POST",
        "/chat/rooms/a%2Fb/messages?x=1",
        response(201, &[], Body::from(Bytes::from(body))),
    )
    .await;
    assert_eq!(told, [format!(r#"/ newMessage [{body}] to ["chat:a/b"] except []"#)]);
}

#[tokio::test]
async fn the_clients_answer_is_unchanged_and_the_event_waits_for_its_end() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
    let answer = watch.response(response(200, &[("x-a", "1")], chunks(&[b"{\"a\"", b":1}"])), &recorder);
    assert_eq!(answer.headers()["x-a"], "1");
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"{\"a\"");
    assert!(recorder.told().is_empty());
    assert_eq!(&body.frame().await.unwrap().unwrap().into_data().unwrap()[..], b":1}");
    assert!(body.frame().await.is_none());
    assert_eq!(recorder.settled().await, [r#"/ newMessage [{"a":1}] to ["chat:1"] except []"#]);
}

#[tokio::test]
async fn the_last_byte_is_enough_where_the_length_is_known() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
    let answer = watch.response(response(200, &[], Body::from(Bytes::from("1"))), &recorder);
    let mut body = answer.into_body();
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(1));
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(recorder.settled().await.len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_end_takes_nothing_from_others() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    for read_before in 0..2 {
        let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
        let mut body = watch.response(response(200, &[], chunks(&[b"1", b"2"])), &recorder).into_body();
        for _ in 0..read_before {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
    }
    assert_eq!(recorder.settled().await, [r#"/ newMessage [12] to ["chat:1"] except []"#; 2]);
}

#[tokio::test]
async fn what_a_client_leaves_behind_is_not_read_for_ever() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from_static(&[b' '; 1000])))
    });
    let body = Body::boxed(http_body_util::StreamBody::new(endless));
    drop(watch.response(response(200, &[], body), &recorder));
    assert!(recorder.settled().await.is_empty());
}

/// A sink that says when it is at work, and works until it is let go.
struct Blocked {
    begun: std::sync::mpsc::Sender<()>,
    go: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Sink for Blocked {
    fn run(&self, _: &Command) -> usize {
        self.begun.send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        1
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_has_its_whole_answer_while_the_tap_is_still_at_work() {
    let taps = taps(CHAT);
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel();
    let sink = Arc::new(Blocked { begun, go: Mutex::new(go) });
    // The first tap's work blocks; the second answer waits behind it.
    for body in [&b"[1.0,  2]"[..], b"\"caf\xc3\xa9\""] {
        let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
        let answer = watch.response(response(200, &[], chunks(&[body])), &sink);
        assert_eq!(read(answer.into_body()).await, body);
    }
    has_begun.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(has_begun.try_recv().is_err(), "one after another");
    let_go.send(()).unwrap();
    has_begun.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    let_go.send(()).unwrap();
}

#[tokio::test]
async fn answers_are_looked_at_in_the_order_they_were_complete_whatever_their_paths() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    for number in 0..50 {
        let watch = watch(&taps, "POST", &format!("/chat/rooms/{number}/messages")).unwrap();
        // Every third one takes longer to look at.
        let (coding, body) = match number % 3 {
            0 => ("gzip", compressed("gzip", number.to_string().as_bytes())),
            _ => ("identity", number.to_string().into_bytes()),
        };
        let answer = response(200, &[("content-encoding", coding)], Body::from(Bytes::from(body)));
        read(watch.response(answer, &recorder).into_body()).await;
    }
    let expected: Vec<_> =
        (0..50).map(|number| format!(r#"/ newMessage [{number}] to ["chat:{number}"] except []"#)).collect();
    assert_eq!(recorder.settled().await, expected);
}

#[tokio::test]
async fn what_waits_for_taps_is_bounded() {
    let line = Arc::new(Line::new(100));
    let done = Arc::new(Mutex::new(Vec::new()));
    let work = |number: usize| {
        let done = Arc::clone(&done);
        Box::new(move || done.lock().unwrap().push(number))
    };
    // One alone may be larger than the bound.
    assert_eq!(line.add(1_000, work(1)), Ok(()));
    assert_eq!(line.add(1, work(2)), Err(line::Full));
    tokio::task::yield_now().await;
    for number in 3..6 {
        let expected = if number < 5 { Ok(()) } else { Err(line::Full) };
        assert_eq!(line.add(50, work(number)), expected);
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*done.lock().unwrap(), [1, 3, 4]);
}

#[tokio::test]
async fn nothing_is_emitted_when_the_upstream_breaks_off() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
    let parts = [Ok(http_body::Frame::data(Bytes::from("1"))), Err(std::io::Error::other("gone"))];
    let body = Body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(parts)));
    assert!(watch.response(response(200, &[], body), &recorder).into_body().collect().await.is_err());
    assert!(recorder.settled().await.is_empty());
}

#[tokio::test]
async fn only_the_statuses_written_count() {
    for (status, written, counts) in [
        (200, "", true),
        (299, "", true),
        (404, "", false),
        (302, "", false),
        (404, "status: 4xx,", true),
        (201, "status: ['201', '409'],", true),
        (200, "status: ['201', '409'],", false),
    ] {
        let yaml = format!("[{{on: GET /x, {written} emit: {{event: a, to: b, data: 1}}}}]");
        let told = run(&yaml, "GET", "/x", response(status, &[], Body::Empty)).await;
        assert_eq!(told.len(), usize::from(counts), "{status} {written}");
    }
}

fn compressed(coding: &str, text: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "raw deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(text, 1).unwrap(),
        // `{"a":1}` by the brotli tool.
        "br" => vec![0x0f, 0x03, 0x80, 0x7b, 0x22, 0x61, 0x22, 0x3a, 0x31, 0x7d, 0x03],
        _ => text.to_vec(),
    }
}

#[tokio::test]
async fn compressed_answers_are_decoded_for_the_tap_alone() {
    for coding in ["gzip", "deflate", "raw deflate", "zstd", "br", "identity"] {
        let bytes = compressed(coding, br#"{"a":1}"#);
        let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
        let watch = watch(&taps, "POST", "/chat/rooms/1/messages").unwrap();
        let name = coding.strip_prefix("raw ").unwrap_or(coding);
        let answer = response(200, &[("content-encoding", name)], Body::from(Bytes::from(bytes.clone())));
        assert_eq!(read(watch.response(answer, &recorder).into_body()).await, bytes, "{coding}");
        assert_eq!(
            recorder.settled().await,
            [r#"/ newMessage [{"a":1}] to ["chat:1"] except []"#],
            "{coding}"
        );
    }
}

#[test]
fn decoding_is_bounded_before_and_after() {
    let coded = |coding: &str| {
        let mut headers = Fields::new();
        headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        headers
    };
    let zeros = vec![b'0'; 1_000_000];
    for coding in ["gzip", "deflate", "zstd"] {
        let bomb = Bytes::from(compressed(coding, &zeros));
        assert!(bomb.len() < 10_000);
        let error = decode::decode(&coded(coding), bomb.clone(), 10_000).unwrap_err();
        assert_eq!(error, decode::Error::TooLarge, "{coding}");
        assert_eq!(decode::decode(&coded(coding), bomb, 1_000_000).unwrap().len(), 1_000_000);
    }
    let twice = Bytes::from(compressed("gzip", &compressed("zstd", b"x")));
    assert_eq!(decode::decode(&coded("zstd, gzip"), twice.clone(), 100).unwrap(), "x");
    assert_eq!(decode::decode(&coded("a, b, c"), twice, 100), Err(decode::Error::Bad));
    assert_eq!(decode::decode(&coded("gzip"), Bytes::from("nonsense"), 100), Err(decode::Error::Bad));
    assert_eq!(decode::decode(&coded("compress"), Bytes::from("x"), 100), Err(decode::Error::Bad));
    assert_eq!(decode::decode(&Fields::new(), Bytes::from("xxxx"), 3), Err(decode::Error::TooLarge));
}

#[tokio::test]
async fn a_body_over_the_bound_or_not_json_emits_nothing_and_passes_whole() {
    let yaml = r#"[{on: GET /x, max_body: 10B, emit: {event: a, to: b, data: "{{ response.body }}"}}]"#;
    for body in ["[1,2,3,4,5,6]", "<html>", "{\"a\":"] {
        let (taps, recorder) = (taps(yaml), Arc::new(Recorder::default()));
        let watch = watch(&taps, "GET", "/x").unwrap();
        let answer = watch.response(response(200, &[], chunks(&[body.as_bytes()])), &recorder);
        assert_eq!(read(answer.into_body()).await, body);
        assert!(recorder.settled().await.is_empty(), "{body}");
    }
    assert_eq!(run(yaml, "GET", "/x", response(200, &[], chunks(&[b"[1,2,3,4]"]))).await.len(), 1);
}

#[tokio::test]
async fn a_tap_that_reads_no_body_keeps_none() {
    let yaml = "[{on: 'GET /f/{*p}', emit: {event: a, to: b, data: '{{ path.p }} {{ response.status }}'}}]";
    let large = vec![b'<'; 3_000_000];
    let told = run(yaml, "GET", "/f/x/y", response(200, &[], chunks(&[&large, b"tail"]))).await;
    assert_eq!(told, [r#"/ a ["x/y 200"] to ["b"] except []"#]);
}

#[tokio::test]
async fn an_answer_without_a_body_is_null() {
    let yaml = "[{on: DELETE /x, emit: {event: a, to: b, data: '{{ response.body }}'}}]";
    assert_eq!(
        run(yaml, "DELETE", "/x", response(204, &[], Body::Empty)).await,
        [r#"/ a [null] to ["b"] except []"#]
    );
}

#[tokio::test]
async fn conditions_and_undefined_values_decide() {
    let yaml = r#"
- on: GET /x
  when: response.body.public
  emit: {event: a, to: "u:{{ response.body.to }}", except: "{{ request.headers['x-socket-id'] }}", data: "{{ request.query.q }}"}
"#;
    for (body, told) in [
        (r#"{"public":true,"to":[]}"#, 0),
        (r#"{"public":true,"to":1}"#, 1),
        (r#"{"public":false,"to":1}"#, 0),
        (r#"{"to":1}"#, 0),
        (r#"{"public":true}"#, 0),
    ] {
        let found = run(yaml, "GET", "/x?q=a+b&q2=", response(200, &[], Body::from(Bytes::from(body)))).await;
        assert_eq!(found.len(), told, "{body}");
        if told == 1 {
            assert_eq!(found, [r#"/ a ["a b"] to ["u:1"] except []"#]);
        }
    }
}

#[tokio::test]
async fn the_requests_headers_and_body_can_be_read() {
    let yaml = r#"
- on: PUT /x
  emit: {event: a, to: b, except: "{{ request.headers['x-socket-id'] }}", args: ["{{ request.body.t }}", "{{ request.method }} {{ request.path }}"]}
"#;
    let (taps, recorder) = (taps(yaml), Arc::new(Recorder::default()));
    let mut headers = Fields::new();
    headers.insert("x-socket-id", "me".parse().unwrap());
    let mut watch = taps.watch(&Method::PUT, "/x", &headers).unwrap();
    let sent = watch.request(chunks(&[br#"{"t":"#, b"1.0}"]));
    assert_eq!(read(sent).await, r#"{"t":1.0}"#);
    read(watch.response(response(200, &[], Body::Empty), &recorder).into_body()).await;
    assert_eq!(recorder.settled().await, [r#"/ a [1.0, "PUT /x"] to ["b"] except ["me"]"#]);
}

#[tokio::test]
async fn a_request_body_that_was_not_read_to_its_end_emits_nothing() {
    let yaml = "[{on: PUT /x, emit: {event: a, to: b, data: '{{ request.body }}'}}]";
    let (taps, recorder) = (taps(yaml), Arc::new(Recorder::default()));
    let mut watch = watch(&taps, "PUT", "/x").unwrap();
    let mut sent = watch.request(chunks(&[b"1", b"2"]));
    sent.frame().await.unwrap().unwrap();
    read(watch.response(response(200, &[], Body::Empty), &recorder).into_body()).await;
    assert!(recorder.settled().await.is_empty());
}

#[tokio::test]
async fn taps_move_and_disconnect_sockets_too() {
    let yaml = r#"
- on: POST /rooms/{id}/members
  join: {to: "user:{{ response.body.user }}", rooms: "chat:{{ path.id }}"}
  leave: [{to: [a, b], except: c, rooms: [x, 1]}]
  disconnect: {to: "user:{{ response.body.user }}", close: true}
  emit: [{event: e, everyone: true, args: []}]
  namespace: /n
"#;
    let told =
        run(yaml, "POST", "/rooms/7/members", response(200, &[], Body::from(Bytes::from(r#"{"user":42}"#))))
            .await;
    let expected = [
        r#"leave ["a", "b"] ["x", "1"]"#,
        r#"join ["user:42"] ["chat:7"]"#,
        "/n e [] to [] everyone except []",
        r#"disconnect ["user:42"] true"#,
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_dry_run_sends_nothing() {
    let yaml = "[{on: GET /x, dry_run: true, emit: {event: a, to: b, data: 1}}]";
    assert!(run(yaml, "GET", "/x", response(200, &[], Body::Empty)).await.is_empty());
}

#[tokio::test]
async fn several_taps_may_match_one_answer() {
    let yaml = "[{on: GET /x, emit: {event: a, to: b, data: 1}}, {on: 'GET /{p}', status: '404', emit: {event: c, to: b, data: 1}}, {on: 'GET /{p}', emit: {event: d, to: b, data: '{{ path.p }}'}}]";
    let told = run(yaml, "GET", "/x", response(200, &[], Body::Empty)).await;
    assert_eq!(told, [r#"/ a [1] to ["b"] except []"#, r#"/ d ["x"] to ["b"] except []"#]);
}

#[test]
fn requests_of_rules_are_seen_too() {
    let (taps, recorder) = (taps(CHAT), Arc::new(Recorder::default()));
    let answer = Response::new(json("[1.0]").bytes().clone());
    watch(&taps, "POST", "/chat/rooms/1/messages").unwrap().complete(&answer, None, &recorder);
    assert_eq!(recorder.told(), [r#"/ newMessage [[1.0]] to ["chat:1"] except []"#]);
}
