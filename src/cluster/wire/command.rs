//! Commands on the wire.

use std::sync::Arc;

use super::{Reader, Unreadable, Writer};
use crate::json::Json;
use crate::socketio::{Command, EventName, Outgoing, Target, attach, detach, is_reserved};

/// Kinds of commands.
const EMIT: u8 = 0;
const ASK: u8 = 1;
const JOIN: u8 = 2;
const LEAVE: u8 = 3;
const DISCONNECT: u8 = 4;

/// Bits of a target and of an event.
const EVERYONE: u8 = 1;
const ALONE: u8 = 2;
const VOLATILE: u8 = 1;
const NUMBER: u8 = 2;
const ATTACHED: u8 = 4;

/// Something to do on another node.
#[derive(Debug)]
pub(in crate::cluster) enum Action {
    /// As it is.
    Do(Command),
    /// An event that every socket meant is to answer; `place` says where to.
    Ask { namespace: Arc<str>, target: Target, event: Outgoing, place: Arc<str> },
}

impl Writer {
    pub(super) fn command(&mut self, command: &Command) {
        let kind = match command {
            Command::Emit { .. } => EMIT,
            Command::Ask { .. } => ASK,
            Command::Join { .. } => JOIN,
            Command::Leave { .. } => LEAVE,
            Command::Disconnect { .. } => DISCONNECT,
        };
        self.byte(kind);
        self.text(command.namespace());
        self.target(command.target());
        match command {
            Command::Emit { event, .. } => self.event(event),
            Command::Ask { event, asking, .. } => {
                self.event(event);
                self.text(&asking.place);
            }
            Command::Join { rooms, .. } | Command::Leave { rooms, .. } => self.texts(rooms),
            Command::Disconnect { close, .. } => self.byte(u8::from(*close)),
        }
    }

    pub(super) fn target(&mut self, target: &Target) {
        let everyone = if target.everyone { EVERYONE } else { 0 };
        self.byte(everyone | if target.alone { ALONE } else { 0 });
        self.texts(&target.rooms);
        self.texts(&target.except);
    }

    /// Binary goes as the bytes it is, unless something else looks like the place of an attachment.
    pub(super) fn event(&mut self, event: &Outgoing) {
        let (args, attachments) = detach(&event.args);
        let alike = |arg: &Json| arg.as_str().contains("_placeholder");
        let attached = !attachments.is_empty() && !event.args.iter().any(alike);
        let number = if matches!(event.name, EventName::Number(_)) { NUMBER } else { 0 };
        let volatile = if event.volatile { VOLATILE } else { 0 };
        self.byte(number | volatile | if attached { ATTACHED } else { 0 });
        self.text(event.name.as_text());
        if attached {
            self.jsons(&args);
            self.list(&attachments, |writer, data| writer.bytes(data));
        } else {
            self.jsons(&event.args);
        }
    }
}

impl Reader {
    pub(super) fn action(&mut self) -> Result<Action, Unreadable> {
        let kind = self.byte()?;
        let namespace = self.text().ok().filter(|name| name.starts_with('/')).ok_or(Unreadable)?;
        let target = self.target()?;
        Ok(Action::Do(match kind {
            EMIT => Command::Emit { namespace, target, event: self.event()? },
            ASK => {
                let (event, place) = (self.event()?, self.text()?);
                return Ok(Action::Ask { namespace, target, event, place });
            }
            JOIN => Command::Join { namespace, target, rooms: self.texts()? },
            LEAVE => Command::Leave { namespace, target, rooms: self.texts()? },
            DISCONNECT => Command::Disconnect { namespace, target, close: self.flag()? },
            _ => return Err(Unreadable),
        }))
    }

    pub(super) fn target(&mut self) -> Result<Target, Unreadable> {
        let bits = self.byte()?;
        if bits & !(EVERYONE | ALONE) != 0 {
            return Err(Unreadable);
        }
        let (rooms, except) = (self.texts()?, self.texts()?);
        Ok(Target { rooms, except, everyone: bits & EVERYONE != 0, alone: bits & ALONE != 0 })
    }

    pub(super) fn event(&mut self) -> Result<Outgoing, Unreadable> {
        let bits = self.byte()?;
        if bits & !(NUMBER | VOLATILE | ATTACHED) != 0 {
            return Err(Unreadable);
        }
        let name = if bits & NUMBER != 0 {
            let number = self.json()?;
            let begins = number.as_str().starts_with(|c: char| c == '-' || c.is_ascii_digit());
            EventName::Number(if begins { number } else { return Err(Unreadable) })
        } else {
            EventName::Text(self.text().ok().filter(|name| !is_reserved(name)).ok_or(Unreadable)?)
        };
        let mut args = self.jsons()?;
        if bits & ATTACHED != 0 {
            let attachments = self.list(Reader::bytes)?;
            args = attach(args, &attachments).map_err(|_| Unreadable)?;
        }
        Ok(Outgoing { name, args, volatile: bits & VOLATILE != 0 })
    }
}
