//! WebSockets that are not ours: bytes both ways, once the upstream has agreed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, StatusCode};

use super::response;
use super::splice::splice;
use super::tunnels::Tunnels;
use crate::body::Body;
use crate::fault::Fault;
use crate::headers::has_token;
use crate::http1::upgrade::{OnUpgrade, Upgraded};
use crate::message::Response;
use crate::telemetry::metrics;
use crate::upstream::{Stream, Switched};

/// Makes of the upstream's 101 the client's, and carries the bytes from then on, until none came for
/// `idle`, up to twice as long, or `tunnels` ends it. The client's socket counts as open until the tunnel ends.
pub(super) fn accept(
    client: OnUpgrade,
    mut response: Response<Body>,
    idle: Duration,
    tunnels: Option<&Tunnels>,
) -> Result<Response<Body>, Fault> {
    if !has_token(response.headers(), &UPGRADE, "websocket") {
        return Err(Fault::new(
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "the upstream switched to another protocol",
        ));
    }
    let upstream = Switched::take(&mut response);
    let mut response = response::prepare(response);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let listed = tunnels.map(Tunnels::enter);
    tokio::spawn(async move {
        let Some((upstream, said)) = upstream else { return };
        let Ok(client) = client.await else { return };
        let carried = tunnel(client, (upstream, said), idle);
        match listed {
            Some(mut listed) => tokio::select! {
                () = carried => {}
                () = listed.ended() => {}
            },
            None => carried.await,
        }
    });
    Ok(response)
}

/// Carries what the upstream has `said` already, then copies until both sides have ended, one has failed,
/// or nothing moves any more.
async fn tunnel(client: Upgraded, (upstream, said): (Stream, Bytes), idle: Duration) {
    let moved = AtomicBool::new(true);
    tokio::select! {
        result = splice(client, upstream, said, &moved) => if let Err(error) = result {
            tracing::debug!(%error, "tunnel broke");
        },
        () = standstill(&moved, idle) => {
            metrics::refused("upstreams.stream_idle_timeout");
            tracing::debug!("tunnel closed: nothing moved");
        }
    }
}

async fn standstill(moved: &AtomicBool, idle: Duration) {
    while moved.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(idle).await;
    }
}
