//! Tests of the compiled config and of what is chosen; exchanges need sockets and are in `tests/proxy`.

use std::time::Duration;

use super::resolve::tests::Scripted;
use super::standing::Admission;
use super::*;
use crate::config::{Problems, file, value, value::OneOrMany};

fn endpoints(urls: &[&str]) -> file::Upstream {
    file::Upstream {
        endpoints: OneOrMany(urls.iter().map(|url| (*url).to_owned()).collect()),
        ..Default::default()
    }
}

fn build_after(raw: file::Upstream, previous: Option<&Upstreams>) -> (Upstreams, Vec<String>) {
    let mut problems = Problems::default();
    let mut all = file::File::default();
    all.upstreams.insert("api".into(), raw);
    let upstreams = Upstreams::build_after(&all, previous, &mut problems);
    (upstreams, problems.into_vec().iter().map(ToString::to_string).collect())
}

fn build(raw: file::Upstream) -> (Upstreams, Vec<String>) {
    build_after(raw, None)
}

/// An upstream without a problem.
fn api(raw: file::Upstream) -> Arc<Upstream> {
    let (upstreams, problems) = build(raw);
    assert_eq!(problems, Vec::<String>::new());
    Arc::clone(upstreams.get("api").unwrap())
}

#[test]
fn every_problem_of_the_endpoints_is_told() {
    let (_, problems) = build(endpoints(&["http://a", "ftp://b", "c", "http://a"]));
    let expected = [
        "upstreams.api.endpoints[1]: `ftp://b` is not a URL",
        "upstreams.api.endpoints[2]: `c` is not a URL",
        "upstreams.api.endpoints[3]: `http://a` is written twice",
    ];
    assert_eq!(problems.len(), expected.len());
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problems:?}");
    }
    let (_, problems) = build(endpoints(&[]));
    assert!(problems[0].contains("there is no endpoint"), "{problems:?}");
}

#[test]
fn the_shorthand_is_named_default() {
    let mut problems = Problems::default();
    let mut raw = file::File { upstream: Some("http://127.0.0.1:3000".into()), ..Default::default() };
    assert!(Upstreams::build(&raw, &mut problems).get("default").is_some());
    assert!(problems.is_empty());
    raw.upstreams.insert("default".into(), endpoints(&["http://a"]));
    Upstreams::build(&raw, &mut problems);
    assert_eq!(problems.into_vec()[0].key, "upstream");
}

#[test]
fn bounds_that_would_let_nothing_through_are_refused() {
    let zero = Some(value::Duration(Duration::ZERO));
    let check = file::HealthCheck {
        path: "health".into(),
        interval: zero,
        healthy_after: Some(0),
        ..Default::default()
    };
    let raw = file::Upstream {
        connect_timeout: zero,
        max_connections: Some(0),
        outlier: file::Outlier { eject_for: zero, ..Default::default() },
        health_check: Some(check),
        tls: Some(file::UpstreamTls::default()),
        ..endpoints(&["http://a"])
    };
    let (_, mut problems) = build(raw);
    problems.iter_mut().for_each(|problem| problem.truncate(problem.find(';').unwrap()));
    problems.sort();
    assert_eq!(
        problems,
        [
            "upstreams.api.connect_timeout: it is zero",
            "upstreams.api.health_check.healthy_after: it is zero",
            "upstreams.api.health_check.interval: it is zero",
            "upstreams.api.health_check.path: `health` is not a path",
            "upstreams.api.max_connections: it is zero",
            "upstreams.api.outlier.eject_for: it is zero",
            "upstreams.api.tls: no endpoint begins with https://",
        ]
    );
}

#[test]
fn an_upstream_that_stays_as_it_is_keeps_its_state_over_a_reload() {
    let (first, _) = build(endpoints(&["http://a", "http://b"]));
    let before = first.get("api").unwrap();
    before.group.endpoints[0].standing.set_healthy(false);
    let (second, _) = build_after(endpoints(&["http://a", "http://b"]), Some(&first));
    let after = second.get("api").unwrap();
    assert!(Arc::ptr_eq(before, after) && !after.group.endpoints[0].standing.is_healthy());
    let (third, _) = build_after(endpoints(&["http://a"]), Some(&second));
    assert!(!Arc::ptr_eq(after, third.get("api").unwrap()));
}

