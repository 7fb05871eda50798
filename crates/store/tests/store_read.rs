//! `read()` in a loop while data comes in, files are rotated, sealed and deleted by retention: every record exactly once,
//! each time.
#![allow(clippy::unwrap_used, unreachable_pub, clippy::disallowed_methods, reason = "tests")]

#[path = "support/settings.rs"]
mod settings;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use otlp_arrow_base::Code;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::{Limits, Payload};
use otlp_arrow_store::Settings;
use otlp_arrow_store::hooks::{CommitHook, Committed};
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_store::{Log, ReadOptions, Request, Store};
use otlp_arrow_testkit::payload;
use prost::Message;
use settings::settings;

fn config(dir: &Path) -> Settings {
    let mut config = Settings { commit_interval: Duration::ZERO, ..settings(dir) };
    config.rotation.max_bytes = 40_000;
    config
}

fn open(dir: &Path) -> Store {
    Store::open(config(dir), Arc::new(OsStorage), Arc::new(|_| {})).unwrap()
}

/// Appends `rows` spans named `<number>`; false when there was no room.
fn append(store: &Store, number: usize, rows: usize) -> bool {
    let mut request = payload::spans(rows, 3, number as u64);
    let spans = request.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans);
    spans.for_each(|span| span.name = number.to_string());
    let bytes: bytes::Bytes = request.encode_to_vec().into();
    let checked = otlp_arrow_columns::check(Signal::Traces, &bytes, &Limits::default()).unwrap();
    let reservation = store.budget().reserve(Signal::Traces, bytes.len() + checked.arrow_bytes).unwrap();
    let payload = Payload::Otlp { signal: Signal::Traces, bytes, checked };
    let hops = Default::default();
    match futures::executor::block_on(store.append(Request { payload, reservation, hops, urgent: false, key: None })) {
        Ok(()) => true,
        // Sealing cannot keep up with rotation at 40 kB.
        Err(error) if error.code() == Code::StorageFull => {
            std::thread::yield_now();
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// How many rows each name has.
fn names(store: &Store) -> HashMap<usize, usize> {
    let options = ReadOptions { columns: Some(vec!["name".into()]), ..ReadOptions::default() };
    let mut rows = HashMap::new();
    for batch in store.read(Signal::Traces, &options).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.num_columns(), 1);
        for name in batch.column(0).as_string::<i32>() {
            *rows.entry(name.unwrap().parse().unwrap()).or_insert(0) += 1;
        }
    }
    rows
}

#[test]
fn each_record_is_read_exactly_once_while_everything_goes_on() {
    const ROWS: usize = 7;
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(dir.path()), open(dir.path()));
    let (acknowledged, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(20);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            loop {
                let last = done.load(Ordering::SeqCst);
                let known = acknowledged.load(Ordering::SeqCst);
                // Through the writer and through another one, to whom its files are those of somebody else.
                for reader in [&store, &other] {
                    let rows = names(reader);
                    for number in 0..known {
                        assert_eq!(rows.get(&number), Some(&ROWS), "request {number} of {known}");
                    }
                    assert!(rows.values().all(|rows| *rows == ROWS), "a request in part, or twice");
                }
                reads += 1;
                if last {
                    return reads;
                }
            }
        });
        let mut number = 0;
        while number < 400 && Instant::now() < until && !reader.is_finished() {
            if append(&store, number, ROWS) {
                number += 1;
                acknowledged.store(number, Ordering::SeqCst);
            }
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    assert!(reads >= 2, "{reads} reads");
    let total = acknowledged.load(Ordering::SeqCst);
    let sealed = std::fs::read_dir(dir.path().join("otlp/traces")).unwrap();
    let sealed =
        sealed.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "arrow")).count();
    assert!(sealed > 0, "nothing was sealed in {total} requests");
    store.close(Instant::now() + Duration::from_secs(20));
    assert_eq!(names(&other).len(), total);
}

/// The file of each request, in the order they were committed.
#[derive(Default)]
struct Places(Mutex<Vec<Stem>>);

