//! The log and the sessions against a model: whatever happens, every client gets every message of
//! its rooms once and in order.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::confirmed::Confirmed;
use super::sessions::{Asker, Found, Sessions};
use super::stays::{MAX_ENDED, Stays};
use super::{Log, Offset, Origin, Remains, key};
use crate::engineio::{Frame, Parcel};
use crate::json::Json;
use crate::socketio::Target;

const WINDOW: Duration = Duration::from_secs(120);

fn log() -> Log {
    Log::new(1_000_000, WINDOW)
}

fn arc(text: &str) -> Arc<str> {
    text.into()
}

fn to(rooms: &[&str]) -> Target {
    Target { rooms: rooms.iter().map(|room| arc(room)).collect(), ..Target::default() }
}

/// Sends `text` to a room of `/`; answers its offset.
fn send(log: &mut Log, target: &Target, text: &str) -> Offset {
    log.append(Instant::now(), Origin::Here, (&arc("/"), target), |_| {
        Parcel::new(Frame::text(&[text]), false)
    });
    log.last()
}

fn texts(parcels: Option<Vec<Parcel>>) -> Option<Vec<String>> {
    let text = |parcel: &Parcel| parcel.polling_for_tests().split_off(1);
    Some(parcels?.iter().map(text).collect())
}

fn remains(log: &Log) -> Remains {
    Remains { id: arc("id"), base: log.last(), ..Remains::default() }
}

#[test]
fn offsets_order_as_texts_and_are_read_back() {
    let first = Offset::now();
    let second = first.next();
    assert!(first.to_string() < second.to_string());
    assert_eq!(second.to_string().len(), 10);
    assert_eq!(Offset::parse(&second.to_string()), Some(second));
    for text in ["", "bye", "+000000001", "00000000_1", "000000000A", "00000000000", "\u{e9}00000000"] {
        assert_eq!(Offset::parse(text), None, "{text}");
    }
}

#[test]
fn only_what_a_socket_was_in_the_room_for_is_replayed() {
    let (mut log, mut stays) = (log(), Stays::default());
    let start = log.last();
    send(&mut log, &to(&["a"]), "before the join");
    stays.join(&arc("a"), log.last());
    send(&mut log, &to(&["a", "b"]), "in the room");
    send(&mut log, &to(&["id"]), "to itself");
    send(&mut log, &to(&["b"]), "to others");
    send(&mut log, &Target { everyone: true, ..Target::default() }, "to all");
    send(&mut log, &Target { except: vec![arc("a")], everyone: true, ..Target::default() }, "not to a");
    send(&mut log, &Target { except: vec![arc("id")], ..to(&["a"]) }, "but to itself");
    send(&mut log, &to(&["a"]), "before the leave");
    stays.leave("a", log.last(), log.floor());
    send(&mut log, &to(&["a"]), "after the leave");
    stays.join(&arc("a"), log.last());
    send(&mut log, &to(&["a", "a"]), "again");
    let missed = |namespace| texts(log.missed((namespace, "id"), &stays, start, &[]));
    let expected =
        ["in the room", "to itself", "to all", "before the leave", "again"].map(str::to_owned).to_vec();
    assert_eq!(missed("/"), Some(expected));
    assert_eq!(missed("/other"), Some(Vec::new()));
}

#[test]
fn a_volatile_event_has_an_offset_and_is_not_kept() {
    let mut log = log();
    let start = log.last();
    let mut told = String::new();
    log.append(Instant::now(), Origin::Here, (&arc("/"), &to(&["id"])), |offset| {
        told = offset.to_owned();
        Parcel::new(Frame::text(&["gone"]), true)
    });
    send(&mut log, &to(&["id"]), "kept");
    let remains = Remains { base: start, ..remains(&log) };
    let since = remains.since(&log, Some(&told)).unwrap();
    for after in [start, since] {
        assert_eq!(
            texts(log.missed(("/", "id"), &Stays::default(), after, &[])),
            Some(vec!["kept".to_owned()])
        );
    }
}

#[test]
fn the_log_is_bounded_in_bytes_and_says_so() {
    let mut log = Log::new(1_000, WINDOW);
    let start = log.last();
    for n in 0..100 {
        send(&mut log, &to(&["a"]), &n.to_string());
        assert!(log.bytes() <= 1_000);
    }
    assert!(log.missed(("/", "id"), &Stays::default(), start, &[]).is_none());
    assert!(log.missed(("/", "id"), &Stays::default(), log.floor(), &[]).is_some());
    send(&mut log, &to(&["a"]), &"x".repeat(2_000));
    assert_eq!((log.bytes(), log.floor()), (0, log.last()));
}

