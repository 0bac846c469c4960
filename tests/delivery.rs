//! Never a silent loss: who is slow is disconnected and counted, everybody else gets everything in order.

mod support;

use std::thread::JoinHandle;

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{connect, connect_narrow};
use support::polling::Polling;
use support::websocket::WebSocket;

const RULES: &str = r#"
  connect: {join: room}
  events:
    say: {emit: {event: said, to: room, data: "{{ data }}"}}
    hint: {emit: {event: said, to: room, except: "{{ socket.id }}", data: "{{ data }}", volatile: true}, ack: true}
"#;

fn gateway(arguments: &[&str], socketio: &str) -> Gateway {
    let backend = Backend::empty();
    Gateway::start_with(arguments, &format!("upstream: {}\nsocketio:\n{socketio}{RULES}", backend.url))
}

fn said(number: usize) -> String {
    format!(r#"42["said",{number}]"#)
}

/// Reads `count` numbers on each of the sockets, which must come in order.
fn listen(mut sockets: Vec<WebSocket>, count: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for socket in &mut sockets {
            (0..count).for_each(|number| assert_eq!(socket.text(), said(number)));
        }
    })
}

/// Polls until `count` numbers have come.
fn listen_polling(client: Polling, count: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut expected = 0;
        while expected < count {
            for packet in client.get().text().split('\x1e') {
                if packet == "2" {
                    client.post("3");
                } else {
                    assert_eq!(packet, said(expected));
                    expected += 1;
                }
            }
        }
    })
}

#[test]
fn three_hundred_broadcasts_in_flight_reach_six_hundred_clients_in_order() {
    for workers in ["1", "2"] {
        let gateway = gateway(&["--workers", workers], "");
        let mut listeners: Vec<_> = (0..4)
            .map(|_| listen((0..150).map(|_| WebSocket::connect(&gateway.address)).collect(), 300))
            .collect();
        listeners.extend((0..10).map(|_| listen_polling(Polling::connect(&gateway.address), 300)));
        let mut speaker = WebSocket::connect(&gateway.address);
        (0..300).for_each(|number| speaker.send(&format!(r#"42["say",{number}]"#)));
        (0..300).for_each(|number| assert_eq!(speaker.text(), said(number)));
        for listener in listeners {
            listener.join().expect("everything, in order");
        }
        assert_eq!(gateway.metric("frontroom_deliveries_total"), 300 * 611);
        assert_eq!(gateway.metric("frontroom_slow_consumers_total"), 0);
    }
}

#[test]
fn a_slow_consumer_is_disconnected_and_counted_and_nobody_else() {
    let gateway = gateway(&[], "  send_queue: {max_bytes: 300KB}\n");
    let (mut stuck, _) = WebSocket::join(connect_narrow(&gateway.address));
    // Who does not poll is as slow.
    let idle = Polling::connect(&gateway.address);
    let mut healthy: Vec<_> = (0..5).map(|_| WebSocket::connect(&gateway.address)).collect();
    let mut speaker = WebSocket::connect(&gateway.address);
    for number in 0..200 {
        let text = format!("{number}{}", "x".repeat(50_000));
        speaker.send(&format!(r#"42["say","{text}"]"#));
        for socket in healthy.iter_mut().chain([&mut speaker]) {
            assert_eq!(socket.text(), format!(r#"42["said","{text}"]"#));
        }
    }
    assert_eq!(gateway.metric("frontroom_slow_consumers_total"), 2);
    assert_eq!(gateway.metric(r#"frontroom_disconnects_total{reason="slow consumer"}"#), 2);
    assert!(!idle.is_known());
    // What it was sent before came in order and whole; then its connection ended.
    let mut received = 0;
    while let Some((1, frame)) = stuck.next() {
        assert!(frame.starts_with(format!(r#"42["said","{received}x"#).as_bytes()));
        received += 1;
    }
    assert!(received < 200, "{received}");
}

#[test]
fn volatile_events_that_are_dropped_are_counted() {
    let gateway = gateway(&[], "  send_queue: {max_bytes: 300KB}\n");
    let (_stuck, _) = WebSocket::join(connect_narrow(&gateway.address));
    let mut healthy = WebSocket::connect(&gateway.address);
    let mut speaker = WebSocket::join(connect(&gateway.address)).0;
    for number in 0..200 {
        let text = format!("{number}{}", "x".repeat(50_000));
        speaker.send(&format!(r#"421["hint","{text}"]"#));
        assert_eq!(speaker.text(), "431[true]");
        assert_eq!(healthy.text(), format!(r#"42["said","{text}"]"#));
    }
    let dropped = gateway.metric(r#"frontroom_dropped_total{reason="volatile"}"#);
    assert!(dropped > 0, "the stuck one was not ready for all of them");
    assert_eq!(dropped + gateway.metric("frontroom_deliveries_total"), 400);
    assert_eq!(gateway.metric("frontroom_slow_consumers_total"), 0);
}

#[test]
fn volatile_events_give_way_where_told_so() {
    let gateway = gateway(&[], "  send_queue: {max_bytes: 10KB, on_full: drop_volatile_then_disconnect}\n");
    let client = Polling::connect(&gateway.address);
    let mut speaker = WebSocket::connect(&gateway.address);
    let text = "x".repeat(6_000);
    // The first waits, as nothing else does; then something must go that is not volatile.
    speaker.send(&format!(r#"421["hint","{text}"]"#));
    assert_eq!(speaker.text(), "431[true]");
    speaker.send(&format!(r#"42["say","{text}"]"#));
    speaker.text();
    eventually("it is counted", || {
        (gateway.metric(r#"frontroom_dropped_total{reason="volatile"}"#) == 1).then_some(())
    });
    assert_eq!(client.get().text(), format!(r#"42["said","{text}"]"#));
    assert_eq!(gateway.metric("frontroom_slow_consumers_total"), 0);
}
