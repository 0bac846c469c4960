//! Connections that left HTTP with a 101.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::connection::Connection;
use crate::message::Response;
use crate::upstream::stream::Stream;

/// The connection behind a response 101, in its extensions until somebody takes it.
#[derive(Debug, Clone)]
pub struct Switched(Arc<Mutex<Option<(Stream, Bytes)>>>);

impl Switched {
    pub(super) fn new(connection: Connection) -> Switched {
        Switched(Arc::new(Mutex::new(Some((connection.stream, connection.unread)))))
    }

    /// Takes the connection of a response, with what the upstream has said on it already.
    pub fn take<B>(response: &mut Response<B>) -> Option<(Stream, Bytes)> {
        let switched: Switched = response.extensions_mut().remove()?;
        switched.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
