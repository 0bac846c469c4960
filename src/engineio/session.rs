//! A session: one client's connection, whichever transport carries it at the moment.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Instant;

use tokio::task::AbortHandle;

use super::dialect::{Dialect, Protocol};
use super::flusher::{Flusher, Writer};
use super::outlet::Outlet;
use super::packet::Message;
use super::pulse::Pulse;
use super::queue::{Parcel, Queue};
use super::registry::Registry;
use super::traffic::Traffic;
use super::{Handshake, Options, Reason};
use crate::config::Problems;
use crate::config::file::SocketIo;
use crate::telemetry::metrics;

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP long polling.
    Polling,
    /// WebSocket.
    Websocket,
}

impl Transport {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::Websocket => "websocket",
        }
    }
}

/// The application's side of one session. Its methods are called in the order things happened,
/// and must not block.
pub trait Conversation: Send + Sync {
    /// The session is open, and its open packet goes out first. Called once, before anything else.
    fn opened(&self, _session: &Arc<Session>) {}
    /// A message came.
    fn message(&self, session: &Arc<Session>, message: Message);
    /// The session moved from polling to WebSocket.
    fn upgraded(&self, session: &Arc<Session>);
    /// A ping goes out, behind everything that was sent so far.
    fn pinging(&self) {}
    /// The client answered a ping.
    fn ponged(&self) {}
    /// The session ended. Called once, and nothing after it.
    fn ended(&self, session: &Arc<Session>, reason: Reason);
}

/// One client's connection. Its id is a credential: who knows it can read and write while the
/// session polls.
pub struct Session {
    id: Arc<str>,
    pub(super) dialect: Dialect,
    handshake: Handshake,
    options: Arc<Options>,
    registry: Weak<Registry>,
    /// Where what goes over it is counted, if it is.
    traffic: Option<Arc<Traffic>>,
    pub(super) conversation: OnceLock<Box<dyn Conversation>>,
    heartbeat: OnceLock<AbortHandle>,
    /// Writes for the session while its WebSocket is plain TCP.
    pub(super) flusher: OnceLock<Arc<Flusher>>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) transport: Transport,
    pub(super) ended: Option<Ended>,
    pub(super) queue: Queue,
    /// Wakes the pending GET or the WebSocket's task.
    pub(super) writer: Option<Waker>,
    /// Wakes the reader that waits for events to be handled.
    pub(super) reader: Option<Waker>,
    /// A GET is pending.
    pub(super) getting: bool,
    /// A POST is being read.
    pub(super) posting: bool,
    /// A POST's packets are being handled: what they cause goes out together, after them.
    pub(super) corked: bool,
    /// The client has posted more than what it was admitted for.
    pub(super) talks: bool,
    /// A WebSocket wants to take over.
    pub(super) probing: bool,
    /// Its frames pass: one GET is let go, so that the client can confirm.
    pub(super) probed: bool,
    /// The WebSocket's peer does not take what was written.
    pub(super) congested: bool,
    /// Where the flusher may write: the WebSocket's task has nothing to write.
    pub(super) outlet: Option<Arc<Outlet>>,
    /// The flusher knows that there is something to write.
    pub(super) marked: bool,
    pub(super) pulse: Pulse,
    /// When the application must have admitted the session.
    pub(super) admit_by: Option<Instant>,
    /// Bytes that came and are not handled yet.
    pub(super) held: usize,
}

/// That, when and how a session ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) at: Instant,
    pub(super) farewell: Farewell,
}

/// What happens to what still waits when a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// It is sent, then the transport closes.
    Flush,
    /// It is dropped: nobody is there.
    Drop,
    /// It is dropped: the client said goodbye. The POST that said it makes the id unknown.
    Left,
}

