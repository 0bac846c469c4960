//! Pings against idle timeouts: does an idle connection live until the next ping, by each transport?

use std::time::{Duration, Instant};

use super::Polling;
use crate::doctor::advice::Problem;
use crate::doctor::answer::Opening;
use crate::doctor::client::{Client, Jar, Trouble};
use crate::doctor::report::Finding;
use crate::doctor::wire::{Came, Wire};

const CHECK: &str = "ping";

/// What a ping may be late by.
const SLACK: Duration = Duration::from_secs(3);

/// Longest ping interval that is waited for without a namespace: then the server itself ends the session.
const MAX_OUTSIDE: Duration = Duration::from_secs(40);

/// Longest ping interval that is waited for.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Enters the namespace and sits still until a ping comes.
pub(in crate::doctor) async fn check(client: &Client, opening: Option<&Opening>) -> Vec<Finding> {
    let Some(opening) = opening else { return Vec::new() };
    let interval = Duration::from_millis(opening.ping_interval);
    if interval > MAX_WAIT {
        let seen = format!("not waited for: pings come every {interval:?}, more than most proxies wait");
        return vec![Finding::warn(CHECK, seen)];
    }
    let (polling, websocket) =
        tokio::join!(by_polling(client, interval, opening), by_websocket(client, interval));
    polling.into_iter().chain(websocket).collect()
}

async fn by_websocket(client: &Client, interval: Duration) -> Option<Finding> {
    let target = client.site.engine("EIO=4&transport=websocket");
    let mut wire = Wire::open(client, &target, &mut Jar::default()).await.ok()?;
    let _ = wire.send(&client.site.connect_packet()).await;
    let opened = Instant::now();
    let finding = loop {
        match wire.next((interval + SLACK).saturating_sub(opened.elapsed())).await {
            Came::Packet(packet) if packet == "2" => break ok("websocket", opened.elapsed()),
            Came::Packet(packet) if packet.starts_with("44") && interval > MAX_OUTSIDE => return None,
            Came::Packet(_) => {}
            Came::End(why) => break cut("websocket", opened.elapsed(), interval, &why),
            Came::Nothing => break missing("websocket", interval),
        }
    };
    wire.close().await;
    Some(finding)
}

async fn by_polling(client: &Client, interval: Duration, opening: &Opening) -> Option<Finding> {
    if opening.sid.is_empty() {
        return None;
    }
    let mut session = Polling::open(client).await.ok()??;
    if !session.post(&client.site.connect_packet()).await.ok()?.status.is_success() {
        return None;
    }
    let opened = Instant::now();
    let finding = loop {
        let left = (interval + SLACK).saturating_sub(opened.elapsed());
        match session.get(|ask| ask.patience(left)).await {
            Ok(answer) if answer.engine_code().is_some() => return None,
            Ok(answer) if !answer.status.is_success() => {
                break cut("polling", opened.elapsed(), interval, &answer.shown()).by(&answer);
            }
            Ok(answer) if answer.text().split('\u{1e}').any(|packet| packet == "2") => {
                break ok("polling", opened.elapsed());
            }
            Ok(answer) if answer.text().starts_with("44") && interval > MAX_OUTSIDE => return None,
            Ok(_) => {}
            Err(Trouble::Slow(..)) => break missing("polling", interval),
            Err(trouble) => break cut("polling", opened.elapsed(), interval, &trouble.to_string()),
        }
    };
    session.close().await;
    Some(finding)
}

fn ok(transport: &str, after: Duration) -> Finding {
    Finding::ok(
        CHECK,
        format!("{transport}: a ping after {:.1} s on an idle connection", after.as_secs_f64()),
    )
}

fn missing(transport: &str, interval: Duration) -> Finding {
    Finding::fail(CHECK, format!("{transport}: no ping within {:?}", interval + SLACK))
        .because(Problem::IdleTimeout)
}

fn cut(transport: &str, after: Duration, interval: Duration, why: &str) -> Finding {
    let after = after.as_secs_f64();
    let seen = format!(
        "{transport}: cut after {after:.1} s of silence ({why}); pings come every {:.1} s",
        interval.as_secs_f64()
    );
    Finding::fail(CHECK, seen).because(Problem::IdleTimeout)
}