#[test]
fn an_upstream_whose_files_changed_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let raw = file::Upstream {
        tls: Some(file::UpstreamTls { ca: Some(path.display().to_string()), ..Default::default() }),
        ..endpoints(&["https://a"])
    };
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
    };
    renew();
    let (first, problems) = build(raw.clone());
    assert_eq!(problems, Vec::<String>::new());
    let (second, _) = build_after(raw.clone(), Some(&first));
    assert!(Arc::ptr_eq(first.get("api").unwrap(), second.get("api").unwrap()));
    renew();
    let (third, _) = build_after(raw, Some(&second));
    assert!(!Arc::ptr_eq(first.get("api").unwrap(), third.get("api").unwrap()));
}

#[test]
fn what_is_wrong_with_tls_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| Some(folder.path().join(name).display().to_string());
    for name in ["one", "two"] {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(at(&format!("{name}.pem")).unwrap(), made.cert.pem()).unwrap();
        std::fs::write(at(&format!("{name}.key")).unwrap(), made.signing_key.serialize_pem()).unwrap();
    }
    std::fs::write(at("empty.pem").unwrap(), "").unwrap();
    let (ca, none) = (at("one.pem"), file::UpstreamTls::default);
    let ours = |cert: Option<&str>, key: Option<&str>| {
        let (cert, key) = (cert.and_then(at), key.and_then(at));
        file::UpstreamTls { cert, key, insecure: true, ..none() }
    };
    for (tls, expected) in [
        (file::UpstreamTls { ca: ca.clone(), ..none() }, None),
        (file::UpstreamTls { insecure: true, ..none() }, None),
        (ours(Some("one.pem"), Some("one.key")), None),
        (file::UpstreamTls { ca: at("none.pem"), ..none() }, Some("tls.ca: `")),
        (file::UpstreamTls { ca: at("empty.pem"), ..none() }, Some("holds no certificate")),
        (file::UpstreamTls { ca: at("one.key"), ..none() }, Some("holds no certificate")),
        (ours(Some("one.pem"), None), Some("tls.cert: there is no `key`")),
        (ours(None, Some("one.key")), Some("tls.key: there is no `cert`")),
        (ours(Some("one.pem"), Some("two.key")), Some("tls.key: does not go with `cert`")),
        (ours(Some("one.pem"), Some("one.pem")), Some("holds no private key")),
        (file::UpstreamTls { ca, insecure: true, ..none() }, Some("tls.insecure: `insecure`")),
        (
            file::UpstreamTls { server_name: Some("a b".into()), insecure: true, ..none() },
            Some("tls.server_name: `a b` is no host's name"),
        ),
    ] {
        let (_, problems) = build(file::Upstream { tls: Some(tls.clone()), ..endpoints(&["https://a"]) });
        match expected {
            None => assert_eq!(problems, Vec::<String>::new(), "{tls:?}"),
            Some(expected) => {
                assert!(problems.len() == 1 && problems[0].contains(expected), "{tls:?}: {problems:?}");
            }
        }
    }
}

/// Which endpoints a number of picks go to.
fn picks(upstream: &Upstream, times: usize) -> Vec<usize> {
    let mut picked = vec![0; upstream.group.endpoints.len()];
    (0..times).for_each(|_| picked[upstream.group.pick(None).unwrap().index] += 1);
    picked
}

/// Lets every request to one endpoint fail, until it is ejected or `times` have failed.
fn fail(upstream: &Upstream, index: usize, times: usize) {
    let mut failed = 0;
    while failed < times && !upstream.group.endpoints[index].standing.is_ejected() {
        let turn = upstream.group.pick(None).unwrap();
        let bad = turn.index == index;
        failed += usize::from(bad);
        turn.end(if bad { Outcome::Bad } else { Outcome::Good });
    }
}

#[test]
fn endpoints_take_turns() {
    let upstream = api(endpoints(&["http://a", "http://b", "http://c"]));
    assert_eq!(picks(&upstream, 9), [3, 3, 3]);
    assert_eq!(upstream.group.pick(Some(0)).unwrap().index, 1, "another one for a second try");
    assert_eq!(picks(&api(endpoints(&["http://a"])), 3), [3]);
}

#[test]
fn the_busier_of_two_is_passed_over() {
    let raw = file::Upstream {
        balance: file::Balance::LeastRequests,
        ..endpoints(&["http://a", "http://b", "http://c"])
    };
    let upstream = api(raw);
    let busy: Vec<_> = (0..5).map(|_| upstream.group.endpoints[1].load.begin()).collect();
    assert_eq!(picks(&upstream, 300)[1], 0);
    drop(busy);
    let picked = picks(&upstream, 300);
    assert!(picked.iter().all(|times| *times > 40), "{picked:?}");
}

