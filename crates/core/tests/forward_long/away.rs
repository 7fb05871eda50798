//! A remote that is away for six hours' worth of records while processes end in every way.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow_testkit::backend::{Backend, Reply};
use serde_json::Value;

use crate::numbered::{Tally, setting};
use crate::process::{Job, Process, RECORDS};

const REFUSED: Reply = Reply::Grpc { status: 14, retry_after: None };
/// Processes that ingest a part each.
const WRITERS: u64 = 4;
const MIB: u64 = 1 << 20;

/// Six hours at 1,000 records a second are 21.6 million.
fn records() -> u64 {
    let part = WRITERS * RECORDS;
    setting("OTLP_ARROW_AWAY_RECORDS", 60_000).div_ceil(part) * part
}

/// Small runs have small files, so that they too have many.
fn rotation(records: u64) -> u64 {
    (records * 4).clamp(256 << 10, 64 * MIB)
}

fn number(answer: &Value, name: &str) -> u64 {
    answer[name].as_u64().unwrap_or_else(|| panic!("{name} of {answer}"))
}

fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everything below a directory, in bytes.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                size(&entry.path())
            } else {
                entry.metadata().map_or(0, |data| data.len())
            }
        })
        .sum()
}

fn remote(records: u64, writers: u64) -> (Backend, Arc<Tally>) {
    let (backend, tally) = (Backend::start(), Arc::new(Tally::new(records, writers)));
    let counted = Arc::clone(&tally);
    backend.sink(Arc::new(move |received| counted.add(&received.payload)));
    backend.reply(REFUSED);
    (backend, tally)
}

