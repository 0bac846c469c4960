//! Sockets that a tap moves or disconnects.

use std::sync::Arc;

use crate::config::file;
use crate::rules::emit;
use crate::rules::template::{Compiler, Error, Scope, Template};
use crate::socketio::Target;

/// Sockets, and what is done to them.
#[derive(Debug)]
pub(super) struct Selection {
    to: Template,
    except: Option<Template>,
    /// Rooms joined or left.
    rooms: Option<Template>,
    pub(super) close: bool,
}

impl Selection {
    fn compile(
        compiler: &mut Compiler<'_>,
        key: &str,
        to: Option<&file::Tree>,
        except: Option<&file::Tree>,
    ) -> Selection {
        let to = match to {
            Some(to) => compiler.rooms(&format!("{key}.to"), to),
            None => {
                compiler.problems.add(key, "no `to`", "the rooms whose sockets are meant");
                Template::List(Vec::new())
            }
        };
        let except = except.map(|except| compiler.template(&format!("{key}.except"), except));
        Selection { to, except, rooms: None, close: false }
    }

    pub(super) fn movement(compiler: &mut Compiler<'_>, key: &str, raw: &file::Movement) -> Selection {
        if raw.rooms.is_none() {
            compiler.problems.add(key, "no `rooms`", "the rooms to join or leave");
        }
        let rooms = raw.rooms.as_ref().map(|rooms| compiler.rooms(&format!("{key}.rooms"), rooms));
        Selection { rooms, ..Selection::compile(compiler, key, raw.to.as_ref(), raw.except.as_ref()) }
    }

    pub(super) fn departure(compiler: &mut Compiler<'_>, key: &str, raw: &file::Disconnect) -> Selection {
        let selection = Selection::compile(compiler, key, raw.to.as_ref(), raw.except.as_ref());
        Selection { close: raw.close, ..selection }
    }

    pub(super) fn fill(&self, scope: &Arc<dyn Scope>) -> Result<(Target, Vec<Arc<str>>), Error> {
        let rooms = emit::rooms(self.rooms.as_ref(), scope)?;
        let except =
            self.except.as_ref().map_or_else(|| Ok(Vec::new()), |rooms| rooms.rooms_left_out(scope))?;
        Ok((Target { rooms: self.to.rooms(scope)?, except, ..Target::default() }, rooms))
    }
}
