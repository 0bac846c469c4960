//! Follows single sockets live: what each says and is told, for somebody who looks on.
//!
//! A socket that nobody follows pays one look at a flag. What a follower is too slow for is lost to it and
//! counted; the socket never waits.

mod moment;
mod queue;

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::task::{Context, Poll};

use futures_util::Stream;

use super::{Event, Hub, Socket, packet};
use crate::engineio::{Parcel, Reason, Sent};
use crate::json::Json;
use crate::telemetry::metrics;
pub use moment::{Moment, What};
use moment::{content, short};
use queue::Queue;

/// Begins the names of events that are frontroom's own.
const OURS: &str = "frontroom:";

/// How a socket is followed.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether arguments are shown, not only names and sizes. Those of frontroom's own events never are.
    pub content: bool,
    /// Bytes that may wait for the follower.
    pub max_queue: usize,
    /// Followers at a time, of all sockets together.
    pub max_followers: usize,
}

/// Why a socket is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFollowed {
    /// No socket of this node has the id.
    NoSocket,
    /// There are as many followers as there may be.
    TooMany,
}

/// Somebody who looks on. What the socket says and is told comes out as a stream, which ends with the
/// socket. Dropping it ends the following.
#[derive(Debug)]
pub struct Follower {
    seat: Arc<Seat>,
    hub: Arc<Hub>,
}

/// All followers of one node.
#[derive(Debug, Default)]
pub(super) struct Followers(RwLock<Vec<Arc<Seat>>>);

#[derive(Debug)]
struct Seat {
    socket: Weak<Socket>,
    content: bool,
    queue: Queue,
}

impl Seat {
    fn is_of(&self, socket: &Socket) -> bool {
        std::ptr::eq(self.socket.as_ptr(), socket)
    }
}

impl Followers {
    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Seat>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Seat>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all following.
    fn end(&self) {
        self.read().iter().for_each(|seat| seat.queue.close(None));
    }
}

impl Hub {
    /// Follows the socket with this id, in whichever namespace.
    pub fn follow(self: &Arc<Self>, id: &str, terms: Terms) -> Result<Follower, NotFollowed> {
        let socket = self.anywhere(id).ok_or(NotFollowed::NoSocket)?;
        let seat = Arc::new(Seat {
            socket: Arc::downgrade(&socket),
            content: terms.content,
            queue: Queue::new(terms.max_queue),
        });
        seat.queue.push(What::Following {
            socket: socket.id().clone(),
            namespace: socket.namespace().clone(),
            rooms: socket.rooms(),
        });
        {
            let mut seats = self.followers().write();
            if seats.len() >= terms.max_followers {
                return Err(NotFollowed::TooMany);
            }
            seats.push(seat.clone());
            metrics::followers(seats.len() as f64);
            socket.followed.store(true, Ordering::Release);
        }
        if let Some(reason) = socket.ended_by() {
            seat.queue.close(Some(What::Disconnected { reason: reason.as_str() }));
        }
        Ok(Follower { seat, hub: Arc::clone(self) })
    }

    /// Ends the following of all sockets.
    pub fn end_following(&self) {
        self.followers().end();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut seats = self.hub.followers().write();
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        metrics::followers(seats.len() as f64);
        if let Some(socket) = self.seat.socket.upgrade() {
            let still = seats.iter().any(|seat| seat.is_of(&socket));
            socket.followed.store(still, Ordering::Release);
        }
    }
}

impl Stream for Follower {
    type Item = Moment;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Moment>> {
        self.seat.queue.poll(cx)
    }
}

/// What followers are shown of a socket. Each begins with the look at the flag.
impl Socket {
    fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    /// Shows each follower what `what` makes of whether it is shown contents.
    fn show(&self, what: impl Fn(bool) -> What) {
        let seats = self.talk.hub().followers().read();
        seats.iter().filter(|seat| seat.is_of(self)).for_each(|seat| seat.queue.push(what(seat.content)));
    }

    pub(super) fn show_received(&self, event: &Event, bytes: usize) {
        if self.is_followed() {
            // A client renews its token by an event of ours.
            let secret = event.name.as_text().starts_with(OURS);
            self.show(|with_content| What::Received {
                event: short(event.name.as_text()),
                ack: event.ack.as_ref().map(|ack| short(&ack.id)),
                bytes,
                args: content(with_content && !secret, event.args.iter().map(Json::as_str)),
            });
        }
    }

    pub(super) fn show_acked(&self, id: &str, args: &[Json], bytes: usize) {
        if self.is_followed() {
            self.show(|with_content| What::AckReceived {
                ack: short(id),
                bytes,
                args: content(with_content, args.iter().map(Json::as_str)),
            });
        }
    }

    /// What became of a parcel that was to be sent.
    pub(super) fn show_sent(&self, parcel: &Parcel, sent: Sent) {
        if !self.is_followed() || sent == Sent::Gone {
            return;
        }
        let Some(shown) = packet::shown(parcel.text()) else { return };
        let (bytes, ack) = (parcel.payload_len(), shown.id.map(short));
        self.show(|with_content| {
            let args = content(with_content, shown.args.iter().copied());
            let ack = ack.clone();
            match (&shown.event, sent) {
                (Some(event), Sent::Queued) => What::Sent { event: short(event), ack, bytes, args },
                (Some(event), _) => What::Dropped { event: short(event), bytes },
                (None, _) => What::AckSent { ack: ack.unwrap_or_default(), bytes, args },
            }
        });
    }

    pub(super) fn show_joined(&self, room: &Arc<str>) {
        if self.is_followed() {
            self.show(|_| What::Joined { room: room.clone() });
        }
    }

    pub(super) fn show_left(&self, room: &Arc<str>) {
        if self.is_followed() {
            self.show(|_| What::Left { room: room.clone() });
        }
    }

    /// The last thing that is shown.
    pub(super) fn show_end(&self, reason: Reason) {
        if self.is_followed() {
            let seats = self.talk.hub().followers().read();
            let last = || What::Disconnected { reason: reason.as_str() };
            seats.iter().filter(|seat| seat.is_of(self)).for_each(|seat| seat.queue.close(Some(last())));
        }
    }
}