pub(crate) fn six_hours_away_cost_nothing_but_disk() {
    let records = records();
    let requests = records / RECORDS;
    let part = |writer: u64| writer * requests / WRITERS..(writer + 1) * requests / WRITERS;
    let limit = Duration::from_secs(120 + records / 10_000);
    let dir = tempfile::tempdir().unwrap();
    let (kept, beside) = (dir.path().join("kept"), dir.path().join("beside"));
    let (backend, tally) = remote(records, WRITERS);
    let url = backend.url();
    let job =
        |url, beside| Job { dir: &kept, url, beside, retention_bytes: 1 << 40, rotation_bytes: rotation(records) };
    let started = Instant::now();

    // What ingest alone takes: as the last writer below, without a destination.
    let mut alone = Process::start(&Job { dir: &dir.path().join("alone"), ..job(None, Some(&beside)) });
    let alone_ingest = alone.ingest(part(3).start, part(3).end);
    let alone_peak = number(&alone.end(), "peak");
    std::fs::remove_dir_all(dir.path().join("alone")).unwrap();
    std::fs::remove_dir_all(&beside).unwrap();

    // One is killed, one ends cleanly, one exits while another process has the directory open and takes its files over.
    let mut killed = Process::start(&job(Some(&url), None));
    killed.ingest(part(0).start, part(0).end);
    killed.kill();
    let mut clean = Process::start(&job(Some(&url), None));
    clean.ingest(part(1).start, part(1).end);
    // It had adopted what the killed one left.
    assert_eq!(number(&clean.end(), "undelivered"), records / 2);
    let mut exits = Process::start(&job(Some(&url), None));
    let mut last = Process::start(&job(Some(&url), Some(&beside)));
    exits.ingest(part(2).start, part(2).end);
    exits.exit();
    let last_ingest = last.ingest(part(3).start, part(3).end);
    wait_for("all that waits in one process", limit, || number(&last.look(), "waiting") == records);
    assert_eq!(tally.arrivals(), 0);
    let (ingested, on_disk) = (started.elapsed(), size(&kept));
    let asked = backend.received().len();

    // The remote answers; the process that delivers is killed in the middle of it, and another goes on.
    backend.reply(Reply::Accept);
    let answered = Instant::now();
    let mut arrivals = Vec::new();
    wait_for("half of everything", limit, || {
        arrivals.push((Instant::now(), tally.arrivals()));
        tally.arrivals() > records / 2 || tally.arrivals() == records
    });
    let delivering_peak = number(&last.look(), "peak");
    last.kill();
    let (dead, before) = (Instant::now(), tally.arrivals());
    std::fs::remove_dir_all(&beside).unwrap();
    let since = |ago: Duration| {
        let earlier = arrivals.iter().rev().find(|(at, _)| dead - *at >= ago);
        before - earlier.map_or(0, |(_, count)| *count)
    };
    let second = since(Duration::from_secs(1));
    // A cursor is written once a second, when the piece that is on its way lets it, and written itself takes a moment.
    let bound = since(Duration::from_millis(1_250)) + 10 * RECORDS;
    let mut next = Process::start(&job(Some(&url), None));
    wait_for("all records", limit, || tally.missing() == 0);
    wait_for("an empty backlog", limit, || number(&next.look(), "waiting") == 0);
    let delivered = answered.elapsed();
    let end = next.end();
    let peak = delivering_peak.max(number(&end, "peak"));
    assert_eq!((number(&end, "undelivered"), number(&end, "evicted")), (0, 0));
    assert_eq!(tally.missing(), 0, "records that never arrived");
    assert_eq!(tally.disordered(), 0, "records of one writer out of order");
    assert!(tally.repeated() <= bound, "{} records came twice; one second were {second}", tally.repeated());
    assert_eq!(std::fs::read_dir(kept.join("cursors/forward/away")).unwrap().count(), 0, "cursors are left");
    assert!(!kept.join("rejected").exists(), "something was set aside");
    let more = peak.saturating_sub(alone_peak);
    assert!(more <= 64 * MIB, "forwarding took {} MiB more than ingest alone", more / MIB);

    println!(
        "{records} records ingested in {ingested:.1?} while the remote refused {asked} requests; {on_disk} bytes on disk"
    );
    println!(
        "delivered in {delivered:.1?}: 0 missing, 0 out of order within a writer, {} twice (a second of sending: {second})",
        tally.repeated()
    );
    println!("peak memory {} MiB, ingest alone {} MiB", peak / MIB, alone_peak / MIB);
    for (what, ingest) in [("no destination", &alone_ingest), ("dead destination", &last_ingest)] {
        let of = |name: &str| ["latency", "beside"].map(|which| ingest[which][name].as_f64().unwrap_or_default());
        let [p50, p99] = ["p50", "p99"].map(of);
        println!(
            "acknowledged with {what}: p50 {:.3} ms, p99 {:.3} ms; none, in turn: p50 {:.3} ms, p99 {:.3} ms; ratios {:.2}, {:.2}",
            p50[0] * 1e3,
            p99[0] * 1e3,
            p50[1] * 1e3,
            p99[1] * 1e3,
            p50[0] / p50[1],
            p99[0] / p99[1]
        );
    }
}

pub(crate) fn what_retention_takes_from_an_absent_remote_is_counted_to_the_record() {
    let records = (records() / WRITERS).max(60_000);
    let dir = tempfile::tempdir().unwrap();
    let (backend, tally) = remote(records, 1);
    let url = backend.url();
    let retention_bytes = (records * 20).max(MIB);
    let rotation_bytes = (retention_bytes / 16).clamp(64 << 10, 64 * MIB);
    let mut process =
        Process::start(&Job { dir: dir.path(), url: Some(&url), beside: None, retention_bytes, rotation_bytes });
    process.ingest(0, records / RECORDS);
    let evicted = number(&process.look(), "evicted");
    assert!(evicted > 0, "retention had room for everything");
    backend.reply(Reply::Accept);
    let limit = Duration::from_secs(120);
    let mut looked = Value::Null;
    wait_for("an empty backlog", limit, || {
        looked = process.look();
        number(&looked, "waiting") == 0 && tally.different() + number(&looked, "evicted") >= records
    });
    let end = process.end();
    assert_eq!(number(&end, "undelivered"), 0);
    assert_eq!(number(&end, "evicted"), tally.missing(), "evicted, missing");
    assert_eq!((tally.repeated(), tally.disordered()), (0, 0));
    println!(
        "{records} records, room for {retention_bytes} bytes: {} evicted in {} event(s), {} missing, {} arrived",
        number(&end, "evicted"),
        number(&end, "events"),
        tally.missing(),
        tally.different()
    );
}
