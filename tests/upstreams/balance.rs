//! Which endpoint gets a request, and which gets none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::peer::{Peer, refusing};
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

#[test]
fn every_balance_uses_all_endpoints() {
    for balance in ["round_robin", "least_requests", "peak_ewma"] {
        let peers = [Peer::named("a"), Peer::named("b"), Peer::named("c")];
        let urls = peers.each_ref().map(Peer::url);
        let gateway = site(&urls.each_ref().map(String::as_str), &format!("    balance: {balance}\n"));
        for _ in 0..60 {
            assert_eq!(get(&gateway.address, "/").status, 200);
        }
        let counts = peers.each_ref().map(|peer| peer.ledger.count());
        assert_eq!(counts.iter().sum::<usize>(), 60);
        assert!(counts.iter().all(|count| *count >= 2), "{balance}: {counts:?}");
        if balance == "round_robin" {
            assert_eq!(counts, [20, 20, 20]);
        }
    }
}

#[test]
fn requests_in_flight_keep_others_away_from_a_slow_endpoint() {
    for balance in ["least_requests", "peak_ewma"] {
        let slow = Peer::answering(|_| {
            std::thread::sleep(Duration::from_millis(300));
            (200, "slow".into())
        });
        let fast = Peer::named("fast");
        let gateway = site(&[&slow.url(), &fast.url()], &format!("    balance: {balance}\n"));
        let address = gateway.address.clone();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).for_each(|_| assert_eq!(get(&address, "/").status, 200)));
            }
        });
        let (slow, fast) = (slow.ledger.count(), fast.ledger.count());
        assert!(slow * 5 < fast, "{balance}: {slow} slow, {fast} fast");
    }
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
