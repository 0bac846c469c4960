//! All sockets, wherever they are: what can be done to them and asked of them with an answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, ready};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Command, Hub, Luggage, Outgoing, Socket, Target};
use crate::json::Json;

/// All sockets, wherever they are. One node's are those of its [`Hub`]; whoever joins several nodes
/// implements it over theirs.
///
/// A call has sent what it sends when it returns, so that calls made one after another arrive in
/// that order; its future only waits for counts and answers.
pub trait Sockets: Send + Sync + 'static {
    /// Does one thing to a selection; answers how many it was done to (for an emit: queued for).
    fn perform(&self, command: Command) -> BoxFuture<'static, Heard<usize>>;

    /// Sends an event that every socket meant is to answer, and waits for them.
    fn ask(&self, question: Question) -> BoxFuture<'static, Heard<Answers>>;

    /// The socket with this id, in whichever namespace, with its handshake.
    fn find(&self, id: &str) -> BoxFuture<'static, Heard<Option<Member>>>;

    /// Who is here.
    fn list(&self, query: Query) -> BoxFuture<'static, Heard<Page<Member>>>;

    /// Which rooms there are, without those named by a socket's id.
    fn rooms(&self, query: Query) -> BoxFuture<'static, Heard<Page<Room>>>;
}

/// What those said who answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard<T> {
    /// What they said, put together.
    pub said: T,
    /// Nodes that did not answer in time: it is as if they were not there.
    pub silent_nodes: usize,
}

impl<T> From<T> for Heard<T> {
    fn from(said: T) -> Heard<T> {
        Heard { said, silent_nodes: 0 }
    }
}

/// An event that a selection of sockets is to answer.
#[derive(Debug, Clone)]
pub struct Question {
    /// Namespace of the sockets.
    pub namespace: Arc<str>,
    /// Which sockets.
    pub target: Target,
    /// What is sent.
    pub event: Outgoing,
    /// How long answers are waited for.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Sockets that the event was queued for.
    pub sockets: usize,
    /// The id of each that answered, and its arguments.
    pub acks: Vec<(Arc<str>, Vec<Json>)>,
}

/// Which sockets or rooms are listed: in the order of their ids or names, and of their namespaces.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of this namespace alone.
    pub namespace: Option<Arc<str>>,
    /// In this room alone.
    pub room: Option<Arc<str>>,
    /// Those behind this place: the key of the last one seen.
    pub after: Option<String>,
    /// Most that are listed.
    pub limit: usize,
    /// Whether sockets are listed with their handshakes.
    pub handshakes: bool,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: usize,
    /// What to give as `after` for those behind it; `None` on the last one.
    pub next: Option<String>,
}

/// A socket as it is shown. Credentials, cookies and `auth` stay out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The rooms it is in, its own id first.
    pub rooms: Vec<Arc<str>>,
    /// What the rules remember about it.
    pub state: Map<String, Value>,
    /// `polling` or `websocket`.
    pub transport: String,
    /// The client's address.
    pub address: String,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// When its session was opened: milliseconds since 1970.
    pub issued: u64,
    /// Whether it came back to what it was.
    pub recovered: bool,
    /// The request that opened its session; lists leave it out unless they are asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Luggage>,
}

/// A room and how many are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub room: Arc<str>,
    /// Sockets in it.
    pub sockets: usize,
}

/// What a list is in order of.
pub trait Keyed {
    /// Unique in the list.
    fn key(&self) -> String;
}

impl Keyed for Member {
    fn key(&self) -> String {
        format!("{} {}", self.id, self.namespace)
    }
}

impl Keyed for Room {
    fn key(&self) -> String {
        format!("{} {}", self.room, self.namespace)
    }
}

impl<T: Keyed> Page<T> {
    /// Cuts what `query` asks for out of all there is.
    pub fn cut(all: Vec<T>, query: &Query) -> Page<T> {
        let total = all.len();
        let mut all: Vec<(String, T)> = all.into_iter().map(|item| (item.key(), item)).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let from = match &query.after {
            Some(after) => all.partition_point(|(key, _)| key <= after),
            None => 0,
        };
        let more = all.len() - from > query.limit;
        let page: Vec<(String, T)> = all.into_iter().skip(from).take(query.limit).collect();
        let next = page.last().filter(|_| more).map(|(key, _)| key.clone());
        Page { items: page.into_iter().map(|(_, item)| item).collect(), total, next }
    }
}