impl CommitHook for Places {
    fn committed(&self, commit: &Committed) {
        self.0.lock().unwrap().extend(commit.requests.iter().map(|_| commit.stem.clone()));
    }
}

/// What is in the directory now.
fn stems(dir: &Path) -> BTreeSet<Stem> {
    Log::read_only(dir).entries(Signal::Traces).unwrap().into_iter().map(|file| file.stem).collect()
}

#[test]
fn what_retention_leaves_is_read_exactly_once_while_everything_goes_on() {
    const ROWS: usize = 7;
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.max_bytes = 150_000;
    let open = || Store::open(config.clone(), Arc::new(OsStorage), Arc::new(|_| {})).unwrap();
    let (store, other, places) = (open(), open(), Arc::new(Places::default()));
    store.on_commit(Arc::clone(&places) as _);
    let (acknowledged, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(20);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let last = done.load(Ordering::SeqCst);
                for reader in [&store, &other] {
                    let known = acknowledged.load(Ordering::SeqCst);
                    let rows = names(reader);
                    // A file that is there after the read was there all the time.
                    let there = stems(dir.path());
                    let places = places.0.lock().unwrap();
                    for (number, stem) in places.iter().enumerate().take(known).filter(|(_, stem)| there.contains(stem))
                    {
                        assert_eq!(rows.get(&number), Some(&ROWS), "request {number} of {known}, in {stem}");
                    }
                    assert!(rows.values().all(|rows| *rows == ROWS), "a request in part, or twice");
                }
                if last {
                    return;
                }
            }
        });
        let mut number = 0;
        while number < 500 && Instant::now() < until && !reader.is_finished() {
            if append(&store, number, ROWS) {
                number += 1;
                acknowledged.store(number, Ordering::SeqCst);
            }
            if number % 20 == 0 {
                store.maintain();
                other.maintain();
            }
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
    store.close(Instant::now() + Duration::from_secs(20));
    let (there, all) = (stems(dir.path()), places.0.lock().unwrap().iter().cloned().collect::<BTreeSet<_>>());
    assert!(!there.is_empty() && there.len() < all.len(), "{} of {} files are left", there.len(), all.len());
}

#[test]
fn time_columns_and_limit_narrow_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 0..5 {
        assert!(append(&store, number, 10));
    }
    let all: Vec<_> = store.read(Signal::Traces, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|batch| batch.num_rows()).sum::<usize>(), 50);
    let column = |name: &str| all[0].schema_ref().index_of(name).unwrap();
    let mut times: Vec<i64> = all
        .iter()
        .flat_map(|batch| {
            let times = batch.column(column("start_time"));
            times.as_primitive::<arrow_array::types::TimestampNanosecondType>().values().to_vec()
        })
        .collect();
    times.sort_unstable();
    let at = |time: i64| Some(std::time::UNIX_EPOCH + Duration::from_nanos(time as u64));
    let options = ReadOptions { from: at(times[10]), to: at(times[40]), ..ReadOptions::default() };
    let expected = times.iter().filter(|time| (times[10]..times[40]).contains(*time)).count();
    let count = |options: &ReadOptions| -> usize {
        store.read(Signal::Traces, options).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
    };
    assert!(expected > 0 && count(&options) == expected);
    assert_eq!(count(&ReadOptions { limit: Some(13), ..ReadOptions::default() }), 13);
    assert_eq!(count(&ReadOptions { limit: Some(0), ..ReadOptions::default() }), 0);
    let dictionaries = ReadOptions { dictionaries: true, columns: Some(vec!["kind".into()]), ..ReadOptions::default() };
    for batch in store.read(Signal::Traces, &dictionaries).unwrap() {
        assert!(batch.unwrap().column(0).as_any_dictionary_opt().is_some());
    }
    let unknown = ReadOptions { columns: Some(vec!["nmae".into()]), ..ReadOptions::default() };
    assert_eq!(store.read(Signal::Traces, &unknown).err().map(|error| error.code()), Some(Code::InvalidConfig));
}