/// What became of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It waits in the queue.
    Queued,
    /// It was volatile and the client was not ready, or it may be lost and there was no room.
    Dropped,
    /// The session has ended, perhaps by this very parcel that did not fit.
    Gone,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The id is a credential and stays out of logs.
        f.debug_struct("Session").field("transport", &self.transport()).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        id: Arc<str>,
        transport: Transport,
        dialect: Dialect,
        handshake: Handshake,
        options: Arc<Options>,
        (registry, traffic): (Weak<Registry>, Option<Arc<Traffic>>),
    ) -> Session {
        let now = Instant::now();
        let pulse = match dialect.protocol {
            Protocol::V4 => Pulse::new,
            Protocol::V3 => Pulse::listening,
        };
        let state = State {
            transport,
            ended: None,
            queue: Queue::default(),
            writer: None,
            reader: None,
            getting: false,
            posting: false,
            corked: false,
            talks: false,
            probing: false,
            probed: false,
            congested: false,
            outlet: None,
            marked: false,
            pulse: pulse(now, options.ping_interval, options.ping_timeout),
            admit_by: Some(now + options.connect_timeout),
            held: 0,
        };
        Session {
            id,
            dialect,
            handshake,
            options,
            registry,
            traffic,
            conversation: OnceLock::new(),
            heartbeat: OnceLock::new(),
            flusher: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// One that another node had, and that has ended.
    pub fn of_another_node(transport: Transport, handshake: Handshake) -> Session {
        let dialect = Dialect { protocol: Protocol::V4, base64: false };
        let options = Options::build(&SocketIo::default(), &mut Problems::default());
        let nobodys = (Weak::new(), None);
        let session = Session::new("".into(), transport, dialect, handshake, Arc::new(options), nobodys);
        session.state().ended = Some(Ended { at: Instant::now(), farewell: Farewell::Drop });
        session
    }

    /// The session's id: a credential, to be shown to its own client only.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The request that opened it.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// What it was opened under.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What carries it now.
    pub fn transport(&self) -> Transport {
        self.state().transport
    }

    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.state().ended.is_none()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the session its application and its heartbeat. Once, before any message.
    pub(super) fn begin(self: &Arc<Self>, conversation: Box<dyn Conversation>) {
        self.traffic.iter().for_each(|traffic| traffic.opened());
        let _ = self.conversation.set(conversation);
        let _ = self.heartbeat.set(tokio::spawn(self.clone().keep_alive()).abort_handle());
        if let Some(conversation) = self.conversation.get() {
            conversation.opened(self);
        }
    }

    /// Tells the application that the WebSocket has taken over.
    pub(super) fn announce_upgrade(self: &Arc<Self>) {
        if let Some(conversation) = self.conversation.get() {
            conversation.upgraded(self);
        }
    }

    /// The application has let the client in: `connect_timeout` no longer runs.
    pub fn admit(&self) {
        self.state().admit_by = None;
    }

    /// Queues a parcel. Never blocks: a client that has more than its queue's bytes waiting is
    /// disconnected.
    pub fn send(self: &Arc<Self>, parcel: &Parcel) -> Sent {
        let pushed = {
            let mut state = self.state();
            if state.ended.is_some() {
                return Sent::Gone;
            }
            if parcel.volatile() && !state.ready() {
                metrics::dropped("volatile");
                return Sent::Dropped;
            }
            let pushed = state.queue.push(parcel, self.options.max_queue, self.options.drop_volatile);
            let corked = state.corked;
            pushed.map(|dropped| (dropped, if corked { Writer::Nobody } else { state.writer() }))
        };
        match pushed {
            Ok((dropped, writer)) => {
                self.count_sent(parcel);
                (0..dropped).for_each(|_| metrics::dropped("volatile"));
                self.call(writer);
                Sent::Queued
            }
            Err(_) if parcel.volatile() && self.options.drop_volatile => {
                metrics::dropped("volatile");
                Sent::Dropped
            }
            Err(_) if parcel.is_spare() => {
                metrics::dropped("no_room");
                Sent::Dropped
            }
            Err(_) => {
                metrics::slow_consumer();
                self.end(Reason::SlowConsumer, Farewell::Drop);
                Sent::Gone
            }
        }
    }

    /// Closes it after what is queued was sent.
    pub fn close(self: &Arc<Self>, reason: Reason) {
        self.end(reason, Farewell::Flush);
    }

    /// The one way a session ends, whatever ended it; what comes first counts.
    pub(super) fn end(self: &Arc<Self>, reason: Reason, farewell: Farewell) {
        let (writer, reader, transport) = {
            let mut state = self.state();
            if state.ended.is_some() {
                return;
            }
            state.ended = Some(Ended { at: Instant::now(), farewell });
            if farewell != Farewell::Flush {
                state.queue.clear();
            }
            state.outlet = None;
            (state.writer.take(), state.reader.take(), state.transport)
        };
        let over = transport == Transport::Websocket;
        if over || farewell == Farewell::Drop {
            self.forget();
        }
        if over || farewell != Farewell::Flush {
            self.heartbeat.get().map(AbortHandle::abort).unwrap_or_default();
        }
        metrics::disconnect(reason.as_str());
        self.traffic.iter().for_each(|traffic| traffic.ended(reason));
        if let Some(conversation) = self.conversation.get() {
            conversation.ended(self, reason);
        }
        writer.into_iter().chain(reader).for_each(Waker::wake);
    }

    /// Counts what is on its way. The packet that opens the session is none of the application's.
    pub(super) fn count_sent(&self, parcel: &Parcel) {
        if let Some(traffic) = &self.traffic
            && self.conversation.get().is_some()
        {
            traffic.sent(parcel);
        }
    }

    /// The WebSocket carries it from now on.
    pub(super) fn count_upgrade(&self) {
        self.registry.upgrade().iter().for_each(|registry| registry.upgraded());
    }

    /// Makes the id unknown.
    pub(super) fn forget(&self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(&self.id);
        }
    }

    /// Hands a message to the application.
    pub(super) fn receive(self: &Arc<Self>, message: Message) {
        if let Some(conversation) = self.conversation.get()
            && self.is_open()
        {
            self.traffic.iter().for_each(|traffic| traffic.received(&message));
            conversation.message(self, message);
        }
    }

    /// Notes a sign of life; false when the session has ended or has been silent for too long.
    pub(super) fn heard(self: &Arc<Self>) -> bool {
        let now = Instant::now();
        let expired = {
            let mut state = self.state();
            if state.ended.is_some() {
                return false;
            }
            let expired = state.pulse.expired(now);
            state.pulse.heard(now);
            expired
        };
        if expired {
            self.end(Reason::PingTimeout, Farewell::Drop);
        }
        !expired
    }

    /// Notes a pong.
    pub(super) fn pong(&self) {
        self.state().pulse.pong(Instant::now());
        self.conversation.get().inspect(|conversation| conversation.ponged());
    }
}

impl State {
    /// Whether a volatile event would go out at once.
    fn ready(&self) -> bool {
        match self.transport {
            Transport::Polling => self.getting || self.queue.is_empty(),
            Transport::Websocket => !self.congested,
        }
    }
}
