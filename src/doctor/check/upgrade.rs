//! WebSockets: opened at once, and as the upgrade of a polling session.

use std::time::Duration;

use super::Polling;
use crate::doctor::advice::Problem;
use crate::doctor::answer::{Answer, Opening};
use crate::doctor::client::{Client, Jar, PATIENCE};
use crate::doctor::report::Finding;
use crate::doctor::wire::{Came, NoWire, Wire};

const DIRECT: &str = "websocket";
const UPGRADE: &str = "upgrade";

/// How long a hop may swallow the first frames before it counts as one that does not pass them.
const PROBE: Duration = Duration::from_secs(5);

/// Opens a WebSocket both ways.
pub(in crate::doctor) async fn check(client: &Client, polling: bool) -> Vec<Finding> {
    let mut findings = vec![direct(client).await];
    if polling {
        findings.push(upgrade(client).await);
    }
    findings
}

async fn direct(client: &Client) -> Finding {
    let target = client.site.engine("EIO=4&transport=websocket");
    let mut wire = match Wire::open(client, &target, &mut Jar::default()).await {
        Ok(wire) => wire,
        Err(refused) => return no_wire(DIRECT, refused),
    };
    let first = wire.next(PROBE).await;
    wire.close().await;
    match first {
        Came::Packet(packet) if Opening::read(&packet).is_some() => {
            Finding::ok(DIRECT, "101, and the open packet")
        }
        other => silent(DIRECT, "101, but no open packet", &other),
    }
}

async fn upgrade(client: &Client) -> Finding {
    let mut session = match Polling::open(client).await {
        Ok(Some(session)) => session,
        Ok(None) => return Finding::skip(UPGRADE, "the polling handshake worked only once"),
        Err(trouble) => return Finding::fail(UPGRADE, trouble.to_string()).because(Problem::BadGateway),
    };
    let target = session.target.replace("transport=polling", "transport=websocket");
    let mut wire = match Wire::open(client, &target, &mut session.jar).await {
        Ok(wire) => wire,
        Err(refused) => {
            let finding = no_wire(UPGRADE, refused);
            session.close().await;
            return finding;
        }
    };
    if wire.send("2probe").await.is_err() {
        return Finding::fail(UPGRADE, "101, but nothing can be sent").because(Problem::UpgradeLost);
    }
    let probed = wire.find(PROBE, |packet| packet == "3probe").await;
    if probed != Came::Packet("3probe".to_owned()) {
        return silent(UPGRADE, "101, but the probe is not answered", &probed);
    }
    let switched = async {
        wire.send("5").await?;
        wire.send(&client.site.connect_packet()).await?;
        Ok::<_, crate::doctor::client::Trouble>(wire.find(PATIENCE, |packet| packet.starts_with('4')).await)
    };
    let finding = match switched.await {
        Ok(Came::Packet(_)) => {
            Finding::ok(UPGRADE, "polling -> WebSocket: the Upgrade header survives every hop")
        }
        Ok(other) => silent(UPGRADE, "the probe passed, but nothing after the switch", &other),
        Err(trouble) => Finding::fail(UPGRADE, trouble.to_string()).because(Problem::UpgradeRefused),
    };
    wire.close().await;
    finding
}

/// A WebSocket that opened and carries nothing.
fn silent(check: &'static str, what: &str, came: &Came) -> Finding {
    let why = match came {
        Came::End(why) => why.as_str(),
        Came::Packet(_) => "another packet came",
        Came::Nothing => "nothing came",
    };
    Finding::fail(check, format!("{what}: {why}")).because(Problem::UpgradeLost)
}

/// No WebSocket: why, by what answered in its place.
fn no_wire(check: &'static str, refused: NoWire) -> Finding {
    let answer = match refused {
        NoWire::Trouble(trouble) => {
            return Finding::fail(check, trouble.to_string()).because(Problem::UpgradeRefused);
        }
        NoWire::Refused(answer) => answer,
    };
    Finding::fail(check, seen(&answer)).because(problem(&answer)).by(&answer)
}

/// Engine.IO answers code 3 to a WebSocket request that arrives without its Upgrade header; others,
/// which take it for polling, with the open packet or an unknown session.
fn problem(answer: &Answer) -> Problem {
    let lost =
        matches!(answer.engine_code(), Some(0 | 3)) || answer.status.is_success() || answer.status == 426;
    if answer.engine_code() == Some(1) {
        Problem::NoAffinity
    } else if lost {
        Problem::UpgradeLost
    } else {
        Problem::UpgradeRefused
    }
}

fn seen(answer: &Answer) -> String {
    match problem(answer) {
        Problem::UpgradeLost => format!("{}: the server did not see the Upgrade header", answer.shown()),
        _ => format!("no 101 but {}", answer.shown()),
    }
}
