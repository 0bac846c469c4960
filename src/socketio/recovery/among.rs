//! Several nodes' logs against a model: whatever is published and heard when, and wherever clients come back to, they
//! get every message of their rooms once, and those of one node in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Log, Offset, Origin, Place, Remains, Stays, offset};
use crate::engineio::{Frame, Parcel};
use crate::socketio::Target;

const NODES: usize = 3;
const CLIENTS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// Of a node, to a room, or to all.
    Emit(usize, Option<usize>),
    /// Redis takes some of what a node has sent.
    Publish(usize, usize),
    /// A node hears some more of the stream.
    Hear(usize, usize),
    /// Some of what is queued for a client arrives.
    Arrive(usize, usize),
    Drop(usize),
    /// To a node.
    Return(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, client, some) = (0..NODES, 0..CLIENTS, 1..4usize);
    prop_oneof![
        5 => (node.clone(), prop::option::of(0..CLIENTS)).prop_map(|(node, room)| Step::Emit(node, room)),
        3 => (node.clone(), some.clone()).prop_map(|(node, some)| Step::Publish(node, some)),
        5 => (node.clone(), some.clone()).prop_map(|(node, some)| Step::Hear(node, some)),
        4 => (client.clone(), some).prop_map(|(client, some)| Step::Arrive(client, some)),
        2 => client.clone().prop_map(Step::Drop),
        3 => (client, node).prop_map(|(client, node)| Step::Return(client, node)),
    ]
}

#[derive(Clone)]
struct Sent {
    place: Place,
    target: Target,
    text: String,
}

struct Node {
    log: Log,
    heard: usize,
    waiting: VecDeque<Sent>,
}

struct Client {
    node: usize,
    online: bool,
    stays: Stays,
    base: Offset,
    has: Vec<Offset>,
    offset: Option<String>,
    queue: VecDeque<(String, String)>,
    received: Vec<String>,
    expected: Vec<String>,
}

struct World {
    nodes: Vec<Node>,
    clients: Vec<Client>,
    stream: Vec<Sent>,
    sent: usize,
}

/// The place of the stream's entry of this number: the first is its beginning.
fn id(number: usize) -> u64 {
    number as u64 + 2
}

fn parcel(text: &str, offset: &str) -> Parcel {
    Parcel::new(Frame::text(&[text, " ", offset]), false)
}

fn read(parcel: &Parcel) -> (String, String) {
    let text = parcel.polling_for_tests().split_off(1);
    let (text, offset) = text.split_once(' ').unwrap();
    (text.to_owned(), offset.to_owned())
}

fn room(client: usize) -> std::sync::Arc<str> {
    format!("room{client}").into()
}

impl World {
    fn new() -> World {
        let node = |number: usize| {
            let mut log = Log::new(1_000_000, Duration::from_secs(120));
            log.set_node(offset::tag(number as u64 + 1));
            log.begin_at(1);
            log.has_begun();
            Node { log, heard: 0, waiting: VecDeque::new() }
        };
        let nodes: Vec<Node> = (0..NODES).map(node).collect();
        let client = |n: usize| {
            let base = nodes[n % NODES].log.last();
            let mut stays = Stays::default();
            stays.join(&room(n), base);
            Client {
                node: n % NODES,
                online: true,
                stays,
                base,
                has: Vec::new(),
                offset: None,
                queue: VecDeque::new(),
                received: Vec::new(),
                expected: Vec::new(),
            }
        };
        let clients = (0..CLIENTS).map(client).collect();
        World { nodes, clients, stream: Vec::new(), sent: 0 }
    }

    fn emit(&mut self, node: usize, to: Option<usize>) {
        self.sent += 1;
        let text = format!("{node}-{:05}", self.sent);
        let target = Target {
            rooms: to.iter().map(|n| room(*n)).collect(),
            everyone: to.is_none(),
            ..Target::default()
        };
        for (n, client) in self.clients.iter_mut().enumerate() {
            if to.is_none_or(|to| to == n) {
                client.expected.push(text.clone());
            }
        }
        let log = &mut self.nodes[node].log;
        let (sent, place) =
            log.append(Instant::now(), Origin::Here, (&"/".into(), &target), |offset| parcel(&text, offset));
        let place = place.unwrap();
        self.deliver(node, &target, &sent, None);
        self.nodes[node].waiting.push_back(Sent { place, target, text });
    }

    fn deliver(&mut self, node: usize, target: &Target, sent: &Parcel, from: Option<Place>) {
        for (n, client) in self.clients.iter_mut().enumerate() {
            let is_meant = target.everyone || target.rooms.contains(&room(n));
            let has =
                |place: Place| client.has.iter().any(|had| had.node == place.node && place.number <= had.own);
            if client.online && client.node == node && is_meant && !from.is_some_and(has) {
                client.queue.push_back(read(sent));
            }
        }
    }

