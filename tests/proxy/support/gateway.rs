//! Server and proxy without any feature: every request goes to one upstream.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use frontroom::body::Body;
use frontroom::config::{Problems, file, value};
use frontroom::fault::Fault;
use frontroom::headers::{Forwarded, TrustedProxies};
use frontroom::message::{Request, Response};
use frontroom::proxy::{self, Context, HeadBounds};
use frontroom::server::{Crowd, Drain, Handle, Handler, Listener, Options, Peer, Terms, Workers};
use frontroom::upstream::Upstreams;
use http::HeaderValue;

use super::Wire;

/// How a test wants its gateway.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) upstream: file::Upstream,
    pub(crate) options: Options,
    pub(crate) max_body: Option<u64>,
    pub(crate) target: Option<String>,
    pub(crate) trusted: Vec<String>,
}

impl Setup {
    pub(crate) fn to(urls: &[String]) -> Setup {
        let mut setup = Setup::default();
        setup.upstream.endpoints = value::OneOrMany(urls.to_vec());
        setup
    }

    pub(crate) fn response_timeout(mut self, millis: u64) -> Setup {
        self.upstream.response_timeout = Some(value::Duration(Duration::from_millis(millis)));
        self
    }

    pub(crate) fn idle_timeout(mut self, millis: u64) -> Setup {
        self.upstream.idle_timeout = Some(value::Duration(Duration::from_millis(millis)));
        self
    }

    pub(crate) async fn start(self) -> Gateway {
        let mut problems = Problems::default();
        let mut raw = file::File::default();
        raw.upstreams.insert("default".into(), self.upstream.clone());
        let upstreams = Upstreams::build(&raw, &mut problems);
        let trusted = TrustedProxies::build(&value::OneOrMany(self.trusted.clone()), &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr();
        let drain = Drain::default();
        let options = self.options.clone();
        let handler = Arc::new(Plain { setup: self, upstreams, trusted });
        let (ended, end) = (drain.clone(), drain.clone());
        tokio::spawn(async move {
            // One worker, so that the number of upstream connections can be told.
            let workers = Workers::start(NonZero::new(1)).unwrap();
            let terms = Handle::new(Terms::plain(options));
            listener.run(handler, terms, &workers, (ended, Crowd::default())).await.unwrap();
            end.wait(Duration::from_secs(60)).await;
        });
        Gateway { address, drain }
    }
}

struct Plain {
    setup: Setup,
    upstreams: Upstreams,
    trusted: TrustedProxies,
}

impl Handler for Plain {
    async fn call(&self, request: &mut Request<Body>, peer: &Peer) -> Response<Body> {
        if let Some(refused) = peer.refused {
            return Fault::from(refused).into_response("the-id");
        }
        let Options { header_bytes: bytes, header_fields: fields, .. } = self.setup.options;
        if let Err(fault) = proxy::check(request, HeadBounds { bytes, fields }) {
            return fault.into_response("the-id");
        }
        if request.uri().path() == "*" {
            return proxy::asterisk();
        }
        let forwarded = Forwarded::identify(peer.addr.ip(), peer.secure, request.headers(), &self.trusted);
        let context = Context {
            forwarded: &forwarded,
            request_id: &HeaderValue::from_static("the-id"),
            target: self.setup.target.as_deref(),
            response_timeout: None,
            max_body: self.setup.max_body,
            claims: &[],
            tunnels: None,
        };
        let upstream = self.upstreams.get("default").unwrap();
        match proxy::forward(upstream, request, &context).await {
            Ok(response) => response,
            Err(fault) => fault.into_response("the-id"),
        }
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
}

impl Gateway {
    pub(crate) async fn before(backend: &super::Backend) -> Gateway {
        Setup::to(&[backend.url()]).start().await
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }
}
