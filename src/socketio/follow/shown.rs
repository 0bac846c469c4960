//! What followers are shown of a socket. Each function begins with the look at the flag.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::moment::{content, short};
use super::{Seat, What, Whose};
use crate::engineio::{Parcel, Reason, Sent};
use crate::json::Json;
use crate::socketio::{Event, Member, Socket, packet};

/// Begins the names of events that are frontroom's own.
const OURS: &str = "frontroom:";

impl Socket {
    fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    /// Shows the followers who are meant what `what` makes of whether they are shown contents, if it is anything.
    fn show(&self, is_meant: impl Fn(&Seat) -> bool, what: impl Fn(bool) -> Option<What>) {
        let seats = self.talk.hub().followers().read();
        let mut mine = seats.iter().filter(|seat| seat.is_of(self)).peekable();
        if mine.peek().is_none() {
            // Whoever begins to follow it sets the flag after this lock.
            return self.followed.store(false, Ordering::Release);
        }
        let whose = Whose::of(self);
        for seat in mine.filter(|seat| is_meant(seat)) {
            seat.queue.push(&whose, || what(seat.content));
        }
    }

    /// Shows what it said or was told.
    fn show_talk(&self, what: impl Fn(bool) -> Option<What>) {
        self.show(|seat| seat.hears(self), what);
    }

    /// It is in its namespace, with the rooms it brought along: who watches everybody sees it from here on.
    pub(in crate::socketio) fn show_connected(&self) {
        if self.talk.hub().followers().watch() {
            self.followed.store(true, Ordering::Release);
            self.show(Seat::is_everybodys, |_| {
                Some(What::Connected { socket: Box::new(Member::whole(self)) })
            });
        }
    }

    /// Its transport is another than before.
    pub(in crate::socketio) fn show_upgraded(&self) {
        if self.is_followed() {
            let transport = self.transport().as_str();
            self.show(Seat::is_everybodys, |_| Some(What::Upgraded { transport }));
        }
    }

    /// Its state is another than before.
    pub(in crate::socketio) fn show_state(&self) {
        if self.is_followed() {
            self.show(Seat::is_everybodys, |_| Some(What::Changed { state: self.state().clone() }));
        }
    }

    pub(in crate::socketio) fn show_received(&self, event: &Event, bytes: usize) {
        if self.is_followed() {
            // A client renews its token by an event of ours.
            let secret = event.name.as_text().starts_with(OURS);
            self.show_talk(|with_content| {
                Some(What::Received {
                    event: short(event.name.as_text()),
                    ack: event.ack.as_ref().map(|ack| short(&ack.id)),
                    bytes,
                    args: content(with_content && !secret, event.args.iter().map(Json::as_str)),
                })
            });
        }
    }

    pub(in crate::socketio) fn show_acked(&self, id: &str, args: &[Json], bytes: usize) {
        if self.is_followed() {
            self.show_talk(|with_content| {
                Some(What::AckReceived {
                    ack: short(id),
                    bytes,
                    args: content(with_content, args.iter().map(Json::as_str)),
                })
            });
        }
    }

    /// What became of a parcel that was to be sent.
    pub(in crate::socketio) fn show_sent(&self, parcel: &Parcel, sent: Sent) {
        if !self.is_followed() || sent == Sent::Gone {
            return;
        }
        let bytes = parcel.payload_len();
        self.show_talk(|with_content| {
            let shown = packet::shown(parcel.text())?;
            let args = content(with_content, shown.args.iter().copied());
            let ack = shown.id.map(short);
            Some(match (&shown.event, sent) {
                (Some(event), Sent::Queued) => What::Sent { event: short(event), ack, bytes, args },
                (Some(event), _) => What::Dropped { event: short(event), bytes },
                (None, _) => What::AckSent { ack: ack.unwrap_or_default(), bytes, args },
            })
        });
    }

    pub(in crate::socketio) fn show_joined(&self, room: &Arc<str>) {
        if self.is_followed() {
            self.show(|_| true, |_| Some(What::Joined { room: room.clone() }));
        }
    }

    pub(in crate::socketio) fn show_left(&self, room: &Arc<str>) {
        if self.is_followed() {
            self.show(|_| true, |_| Some(What::Left { room: room.clone() }));
        }
    }

    /// The last thing that is shown.
    pub(in crate::socketio) fn show_end(&self, reason: Reason) {
        if !self.is_followed() {
            return;
        }
        let seats = self.talk.hub().followers().read();
        for seat in seats.iter().filter(|seat| seat.is_of(self)) {
            let whose = Whose::of(self);
            let last = |rooms| What::Disconnected { reason: reason.as_str(), rooms };
            if seat.is_everybodys() {
                seat.queue.push(&whose, || Some(last(self.rooms())));
            } else {
                seat.queue.close(Some((whose, last(Vec::new()))));
            }
        }
    }
}
