//! Events that are acked with what they brought.

use std::time::Duration;

use super::{AT_ONCE, Bench, Failure, Figure, Progress, connect, lost};
use crate::generator::{Generator, Heard, Transport};

pub(super) const CLIENTS: usize = 100;
const COUNT: u64 = 60_000;
const PAD: &str = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut \
                   labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud";

/// Each client has one event under way.
pub(super) fn run(bench: &Bench, row: &'static str) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    let clients = connect(&mut generator, Transport::Websocket, CLIENTS, AT_ONCE)?;
    let mut next = vec![0; clients.len()];
    exchange(&mut generator, "echo", &mut next, COUNT / 10)?;
    let watch = bench.watch()?;
    exchange(&mut generator, "echo", &mut next, COUNT)?;
    Ok(vec![bench.figure(row, watch.end()?, COUNT, "")])
}

/// Sends an event that wants an ack.
pub(super) fn send(generator: &mut Generator, event: &str, client: usize, id: u64) -> Result<(), Failure> {
    Ok(generator.send(client, &format!(r#"42{id}["{event}",{}]"#, data(id)))?)
}

/// What an event brings.
pub(super) fn data(id: u64) -> String {
    format!(r#"{{"room":7,"n":{id},"pad":"{PAD}"}}"#)
}

/// Sends so many events, each client the next one when the one before is acked; `next` are their ids.
pub(super) fn exchange(
    generator: &mut Generator,
    event: &str,
    next: &mut [u64],
    count: u64,
) -> Result<(), Failure> {
    let (mut heard, mut progress) = (Vec::new(), Progress::new());
    for (client, id) in next.iter().enumerate() {
        send(generator, event, client, *id)?;
    }
    let (mut sent, mut done) = (next.len() as u64, 0);
    while done < count {
        generator.turn(Duration::from_secs(1), &mut heard)?;
        for (client, what) in &heard {
            let id = next.get_mut(*client).ok_or("no such client")?;
            match what {
                Heard::Ack(acked) if acked == id => *id += 1,
                Heard::Ack(acked) => return Err(format!("LOSS: ack {acked} instead of {id}").into()),
                _ => return Err(lost()),
            }
            done += 1;
            if sent < count {
                send(generator, event, *client, *id)?;
                sent += 1;
            }
        }
        progress.note(!heard.is_empty(), || format!("{} acks", count - done))?;
    }
    Ok(())
}
