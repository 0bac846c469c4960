//! Everything that nodes say to one another.

use std::sync::Arc;
use std::time::Duration;

pub(in crate::cluster) use super::command::Action;
use bytes::Bytes;
use http::HeaderValue;

use super::{Reader, Unreadable, Writer};
use crate::headers::Said as Saying;
use crate::socketio::{Answers, Command, Member, Page, Place, Query, Question, Room};

/// Kinds of messages.
const HERE: u8 = 0;
const BYE: u8 = 1;
const DO: u8 = 2;
const ASK: u8 = 3;
const ANSWER: u8 = 4;

/// Kinds of questions, and of answers to them.
const PERFORM: u8 = 0;
const QUESTION: u8 = 1;
const FIND: u8 = 2;
const LIST: u8 = 3;
const ROOMS: u8 = 4;
const HEED: u8 = 5;
const RECALL: u8 = 6;

/// What a message says.
#[derive(Debug)]
pub(in crate::cluster) enum Said {
    /// The sender hears what is said.
    Here,
    /// The sender ends.
    Bye,
    /// Something to do, and what names an event that is kept.
    Do(Action, Option<Numbers>),
    /// A question, to be answered to the sender under this number.
    Ask(u64, Asked),
    /// The answer to such a question.
    Answer(u64, Given),
}

/// What one node asks of all others.
#[derive(Debug)]
pub(in crate::cluster) enum Asked {
    /// To do something, and how many it was done to.
    Perform(Action, Option<Numbers>),
    /// To ask a selection of sockets.
    Question(Question),
    /// Who the socket with this id is.
    Find(Arc<str>),
    /// Which sockets there are.
    List(Query),
    /// Which rooms there are.
    Rooms(Query),
    /// To heed what a response said of the socket with this id.
    Heed(Arc<str>, Saying),
    /// To give up a client that has come back to the asker; who it is is encrypted.
    Recall(Bytes),
}

/// What names an event of the sender: its number, and its count among those that are kept.
pub(in crate::cluster) type Numbers = (u64, u64);

/// What one of them answers.
#[derive(Debug)]
pub(in crate::cluster) enum Given {
    Count(usize),
    Answers(Answers),
    Found(Option<Box<Member>>),
    /// Whether the socket is there.
    Heeded(bool),
    Members(Page<Member>),
    /// Rooms of one page, whether there are more behind it, and the hashes of all keys: a room that two nodes
    /// have is one.
    Rooms(Vec<Room>, bool, Vec<u64>),
    /// What is known of the client, encrypted; none where it is not known.
    Past(Option<Bytes>),
}

/// Writes what is said. Commands are borrowed: they are done here as well.
pub(in crate::cluster) fn here() -> Vec<u8> {
    vec![HERE]
}

pub(in crate::cluster) fn bye() -> Vec<u8> {
    vec![BYE]
}

pub(in crate::cluster) fn act(command: &Command, place: Option<Place>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(DO);
    writer.place(place);
    writer.command(command);
    writer.finish()
}

fn ask(number: u64, kind: u8) -> Writer {
    let mut writer = Writer::default();
    writer.byte(ASK);
    writer.number(number);
    writer.byte(kind);
    writer
}

pub(in crate::cluster) fn perform(number: u64, command: &Command, place: Option<Place>) -> Vec<u8> {
    let mut writer = ask(number, PERFORM);
    writer.place(place);
    writer.command(command);
    writer.finish()
}

pub(in crate::cluster) fn question(number: u64, question: &Question) -> Vec<u8> {
    let mut writer = ask(number, QUESTION);
    writer.text(&question.namespace);
    writer.target(&question.target);
    writer.event(&question.event);
    writer.number(u64::try_from(question.timeout.as_millis()).unwrap_or(u64::MAX));
    writer.finish()
}

pub(in crate::cluster) fn find(number: u64, id: &str) -> Vec<u8> {
    let mut writer = ask(number, FIND);
    writer.text(id);
    writer.finish()
}

pub(in crate::cluster) fn list(number: u64, query: &Query) -> Vec<u8> {
    let mut writer = ask(number, LIST);
    writer.query(query);
    writer.finish()
}

pub(in crate::cluster) fn rooms(number: u64, query: &Query) -> Vec<u8> {
    let mut writer = ask(number, ROOMS);
    writer.query(query);
    writer.finish()
}

pub(in crate::cluster) fn heed(number: u64, id: &str, said: &Saying) -> Vec<u8> {
    let mut writer = ask(number, HEED);
    writer.text(id);
    writer.list(&said.0, |writer, value| writer.bytes(value.as_bytes()));
    writer.finish()
}

pub(in crate::cluster) fn recall(number: u64, who: &[u8]) -> Vec<u8> {
    let mut writer = ask(number, RECALL);
    writer.bytes(who);
    writer.finish()
}

