//! Whether the namespace lets this client in, and if not, in whose words.

use serde_json::Value;

use super::Polling;
use crate::doctor::advice::Problem;
use crate::doctor::client::{Client, Jar, PATIENCE, Trouble};
use crate::doctor::report::Finding;
use crate::doctor::wire::{Came, NoWire, Wire};

const CHECK: &str = "namespace";

/// Enters the namespace with the token.
pub(in crate::doctor) async fn check(client: &Client, polling: bool) -> Finding {
    let namespace = &client.site.namespace;
    match reply(client, polling).await {
        Ok(Some(packet)) if packet.starts_with("40") => {
            Finding::ok(CHECK, format!("{namespace} lets this client in"))
        }
        Ok(Some(packet)) => {
            let seen = format!("connect_error in {namespace}: {}", reason(&packet));
            Finding::fail(CHECK, seen).because(Problem::ConnectRefused)
        }
        Ok(None) => Finding::fail(CHECK, format!("{namespace}: no answer to CONNECT"))
            .because(Problem::ConnectRefused),
        Err(trouble) => Finding::fail(CHECK, trouble.to_string()).because(Problem::BadGateway),
    }
}

/// The CONNECT or CONNECT_ERROR packet, with its Engine.IO type.
async fn reply(client: &Client, polling: bool) -> Result<Option<String>, Trouble> {
    let is_reply = |packet: &str| packet.starts_with("40") || packet.starts_with("44");
    if !polling {
        let target = client.site.engine("EIO=4&transport=websocket");
        let mut wire = match Wire::open(client, &target, &mut Jar::default()).await {
            Ok(wire) => wire,
            Err(NoWire::Trouble(trouble)) => return Err(trouble),
            Err(NoWire::Refused(answer)) => return Err(Trouble::Broken(answer.shown())),
        };
        wire.send(&client.site.connect_packet()).await?;
        let came = wire.find(PATIENCE, is_reply).await;
        wire.close().await;
        return Ok(match came {
            Came::Packet(packet) => Some(packet),
            Came::End(_) | Came::Nothing => None,
        });
    }
    let Some(mut session) = Polling::open(client).await? else { return Ok(None) };
    session.post(&client.site.connect_packet()).await?;
    let answer = session.get(|ask| ask).await?;
    session.close().await;
    Ok(answer.text().split('\u{1e}').find(|packet| is_reply(packet)).map(str::to_owned))
}

/// The refusal's message, and the `code` in its data.
fn reason(packet: &str) -> String {
    let json = packet.find('{').and_then(|at| packet.get(at..)).unwrap_or_default();
    let error: Value = serde_json::from_str(json).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    match error.pointer("/data/code").and_then(Value::as_str) {
        Some(code) => format!("`{message}` ({code})"),
        None => format!("`{message}`"),
    }
}