#[test]
fn the_log_is_bounded_in_age() {
    let mut log = log();
    let start = log.last();
    send(&mut log, &to(&["a"]), "old");
    log.trim(Instant::now() + WINDOW / 2);
    assert!(log.missed(("/", "id"), &Stays::default(), start, &[]).is_some());
    log.trim(Instant::now() + WINDOW * 2);
    assert!(log.missed(("/", "id"), &Stays::default(), start, &[]).is_none());
    assert_eq!(log.bytes(), 0);
}

#[test]
fn the_clients_offset_counts_else_what_is_known() {
    let mut log = log();
    let before = send(&mut log, &to(&["a"]), "0");
    let base = send(&mut log, &to(&["a"]), "1");
    let confirmed = send(&mut log, &to(&["a"]), "2");
    let last = send(&mut log, &to(&["a"]), "3");
    let remains = Remains { base, confirmed, ..remains(&log) };
    let since = |offset: Option<String>| remains.since(&log, offset.as_deref());
    assert_eq!(since(None), Some(base), "nothing was received");
    assert_eq!(since(Some(before.to_string())), Some(base), "an offset of an earlier life");
    assert_eq!(since(Some("zebra".into())), Some(confirmed), "the end of another event");
    assert_eq!(since(Some(last.next().to_string())), Some(confirmed), "an offset yet to come");
    for offset in [base, confirmed, last] {
        assert_eq!(since(Some(offset.to_string())), Some(offset));
    }
    // What is confirmed serves a quiet client in a busy log as well.
    log.set_bounds(600, WINDOW);
    send(&mut log, &to(&["b"]), "4");
    assert!(log.floor() > base && log.floor() <= confirmed);
    assert_eq!(remains.since(&log, Some(&base.to_string())), Some(confirmed));
    log.set_bounds(1, WINDOW);
    log.trim(Instant::now());
    assert_eq!(remains.since(&log, Some(&base.to_string())), None);
}

#[test]
fn ended_stays_are_bounded() {
    let (mut log, mut stays) = (log(), Stays::default());
    let start = log.last();
    for n in 0..MAX_ENDED * 2 {
        let room = arc(&n.to_string());
        stays.join(&room, log.last());
        send(&mut log, &to(&[&room]), "x");
        stays.leave(&room, log.last(), log.floor());
        assert!(stays.all().len() <= MAX_ENDED);
    }
    assert!(log.missed(("/", "id"), &stays, start, &[]).is_none(), "it cannot be told exactly");
    assert!(log.missed(("/", "id"), &stays, stays.known_after(), &[]).is_some());
}

#[test]
fn only_the_answer_to_the_last_of_several_pings_confirms() {
    let confirmed = Confirmed::default();
    let [first, second, third] = [1, 2, 3].map(|n| (0..n).fold(Offset::default(), |o, _| o.next()));
    confirmed.ask(first);
    assert_eq!(confirmed.get(), Offset::default());
    confirmed.ask(second);
    confirmed.answer();
    assert_eq!(confirmed.get(), Offset::default());
    confirmed.answer();
    assert_eq!(confirmed.get(), first);
    confirmed.ask(third);
    confirmed.answer();
    assert_eq!(confirmed.get(), third);
}

#[test]
fn whoever_is_gone_comes_back_once_and_in_time() {
    let (now, pid, namespace) = (Instant::now(), arc("pid"), arc("/"));
    let mut sessions = Sessions::new(10, WINDOW);
    let life = sessions.begin();
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Client), Found::Nobody));
    sessions.connected(&pid, life, &namespace, Weak::new());
    sessions.keep(now, &pid, life, Remains::default);
    assert!(
        matches!(sessions.take(now, ("/other", "pid"), Asker::Client), Found::Nobody),
        "another namespace"
    );
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Client), Found::Gone(..)));
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Client), Found::Nobody), "once");

    let second = sessions.begin();
    sessions.connected(&pid, second, &namespace, Weak::new());
    sessions.keep(now, &pid, life, || panic!("an earlier life has nothing to say"));
    sessions.forget("pid", life);
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Client), Found::Connected(..)), "a takeover");
    sessions.keep(now, &pid, second, || panic!("its place was taken"));

    sessions.connected(&pid, second, &namespace, Weak::new());
    sessions.keep(now, &pid, second, Remains::default);
    assert!(matches!(sessions.take(now + WINDOW, ("/", "pid"), Asker::Client), Found::Nobody), "too late");
}

