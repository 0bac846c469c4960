//! Which endpoint gets a request, and which gets none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::peer::{Peer, Request, refusing};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::get;

fn endpoints(gateway: &Gateway, state: &str) -> u64 {
    gateway.metric(&format!("frontroom_upstream_endpoints{{upstream=\"api\",state=\"{state}\"}}"))
}

fn site(endpoints: &[&str], more: &str) -> Gateway {
    Gateway::start(&format!(
        "upstreams:\n  api:\n    endpoints: [{}]\n{more}routes: [{{upstream: api}}]\n",
        endpoints.join(", ")
    ))
}

/// An endpoint that answers nothing until the gate is opened.
fn held(gate: &Arc<RwLock<()>>) -> Peer {
    let gate = Arc::clone(gate);
    Peer::answering(move |_| {
        drop(gate.read());
        (200, String::new())
    })
}

#[test]
fn requests_in_turn_go_to_all_endpoints_alike() {
    let peers = [Peer::named("a"), Peer::named("b"), Peer::named("c")];
    let urls = peers.each_ref().map(Peer::url);
    let gateway = site(&urls.each_ref().map(String::as_str), "");
    for _ in 0..60 {
        assert_eq!(get(&gateway.address, "/").status, 200);
    }
    assert_eq!(peers.each_ref().map(|peer| peer.ledger.count()), [20, 20, 20]);
}

#[test]
fn requests_in_flight_spread_over_all_endpoints() {
    for balance in ["least_requests", "peak_ewma"] {
        let gate = Arc::new(RwLock::new(()));
        let closed = gate.write().unwrap();
        let peers = [held(&gate), held(&gate), held(&gate)];
        let urls = peers.each_ref().map(Peer::url);
        let gateway = site(&urls.each_ref().map(String::as_str), &format!("    balance: {balance}\n"));
        let counts = || peers.each_ref().map(|peer| peer.ledger.count());
        std::thread::scope(|scope| {
            for sent in 1..=24_usize {
                scope.spawn(|| assert_eq!(get(&gateway.address, "/").status, 200));
                eventually("it has come", || (counts().iter().sum::<usize>() == sent).then_some(()));
            }
            let counts = counts();
            drop(closed);
            // Of two at random the idler is taken: none falls far behind (and four of 24 is far).
            assert!(counts.iter().all(|count| *count >= 4), "{balance}: {counts:?}");
        });
    }
}

#[test]
fn a_busy_endpoint_is_passed_over_while_another_is_idle() {
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().unwrap();
    let holding = Arc::clone(&gate);
    let holds = move |request: &Request| {
        if request.line.contains("/hold") {
            drop(holding.read());
        }
        (200, String::new())
    };
    let peers = [Peer::answering(holds.clone()), Peer::answering(holds)];
    let urls = peers.each_ref().map(Peer::url);
    let gateway = site(&urls.each_ref().map(String::as_str), "    balance: least_requests\n");
    let counts = || peers.each_ref().map(|peer| peer.ledger.count());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(get(&gateway.address, "/hold").status, 200));
        let before = eventually("one is busy", || {
            let counts = counts();
            (counts.iter().sum::<usize>() == 1).then_some(counts)
        });
        (0..40).for_each(|_| assert_eq!(get(&gateway.address, "/").status, 200));
        let after = counts();
        drop(closed);
        assert_eq!(after, before.map(|busy| if busy == 1 { 1 } else { 40 }));
    });
}

#[test]
fn an_endpoint_that_was_slow_is_passed_over() {
    let slow = Peer::answering(|_| {
        std::thread::sleep(Duration::from_secs(1));
        (200, String::new())
    });
    let fast = Peer::named("fast");
    let gateway = site(&[&slow.url(), &fast.url()], "    balance: peak_ewma\n");
    eventually("the slow one was asked", || {
        assert_eq!(get(&gateway.address, "/").status, 200);
        (slow.ledger.count() == 1).then_some(())
    });
    let before = fast.ledger.count();
    (0..20).for_each(|_| assert_eq!(get(&gateway.address, "/").status, 200));
    assert_eq!((slow.ledger.count(), fast.ledger.count()), (1, before + 20));
}

#[test]
fn an_endpoint_that_is_down_costs_nobody_an_answer_and_is_left_out() {
    let peer = Peer::named("up");
    let gateway =
        site(&[&refusing(), &peer.url()], "    outlier: {consecutive_failures: 3, eject_for: 60s}\n");
    for _ in 0..20 {
        assert_eq!(get(&gateway.address, "/").text(), "up");
    }
    assert_eq!((endpoints(&gateway, "ejected"), endpoints(&gateway, "healthy")), (1, 1));
    assert_eq!(peer.ledger.count(), 20);
}

#[test]
fn the_only_one_of_three_that_is_up_serves_all() {
    let peer = Peer::named("up");
    let gateway = site(&[&refusing(), &peer.url(), &refusing()], "");
    let answered = || (0..40).filter(|_| get(&gateway.address, "/").status == 200).count();
    assert!(answered() >= 35, "a few are lost until it is known who is down");
    assert_eq!(answered(), 40);
    assert_eq!(endpoints(&gateway, "ejected"), 1, "never more than half");
}

