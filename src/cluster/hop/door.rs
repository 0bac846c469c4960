//! Where other nodes send requests for this node's sessions.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use http::header::{CONNECTION, HOST, HeaderValue};

use super::link::{self, Guests};
use super::pass::{Passes, SIGNED};
use super::seal::{Owner, Seal};
use crate::body::Body;
use crate::cluster::NodeId;
use crate::engineio::{Caller, Engine, Refusal, Unwrap, refuse, session_id};
use crate::fault::Fault;
use crate::headers::{Forwarded, TrustedProxies};
use crate::message::{Fields, Request, Response};
use crate::telemetry::metrics;

/// Takes requests of other nodes for sessions of this one, and no others. What was decided where the client
/// came in (CORS, rates, who it is) is not decided again.
pub struct Door {
    passes: Passes,
    seal: Seal,
    own: NodeId,
    engine: Arc<Engine>,
    unwrap: Unwrap,
    guests: Guests,
}

impl Door {
    /// The way to the sessions of `engine`, which are `own`. `secrets`: those that nodes may know, the newest
    /// first. `unwrap` finds the socket under a link, which `guests` ends.
    pub fn new(secrets: &[String], own: NodeId, engine: Arc<Engine>, unwrap: Unwrap, guests: Guests) -> Door {
        let (passes, seal) = (Passes::new(secrets), Seal::new(secrets, own));
        Door { passes, seal, own, engine, unwrap, guests }
    }

    /// Answers a request that came to the listener for nodes.
    pub async fn answer(&self, request: &mut Request<Body>) -> Response<Body> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        if let Err(why) = self.passes.check(request.method(), target, request.headers()) {
            metrics::cluster_served("refused");
            tracing::warn!(?why, "a request to cluster.node.listen is none of a node");
            return Fault::new(
                StatusCode::UNAUTHORIZED,
                "not_a_node",
                "this is for the cluster's nodes alone",
            )
            .with_header(CONNECTION, HeaderValue::from_static("close"))
            .into_response("");
        }
        if let Some(to) = link::asked_for(request.uri(), request.headers()) {
            return self.link(request, to);
        }
        // Sessions are opened where their clients come in.
        let Some(id) = session_id(request.uri()) else {
            metrics::cluster_served("no_session");
            return refuse(Refusal::BadRequest);
        };
        if let Owner::There(owner) = self.seal.owner(&id) {
            astray(owner);
        } else {
            metrics::cluster_served("ok");
        }
        let said = Said::of(request.headers());
        self.engine.call(request, || said.caller()).await
    }

    /// Opens a link for another node that asks for this one.
    fn link(&self, request: &mut Request<Body>, to: Option<NodeId>) -> Response<Body> {
        match to {
            Some(to) if to == self.own => {
                link::accept(request, &self.engine, self.unwrap, &self.passes, &self.guests)
            }
            Some(to) => {
                astray(to);
                let not_here = "the node that is asked for is not here";
                Fault::new(StatusCode::MISDIRECTED_REQUEST, "another_node", not_here).into_response("")
            }
            None => refuse(Refusal::BadRequest),
        }
    }
}

/// A node takes this one for another.
fn astray(owner: NodeId) {
    tracing::error!(%owner, "another node's request came here: do two have one cluster.node.advertise?");
    metrics::cluster_served("astray");
}

/// What the other node says of the client.
struct Said([Option<HeaderValue>; 4]);

impl Said {
    fn of(headers: &Fields) -> Said {
        Said(SIGNED.map(|name| headers.get(name).cloned()))
    }

    fn caller(&self) -> Caller {
        let [client, proto, host, id] = &self.0;
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let client = text(client).parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let mut headers = Fields::new();
        headers.extend(host.clone().map(|host| (HOST, host)));
        let secure = proto.as_ref().is_some_and(|proto| proto == "https");
        let forwarded = Forwarded::identify(client, secure, &headers, &TrustedProxies::default());
        Caller { forwarded, request_id: text(id) }
    }
}
