//! Tails: what comes, as it comes, from where somebody was.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::sample;
use crate::support::{Answering, Listening, get};

fn numbers(rows: &[serde_json::Value]) -> Vec<u64> {
    let mut numbers: Vec<u64> = rows.iter().map(|row| row["attributes"]["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn what_is_committed_comes_once_and_what_was_there_before_does_not() {
    let answering = Answering::with(100);
    let mut logs = Listening::to(answering.address, "logs", &[]);
    let opened = logs.next().unwrap();
    assert_eq!((&*opened.name, &opened.data["signal"]), ("open", &json!("logs")));
    assert!(!opened.id.is_empty());
    let mut spans = Listening::to(answering.address, "traces?status=error&service=checkout", &[]);
    spans.next().unwrap();
    sample::send(&answering.library, 100..400, 50);
    let (rows, last) = logs.rows("logs", 300);
    assert_eq!((numbers(&rows), &*last.name, &last.data["dropped"]), ((100..400).collect(), "logs", &json!(0)));
    let made = sample::spans(100..400).into_iter().filter(|made| made.error && made.service == "checkout");
    let wanted: Vec<u64> = made.map(|made| made.number as u64).collect();
    let (rows, _) = spans.rows("spans", wanted.len());
    assert_eq!(numbers(&rows), wanted);
    assert_eq!((&rows[0]["service"], &rows[0]["status"]), (&json!("checkout"), &json!("error")));
}

#[test]
fn a_tail_goes_on_where_it_ended_also_after_the_recorder_began_anew() {
    let answering = Answering::with(50);
    let mut tail = Listening::to(answering.address, "logs", &[]);
    let mut id = tail.next().unwrap().id;
    let mut seen = Vec::new();
    let mut next = 50;
    for round in 0..4 {
        // Some while nobody listens, some while somebody does.
        sample::send(&answering.library, next..next + 30, 10);
        drop(tail);
        sample::send(&answering.library, next + 30..next + 70, 10);
        if round % 2 == 1 {
            futures::executor::block_on(answering.library.flush_with(otlp_arrow::FlushOptions { seal: true })).unwrap();
        }
        tail = Listening::to(answering.address, "logs", &[("last-event-id", &id)]);
        let (rows, last) = tail.rows("logs", 70);
        (seen, id, next) = ([seen, numbers(&rows)].concat(), last.id, next + 70);
    }
    assert_eq!(seen, (50..next).collect::<Vec<_>>());
    drop(tail);
    let path = answering.dir.path().join("out");
    sample::send(&answering.library, next..next + 20, 10);
    answering.library.shutdown_blocking(None).unwrap();
    // Another process goes on in the same directory.
    let again = Answering::empty(|config| config.output_dir.clone_from(&path));
    let mut tail = Listening::to(again.address, &format!("logs?cursor={id}"), &[]);
    sample::send(&again.library, next + 20..next + 40, 10);
    assert_eq!(numbers(&tail.rows("logs", 40).0), (next..next + 40).collect::<Vec<_>>());
}

#[test]
fn data_points_come_with_their_values() {
    let answering = Answering::with(10);
    let mut tail =
        Listening::to(answering.address, "metrics?name=shop/orders&service=payment", &[("last-event-id", "0")]);
    let (rows, _) = tail.rows("points", 30);
    assert_eq!(
        (&rows[0]["metric"], &rows[0]["value_int"], &rows[0]["type"]),
        (&json!("shop/orders"), &json!(20), &json!("sum"))
    );
    assert!(rows.iter().all(|row| row["service"] == "payment"));
}

/// Ten events a second at most, whatever is committed, and of too much the latest.
#[test]
fn much_comes_seldom_and_too_much_is_counted() {
    let answering = Answering::with(0);
    let mut tail = Listening::to(answering.address, "logs?limit=100", &[]);
    tail.next().unwrap();
    let started = Instant::now();
    sample::send(&answering.library, 0..2_000, 5);
    let (mut events, mut rows, mut dropped, mut last) = (0, 0, 0, 0);
    while rows + dropped < 2_000 {
        let event = tail.next().unwrap();
        let some = event.data["logs"].as_array().unwrap();
        assert!(some.len() <= 100);
        events += 1;
        rows += some.len() as u64;
        dropped += event.data["dropped"].as_u64().unwrap();
        last = some.last().map_or(last, |row| row["attributes"]["number"].as_u64().unwrap());
    }
    assert_eq!(rows + dropped, 2_000, "each record is shown or counted");
    assert!(events as f64 <= started.elapsed().as_secs_f64() * 10.0 + 2.0, "{events} events");
    assert!(last >= 1_995, "the latest is there: {last}");
}

#[test]
fn only_so_many_listen_and_a_place_is_free_again_when_one_leaves() {
    let answering = Answering::with(10);
    let mut open: Vec<Listening> = (0..32).map(|_| Listening::to(answering.address, "logs", &[])).collect();
    open.iter_mut().for_each(|tail| assert_eq!(tail.next().unwrap().name, "open"));
    let (status, code, message) = get(answering.address, "/api/v1/tail/logs", &[]).refusal();
    assert_eq!((status, &*code), (503, "UNAVAILABLE"), "{message}");
    open.pop();
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_refused(crate::support::connect(answering.address, "GET", "/api/v1/tail/logs", &[], b"")) {
        assert!(Instant::now() < deadline, "the place was not given back");
    }
    // A shutdown does not wait for those who listen.
    let started = Instant::now();
    answering.library.shutdown_blocking(None).unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    for tail in &mut open {
        while tail.next().is_some() {}
    }
}

/// Whether there is no place for one more.
fn is_refused(mut stream: std::net::TcpStream) -> bool {
    let mut head = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut head).unwrap();
    head.ends_with(b"503")
}

#[test]
fn wrong_tails_are_refused_before_they_begin() {
    let answering = Answering::with(10);
    for (path, status, said) in [
        ("/api/v1/tail/spans", 400, "is not one of traces, metrics, logs"),
        ("/api/v1/tail/logs?order=oldest", 400, "order is not for a tail"),
        ("/api/v1/tail/logs?cursor=x", 400, "is not a place in a tail"),
        ("/api/v1/tail/logs?status=error", 400, "is not of logs"),
        ("/api/v1/tail/logs?severty=error", 400, "did you mean severity?"),
        ("/api/v1/tail/logs?text=%", 400, "two hexadecimal digits"),
    ] {
        let (found, _, message) = answering.get(path).refusal();
        assert!(found == status && message.contains(said), "{path}: {found} {message}");
    }
    let (status, _, message) = get(answering.address, "/api/v1/tail/logs", &[("last-event-id", "nonsense")]).refusal();
    assert!(status == 400 && message.contains("Last-Event-ID"), "{message}");
    // A place that never was is one from which everything that can be read is read.
    let mut tail = Listening::to(answering.address, "logs", &[("last-event-id", "0,dead.7.99999999")]);
    assert_eq!(tail.rows("logs", 10).0.len(), 10);
}
