//! Follows sockets live: what each says and is told, for somebody who looks on at one of them or at all.
//!
//! A socket that nobody follows pays one look at a flag of its own. What a follower is too slow for is lost to it and
//! counted; the socket never waits.

mod moment;
mod queue;
mod shown;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::task::{Context, Poll};

use futures_util::Stream;

use super::{Hub, Socket};
use crate::telemetry::metrics;
pub use moment::{Moment, What, Whose};
use queue::Queue;

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

/// Somebody who looks on. What happens comes out as a stream, which ends with the socket if only that one is
/// followed. Dropping it ends the following.
#[derive(Debug)]
pub struct Follower {
    seat: Arc<Seat>,
    hub: Arc<Hub>,
}

/// All followers of one node.
#[derive(Debug, Default)]
pub(super) struct Followers {
    seats: RwLock<Vec<Arc<Seat>>>,
    /// Whether somebody looks on at all sockets.
    watched: AtomicBool,
}

#[derive(Debug)]
struct Seat {
    scope: Scope,
    content: bool,
    queue: Queue,
}

/// Who is followed.
#[derive(Debug)]
enum Scope {
    Socket(Weak<Socket>),
    /// All of them, but what is said in the namespace `deaf_to` is not shown: it is where it is told.
    Everybody {
        deaf_to: Arc<str>,
    },
}

impl Seat {
    fn is_of(&self, socket: &Socket) -> bool {
        match &self.scope {
            Scope::Socket(own) => std::ptr::eq(own.as_ptr(), socket),
            Scope::Everybody { .. } => true,
        }
    }

    fn is_everybodys(&self) -> bool {
        matches!(self.scope, Scope::Everybody { .. })
    }

    /// Whether it is shown what the socket says and is told.
    fn hears(&self, socket: &Socket) -> bool {
        match &self.scope {
            Scope::Socket(_) => self.is_of(socket),
            Scope::Everybody { deaf_to } => deaf_to != socket.namespace(),
        }
    }
}

impl Followers {
    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Seat>>> {
        self.seats.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Seat>>> {
        self.seats.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody looks on at all sockets, and so at a new one.
    pub(super) fn watch(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    /// Ends the following of single sockets.
    fn end(&self) {
        let seats = self.read();
        seats.iter().filter(|seat| !seat.is_everybodys()).for_each(|seat| seat.queue.close(None));
    }
}

/// Of single sockets.
fn count(seats: &[Arc<Seat>]) -> usize {
    seats.iter().filter(|seat| !seat.is_everybodys()).count()
}

impl Hub {
    /// Follows the socket with this id, in whichever namespace.
    pub fn follow(self: &Arc<Self>, id: &str, terms: Terms) -> Result<Follower, NotFollowed> {
        let socket = self.anywhere(id).ok_or(NotFollowed::NoSocket)?;
        let seat = Arc::new(Seat {
            scope: Scope::Socket(Arc::downgrade(&socket)),
            content: terms.content,
            queue: Queue::new(terms.max_queue),
        });
        let whose = Whose::of(&socket);
        let following = || What::Following {
            socket: socket.id().clone(),
            namespace: socket.namespace().clone(),
            rooms: socket.rooms(),
        };
        seat.queue.push(&whose, || Some(following()));
        {
            let mut seats = self.followers().write();
            if count(&seats) >= terms.max_followers {
                return Err(NotFollowed::TooMany);
            }
            seats.push(seat.clone());
            metrics::followers(count(&seats) as f64);
            socket.followed.store(true, Ordering::Release);
        }
        if let Some(reason) = socket.ended_by() {
            let rooms = Vec::new();
            seat.queue.close(Some((whose, What::Disconnected { reason: reason.as_str(), rooms })));
        }
        Ok(Follower { seat, hub: Arc::clone(self) })
    }

    /// Follows all sockets of this node with their contents, those that are still to come too. What the sockets of
    /// the namespace `deaf_to` say and are told is not shown. At most `max_queue` bytes wait for the follower.
    pub fn watch(self: &Arc<Self>, deaf_to: Arc<str>, max_queue: usize) -> Follower {
        let scope = Scope::Everybody { deaf_to };
        let seat = Arc::new(Seat { scope, content: true, queue: Queue::new(max_queue) });
        self.followers().write().push(seat.clone());
        self.followers().watched.store(true, Ordering::Release);
        // One that enters a namespace now finds itself watched if it is not found here.
        for socket in self.everybody() {
            socket.followed.store(true, Ordering::Release);
        }
        Follower { seat, hub: Arc::clone(self) }
    }

    /// Ends the following of all single sockets.
    pub fn end_following(&self) {
        self.followers().end();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut seats = self.hub.followers().write();
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        metrics::followers(count(&seats) as f64);
        match &self.seat.scope {
            Scope::Socket(socket) => {
                if let Some(socket) = socket.upgrade() {
                    let still = seats.iter().any(|seat| seat.is_of(&socket));
                    socket.followed.store(still, Ordering::Release);
                }
            }
            // Each socket finds out by itself that nobody looks on any more.
            Scope::Everybody { .. } => {
                let still = seats.iter().any(|seat| seat.is_everybodys());
                self.hub.followers().watched.store(still, Ordering::Release);
            }
        }
    }
}

impl Stream for Follower {
    type Item = Moment;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Moment>> {
        self.seat.queue.poll(cx)
    }
}