pub(in crate::cluster) fn answer(number: u64, given: &Given) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(ANSWER);
    writer.number(number);
    match given {
        Given::Count(count) => {
            writer.byte(PERFORM);
            writer.number(*count as u64);
        }
        Given::Answers(answers) => {
            writer.byte(QUESTION);
            writer.number(answers.sockets as u64);
            writer.list(&answers.acks, |writer, (socket, args)| {
                writer.text(socket);
                writer.jsons(args);
            });
        }
        Given::Found(member) => {
            writer.byte(FIND);
            writer.written(member);
        }
        Given::Past(past) => {
            writer.byte(RECALL);
            writer.byte(u8::from(past.is_some()));
            past.iter().for_each(|past| writer.bytes(past));
        }
        Given::Heeded(heeded) => {
            writer.byte(HEED);
            writer.byte(u8::from(*heeded));
        }
        Given::Members(page) => {
            writer.byte(LIST);
            writer.written(&page.items);
            writer.number(page.total as u64);
            writer.byte(u8::from(page.next.is_some()));
        }
        Given::Rooms(rooms, more, keys) => {
            writer.byte(ROOMS);
            writer.written(rooms);
            writer.byte(u8::from(*more));
            let keys: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
            writer.bytes(&keys);
        }
    }
    writer.finish()
}

impl Writer {
    /// 0 for none: no number is 0.
    fn place(&mut self, place: Option<Place>) {
        self.number(place.map_or(0, |place| place.number));
        place.iter().for_each(|place| self.number(place.count));
    }

    fn query(&mut self, query: &Query) {
        self.optional_text(query.namespace.as_deref());
        self.optional_text(query.room.as_deref());
        self.optional_text(query.after.as_deref());
        self.number(query.limit as u64);
        self.byte(u8::from(query.handshakes));
    }

    /// As JSON: lists are no hurry.
    fn written(&mut self, value: &impl serde::Serialize) {
        self.bytes(&serde_json::to_vec(value).unwrap_or_default());
    }
}

impl Reader {
    fn numbers(&mut self) -> Result<Option<Numbers>, Unreadable> {
        match self.number()? {
            0 => Ok(None),
            number => Ok(Some((number, self.number()?))),
        }
    }

    fn query(&mut self) -> Result<Query, Unreadable> {
        Ok(Query {
            namespace: self.optional_text()?,
            room: self.optional_text()?,
            after: self.optional_text()?.map(|text| text.as_ref().to_owned()),
            limit: self.size()?,
            handshakes: self.flag()?,
        })
    }

    fn written<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Unreadable> {
        serde_json::from_slice(&self.bytes()?).map_err(|_| Unreadable)
    }

    fn asked(&mut self) -> Result<Asked, Unreadable> {
        Ok(match self.byte()? {
            PERFORM => {
                let numbers = self.numbers()?;
                Asked::Perform(self.action()?, numbers)
            }
            RECALL => Asked::Recall(self.bytes()?),
            QUESTION => Asked::Question(Question {
                namespace: self.text()?,
                target: self.target()?,
                event: self.event()?,
                timeout: Duration::from_millis(self.number()?),
            }),
            FIND => Asked::Find(self.text()?),
            LIST => Asked::List(self.query()?),
            ROOMS => Asked::Rooms(self.query()?),
            HEED => {
                let value = |reader: &mut Reader| {
                    HeaderValue::from_maybe_shared(reader.bytes()?).map_err(|_| Unreadable)
                };
                Asked::Heed(self.text()?, Saying(self.list(value)?))
            }
            _ => return Err(Unreadable),
        })
    }

    fn given(&mut self) -> Result<Given, Unreadable> {
        Ok(match self.byte()? {
            PERFORM => Given::Count(self.size()?),
            QUESTION => {
                let sockets = self.size()?;
                let acks = self.list(|reader| Ok((reader.text()?, reader.jsons()?)))?;
                Given::Answers(Answers { sockets, acks })
            }
            FIND => Given::Found(self.written()?),
            HEED => Given::Heeded(self.flag()?),
            RECALL => Given::Past(if self.flag()? { Some(self.bytes()?) } else { None }),
            LIST => {
                let (items, total) = (self.written()?, self.size()?);
                // Only whether there are more is asked: whoever puts pages together says where.
                let next = self.flag()?.then(String::new);
                Given::Members(Page { items, total, next })
            }
            ROOMS => {
                let (rooms, more, keys) = (self.written()?, self.flag()?, self.bytes()?);
                let (keys, []) = keys.as_chunks::<8>() else { return Err(Unreadable) };
                Given::Rooms(rooms, more, keys.iter().map(|key| u64::from_be_bytes(*key)).collect())
            }
            _ => return Err(Unreadable),
        })
    }
}

impl Said {
    pub(super) fn read(reader: &mut Reader) -> Result<Said, Unreadable> {
        Ok(match reader.byte()? {
            HERE => Said::Here,
            BYE => Said::Bye,
            DO => {
                let numbers = reader.numbers()?;
                Said::Do(reader.action()?, numbers)
            }
            ASK => Said::Ask(reader.number()?, reader.asked()?),
            ANSWER => Said::Answer(reader.number()?, reader.given()?),
            _ => return Err(Unreadable),
        })
    }
}
