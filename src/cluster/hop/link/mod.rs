//! Links: connections between nodes that carry what clients that poll ask and are answered, many requests at once
//! in frames of our own. A request that takes this way is a line in a buffer on both nodes, and the buffers of all
//! that come together leave in one write.
//!
//! Each worker thread has a link of its own to each node that it asks. One that ends takes with it what was being
//! asked: those requests are answered as if the session were unknown. What does not fit goes by requests of
//! its own: bodies that are long or of no known length, WebSockets, and whatever is not plainly polling.

mod far;
mod frame;
mod greeting;
mod near;
mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

pub use far::Guests;
pub(super) use near::Ticket;

use super::links::Bounds;
use super::pass::Passes;
use crate::body::Body;
use crate::cluster::{NodeId, Registry};
use crate::engineio::{Asked, Engine, Unwrap};
use crate::http1;
use crate::message::{Fields, Request, Response};

thread_local! {
    /// The links of this thread, by who asks and who is asked.
    static LINKS: RefCell<HashMap<(NodeId, NodeId), Arc<near::Link>>> = RefCell::default();
}

/// The longest body that is asked for over a link, in bytes. What is longer must not hold the others up.
pub(super) const MAX_BODY: usize = 16 * 1024;

/// What this thread's links are made of.
pub(super) struct Roads {
    pub(super) registry: Arc<Registry>,
    pub(super) passes: Passes,
    pub(super) bounds: Bounds,
}

impl Roads {
    /// Asks a session of the node `to` by this thread's link, which is opened where there is none. `None` where
    /// it has to go by a request.
    pub(super) fn ask(
        self: &Arc<Roads>,
        to: NodeId,
        session: &str,
        asked: &Asked,
        time: Duration,
    ) -> Option<Ticket> {
        let key = (self.registry.id(), to);
        let open = LINKS.with_borrow(|links| links.get(&key).filter(|link| !link.has_ended()).cloned());
        open.unwrap_or_else(|| self.open(key)).ask(session, asked, time)
    }

    fn open(self: &Arc<Roads>, key: (NodeId, NodeId)) -> Arc<near::Link> {
        let link = Arc::new(near::Link::new());
        LINKS.with_borrow_mut(|links| links.insert(key, Arc::clone(&link)));
        let (roads, runs) = (Arc::clone(self), Arc::clone(&link));
        tokio::spawn(async move {
            runs.run(key.1, &roads.registry, &roads.passes, &roads.bounds).await;
            LINKS.with_borrow_mut(|links| {
                if links.get(&key).is_some_and(|link| Arc::ptr_eq(link, &runs)) {
                    links.remove(&key);
                }
            });
        });
        link
    }
}

/// Whether a request asks for a link; to which node, as far as it says so.
pub(super) fn asked_for(uri: &Uri, headers: &Fields) -> Option<Option<NodeId>> {
    greeting::asked_for(uri, headers)
}

/// Agrees to a link and serves it, once `request` was found signed.
pub(super) fn accept(
    request: &mut Request<Body>,
    engine: &Arc<Engine>,
    unwrap: Unwrap,
    passes: &Passes,
    guests: &Guests,
) -> Response<Body> {
    let (response, challenge) = greeting::agree();
    let (engine, passes, guests) = (Arc::clone(engine), passes.clone(), guests.clone());
    let upgrade = http1::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            far::serve(unwrap(upgraded), engine, passes, challenge, guests).await;
        }
    });
    response
}