    fn publish(&mut self, node: usize, count: usize) {
        let waiting = &mut self.nodes[node].waiting;
        let count = count.min(waiting.len());
        self.stream.extend(waiting.drain(..count));
    }

    fn hear(&mut self, node: usize, until: usize) {
        while self.nodes[node].heard < until.min(self.stream.len()) {
            let number = self.nodes[node].heard;
            let Sent { place, target, text } = self.stream[number].clone();
            self.nodes[node].heard += 1;
            let log = &mut self.nodes[node].log;
            if place.node == log.last().node {
                log.settle(place.number, id(number));
                continue;
            }
            let origin = Origin::There(place, id(number));
            let (sent, _) =
                log.append(Instant::now(), origin, (&"/".into(), &target), |offset| parcel(&text, offset));
            let had = self.nodes[node].log.may_be_had(place).then_some(place);
            self.deliver(node, &target, &sent, had);
        }
    }

    fn come_back(&mut self, n: usize, node: usize) {
        let client = &self.clients[n];
        if client.online {
            return;
        }
        // As a node waits until it has heard as much.
        let given = client.offset.as_deref().and_then(Offset::parse).unwrap_or(client.base);
        let most = given.others.max(client.base.others);
        self.hear(node, usize::try_from(most.saturating_sub(1)).unwrap());
        let (log, client) = (&mut self.nodes[node].log, &mut self.clients[n]);
        let mut remains = Remains {
            stays: client.stays.clone(),
            base: client.base,
            node: offset::tag(client.node as u64 + 1),
            has: client.has.clone(),
            ..Remains::default()
        };
        let since = remains.since(log, client.offset.as_deref()).expect("everything is there");
        remains.note_ahead(log, since);
        let missed =
            log.missed(("/", "id"), &client.stays, since, &remains.has).expect("everything is there");
        client.queue = missed.iter().map(read).collect();
        (client.base, client.has, client.node, client.online) = (since, remains.has, node, true);
    }

    fn arrive(&mut self, n: usize, count: usize) {
        let client = &mut self.clients[n];
        let count = count.min(client.queue.len());
        for (text, offset) in client.queue.drain(..count) {
            client.received.push(text);
            client.offset = Some(offset);
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Emit(node, room) => self.emit(node, room),
            Step::Publish(node, count) => self.publish(node, count),
            Step::Hear(node, count) => self.hear(node, self.nodes[node].heard + count),
            Step::Arrive(client, count) => self.arrive(client, count),
            Step::Drop(client) => {
                self.clients[client].online = false;
                self.clients[client].queue.clear();
            }
            Step::Return(client, node) => self.come_back(client, node),
        }
    }

    fn settle(&mut self) {
        (0..NODES).for_each(|node| self.publish(node, usize::MAX));
        (0..NODES).for_each(|node| self.hear(node, usize::MAX));
    }
}

proptest! {
    #[test]
    fn wherever_a_client_comes_back_to_it_gets_everything_once(
        steps in prop::collection::vec(step(), 1..150)
    ) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        world.settle();
        for n in 0..CLIENTS {
            world.come_back(n, (n + 1) % NODES);
            world.arrive(n, usize::MAX);
            let client = &world.clients[n];
            for node in 0..NODES {
                let of = |text: &&String| text.starts_with(&format!("{node}-"));
                let received: Vec<&String> = client.received.iter().filter(of).collect();
                let expected: Vec<&String> = client.expected.iter().filter(of).collect();
                prop_assert_eq!(received, expected, "client {}, of node {}", n, node);
            }
        }
    }
}

#[test]
fn offsets_of_one_node_among_others_are_read_back() {
    let offset = Offset { others: u64::MAX - 5, own: (1 << 56) - 2, node: offset::tag(u64::MAX) };
    assert_eq!(offset.to_string().len(), 28);
    assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
    assert_eq!(Offset::parse(&"A".repeat(28)), None, "no node is 0");
    assert_eq!(Offset::parse(&"!".repeat(28)), None);
}

#[test]
fn an_event_that_was_lost_makes_everybody_from_before_begin_anew() {
    let mut log = Log::new(1_000_000, Duration::from_secs(120));
    log.set_node(1);
    log.begin_at(1);
    let target = Target { everyone: true, ..Target::default() };
    let hear = |log: &mut Log, count| {
        let place = Place { node: 2, number: 10 + count, count };
        let origin = Origin::There(place, 1 + count);
        log.append(Instant::now(), origin, (&"/".into(), &target), |offset| parcel("x", offset));
        log.last()
    };
    let first = hear(&mut log, 1);
    let second = hear(&mut log, 2);
    assert!(log.reaches(first) && log.reaches(second));
    let foreign = Offset { others: 3, own: 7, node: 3 };
    assert!(log.reaches(foreign));
    let fourth = hear(&mut log, 4);
    assert!(!log.reaches(first) && !log.reaches(second) && log.reaches(fourth));
    assert!(!log.reaches(foreign) && log.reaches(Offset { others: 5, ..foreign }));
}
