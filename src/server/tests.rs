//! Tests of bounds and clocks; connections need sockets and are in `tests/proxy`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::*;
use crate::config::{Problems, file, value};

#[test]
fn bounds_that_cannot_work_are_problems() {
    let mut problems = Problems::default();
    assert_eq!(Options::build(&file::Limits::default(), &mut problems), Options::default());
    assert!(problems.is_empty());
    let limits = file::Limits {
        header_bytes: Some(value::Size(10)),
        header_timeout: Some(value::Duration(Duration::ZERO)),
        ..Default::default()
    };
    Options::build(&limits, &mut problems);
    let keys: Vec<String> = problems.into_vec().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["limits.header_bytes", "limits.header_timeout"]);
}

#[test]
fn a_clock_judges_each_phase_by_its_own_limit() {
    let short = Duration::from_millis(1);
    let long = Duration::from_secs(60);
    let options = |header_timeout, idle_timeout, body_timeout| Options {
        header_timeout,
        idle_timeout,
        body_timeout,
        ..Options::default()
    };
    let wait = || std::thread::sleep(Duration::from_millis(5));
    let clock = Arc::new(Clock::start(Instant::now()));
    wait();
    assert_eq!(clock.left(&options(short, long, long)), None, "the first head");
    let turn = clock.request();
    assert_eq!(clock.left(&options(short, short, short)), Some(short), "a request in flight");
    drop(turn.answered());
    wait();
    assert_eq!(clock.left(&options(long, short, long)), None, "idle");
    assert_eq!(clock.left(&options(short, long, long)), Some(short), "idle, looked at again soon");
    clock.begin_head();
    wait();
    assert_eq!(clock.left(&options(short, long, long)), None, "the next head");
    let turn = clock.request();
    clock.wrote(false);
    wait();
    assert_eq!(clock.left(&options(long, long, short)), None, "a client that takes nothing");
    clock.wrote(true);
    assert!(clock.left(&options(long, long, short)).is_some());
    drop(turn);
    assert!(!clock.is_flooded());
}

#[test]
fn a_connection_of_http2_is_idle_when_none_of_its_requests_is_left() {
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(60));
    let options = Options { header_timeout: long, idle_timeout: short, ..Options::default() };
    let wait = || std::thread::sleep(Duration::from_millis(5));
    let clock = Arc::new(Clock::start_multiplexed(Instant::now()));
    let (one, two) = (clock.request(), clock.request());
    drop(one.answered());
    wait();
    assert!(clock.left(&options).is_some(), "one is left");
    drop(two.answered());
    wait();
    clock.read();
    assert_eq!(clock.left(&options), None, "a PING is no request");
}

#[test]
fn who_cancels_most_requests_is_a_flood_and_who_leaves_a_page_is_not() {
    let clock = || Arc::new(Clock::start_multiplexed(Instant::now()));
    let flood = clock();
    (0..100).for_each(|_| drop(flood.request()));
    assert!(!flood.is_flooded());
    drop(flood.request());
    assert!(flood.is_flooded());
    let page = clock();
    (0..150).for_each(|_| drop(page.request().answered()));
    (0..150).for_each(|_| drop(page.request()));
    assert!(!page.is_flooded(), "half of them");
}

#[test]
fn workers_take_turns_and_end() {
    let workers = Workers::start(std::num::NonZero::new(2)).unwrap();
    let name = |workers: &Workers| {
        let (sender, receiver) = std::sync::mpsc::channel();
        workers
            .next()
            .unwrap()
            .spawn(async move { sender.send(std::thread::current().name().map(str::to_owned)) });
        receiver.recv().unwrap().unwrap()
    };
    assert_eq!([name(&workers), name(&workers), name(&workers)], ["worker-0", "worker-1", "worker-0"]);
    workers.stop();
    let alone = Workers::start(std::num::NonZero::new(1)).unwrap();
    assert!(alone.next().is_none(), "the accepting thread serves");
}