#[test]
fn the_slower_of_two_is_passed_over_and_one_that_fails_fast_is_slow() {
    for failed in [false, true] {
        let raw = file::Upstream { balance: file::Balance::PeakEwma, ..endpoints(&["http://a", "http://b"]) };
        let upstream = api(raw);
        upstream.group.endpoints[0].load.observe(Duration::from_millis(10), false);
        let took = if failed { Duration::from_micros(10) } else { Duration::from_millis(500) };
        upstream.group.endpoints[1].load.observe(took, failed);
        assert_eq!(picks(&upstream, 100), [100, 0]);
    }
}

#[test]
fn an_endpoint_that_fails_is_ejected_but_never_more_than_half_and_never_the_last() {
    let upstream = api(endpoints(&["http://a", "http://b", "http://c", "http://d"]));
    let standing = |index: usize| &upstream.group.endpoints[index].standing;
    fail(&upstream, 0, 4);
    assert!(!standing(0).is_ejected());
    fail(&upstream, 0, 1);
    assert!(standing(0).is_ejected(), "five in a row");
    assert_eq!(picks(&upstream, 9)[0], 0);
    fail(&upstream, 1, 10);
    assert!(standing(1).is_ejected());
    fail(&upstream, 2, 10);
    assert!(!standing(2).is_ejected(), "half of them are out");
    let alone = api(endpoints(&["http://a"]));
    fail(&alone, 0, 10);
    assert_eq!(alone.group.endpoints[0].standing.admission(), Admission::Open);
    let two = api(endpoints(&["http://a", "http://b"]));
    two.group.endpoints[1].standing.set_healthy(false);
    (0..20).for_each(|_| two.group.pick(None).unwrap().end(Outcome::Bad));
    assert!(!two.group.endpoints[0].standing.is_ejected(), "the other one is not well");
}

#[test]
fn an_ejected_endpoint_is_probed_by_one_request() {
    let raw = file::Upstream {
        outlier: file::Outlier {
            consecutive_failures: Some(2),
            eject_for: Some(value::Duration(Duration::from_millis(1))),
        },
        ..endpoints(&["http://a", "http://b"])
    };
    let upstream = api(raw);
    let standing = &upstream.group.endpoints[0].standing;
    fail(&upstream, 0, 10);
    let wait = || {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while standing.admission() != Admission::Probe {
            assert!(std::time::Instant::now() < deadline, "never due");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    wait();
    let probe = upstream.group.pick(None).unwrap();
    assert_eq!((probe.index, upstream.group.pick(None).unwrap().index), (0, 1), "one at a time");
    probe.end(Outcome::Bad);
    assert!(standing.is_ejected());
    wait();
    drop(upstream.group.pick(None).unwrap());
    let again = upstream.group.pick(None).unwrap();
    assert_eq!(again.index, 0, "a probe whose client left proves nothing");
    again.end(Outcome::Good);
    assert_eq!(standing.admission(), Admission::Open);
    assert_eq!(picks(&upstream, 4), [2, 2]);
}

#[test]
fn when_no_endpoint_is_well_all_get_requests() {
    let upstream = api(endpoints(&["http://a", "http://b"]));
    upstream.group.endpoints[0].standing.set_healthy(false);
    assert_eq!(picks(&upstream, 4), [0, 4]);
    upstream.group.endpoints[1].standing.set_healthy(false);
    assert_eq!(picks(&upstream, 4), [2, 2]);
}

/// Answers each request on a port with a name until the connection ends.
async fn named(name: &'static str) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_name_that_moves_is_followed_and_idle_connections_to_the_old_place_are_left() {
    use http_body_util::BodyExt as _;
    let (old, new) = (named("old").await, named("new").await);
    let dns = Arc::new(Scripted::default());
    dns.say(&[&old.to_string()]);
    let mut problems = Problems::default();
    let mut builder = build::Builder { name: "api", key: "upstreams.api", problems: &mut problems };
    let upstream = builder.build(&endpoints(&["http://api.test"]), None, dns.clone());
    let ask = async || {
        let response = upstream.send(&mut Request::new(Body::Empty), None).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    assert_eq!((ask().await, ask().await), ("old".to_owned(), "old".to_owned()));
    dns.say(&[&new.to_string()]);
    upstream.group.endpoints[0].resolver.as_ref().unwrap().refresh().await.unwrap();
    assert_eq!(ask().await, "new", "an idle connection leads to the old address");
}
