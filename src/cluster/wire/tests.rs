//! What is written is read; anything else is not.

use proptest::prelude::*;

use super::*;
use crate::json::Json;
use crate::socketio::{Answers, Command, EventName, Outgoing, Page, Query, Question, Room, Target};

fn seal() -> Seal {
    Seal::new(&["secret".to_owned()])
}

fn sender() -> NodeId {
    NodeId::from_number(7).unwrap()
}

fn json(text: &str) -> Json {
    Json::parse(text.to_owned().into()).unwrap()
}

fn emit(args: &[&str]) -> Command {
    let args = args.iter().map(|arg| json(arg)).collect();
    let target =
        Target { rooms: vec!["a".into(), "b".into()], except: vec!["c".into()], ..Target::default() };
    let event = Outgoing { name: EventName::Text("ev".into()), args, volatile: true };
    Command::Emit { namespace: "/chat".into(), target, event }
}

/// What comes out of a message with this body.
fn through(body: &[u8]) -> Result<Said, Unreadable> {
    let message = seal().seal("bus", sender(), 3, body);
    let opened = seal().open("bus", &message)?;
    assert_eq!((opened.sender, opened.number), (sender(), 3));
    opened.said()
}

#[test]
fn commands_come_out_as_they_went_in() {
    let namespace: std::sync::Arc<str> = "/".into();
    let rooms: Vec<std::sync::Arc<str>> = vec!["r".into(), "with # and \u{1f600}".into()];
    let number = Outgoing { name: EventName::Number(json("-5")), args: Vec::new(), volatile: false };
    let alone = Target::socket("id".into());
    let everyone = Target { everyone: true, ..Target::default() };
    for command in [
        emit(&["1.0", r#"{"b":1,"a":[null]}"#]),
        Command::Emit { namespace: namespace.clone(), target: everyone, event: number },
        Command::Join { namespace: namespace.clone(), target: alone.clone(), rooms: rooms.clone() },
        Command::Leave { namespace: namespace.clone(), target: alone.clone(), rooms },
        Command::Disconnect { namespace, target: alone, close: true },
    ] {
        let Ok(Said::Do(Action::Do(read), None)) = through(&act(&command, None)) else {
            panic!("{command:?}")
        };
        assert_eq!(format!("{read:?}"), format!("{command:?}"));
    }
}

#[test]
fn binary_goes_as_bytes_and_comes_out_as_it_was() {
    let args =
        [r#"{"$binary":"AQIDBAUGBwgJCgsMDQ4PEA=="}"#, r#"{"x":{"$binary":"/w=="},"y":{"$$binary":"no"}}"#];
    let body = act(&emit(&args), None);
    assert!(body.windows(16).any(|bytes| bytes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]));
    let Ok(Said::Do(Action::Do(Command::Emit { event, .. }), _)) = through(&body) else { panic!("an emit") };
    assert_eq!(event.args.iter().map(Json::as_str).collect::<Vec<_>>(), args);
    // A client's own object that looks like the place of an attachment stays what it is.
    let args = [r#"{"_placeholder":true,"num":0}"#, r#"{"$binary":"/w=="}"#];
    let Ok(Said::Do(Action::Do(Command::Emit { event, .. }), _)) = through(&act(&emit(&args), None)) else {
        panic!("an emit")
    };
    assert_eq!(event.args.iter().map(Json::as_str).collect::<Vec<_>>(), args);
}

#[test]
fn questions_and_answers_come_out_as_they_went_in() {
    let query = Query {
        namespace: Some("/".into()),
        after: Some("x".into()),
        limit: 10,
        room: None,
        handshakes: true,
    };
    let Ok(Said::Ask(5, Asked::List(read))) = through(&list(5, &query)) else { panic!("a list") };
    assert_eq!(format!("{read:?}"), format!("{query:?}"));
    let Command::Emit { namespace, target, event } = emit(&["1"]) else { panic!("an emit") };
    let asked = Question { namespace, target, event, timeout: std::time::Duration::from_millis(1500) };
    let Ok(Said::Ask(6, Asked::Question(read))) = through(&question(6, &asked)) else { panic!("a question") };
    assert_eq!(format!("{read:?}"), format!("{asked:?}"));
    let room = Room { namespace: "/".into(), room: "r".into(), sockets: 2 };
    let acks = vec![("s".into(), vec![json("1.00")])];
    for given in [
        Given::Count(3),
        Given::Answers(Answers { sockets: 2, acks }),
        Given::Found(None),
        Given::Heeded(true),
        Given::Members(Page { items: Vec::new(), total: 9, next: Some(String::new()) }),
        Given::Rooms(vec![room], true, vec![1, u64::MAX]),
    ] {
        let Ok(Said::Answer(8, read)) = through(&answer(8, &given)) else { panic!("{given:?}") };
        assert_eq!(format!("{read:?}"), format!("{given:?}"));
    }
}

#[test]
fn what_is_not_sealed_with_the_secret_for_this_channel_is_not_opened() {
    let message = seal().seal("bus", sender(), 1, &here());
    assert!(seal().open("bus", &message).is_ok());
    assert!(seal().open("to", &message).is_err());
    assert!(Seal::new(&["other".to_owned()]).open("bus", &message).is_err());
    for at in 0..message.len() {
        let mut other = message.to_vec();
        other[at] ^= 1;
        assert!(seal().open("bus", &other.into()).is_err(), "byte {at}");
    }
    assert!(seal().open("bus", &message.slice(..HEAD - 1)).is_err());
}

#[test]
fn bodies_that_lie_are_unreadable() {
    for body in [
        &[][..],
        &[9],
        &[0, 0],
        // A list of more entries than there are bytes.
        &[2, 0, 0, 1, b'/', 0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        // A number of more than 64 bits.
        &[3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
        // An argument that is no JSON, and one that is two.
        &[2, 0, 0, 1, b'/', 1, 0, 0, 0, 1, b'e', 1, 1, b'{'],
        &[2, 0, 0, 1, b'/', 1, 0, 0, 0, 1, b'e', 1, 3, b'1', b',', b'2'],
        // A namespace that is none, a reserved name.
        &[2, 0, 0, 1, b'x', 1, 0, 0, 0, 1, b'e', 0],
        &[2, 0, 0, 1, b'/', 1, 0, 0, 0, 7, b'c', b'o', b'n', b'n', b'e', b'c', b't', 0],
    ] {
        assert!(through(body).is_err(), "{body:?}");
    }
    assert!(
        through(&[2, 0, 0, 1, b'/', 1, 0, 0, 0, 1, b'e', 1, 1, b'1']).is_ok(),
        "the test knows the format"
    );
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = through(&body);
    }

    #[test]
    fn any_event_comes_out_as_it_went_in(data in proptest::collection::vec(any::<u8>(), 0..50), text in "\\PC{0,20}") {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        let text = serde_json::Value::from(text).to_string();
        let args = [format!("[{text},{{\"$binary\":\"{data}\"}}]"), text];
        let command = emit(&[&args[0], &args[1]]);
        let Ok(Said::Do(Action::Do(read), None)) = through(&act(&command, None)) else { panic!("{command:?}") };
        prop_assert_eq!(format!("{:?}", read), format!("{:?}", command));
    }
}