#[test]
fn what_another_node_has_taken_is_for_that_one_alone() {
    let (now, pid, namespace) = (Instant::now(), arc("pid"), arc("/"));
    let mut sessions = Sessions::new(10, WINDOW);
    let life = sessions.begin();
    sessions.connected(&pid, life, &namespace, Weak::new());
    sessions.note_taken("pid", life + 1);
    sessions.keep(now, &pid, life, Remains::default);
    sessions.note_taken("pid", life);
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Client), Found::Nobody));
    assert!(matches!(sessions.take(now, ("/", "pid"), Asker::Node), Found::Gone(..)));
}

#[test]
fn whoever_is_gone_longest_gives_way() {
    let (now, namespace) = (Instant::now(), arc("/"));
    let mut sessions = Sessions::new(2, WINDOW);
    for pid in ["a", "b", "c"] {
        let life = sessions.begin();
        sessions.connected(&arc(pid), life, &namespace, Weak::new());
        sessions.keep(now, &arc(pid), life, Remains::default);
    }
    let found =
        ["a", "b", "c"].map(|pid| matches!(sessions.take(now, ("/", pid), Asker::Client), Found::Gone(..)));
    assert_eq!(found, [false, true, true]);
}

#[test]
fn pid_and_offset_leave_the_payload_and_nothing_else_changes() {
    let split = |text: &'static str| {
        let (auth, key) = key::split(Json::from_static(text));
        (auth.as_str().to_owned(), key.map(|key| (key.pid, key.offset)))
    };
    let key = |pid: &str, offset: Option<&str>| Some((pid.to_owned(), offset.map(str::to_owned)));
    for text in ["{}", r#"{"token":"pid"}"#, r#"{ "z":1.0 , "a" : {"pid":"x"} }"#] {
        assert_eq!(split(text), (text.to_owned(), None));
    }
    assert_eq!(
        split(r#"{"pid":"p","offset":"o","z":1.0,"a\"":[1e3, {"pid":2}],"\u0061":"\ud83d"}"#),
        (r#"{"z":1.0,"a\"":[1e3, {"pid":2}],"a":"\ud83d"}"#.to_owned(), key("p", Some("o")))
    );
    assert_eq!(split(r#"{"\u0070id":"p","offset":null}"#), ("{}".to_owned(), key("p", None)));
    assert_eq!(split(r#"{"pid":7,"a":1}"#), (r#"{"a":1}"#.to_owned(), None));
    assert_eq!(split(r#"{"offset":"o","a":1}"#), (r#"{"a":1}"#.to_owned(), None));
}

/// Something that happens to one of a few clients, by number, or to all.
#[derive(Debug, Clone)]
enum Step {
    Emit {
        rooms: Vec<usize>,
        except: Vec<usize>,
        everyone: bool,
        volatile: bool,
    },
    Join(usize, usize),
    Leave(usize, usize),
    /// Some of what is queued arrives.
    Arrive(usize, usize),
    Pong(usize),
    /// The connection breaks; what is queued is lost.
    Drop(usize),
    /// The client comes back, with its offset or with one that is spoilt.
    Return(usize, bool),
}

const CLIENTS: usize = 3;

/// Rooms 0.. are those named by the clients' ids.
fn room(n: usize) -> Arc<str> {
    arc(&format!("room{n}"))
}

fn step() -> impl Strategy<Value = Step> {
    let rooms = || prop::collection::vec(0..CLIENTS + 3, 0..3);
    let (client, place) = (0..CLIENTS, CLIENTS..CLIENTS + 3);
    let flag = |weight: u32| prop_oneof![1 => Just(true), weight => Just(false)];
    prop_oneof![
        6 => (rooms(), rooms(), flag(4), flag(4)).prop_map(|(rooms, except, everyone, volatile)| {
            Step::Emit { rooms, except, everyone, volatile }
        }),
        2 => (client.clone(), place.clone()).prop_map(|(client, room)| Step::Join(client, room)),
        1 => (client.clone(), place).prop_map(|(client, room)| Step::Leave(client, room)),
        4 => (client.clone(), 0..6usize).prop_map(|(client, count)| Step::Arrive(client, count)),
        1 => client.clone().prop_map(Step::Pong),
        2 => client.clone().prop_map(Step::Drop),
        2 => (client, flag(5)).prop_map(|(client, spoilt)| Step::Return(client, spoilt)),
    ]
}

/// A client and the server's side of it, with what the model says it must have got.
struct Client {
    stays: Stays,
    rooms: BTreeSet<usize>,
    base: Offset,
    confirmed: Offset,
    online: bool,
    offset: Option<String>,
    queue: Vec<(String, String)>,
    received: Vec<String>,
    expected: Vec<String>,
}

struct World {
    log: Log,
    clients: Vec<Client>,
    sent: usize,
    volatile: BTreeSet<String>,
}

impl World {
    fn new() -> World {
        let log = log();
        let client = |_| Client {
            stays: Stays::default(),
            rooms: BTreeSet::new(),
            base: log.last(),
            confirmed: Offset::default(),
            online: true,
            offset: None,
            queue: Vec::new(),
            received: Vec::new(),
            expected: Vec::new(),
        };
        let clients = (0..CLIENTS).map(client).collect();
        World { log, clients, sent: 0, volatile: BTreeSet::new() }
    }

    fn emit(&mut self, rooms: &[usize], except: &[usize], everyone: bool, volatile: bool) {
        self.sent += 1;
        let text = self.sent.to_string();
        if volatile {
            self.volatile.insert(text.clone());
        }
        let names = |rooms: &[usize]| rooms.iter().map(|n| room(*n)).collect();
        let target = Target { rooms: names(rooms), except: names(except), everyone, alone: false };
        self.log.append(Instant::now(), Origin::Here, (&arc("/"), &target), |offset| {
            Parcel::new(Frame::text(&[&text, " ", offset]), volatile)
        });
        let offset = self.log.last().to_string();
        for (n, client) in self.clients.iter_mut().enumerate() {
            let is_in = |room: &usize| *room == n || client.rooms.contains(room);
            if (everyone || rooms.iter().any(is_in)) && !except.iter().any(is_in) {
                if client.online {
                    client.queue.push((text.clone(), offset.clone()));
                }
                if !volatile {
                    client.expected.push(text.clone());
                }
            }
        }
    }

    fn come_back(&mut self, n: usize, spoilt: bool) {
        let (log, client) = (&self.log, &mut self.clients[n]);
        if client.online {
            return;
        }
        // A spoilt offset is only safe where nothing is received that is not confirmed.
        let spoilt = spoilt && client.offset.as_deref().and_then(Offset::parse) <= Some(client.confirmed);
        let offset = if spoilt { Some("zebra") } else { client.offset.as_deref() };
        let (base, confirmed) = (client.base, client.confirmed);
        let since = Remains { base, confirmed, ..Remains::default() }.since(log, offset).unwrap();
        let missed = texts(log.missed(("/", &room(n)), &client.stays, since, &[])).unwrap();
        let split = |text: &String| text.split_once(' ').map(|(text, at)| (text.to_owned(), at.to_owned()));
        client.queue = missed.iter().filter_map(split).collect();
        client.base = since;
        client.online = true;
    }

    fn take(&mut self, step: &Step) {
        let log = &self.log;
        match step {
            Step::Emit { rooms, except, everyone, volatile } => {
                self.emit(rooms, except, *everyone, *volatile)
            }
            Step::Join(n, place) => {
                let client = &mut self.clients[*n];
                if client.online && client.rooms.insert(*place) {
                    client.stays.join(&room(*place), log.last());
                }
            }
            Step::Leave(n, place) => {
                let client = &mut self.clients[*n];
                if client.online && client.rooms.remove(place) {
                    client.stays.leave(&room(*place), log.last(), log.floor());
                }
            }
            Step::Arrive(n, count) => self.clients[*n].arrive(*count),
            Step::Pong(n) => {
                let client = &mut self.clients[*n];
                if client.online {
                    client.arrive(usize::MAX);
                    client.confirmed = log.last();
                }
            }
            Step::Drop(n) => {
                self.clients[*n].online = false;
                self.clients[*n].queue.clear();
            }
            Step::Return(n, spoilt) => self.come_back(*n, *spoilt),
        }
    }
}

impl Client {
    fn arrive(&mut self, count: usize) {
        let count = count.min(self.queue.len());
        for (text, offset) in self.queue.drain(..count) {
            self.received.push(text);
            self.offset = Some(offset);
        }
    }
}

proptest! {
    #[test]
    fn every_client_gets_every_message_of_its_rooms_once_and_in_order(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        for n in 0..CLIENTS {
            world.come_back(n, false);
            let client = &mut world.clients[n];
            client.arrive(usize::MAX);
            let lasting = client.received.iter().filter(|text| !world.volatile.contains(*text));
            prop_assert_eq!(lasting.collect::<Vec<_>>(), client.expected.iter().collect::<Vec<_>>());
            // Volatile ones may or may not have come: once, and in their place.
            let numbers: Vec<usize> = client.received.iter().map(|text| text.parse().unwrap()).collect();
            prop_assert!(numbers.is_sorted_by(|one, next| one < next));
        }
    }
}
