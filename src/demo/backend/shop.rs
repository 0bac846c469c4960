//! What the shop knows: users, sessions, rooms and messages, all in memory and all bounded.

use std::collections::{HashMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use indexmap::IndexMap;
use serde::Serialize;

use super::reply::Refused;
use super::seed;
use crate::json;

/// Users, of whom nobody is ever forgotten.
pub(super) const MAX_USERS: usize = 1000;
/// Sessions; the oldest ends when one more begins.
pub(super) const MAX_SESSIONS: usize = 4000;
/// Messages kept in a room; the oldest goes when one more comes.
pub(super) const MAX_MESSAGES: usize = 200;
/// Characters of a user's name.
pub(super) const MAX_NAME: usize = 32;
/// Characters of a message.
pub(super) const MAX_CONTENT: usize = 2000;

/// A user, known by name alone.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) name: String,
    /// Whether staff rooms are open: the name begins with `staff`.
    pub(super) staff: bool,
    /// When the user's last connection ended.
    pub(super) last_seen: Option<String>,
}

/// What a conversation is about.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Book {
    pub(super) title: &'static str,
    pub(super) author: &'static str,
    pub(super) imprint: &'static str,
    pub(super) condition: &'static str,
    pub(super) price: &'static str,
}

/// A room without its messages, as a client gets it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    pub(super) id: u64,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) staff_only: bool,
    pub(super) book: Option<Book>,
}

/// A message, as a client gets it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) chat_room_id: u64,
    pub(super) user_id: u64,
    pub(super) user_name: String,
    pub(super) content: String,
    pub(super) created_at: String,
}

/// A room in the list; the last message only for those who may read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    #[serde(flatten)]
    profile: &'a Profile,
    last_message: Option<&'a Message>,
}

/// A room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) profile: Profile,
    pub(super) messages: VecDeque<Message>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Shop {
    /// Users by id.
    users: HashMap<u64, User>,
    /// Ids by name in lower case.
    names: HashMap<String, u64>,
    /// Users' ids by token, oldest session first.
    sessions: IndexMap<String, u64>,
    rooms: Vec<Room>,
    last_message: u64,
}

impl Shop {
    /// The shop as it opens: a few rooms with what was said before `now`.
    pub(super) fn seeded(now: SystemTime) -> Shop {
        let mut shop = Shop::default();
        seed::fill(&mut shop, now);
        shop
    }

    pub(super) fn add_room(&mut self, profile: Profile) {
        self.rooms.push(Room { profile, messages: VecDeque::new() });
    }

    /// The user of that name, whom the first mention creates.
    pub(super) fn user_named(&mut self, name: &str) -> Result<User, Refused> {
        let key = name.to_lowercase();
        if let Some(user) = self.names.get(&key).and_then(|id| self.users.get(id)) {
            return Ok(user.clone());
        }
        if self.users.len() >= MAX_USERS {
            return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "The shop is full"));
        }
        let id = self.users.len() as u64 + 1;
        let user = User { id, name: name.to_owned(), staff: key.starts_with("staff"), last_seen: None };
        self.names.insert(key, id);
        self.users.insert(id, user.clone());
        Ok(user)
    }

    /// Begins a session of `user` under `token`.
    pub(super) fn begin(&mut self, token: String, user: &User) {
        if self.sessions.len() >= MAX_SESSIONS {
            self.sessions.shift_remove_index(0);
        }
        self.sessions.insert(token, user.id);
    }

    /// Ends a session.
    pub(super) fn end(&mut self, token: &str) {
        self.sessions.shift_remove(token);
    }

    /// Whose session that is.
    pub(super) fn session(&self, token: &str) -> Option<&User> {
        self.sessions.get(token).and_then(|id| self.users.get(id))
    }

    pub(super) fn user(&self, id: u64) -> Option<&User> {
        self.users.get(&id)
    }

    /// Notes that a connection of the user ended.
    pub(super) fn left(&mut self, id: u64, now: SystemTime) {
        if let Some(user) = self.users.get_mut(&id) {
            user.last_seen = Some(written(now));
        }
    }

    /// All rooms, those that `user` may not enter too.
    pub(super) fn rooms(&self, user: &User) -> Vec<Entry<'_>> {
        let readable = |room: &&Room| may_enter(user, &room.profile);
        let last = |room| Some(room).filter(readable).and_then(|room: &Room| room.messages.back());
        self.rooms.iter().map(|room| Entry { profile: &room.profile, last_message: last(room) }).collect()
    }

    /// The room, if `user` may enter it.
    pub(super) fn room(&mut self, user: &User, id: u64) -> Result<&mut Room, Refused> {
        let room = self.rooms.iter_mut().find(|room| room.profile.id == id);
        let room =
            room.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("There is no room {id}")))?;
        if !may_enter(user, &room.profile) {
            let message = format!("{} is open to staff only", room.profile.name);
            return Err(Refused::new(StatusCode::FORBIDDEN, message));
        }
        Ok(room)
    }

    /// Puts a message into a room, which must have passed [`Shop::room`].
    pub(super) fn post(
        &mut self,
        user: &User,
        room_id: u64,
        content: String,
        now: SystemTime,
    ) -> Result<Message, Refused> {
        let id = self.last_message + 1;
        let room = self.room(user, room_id)?;
        let message = Message {
            id,
            chat_room_id: room_id,
            user_id: user.id,
            user_name: user.name.clone(),
            content,
            created_at: written(now),
        };
        if room.messages.len() >= MAX_MESSAGES {
            room.messages.pop_front();
        }
        room.messages.push_back(message.clone());
        self.last_message = id;
        Ok(message)
    }
}

/// A time as it goes out.
fn written(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).ok().and_then(json::date).unwrap_or_default()
}

fn may_enter(user: &User, room: &Profile) -> bool {
    user.staff || !room.staff_only
}