impl Member {
    pub(super) fn of(socket: &Socket) -> Member {
        let handshake = socket.handshake();
        Member {
            id: socket.id().clone(),
            namespace: socket.namespace().clone(),
            rooms: socket.rooms(),
            state: socket.state().clone(),
            transport: socket.transport().as_str().to_owned(),
            address: handshake.forwarded.client.to_string(),
            secure: handshake.forwarded.secure,
            issued: handshake.issued,
            recovered: socket.recovered(),
            handshake: None,
        }
    }

    /// The same with its handshake.
    pub(super) fn whole(socket: &Socket) -> Member {
        let handshake = Luggage::of(socket.handshake(), socket.session.id());
        Member { handshake: Some(handshake), ..Member::of(socket) }
    }
}

impl Hub {
    /// All rooms of this node that a query means, without those named by a socket's id.
    pub fn rooms_here(&self, query: &Query) -> Vec<Room> {
        let all = self.namespaces_of(query.namespace.as_deref()).into_iter().flat_map(|(name, namespace)| {
            let room = move |(room, sockets)| Room { namespace: name.clone(), room, sockets };
            namespace.rooms().into_iter().map(room)
        });
        all.filter(|room| query.room.as_ref().is_none_or(|asked| *asked == room.room)).collect()
    }

    /// The sockets of this node that a query means.
    pub fn members_here(&self, query: &Query) -> Page<Member> {
        let target = Target {
            everyone: query.room.is_none(),
            rooms: query.room.iter().cloned().collect(),
            ..Target::default()
        };
        let of = |namespace: Arc<super::namespace::Namespace>| namespace.select(&target);
        let sockets = self.namespaces_of(query.namespace.as_deref()).into_iter().map(|(_, it)| of(it));
        let all = sockets.flat_map(|some| some.iter().map(|socket| Member::of(socket)).collect::<Vec<_>>());
        let mut page = Page::cut(all.collect(), query);
        for member in page.items.iter_mut().filter(|_| query.handshakes) {
            let socket = self.socket(&member.namespace, &member.id);
            member.handshake = socket.map(|socket| Luggage::of(socket.handshake(), socket.session.id()));
        }
        page
    }

    /// The socket of this node with that id, with its handshake.
    pub fn member_here(&self, id: &str) -> Option<Member> {
        self.anywhere(id).map(|socket| Member::whole(&socket))
    }

    /// Sends an event that every socket meant of this node is to answer, and waits for them.
    pub fn ask_here(&self, question: &Question) -> impl Future<Output = Answers> + Send + 'static {
        let deadline = Instant::now() + question.timeout;
        let asked = self.question(question);
        let sockets = asked.iter().filter(|asked| asked.is_sent()).count();
        let each = asked.into_iter().map(move |asked| asked.answer(deadline));
        join_all(each).map(move |answers| {
            let given = answers.into_iter();
            let given = given.filter_map(|answer| Some((answer.socket.id().clone(), answer.args?)));
            Answers { sockets, acks: given.collect() }
        })
    }
}

/// One node that has no others.
impl Sockets for Hub {
    fn perform(&self, command: Command) -> BoxFuture<'static, Heard<usize>> {
        ready(self.run(&command).into()).boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Heard<Answers>> {
        self.ask_here(&question).map(Heard::from).boxed()
    }

    fn find(&self, id: &str) -> BoxFuture<'static, Heard<Option<Member>>> {
        ready(self.member_here(id).into()).boxed()
    }

    fn list(&self, query: Query) -> BoxFuture<'static, Heard<Page<Member>>> {
        ready(self.members_here(&query).into()).boxed()
    }

    fn rooms(&self, query: Query) -> BoxFuture<'static, Heard<Page<Room>>> {
        ready(Page::cut(self.rooms_here(&query), &query).into()).boxed()
    }
}
