//! What is done for an upstream without a request: health checks, and looking names up again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use http::Uri;
use http::header::{CONNECTION, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use tokio::time::{sleep, timeout};

use super::Upstream;
use super::body::outgoing;
use super::endpoint::{Endpoint, Lease};
use super::gate::Gate;
use super::request::{for_http1, for_http2};
use crate::body::Body;
use crate::message::Request;

/// How often it is looked whether a name is due.
const LOOK: Duration = Duration::from_secs(1);

/// Asking endpoints whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What is asked for.
    pub(super) target: PathAndQuery,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// Failed checks in a row.
    pub(super) unhealthy_after: u32,
    /// Good checks in a row.
    pub(super) healthy_after: u32,
}

/// Looks after an upstream for as long as somebody has it. Each endpoint is checked by a task of its
/// own, so that a slow one does not delay the others.
pub(super) async fn tend(upstream: Weak<Upstream>) {
    if let Some(upstream) = upstream.upgrade() {
        upstream.group.publish();
        let checks = upstream
            .check
            .iter()
            .flat_map(|check| upstream.group.endpoints.iter().map(move |endpoint| (check, endpoint)));
        for (check, endpoint) in checks {
            tokio::spawn(watch(check.clone(), Arc::downgrade(&upstream), Arc::clone(endpoint)));
        }
    }
    while let Some(upstream) = upstream.upgrade() {
        let names = upstream.group.endpoints.iter().filter_map(|endpoint| endpoint.resolver.as_ref());
        join_all(names.map(|resolver| resolver.keep_up())).await;
        drop(upstream);
        sleep(LOOK).await;
    }
}

/// Checks one endpoint again and again, beginning at once.
async fn watch(check: Check, upstream: Weak<Upstream>, endpoint: Arc<Endpoint>) {
    let (mut good, mut bad) = (0, 0);
    while let Some(upstream) = upstream.upgrade() {
        let passed =
            timeout(check.timeout, ask(&endpoint, &check.target, check.timeout)).await.unwrap_or(false);
        (good, bad) = if passed { (good + 1, 0) } else { (0, bad + 1) };
        let news = (good >= check.healthy_after && endpoint.standing.set_healthy(true))
            || (bad >= check.unhealthy_after && endpoint.standing.set_healthy(false));
        if news {
            tracing::warn!(
                upstream = upstream.name,
                endpoint = endpoint.name,
                healthy = passed,
                "health check"
            );
            upstream.group.publish();
        }
        drop(upstream);
        // A tenth of jitter keeps several frontrooms from asking in step.
        sleep(check.interval.mul_f64(rand::random_range(0.95..1.05))).await;
    }
}

/// Whether the endpoint answers 200 to 399, over a connection of its own that counts against no bound.
async fn ask(endpoint: &Endpoint, target: &PathAndQuery, limit: Duration) -> bool {
    let Some(slot) = Gate::new(1, 0).slot() else { return false };
    let Ok(mut lease) = endpoint.open_connection(slot, false).await else { return false };
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = Uri::from(target.clone());
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("frontroom health check"));
    let status = match &mut lease {
        Lease::Http1(connection) => {
            for_http1(&mut request, endpoint.authority());
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            connection.exchange(&mut request, false, limit).await.ok().map(|answer| answer.status())
        }
        Lease::Http2(place) => {
            let request = for_http2(&request, &endpoint.scheme(), endpoint.authority());
            let request = request.map(|()| outgoing(Body::Empty).0);
            place.send(request).await.ok().map(|response| response.status())
        }
    };
    status.is_some_and(|status| status.is_success() || status.is_redirection())
}