#[test]
fn an_endpoint_that_answers_503_is_ejected_and_taken_back_once_it_is_well() {
    let ill = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&ill);
    let moody = Peer::answering(move |_| {
        if state.load(Ordering::SeqCst) { (503, "ill".into()) } else { (200, "well".into()) }
    });
    let good = Peer::named("good");
    let more = "    outlier: {consecutive_failures: 2, eject_for: 200ms}\n";
    let gateway = site(&[&moody.url(), &good.url()], more);
    let mut told = 0;
    while endpoints(&gateway, "ejected") == 0 {
        told += usize::from(get(&gateway.address, "/").status == 503);
        assert!(told <= 2, "what an upstream answers is passed on, but not for long");
    }
    assert_eq!(told, 2);
    for _ in 0..3 {
        assert_eq!(get(&gateway.address, "/").text(), "good");
    }
    ill.store(false, Ordering::SeqCst);
    eventually("it is taken back", || {
        assert_eq!(get(&gateway.address, "/").status, 200);
        (endpoints(&gateway, "ejected") == 0).then_some(())
    });
    let answers: Vec<_> = (0..4).map(|_| get(&gateway.address, "/").text()).collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "well").count(), 2, "{answers:?}");
}

#[test]
fn health_checks_take_an_endpoint_out_and_back_in_and_all_serve_when_none_is_well() {
    let ill = Arc::new([AtomicBool::new(true), AtomicBool::new(false)]);
    let start = |index: usize, name: &'static str| {
        let ill = Arc::clone(&ill);
        Peer::answering(move |request| match request.line.as_str() {
            "GET /health?deep" if ill[index].load(Ordering::SeqCst) => (500, String::new()),
            "GET /health?deep" => (302, String::new()),
            _ => (200, name.to_owned()),
        })
    };
    let (one, two) = (start(0, "one"), start(1, "two"));
    let check = "{path: '/health?deep', interval: 50ms, timeout: 1s, unhealthy_after: 2, healthy_after: 2}";
    let gateway = site(&[&one.url(), &two.url()], &format!("    health_check: {check}\n"));
    let answers = || {
        let mut answers: Vec<_> = (0..4).map(|_| get(&gateway.address, "/").text()).collect();
        answers.sort();
        answers
    };
    eventually("one is unhealthy", || (endpoints(&gateway, "unhealthy") == 1).then_some(()));
    assert_eq!(answers(), ["two", "two", "two", "two"]);
    let asked = one.ledger.requests().into_iter().find(|request| request.line.contains("/health")).unwrap();
    assert_eq!(asked.header("host"), Some(one.address.to_string().as_str()));
    assert_eq!(asked.header("user-agent"), Some("frontroom health check"));
    ill[0].store(false, Ordering::SeqCst);
    eventually("one is healthy", || (endpoints(&gateway, "healthy") == 2).then_some(()));
    assert_eq!(answers(), ["one", "one", "two", "two"]);
    ill.iter().for_each(|ill| ill.store(true, Ordering::SeqCst));
    eventually("none is healthy", || (endpoints(&gateway, "unhealthy") == 2).then_some(()));
    assert_eq!(answers(), ["one", "one", "two", "two"], "one that seems ill is better than none");
}

#[test]
fn what_is_known_of_the_endpoints_survives_a_reload_that_leaves_them_alone() {
    let peer = Peer::named("up");
    let down = refusing();
    let config = |cors: &str, more: &str| {
        format!(
            "upstreams:\n  api:\n    endpoints: ['{down}', '{}']\n    outlier: {{eject_for: 60s}}\n{more}\
             routes: [{{upstream: api}}]\ncors: {{allow_origins: '{cors}'}}\n",
            peer.url()
        )
    };
    let gateway = Gateway::start(&config("https://a.test", ""));
    for _ in 0..12 {
        assert_eq!(get(&gateway.address, "/").status, 200);
    }
    assert_eq!(endpoints(&gateway, "ejected"), 1);
    let connections = peer.ledger.connections();
    gateway.rewrite(&config("https://b.test", ""));
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    for _ in 0..12 {
        assert_eq!(get(&gateway.address, "/").status, 200);
    }
    let refused =
        gateway.metric("frontroom_upstream_requests_total{upstream=\"api\",result=\"unreachable\"}");
    assert_eq!((endpoints(&gateway, "ejected"), refused), (1, 0));
    assert!(peer.ledger.connections() <= connections + 1, "connections are kept");
    gateway.rewrite(&config("https://b.test", "    idle_timeout: 3s\n"));
    eventually("the reload", || (gateway.reloads("reloaded") == 2).then_some(()));
    eventually("a changed upstream begins anew", || (endpoints(&gateway, "healthy") == 2).then_some(()));
}
