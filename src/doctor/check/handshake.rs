//! The first polling request: what answers on the path, and in which protocol.

use http::header::LOCATION;

use super::POLLING;
use crate::doctor::advice::Problem;
use crate::doctor::answer::{Answer, Opening};
use crate::doctor::client::PATIENCE;
use crate::doctor::client::{Ask, Client, Jar};
use crate::doctor::report::Finding;
use crate::doctor::wire::{Came, NoWire, Wire};

const CHECK: &str = "polling handshake";

/// What the handshake showed.
pub(in crate::doctor) struct Handshake {
    pub(in crate::doctor) findings: Vec<Finding>,
    /// What the server said of itself, by whichever transport.
    pub(in crate::doctor) opening: Option<Opening>,
    /// Whether polling works.
    pub(in crate::doctor) polling: bool,
}

impl Handshake {
    fn failed(finding: Finding) -> Handshake {
        Handshake { findings: vec![finding], opening: None, polling: false }
    }
}

/// Opens a session by polling, as clients do by default.
pub(in crate::doctor) async fn check(client: &Client) -> Handshake {
    let site = &client.site;
    let answer = match client.ask(Ask::get(site.engine(POLLING)), &mut Jar::default()).await {
        Ok(answer) => answer,
        Err(trouble) => {
            let finding = Finding::fail(CHECK, trouble.to_string()).because(Problem::BadGateway);
            return Handshake::failed(finding);
        }
    };
    if let Some(opening) = Opening::read(&answer.text()) {
        let seen = format!(
            "200, Engine.IO 4, pings every {}, answers wanted within {}, upgrades: {}",
            seconds(opening.ping_interval),
            seconds(opening.ping_timeout),
            if opening.upgrades.is_empty() { "none".to_owned() } else { opening.upgrades.join(", ") },
        );
        let findings = vec![Finding::ok(CHECK, seen), protocol(client).await];
        return Handshake { findings, opening: Some(opening), polling: true };
    }
    // Engine.IO's own word for a transport that is switched off.
    if answer.engine_code() == Some(0)
        && let Some(opening) = by_websocket(client).await
    {
        let finding = Finding::warn(CHECK, "polling is switched off; pages need transports: [\"websocket\"]");
        return Handshake { findings: vec![finding], opening: Some(opening), polling: false };
    }
    Handshake::failed(diagnose(client, &answer).await.by(&answer))
}

/// Why there is no open packet.
async fn diagnose(client: &Client, answer: &Answer) -> Finding {
    let site = &client.site;
    let fail = |seen: String, problem| Finding::fail(CHECK, seen).because(problem);
    if answer.is_protocol_3() || answer.engine_code() == Some(5) {
        let seen = format!("the server does not speak Engine.IO 4: {}", answer.shown());
        return fail(seen, Problem::OldProtocol);
    }
    if answer.status.is_redirection() {
        let to = answer.value(LOCATION.as_str()).unwrap_or("nowhere");
        return fail(format!("{} to {to}", answer.status.as_u16()), Problem::Redirected);
    }
    if matches!(answer.status.as_u16(), 502..=504 | 520..=526) {
        return fail(answer.shown(), Problem::BadGateway);
    }
    if answer.status.as_u16() == 403 || answer.engine_code() == Some(4) {
        let origin = site.origin.as_deref().unwrap_or("(none)");
        return fail(format!("Origin {origin} is refused: {}", answer.shown()), Problem::CorsMissing);
    }
    let doubled = format!("{0}{0}/?{POLLING}", site.path);
    let below = client.ask(Ask::get(doubled), &mut Jar::default()).await;
    if below.is_ok_and(|answer| Opening::read(&answer.text()).is_some() || answer.is_protocol_3()) {
        let seen = format!("{} here, but {1}{1} is answered by Socket.IO", answer.status.as_u16(), site.path);
        return fail(seen, Problem::PrefixStripped);
    }
    if let Some(seen) = shortened(site.path.as_str(), answer) {
        return fail(seen, Problem::PrefixStripped);
    }
    let who = match (answer.is_html(), answer.status.as_u16()) {
        (_, 404) => "the backend's own 404",
        (true, _) => "a page, not Socket.IO",
        _ => "no Socket.IO answer",
    };
    fail(format!("{who}: {}", answer.shown()), Problem::NoSocketIo)
}

/// Routers tell in their 404 which path reached them: `Cannot GET /?EIO=4`.
fn shortened(path: &str, answer: &Answer) -> Option<String> {
    let text = answer.text();
    let reached = text.split("Cannot GET ").nth(1)?;
    let reached = reached.split(['"', '<', ' ', '\n', '?']).next()?;
    let shorter = reached.trim_end_matches('/') != path && !reached.starts_with(&format!("{path}/"));
    (shorter && answer.status.as_u16() == 404)
        .then(|| format!("404, and what reached the backend was `{reached}` instead of `{path}/`"))
}

/// Whether clients 1.x and 2.x are served as well.
async fn protocol(client: &Client) -> Finding {
    let old = client.site.engine("EIO=3&transport=polling");
    let served = client.ask(Ask::get(old), &mut Jar::default()).await.is_ok_and(|old| old.is_protocol_3());
    let seen = match served {
        true => "Engine.IO 4 and 3: socket.io-client 1.x to 4.x",
        false => "Engine.IO 4: socket.io-client 3.x and 4.x; older ones are refused",
    };
    Finding::ok("protocol version", seen)
}

async fn by_websocket(client: &Client) -> Option<Opening> {
    let target = client.site.engine("EIO=4&transport=websocket");
    let mut wire = match Wire::open(client, &target, &mut Jar::default()).await {
        Ok(wire) => wire,
        Err(NoWire::Refused(_) | NoWire::Trouble(_)) => return None,
    };
    let Came::Packet(packet) = wire.next(PATIENCE).await else { return None };
    wire.close().await;
    Opening::read(&packet)
}

fn seconds(milliseconds: u64) -> String {
    format!("{:?}", std::time::Duration::from_millis(milliseconds))
}
