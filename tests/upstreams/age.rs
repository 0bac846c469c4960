//! How long a connection to an upstream is used.

use crate::peer::Peer;
use crate::server::Server;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, send};

fn site(endpoint: &str) -> Gateway {
    Gateway::start_with(
        &["--workers", "1"],
        &format!(
            "upstreams: {{api: {{endpoints: '{endpoint}', max_connection_age: 300ms}}}}\nroutes: [{{upstream: api}}]\n"
        ),
    )
}

/// Asks without a pause until another connection has been opened.
fn until_another(gateway: &Gateway, connections: impl Fn() -> usize) {
    let before = connections();
    eventually("another connection is opened", || {
        assert_eq!(get(&gateway.address, "/").status, 200);
        (connections() > before).then_some(())
    });
}

#[test]
fn a_connection_that_is_too_old_is_not_used_again_though_it_never_idles() {
    let peer = Peer::named("up");
    let gateway = site(&peer.url());
    assert_eq!(get(&gateway.address, "/").status, 200);
    for _ in 0..3 {
        until_another(&gateway, || peer.ledger.connections());
    }
    let (connections, requests) = (peer.ledger.connections(), peer.ledger.requests().len());
    assert!(requests > connections, "{requests} requests over {connections} connections");
}

#[test]
fn over_http2_requests_that_are_on_an_old_connection_end_there() {
    let server = Server::h2c(100);
    let gateway = site(&format!("h2c://{}", server.address));
    let held = connect(&gateway.address);
    send(&held, "GET", "/held", &[], b"");
    eventually("it arrives", || (server.held() == 1).then_some(()));
    until_another(&gateway, || server.connections());
    server.allow(1);
    assert_eq!(read(&held).text(), "let go");
}
