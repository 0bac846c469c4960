//! Broadcasts to rooms, at most so many of them under way.

use std::collections::VecDeque;
use std::time::Duration;

use super::{AT_ONCE, Bench, Failure, Figure, Progress, connect, join, lost};
use crate::generator::{Generator, Heard, Transport};

/// Fills an event up to some 200 bytes.
const PAD: &str = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut \
                   labore et dolore magna aliqua. Ut enim ad minim veniam, quis";

/// One room of 1000.
pub(super) fn one_room(
    bench: &Bench,
    row: &'static str,
    window: usize,
    count: u64,
) -> Result<Vec<Figure>, Failure> {
    run(bench, row, Transport::Websocket, (1, 1000), window, count)
}

/// More under way than a careless queue holds: 300 broadcasts to 600 clients.
pub(super) fn crowd(bench: &Bench, row: &'static str) -> Result<Vec<Figure>, Failure> {
    run(bench, row, Transport::Websocket, (1, 600), 300, 3000)
}

/// 500 rooms of 10.
pub(super) fn rooms(bench: &Bench, row: &'static str) -> Result<Vec<Figure>, Failure> {
    run(bench, row, Transport::Websocket, (500, 10), 16, 15_000)
}

/// One room of 500 that poll.
pub(super) fn polling(bench: &Bench, row: &'static str) -> Result<Vec<Figure>, Failure> {
    run(bench, row, Transport::Polling, (1, 500), 1, 100)
}

fn run(
    bench: &Bench,
    row: &'static str,
    transport: Transport,
    (rooms, size): (usize, usize),
    window: usize,
    count: u64,
) -> Result<Vec<Figure>, Failure> {
    let mut generator = bench.generator()?;
    connected(&mut generator, transport, (rooms, size))?;
    let mut house = House::new(rooms, size, window);
    house.broadcast(&mut generator, count / 10)?;
    let reads = generator.reads;
    let watch = bench.watch()?;
    house.broadcast(&mut generator, count)?;
    let used = watch.end()?;
    let deliveries = count * size as u64;
    let note = format!(", {:.1} deliveries a read", deliveries as f64 / (generator.reads - reads) as f64);
    Ok(vec![bench.figure(row, used, deliveries, &note)])
}

/// Connects the clients of all rooms, which join them.
pub(super) fn connected(
    generator: &mut Generator,
    transport: Transport,
    (rooms, size): (usize, usize),
) -> Result<(), Failure> {
    let clients = connect(generator, transport, rooms * size, AT_ONCE)?;
    let places: Vec<(usize, usize)> = clients.iter().map(|client| (*client, client % rooms)).collect();
    join(generator, &places)
}

/// A room: client `c` is in room `c % rooms`, and the room's first client sends.
struct Room {
    /// Broadcasts sent.
    sent: u64,
    /// Deliveries missing of the broadcasts under way, oldest first.
    missing: VecDeque<usize>,
}

/// All rooms, and what each client has heard.
pub(super) struct House {
    rooms: Vec<Room>,
    size: usize,
    window: usize,
    /// The number that each client must hear next.
    next: Vec<u64>,
}

impl House {
    /// Nothing was said yet; at most `window` broadcasts will be under way.
    pub(super) fn new(rooms: usize, size: usize, window: usize) -> House {
        let next = vec![0; rooms * size];
        let rooms = (0..rooms).map(|_| Room { sent: 0, missing: VecDeque::new() }).collect();
        House { rooms, size, window, next }
    }

    /// Sends broadcasts to the rooms in turn until all are delivered.
    pub(super) fn broadcast(&mut self, generator: &mut Generator, count: u64) -> Result<(), Failure> {
        let (mut sent, mut done) = (0, 0);
        let (mut heard, mut progress) = (Vec::new(), Progress::new());
        while done < count {
            while sent < count && sent - done < self.window as u64 {
                let turn = usize::try_from(sent)? % self.rooms.len();
                self.send(generator, turn)?;
                sent += 1;
            }
            generator.turn(Duration::from_secs(1), &mut heard)?;
            for (client, what) in &heard {
                match what {
                    Heard::Event(number) => done += self.hear(*client, *number)?,
                    Heard::Lost => return Err(lost()),
                    _ => {}
                }
            }
            let missing = || self.rooms.iter().flat_map(|room| &room.missing).sum::<usize>();
            progress.note(!heard.is_empty(), || format!("{} deliveries", missing()))?;
        }
        Ok(())
    }

    fn send(&mut self, generator: &mut Generator, turn: usize) -> Result<(), Failure> {
        let Some(room) = self.rooms.get_mut(turn) else { return Ok(()) };
        let number = room.sent;
        room.sent += 1;
        room.missing.push_back(self.size);
        let packet = format!(r#"42["broadcast",{{"n":{number},"room":"r{turn}","pad":"{PAD}"}}]"#);
        Ok(generator.send(turn, &packet)?)
    }

    /// Notes a delivery; how many broadcasts it completed.
    fn hear(&mut self, client: usize, number: u64) -> Result<u64, Failure> {
        let rooms = self.rooms.len();
        let room = self.rooms.get_mut(client % rooms).ok_or("no such room")?;
        let next = self.next.get_mut(client).ok_or("no such client")?;
        if *next != number {
            return Err(format!("LOSS: client {client} heard {number} instead of {next}").into());
        }
        *next += 1;
        let oldest = room.sent - room.missing.len() as u64;
        let missing =
            room.missing.get_mut(usize::try_from(number - oldest)?).ok_or("heard before it was said")?;
        *missing -= 1;
        let mut done = 0;
        while room.missing.front() == Some(&0) {
            room.missing.pop_front();
            done += 1;
        }
        Ok(done)
    }
}
