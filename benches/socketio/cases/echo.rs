//! Events that are acked with what they brought.

use std::time::Duration;

use super::{AT_ONCE, Bench, Failure, Figure, Progress, connect, lost};
use crate::generator::{Generator, Heard, Transport};

const CLIENTS: usize = 100;
const COUNT: u64 = 60_000;
const PAD: &str = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut \
                   labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud";

/// Each client has one event under way.
pub(super) fn run(bench: &Bench, row: &'static str) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    let clients = connect(&mut generator, Transport::Websocket, CLIENTS, AT_ONCE)?;
    let mut next = vec![0; clients.len()];
    echo(&mut generator, &mut next, COUNT / 10)?;
    let watch = bench.watch()?;
    echo(&mut generator, &mut next, COUNT)?;
    Ok(vec![bench.figure(row, watch.end()?, COUNT, "")])
}

fn send(generator: &mut Generator, client: usize, id: u64) -> Result<(), Failure> {
    Ok(generator.send(client, &format!(r#"42{id}["echo",{{"n":{id},"pad":"{PAD}"}}]"#))?)
}

fn echo(generator: &mut Generator, next: &mut [u64], count: u64) -> Result<(), Failure> {
    let (mut heard, mut progress) = (Vec::new(), Progress::new());
    for (client, id) in next.iter().enumerate() {
        send(generator, client, *id)?;
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
                send(generator, *client, *id)?;
                sent += 1;
            }
        }
        progress.note(!heard.is_empty(), || format!("{} acks", count - done))?;
    }
    Ok(())
}
