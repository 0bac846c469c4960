//! An upstream that closes idle connections at about the moment they are used again, thousands of times.

use std::collections::HashMap;
use std::time::Duration;

use crate::peer::Peer;
use crate::support::gateway::Gateway;
use crate::support::http::{connect, read, send};

/// Clients at the same time, and requests of each.
const CLIENTS: u64 = 4;
const REQUESTS: u64 = 1_250;

/// A number from 0 to below `bound`: splitmix64, so that a failure can be repeated.
fn random(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % bound
}

#[test]
fn no_get_is_lost_and_no_post_is_sent_twice() {
    let peer = Peer::start(|mut wire, number| {
        let mut state = number as u64;
        while wire.request().is_some() {
            if wire.answer(200, "ok").is_none() {
                return;
            }
            let patience = Duration::from_micros(50 + random(&mut state, 1500));
            wire.stream.get_ref().set_read_timeout(Some(patience)).unwrap();
        }
    });
    let gateway = Gateway::start_with(&["--workers", "2"], &format!("upstream: {}\n", peer.url()));
    let lost: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let address = gateway.address.clone();
                scope.spawn(move || storm(&address, client))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let mut ledger: HashMap<String, usize> = HashMap::new();
    let requests = peer.ledger.requests();
    for request in &requests {
        *ledger.entry(request.line.clone()).or_default() += 1;
    }
    let twice: Vec<_> =
        ledger.iter().filter(|(line, times)| line.starts_with("POST") && **times > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    let connections = peer.ledger.connections();
    assert!(connections > 100, "only {connections} connections died");
    eprintln!("{} requests over {connections} connections, {lost} POSTs lost", requests.len());
}

/// Asks again and again; POSTs that got 502.
fn storm(address: &str, client: u64) -> usize {
    let (stream, mut state, mut lost) = (connect(address), 1000 + client, 0);
    for turn in 0..REQUESTS {
        std::thread::sleep(Duration::from_micros(random(&mut state, 1500)));
        let post = random(&mut state, 3) == 0;
        let (method, body) = if post { ("POST", &b"once"[..]) } else { ("GET", &b""[..]) };
        send(&stream, method, &format!("/{client}/{turn}"), &[], body);
        let answer = read(&stream);
        assert!(answer.status == 200 || (post && answer.status == 502), "{method}: {answer:?}");
        lost += usize::from(answer.status != 200);
    }
    lost
}
