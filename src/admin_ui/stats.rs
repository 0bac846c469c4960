//! `server_stats`: every two seconds, how many are here and what went over their connections.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::options::Options;
use super::shared::Shared;
use super::told;
use crate::engineio::{Engine, Reason, Totals};
use crate::json::Json;
use crate::socketio::{Hub, Outgoing};

/// Sums of so many seconds are told at once.
const SECONDS: u64 = 2;

/// One sum of one second.
#[derive(Debug, PartialEq)]
struct Sum {
    /// Milliseconds since 1970 of the second's begin.
    timestamp: u64,
    kind: &'static str,
    sub_type: Option<&'static str>,
    count: u64,
}

/// Tells them, for ever. What is counted belongs to the second that has just ended when it is read.
pub(super) async fn tell(shared: Arc<Shared>, hub: Arc<Hub>, engine: Arc<Engine>, clustered: bool) {
    let host = Host::new(clustered);
    let (mut before, mut sums) = (engine.traffic().totals(), Vec::new());
    loop {
        let now = since_1970();
        sleep(Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into())).await;
        let second = now.as_secs();
        let totals = engine.traffic().totals();
        sums.extend(grown(second * 1000, &before, &totals));
        before = totals;
        if !(second + 1).is_multiple_of(SECONDS) {
            continue;
        }
        let sums = std::mem::take(&mut sums);
        let force = shared.force.load_full();
        if let Some(force) = force.filter(|_| clustered || shared.has_guests()) {
            let stats = host.stats(&force.options, &hub, &engine, &sums);
            hub.run(&force.to_everybody(stats));
        }
    }
}

/// What was added between two readings.
fn grown(timestamp: u64, before: &Totals, now: &Totals) -> Vec<Sum> {
    let sum = |kind, before: u64, now: u64| Sum {
        timestamp,
        kind,
        sub_type: None,
        count: now.saturating_sub(before),
    };
    let ended = Reason::ALL.iter().zip(before.ended.iter().zip(&now.ended));
    let ended = ended.map(|(reason, (before, now))| Sum {
        sub_type: Some(word(*reason)),
        ..sum("rawDisconnection", *before, *now)
    });
    let mut sums = vec![
        sum("rawConnection", before.opened, now.opened),
        sum("packetsIn", before.packets_in, now.packets_in),
        sum("bytesIn", before.bytes_in, now.bytes_in),
        sum("packetsOut", before.packets_out, now.packets_out),
        sum("bytesOut", before.bytes_out, now.bytes_out),
    ];
    for one in ended {
        // Several of our reasons are one of Engine.IO's.
        match sums.iter_mut().find(|other| other.sub_type == one.sub_type && other.kind == one.kind) {
            Some(other) => other.count += one.count,
            None => sums.push(one),
        }
    }
    sums.retain(|sum| sum.count > 0);
    sums
}

/// Why a connection ended in the words of Node's Engine.IO, which does not tell ways of closing from one another.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::ForcedServerClose | Reason::ServerShuttingDown => Reason::ForcedClose.as_str(),
        other => other.as_str(),
    }
}

/// What stays the same.
struct Host {
    name: String,
    /// As which this node is shown where the config gives it no name.
    id: String,
    pid: u32,
    start: Instant,
}

impl Host {
    fn new(clustered: bool) -> Host {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        let id = if clustered { format!("{name}#{pid}") } else { name.clone() };
        Host { name, id, pid, start: Instant::now() }
    }

    fn stats(&self, options: &Options, hub: &Hub, engine: &Engine, sums: &[Sum]) -> Outgoing {
        let here = hub.count_sockets();
        let count =
            |name: &str| here.iter().find(|(other, _)| &**other == name).map_or(0, |(_, count)| *count);
        let dynamic = here.iter().map(|(name, _)| name).filter(|name| !options.namespaces.contains(name));
        let namespaces = options.namespaces.iter().chain(dynamic);
        let namespaces: Vec<Value> =
            namespaces.map(|name| json!({"name": name, "socketsCount": count(name)})).collect();
        let stats = json!({
            "serverId": options.server_id.as_ref().unwrap_or(&self.id),
            "hostname": self.name,
            "pid": self.pid,
            "uptime": self.start.elapsed().as_secs_f64(),
            "clientsCount": engine.sessions(),
            "pollingClientsCount": engine.polling_sessions(),
            "aggregatedEvents": sums.iter().map(Sum::written).collect::<Vec<_>>(),
            "namespaces": namespaces,
        });
        told::event("server_stats", vec![Json::from_value(&stats)])
    }
}

impl Sum {
    fn written(&self) -> Value {
        let mut written = json!({"timestamp": self.timestamp, "type": self.kind});
        if let (Some(written), Some(sub_type)) = (written.as_object_mut(), self.sub_type) {
            written.insert("subType".to_owned(), sub_type.into());
        }
        if let Some(written) = written.as_object_mut() {
            written.insert("count".to_owned(), self.count.into());
        }
        written
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_what_was_added_and_nothing_is_told_of_nothing() {
        let mut before = Totals { packets_in: 5, bytes_in: 50, ..Totals::default() };
        assert_eq!(grown(0, &before, &before), []);
        before.ended[5] = 1;
        let mut now = Totals { packets_in: 7, bytes_in: 90, opened: 1, ..before };
        now.ended[0] = 2;
        now.ended[5] = 2;
        now.ended[6] = 3;
        let written: Vec<String> =
            grown(3000, &before, &now).iter().map(|sum| sum.written().to_string()).collect();
        assert_eq!(
            written,
            [
                r#"{"timestamp":3000,"type":"rawConnection","count":1}"#,
                r#"{"timestamp":3000,"type":"packetsIn","count":2}"#,
                r#"{"timestamp":3000,"type":"bytesIn","count":40}"#,
                r#"{"timestamp":3000,"type":"rawDisconnection","subType":"transport close","count":2}"#,
                r#"{"timestamp":3000,"type":"rawDisconnection","subType":"forced close","count":4}"#,
            ]
        );
    }
}
