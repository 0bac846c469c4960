//! What one session says: packets put together, checked, and handed to the right socket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::hub::Hub;
use super::packet::{self, Content, Incomplete, Invalid, Packet, Parsed};
use super::recovery::{Confirmed, Identity, Key};
use super::{Acknowledge, Event, Socket, legacy};
use crate::engineio::{Conversation, Message, Protocol, Reason, Session, random_id};
use crate::json::Json;
use crate::telemetry::metrics;

/// One session's sockets.
#[derive(Debug)]
pub(super) struct Talk {
    hub: Arc<Hub>,
    inner: Mutex<Inner>,
    pub(super) confirmed: Confirmed,
}

#[derive(Debug, Default)]
struct Inner {
    places: Vec<Place>,
    /// An event or ack whose attachments are still to come.
    incomplete: Option<(Incomplete, Patience)>,
    over: bool,
}

#[derive(Debug)]
struct Place {
    namespace: Arc<str>,
    /// `None` where the server made the client leave: what it sent before it knew is ignored.
    socket: Option<Arc<Socket>>,
}

/// Ends the session when attachments take too long, unless it is dropped before.
#[derive(Debug)]
struct Patience(AbortHandle);

impl Patience {
    fn begin(session: &Arc<Session>, timeout: Duration) -> Patience {
        let session = session.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            metrics::refused("socketio.attachment_timeout");
            session.close(Reason::ForcedClose);
        });
        Patience(task.abort_handle())
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    fn place(&mut self, namespace: &str) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.namespace.as_ref() == namespace)
    }
}

/// The [`Conversation`] that a session owns.
pub(super) struct Handle(pub(super) Arc<Talk>);

impl Conversation for Handle {
    fn opened(&self, session: &Arc<Session>) {
        if session.protocol() == Protocol::V3 {
            // The first packet of a session breaks no rule.
            let _ = self.0.handle(session, legacy::unsaid_connect(), 0);
        }
    }

    fn message(&self, session: &Arc<Session>, message: Message) {
        let assembled = self.0.assemble(session, message);
        // Node tells what is no packet from a packet at the wrong time.
        match assembled.map(|packet| packet.map(|(packet, bytes)| self.0.handle(session, packet, bytes))) {
            Ok(None | Some(Ok(()))) => {}
            Ok(Some(Err(Invalid))) => session.close(Reason::ForcedServerClose),
            Err(Invalid) => session.close(Reason::ForcedClose),
        }
    }

    fn upgraded(&self, session: &Arc<Session>) {
        let inner = self.0.inner();
        let sockets = inner.places.iter().filter_map(|place| place.socket.as_ref());
        sockets.filter(|socket| socket.is_connected()).for_each(|socket| {
            socket.count(Some(session.transport()));
            socket.show_upgraded();
        });
    }

    fn pinging(&self) {
        if let Some(settled) = self.0.hub.recovery().settled() {
            self.0.confirmed.ask(settled);
        }
    }

    fn ponged(&self) {
        self.0.confirmed.answer();
    }

    fn ended(&self, _: &Arc<Session>, reason: Reason) {
        let places = {
            let mut inner = self.0.inner();
            inner.over = true;
            inner.incomplete = None;
            std::mem::take(&mut inner.places)
        };
        places.into_iter().filter_map(|place| place.socket).for_each(|socket| socket.end(reason));
    }
}

