//! The sockets of all nodes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

use super::bus::Channel;
use super::node::Cluster;
use super::requests::Open;
use super::wire::{self, Given};
use crate::socketio::{
    Answers, Command, Heard, Hub, Keyed, Member, Outgoing, Page, Query, Question, Room, Sockets,
};

impl Cluster {
    /// Asks all other nodes to do something; that has gone out when this returns, or waits until Redis is back.
    /// `ask` writes it under its number.
    fn tell_all(&self, event: Option<&Outgoing>, ask: impl FnOnce(u64) -> Vec<u8>) -> Open {
        let open = self.requests.begin(self.registry.others());
        if self.has_time_for(event) {
            self.outbox.push(Channel::All, &ask(open.number()));
        }
        open
    }

    /// Asks all other nodes for something that is of use only now.
    pub(super) fn ask_all(&self, ask: impl FnOnce(u64) -> Vec<u8>) -> Open {
        let open = self.requests.begin(self.registry.others());
        if self.is_connected() {
            self.outbox.push(Channel::All, &ask(open.number()));
        }
        open
    }

    /// How long answers are waited for: not at all where nobody can be asked.
    pub(super) fn time(&self) -> Duration {
        if self.is_connected() { self.request_timeout } else { Duration::ZERO }
    }
}

impl Sockets for Cluster {
    fn perform(&self, command: Command) -> BoxFuture<'static, Heard<usize>> {
        let (mut count, open) = self.hub.run_and(&command, |place| {
            let open = self.requests.begin(self.registry.others());
            if self.has_time_for(command.event()) {
                self.push(&command, place, &wire::perform(open.number(), &command, place));
            }
            open
        });
        let time = self.time();
        async move {
            let silent_nodes = open
                .gather(time, |given| {
                    if let Given::Count(more) = given {
                        count = count.saturating_add(more);
                    }
                    false
                })
                .await;
            Heard { said: count, silent_nodes }
        }
        .boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Heard<Answers>> {
        let here = self.hub.ask_here(&question);
        let open = self.tell_all(Some(&question.event), |number| wire::question(number, &question));
        let time = if self.is_connected() { self.request_timeout + question.timeout } else { Duration::ZERO };
        async move {
            let mut there = Answers::default();
            let gathered = open.gather(time, |given| {
                if let Given::Answers(answers) = given {
                    there.sockets = there.sockets.saturating_add(answers.sockets);
                    there.acks.extend(answers.acks);
                }
                false
            });
            let (mut said, silent_nodes) = futures_util::future::join(here, gathered).await;
            said.sockets = said.sockets.saturating_add(there.sockets);
            said.acks.extend(there.acks);
            Heard { said, silent_nodes }
        }
        .boxed()
    }

    fn find(&self, id: &str) -> BoxFuture<'static, Heard<Option<Member>>> {
        if let Some(member) = self.hub.member_here(id) {
            return std::future::ready(Some(member).into()).boxed();
        }
        let open = self.ask_all(|number| wire::find(number, id));
        let time = self.time();
        async move {
            let mut said = None;
            let silent_nodes = open
                .gather(time, |given| {
                    if let Given::Found(Some(member)) = given {
                        said = Some(*member);
                    }
                    said.is_some()
                })
                .await;
            Heard { said, silent_nodes }
        }
        .boxed()
    }

    fn list(&self, query: Query) -> BoxFuture<'static, Heard<Page<Member>>> {
        let open = self.ask_all(|number| wire::list(number, &query));
        let (here, time) = (self.hub.members_here(&query), self.time());
        async move {
            let (mut total, mut more, mut items) = (here.total, here.next.is_some(), here.items);
            let silent_nodes = open
                .gather(time, |given| {
                    if let Given::Members(page) = given {
                        total = total.saturating_add(page.total);
                        more |= page.next.is_some();
                        items.extend(page.items);
                    }
                    false
                })
                .await;
            Heard { said: put_together(items, total, more, &query), silent_nodes }
        }
        .boxed()
    }

    fn rooms(&self, query: Query) -> BoxFuture<'static, Heard<Page<Room>>> {
        let open = self.ask_all(|number| wire::rooms(number, &query));
        let (here, time) = (rooms_here(&self.hub, &query), self.time());
        async move {
            let mut all = Union::default();
            all.add(here);
            let silent_nodes = open
                .gather(time, |given| {
                    all.add(given);
                    false
                })
                .await;
            let Union { rooms, more, keys } = all;
            let page = put_together(rooms.into_values().collect(), keys.len(), more, &query);
            Heard { said: page, silent_nodes }
        }
        .boxed()
    }
}

/// The first page of what is on the first pages of several nodes.
fn put_together<T: Keyed>(items: Vec<T>, total: usize, more: bool, query: &Query) -> Page<T> {
    let page = Page::cut(items, query);
    let last = page.items.last().filter(|_| more && page.items.len() == query.limit).map(Keyed::key);
    Page { total, next: page.next.or(last), items: page.items }
}

/// Rooms of several nodes: one that two of them have is one.
#[derive(Default)]
struct Union {
    rooms: HashMap<String, Room>,
    more: bool,
    keys: HashSet<u64>,
}

impl Union {
    fn add(&mut self, given: Given) {
        let Given::Rooms(rooms, more, keys) = given else { return };
        self.more |= more;
        self.keys.extend(keys);
        for room in rooms {
            match self.rooms.get_mut(&room.key()) {
                Some(known) => known.sockets = known.sockets.saturating_add(room.sockets),
                None => drop(self.rooms.insert(room.key(), room)),
            }
        }
    }
}

/// The rooms of this node: one page of them, and the hashes of all their keys.
pub(super) fn rooms_here(hub: &Arc<Hub>, query: &Query) -> Given {
    let all = hub.rooms_here(query);
    let keys = all.iter().map(|room| hash(&room.key())).collect();
    let page = Page::cut(all, query);
    Given::Rooms(page.items, page.next.is_some(), keys)
}

/// The same on every node.
fn hash(key: &str) -> u64 {
    Sha256::digest(key.as_bytes()).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
