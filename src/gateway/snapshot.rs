//! One compiled config, swapped whole. What must survive a reload (sessions, rooms, pools) is not here.

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::Arc;

use super::route::{RouteEntry, Router};
use crate::config::{Problems, defaults, file};
use crate::cors::Policy;
use crate::credentials::Credentials;
use crate::headers::TrustedProxies;
use crate::proxy::HeadBounds;
use crate::rules::tap::Taps;
use crate::rules::{Destination, Resolve};
use crate::server::Options;
use crate::upstream::{Upstream, Upstreams};

/// What a request needs of the config.
pub struct Snapshot {
    cors: Policy,
    trusted: TrustedProxies,
    routes: Arc<Routes>,
    credentials: Arc<Credentials>,
    taps: Arc<Taps>,
    head: HeadBounds,
    access_log: bool,
    rate: Option<NonZero<u32>>,
}

impl Snapshot {
    /// Compiles the sections that no other house compiles.
    pub fn build(
        file: &file::File,
        routes: Arc<Routes>,
        credentials: Arc<Credentials>,
        taps: Arc<Taps>,
        problems: &mut Problems,
    ) -> Snapshot {
        Snapshot {
            cors: Policy::build(file.cors.as_ref(), problems),
            trusted: TrustedProxies::build(&file.trusted_proxies, problems),
            routes,
            credentials,
            taps,
            head: head_bounds(file),
            access_log: file.log.access.unwrap_or(defaults::LOG_ACCESS),
            rate: NonZero::new(
                file.limits.requests_per_second_per_ip.unwrap_or(defaults::LIMIT_REQUESTS_PER_SECOND_PER_IP),
            ),
        }
    }

    pub(super) fn cors(&self) -> &Policy {
        &self.cors
    }

    pub(super) fn trusted(&self) -> &TrustedProxies {
        &self.trusted
    }

    pub(super) fn router(&self) -> &Router {
        &self.routes.router
    }

    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Who must have a token, and what follows from it.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Begins what its upstreams do without requests, on the current runtime.
    pub(super) fn start(&self) {
        self.routes.upstreams.start();
    }

    pub(super) fn taps(&self) -> &Arc<Taps> {
        &self.taps
    }

    /// Bytes that a request's head may have.
    pub(super) fn head_bounds(&self) -> HeadBounds {
        self.head
    }

    /// Requests that a client may make in a second, where that is bounded.
    pub(super) fn rate(&self) -> Option<NonZero<u32>> {
        self.rate
    }

    pub(super) fn logs_access(&self) -> bool {
        self.access_log
    }
}

/// Whoever builds the listeners' terms complains of what is out of bounds.
fn head_bounds(file: &file::File) -> HeadBounds {
    let options = Options::build(&file.limits, &mut Problems::default());
    HeadBounds { bytes: options.header_bytes, fields: options.header_fields }
}

/// The routes and the upstreams they name.
#[derive(Debug)]
pub struct Routes {
    router: Router,
    upstreams: Upstreams,
}

impl Routes {
    /// Compiles `upstream`, `upstreams` and `routes`; see [`Upstreams::build_after`] for `previous`.
    pub fn build(file: &file::File, previous: Option<&Upstreams>, problems: &mut Problems) -> Routes {
        let upstreams = Upstreams::build_after(file, previous, problems);
        Routes { router: Router::build(file, problems), upstreams }
    }

    /// The upstreams by name.
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    pub(super) fn find(&self, host: &str, target: &str) -> Option<(&RouteEntry, &Arc<Upstream>)> {
        let route = self.router.route(host, target)?;
        Some((route, self.upstreams.get(&route.upstream)?))
    }
}

impl Resolve for Routes {
    fn resolve(&self, host: &str, path: &str) -> Option<Destination> {
        let (route, upstream) = self.find(host, path)?;
        Some(Destination {
            upstream: Arc::clone(upstream),
            path: match route.rewrite(path) {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path),
            },
            response_timeout: route.response_timeout,
        })
    }
}