impl Talk {
    pub(super) fn new(hub: Arc<Hub>) -> Talk {
        Talk { hub, inner: Mutex::default(), confirmed: Confirmed::default() }
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a packet together, and says how many bytes it had; `None` while attachments are missing. Text
    /// while they are due, and binary while none are, break the protocol.
    fn assemble(&self, session: &Arc<Session>, message: Message) -> Result<Option<(Packet, usize)>, Invalid> {
        let mut inner = self.inner();
        let bytes = message.len() + inner.incomplete.as_ref().map_or(0, |(before, _)| before.len());
        let (parsed, patience) = match (inner.incomplete.take(), message) {
            (None, Message::Text(text)) => (packet::parse(text, self.hub.limits().attachments)?, None),
            (Some((incomplete, patience)), Message::Binary(data)) => (incomplete.add(data)?, Some(patience)),
            _ => return Err(Invalid),
        };
        match parsed {
            Parsed::Whole(packet) => Ok(Some((packet, bytes))),
            Parsed::Incomplete(incomplete) => {
                let timeout = self.hub.limits().attachment_timeout;
                let patience = patience.unwrap_or_else(|| Patience::begin(session, timeout));
                inner.incomplete = Some((incomplete, patience));
                Ok(None)
            }
        }
    }

    fn handle(self: &Arc<Self>, session: &Arc<Session>, packet: Packet, bytes: usize) -> Result<(), Invalid> {
        let Packet { namespace, body } = match session.protocol() {
            Protocol::V4 => packet,
            Protocol::V3 => legacy::translate(packet, session.handshake()),
        };
        match body {
            Content::Connect { auth } => self.connect(session, namespace.into(), auth),
            Content::Disconnect => {
                if let Some(socket) = self.take(&namespace) {
                    socket.end(Reason::ClientNamespaceDisconnect);
                }
                Ok(())
            }
            Content::Event { id, name, args } => {
                if let Some(socket) = self.connected(&namespace)? {
                    let ack = id.map(|id| Acknowledge { socket: socket.clone(), id });
                    let event = Event { name, args, ack };
                    socket.show_received(&event, bytes);
                    socket.receive(event, session.hold(bytes));
                }
                Ok(())
            }
            Content::Ack { id, args } => {
                if let Some(socket) = self.connected(&namespace)? {
                    socket.show_acked(&id, &args, bytes);
                    socket.acknowledge(&id, args);
                }
                Ok(())
            }
        }
    }

    fn connect(
        self: &Arc<Self>,
        session: &Arc<Session>,
        name: Arc<str>,
        auth: Option<Json>,
    ) -> Result<(), Invalid> {
        let Some(captures) = self.hub.events().namespace(&name) else {
            self.hub.events().no_namespace(session, &name);
            refuse(session, &name, "Invalid namespace", None);
            return Ok(());
        };
        let auth = auth.unwrap_or_else(|| Json::from_static("{}"));
        let (auth, who, elsewhere) = self.identify(session, &name, auth);
        let recovery = self.hub.recovery();
        let socket = Arc::new(Socket::new(self.clone(), session.clone(), name, captures, auth, who));
        if socket.recovered() {
            recovery.connected(&socket);
        }
        let placed = self.place(&socket);
        match placed {
            Ok(true) => match elsewhere {
                Some(key) => socket.start_as_known(key),
                None => socket.start(),
            },
            // Its client may try again.
            Ok(false) | Err(_) => recovery.ended(&socket, Reason::TransportClose),
        }
        placed.map(|_| ())
    }

    /// Who a client is, and what it may be known by among several nodes; clients 1.x and 2.x cannot come back.
    fn identify(&self, session: &Session, namespace: &str, auth: Json) -> (Json, Identity, Option<Key>) {
        if session.protocol() == Protocol::V3 {
            let id = legacy::socket_id(session, namespace);
            return (auth, Identity { id, ..Identity::default() }, None);
        }
        let recovery = self.hub.recovery();
        let (auth, key) = recovery.split(auth);
        let stranger = || recovery.stranger(random_id());
        let Some(key) = key else { return (auth, stranger(), None) };
        if self.hub.peers().is_some() {
            return (auth, stranger(), Some(key));
        }
        let who = recovery.recognize(namespace, &key);
        (auth, who.unwrap_or_else(stranger), None)
    }

    /// Gives a new socket its place; false where the session is over.
    fn place(&self, socket: &Arc<Socket>) -> Result<bool, Invalid> {
        let name = socket.namespace();
        let mut inner = self.inner();
        if inner.over {
            return Ok(false);
        }
        let full = inner.places.len() >= self.hub.limits().namespaces;
        match inner.place(name) {
            Some(Place { socket: Some(_), .. }) => return Err(Invalid),
            Some(place) => place.socket = Some(socket.clone()),
            None if full => {
                metrics::refused("socketio.max_namespaces");
                return Err(Invalid);
            }
            None => inner.places.push(Place { namespace: name.clone(), socket: Some(socket.clone()) }),
        }
        Ok(true)
    }

    /// The connected socket of a namespace; `None` where the server has just closed it.
    fn connected(&self, namespace: &str) -> Result<Option<Arc<Socket>>, Invalid> {
        let mut inner = self.inner();
        if inner.over {
            return Ok(None);
        }
        let socket = inner.place(namespace).ok_or(Invalid)?.socket.clone();
        match socket {
            Some(socket) if !socket.is_connected() => Err(Invalid),
            socket => Ok(socket),
        }
    }

    /// Takes a socket out at its client's wish.
    fn take(&self, namespace: &str) -> Option<Arc<Socket>> {
        let mut inner = self.inner();
        let place = inner.places.iter().position(|place| place.namespace.as_ref() == namespace)?;
        inner.places.swap_remove(place).socket
    }

    /// Takes a socket out that was refused.
    pub(super) fn forget(&self, socket: &Arc<Socket>) {
        self.inner().places.retain(|place| !place.is(socket));
    }

    /// Puts another socket in the place of one; false if that has left it.
    pub(super) fn replace(&self, socket: &Arc<Socket>, other: &Arc<Socket>) -> bool {
        let mut inner = self.inner();
        let place = inner.places.iter_mut().find(|place| place.is(socket));
        place.map(|place| place.socket = Some(other.clone())).is_some()
    }

    /// The server makes a socket leave its namespace. False if it has left already.
    fn expel(&self, socket: &Arc<Socket>) -> bool {
        let mut inner = self.inner();
        match inner.places.iter_mut().find(|place| place.is(socket)) {
            Some(place) => {
                place.socket = None;
                true
            }
            None => false,
        }
    }
}

/// Refuses a CONNECT.
pub(super) fn refuse(session: &Arc<Session>, namespace: &str, message: &str, data: Option<&Json>) {
    let parcel = match session.protocol() {
        Protocol::V4 => packet::connect_error_parcel,
        Protocol::V3 => legacy::connect_error_parcel,
    };
    session.send(&parcel(namespace, message, data));
}

impl Place {
    fn is(&self, socket: &Arc<Socket>) -> bool {
        self.socket.as_ref().is_some_and(|own| Arc::ptr_eq(own, socket))
    }
}

impl Socket {
    /// Leaves the namespace by DISCONNECT; `close` leaves all of them and closes the connection.
    pub fn disconnect(self: &Arc<Self>, close: bool) {
        let all: Vec<_> = if close {
            self.talk.inner().places.iter().filter_map(|place| place.socket.clone()).collect()
        } else {
            vec![self.clone()]
        };
        for socket in all {
            if self.talk.expel(&socket) {
                socket.deliver(&packet::disconnect_parcel(socket.namespace()), false);
                socket.end(Reason::ServerNamespaceDisconnect);
            }
        }
        if close {
            self.session.close(Reason::ForcedServerClose);
        }
    }
}
