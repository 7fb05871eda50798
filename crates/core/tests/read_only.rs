//! An output directory read by a process that does not write to it, while another process writes, rotates, seals, deletes and is
//! killed.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::ReadOptions;
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};
use otlp_arrow_store::position::Positions;
use otlp_arrow_store::{Follow, Log, Wanted};
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::process::Running;
use otlp_arrow_testkit::tests;
use prost::Message;

/// The process that writes; its job is the directory, the first request number, how many requests, and bytes of retention and
/// of rotation.
const WRITING: Process = ("OTLP_ARROW_TEST_READ_ONLY_CHILD", write);
/// Records of one request.
const RECORDS: u64 = 20;
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    main_of(
        &[WRITING],
        &tests![
            nothing_is_created_locked_or_changed,
            what_a_killed_process_and_the_next_one_write_comes_once,
            what_is_committed_of_a_live_file_is_whole_commits,
            files_may_be_deleted_while_they_are_followed,
        ],
    )
}

/// Writes numbered requests and says on standard output which are acknowledged.
fn write(job: &str) {
    let mut job = job.split('|');
    let mut next = || job.next().unwrap();
    let (dir, first, count, max_bytes, rotation) = (next(), next(), next(), next(), next());
    let mut config = Config { output_dir: dir.into(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config.rotation.max_bytes = rotation.parse().unwrap();
    config.retention.max_bytes = max_bytes.parse().unwrap();
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    let library = OtlpLibrary::open(config).unwrap();
    let mut out = std::io::stdout();
    for number in first..first + count {
        loop {
            match block_on(library.export_otlp(Signal::Logs, request(number).into())) {
                Ok(_) => break,
                // Sealing and retention cannot always keep up with files of 30 kB.
                Err(error) if error.code() == Code::StorageFull => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        writeln!(out, "kept {number}").unwrap();
    }
    library.shutdown_blocking(None).unwrap();
}

fn request(number: u64) -> Vec<u8> {
    let record = |record: u64| LogRecord {
        body: Some(AnyValue { value: Some(Value::StringValue(format!("{number}/{record}"))) }),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: (0..RECORDS).map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
}

/// A process that writes, and what it said is kept.
struct Writer {
    process: Running,
    kept: Arc<Mutex<BTreeSet<u64>>>,
}

impl Writer {
    fn start(dir: &Path, first: u64, count: u64, max_bytes: u64) -> Self {
        Self::rotating(dir, first, count, max_bytes, 30_000)
    }

    fn rotating(dir: &Path, first: u64, count: u64, max_bytes: u64, rotation: u64) -> Self {
        let job = format!("{}|{first}|{count}|{max_bytes}|{rotation}", dir.display());
        let mut process = Running(again(WRITING, &job).stdout(Stdio::piped()).spawn().unwrap());
        let (kept, out) = (Arc::<Mutex<BTreeSet<u64>>>::default(), process.0.stdout.take().unwrap());
        let heard = Arc::clone(&kept);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(number) = line.strip_prefix("kept ") {
                    heard.lock().unwrap().insert(number.parse().unwrap());
                }
            }
        });
        Self { process, kept }
    }

    fn kept(&self) -> BTreeSet<u64> {
        self.kept.lock().unwrap().clone()
    }

    fn has_ended(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_some()
    }
}

/// The records of each request.
type Found = BTreeMap<u64, BTreeSet<u64>>;

/// Adds the records of a batch, each of which must be new.
fn add(found: &mut Found, batch: &RecordBatch) {
    for body in batch.column_by_name("body").unwrap().as_string::<i32>() {
        let (number, record) = body.unwrap().split_once('/').unwrap();
        let fresh = found.entry(number.parse().unwrap()).or_default().insert(record.parse().unwrap());
        assert!(fresh, "{} came twice", body.unwrap());
    }
}

fn assert_whole(found: &Found) {
    for (number, records) in found {
        assert_eq!(records.len() as u64, RECORDS, "request {number} in part");
    }
}

fn wanted() -> Wanted {
    let columns = Some(vec!["body".to_owned()]);
    Wanted::new(Signal::Logs, &ReadOptions { columns, ..ReadOptions::default() }).unwrap()
}

/// Takes what there is, in order for each writer; waits for more if there is nothing.
fn take(follow: &mut Follow, found: &mut Found) {
    while let Some((batch, position)) = follow.next_batch().unwrap() {
        add(found, &batch);
        let of_batch = batch.column_by_name("body").unwrap().as_string::<i32>().iter().flatten();
        let numbers: Vec<u64> = of_batch.map(|body| body.split_once('/').unwrap().0.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?} of one writer, which sent them one after the other");
        assert_eq!(follow.positions()[&position.stem.writer], position);
    }
    follow.wait(Duration::from_secs(1));
}

fn snapshot(log: &Log) -> Found {
    let mut found = Found::new();
    for batch in log.read(Signal::Logs, &ReadOptions::default()).unwrap() {
        add(&mut found, &batch.unwrap());
    }
    assert_whole(&found);
    found
}

/// Every file and folder below `dir`, with length and time of change.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let metadata = dir.metadata().unwrap();
        found.insert(dir.clone(), (0, metadata.modified().unwrap()));
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = entry.metadata().unwrap();
            match metadata.is_dir() {
                true => dirs.push(entry),
                false => drop(found.insert(entry, (metadata.len(), metadata.modified().unwrap()))),
            }
        }
    }
    found
}

fn nothing_is_created_locked_or_changed() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not/there");
    let log = Log::read_only(&missing);
    assert!(log.entries(Signal::Logs).unwrap().is_empty());
    let mut follow = log.follow(Signal::Logs, Positions::new(), wanted());
    assert!(follow.next_batch().unwrap().is_none() && snapshot(&log).is_empty());
    assert!(log.ends(Signal::Logs).unwrap().is_empty() && !missing.exists());

    let mut writer = Writer::start(&missing, 0, 30, 1 << 40);
    let deadline = Instant::now() + LONG;
    let mut found = Found::new();
    while found.len() < 30 {
        assert!(Instant::now() < deadline, "a directory that comes later is followed: {}", found.len());
        take(&mut follow, &mut found);
    }
    while !writer.has_ended() {
        assert!(Instant::now() < deadline, "the writer ends");
        std::thread::yield_now();
    }
    let before = tree(&missing);
    assert_eq!(snapshot(&log).len(), 30);
    let ends = log.ends(Signal::Logs).unwrap();
    assert!(log.follow(Signal::Logs, ends, wanted()).next_batch().unwrap().is_none(), "all of it is behind the ends");
    for entry in log.entries(Signal::Logs).unwrap() {
        assert_eq!(log.committed(&entry).unwrap().bytes, entry.len);
        let mut rows = log.open(&entry, 3, &wanted()).unwrap();
        assert_eq!((rows.signal(), rows.next_row()), (Some(Signal::Logs), 3));
        while rows.next_batch().unwrap().is_some() {}
        assert_eq!(rows.next_row(), log.committed(&entry).unwrap().rows);
    }
    assert_eq!(tree(&missing), before);
}

fn what_a_killed_process_and_the_next_one_write_comes_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let mut follow = log.follow(Signal::Logs, Positions::new(), wanted());
    let (mut found, mut kept, mut first) = (Found::new(), BTreeSet::new(), 0);
    let deadline = Instant::now() + LONG;
    for round in 0..3 {
        let mut writer = Writer::start(dir.path(), first, 400, 1 << 40);
        let kill_after = 60 + round * 40;
        while !writer.has_ended() {
            assert!(Instant::now() < deadline, "the writer ends");
            take(&mut follow, &mut found);
            let known = writer.kept();
            let read = snapshot(&log);
            assert!(known.iter().all(|number| read.contains_key(number)), "acknowledged before the snapshot was taken");
            if round < 2 && known.len() >= kill_after {
                writer.process.0.kill().unwrap();
                writer.process.0.wait().unwrap();
            }
        }
        // A reader begins anew from where the first one was.
        if round == 1 {
            follow = log.follow(Signal::Logs, follow.positions().clone(), wanted());
        }
        kept.extend(writer.kept());
        first += 400;
    }
    while !kept.iter().all(|number| found.get(number).is_some_and(|records| records.len() as u64 == RECORDS)) {
        assert!(Instant::now() < deadline, "{} of {} requests came", found.len(), kept.len());
        take(&mut follow, &mut found);
    }
    assert_whole(&found);
    assert_eq!(found, snapshot(&log), "what is followed is what is read");
    let forms: BTreeSet<&str> = log.entries(Signal::Logs).unwrap().iter().map(|entry| entry.form.extension()).collect();
    assert_eq!(forms, BTreeSet::from(["arrow"]), "the last process sealed everything");
    assert!(log.entries(Signal::Logs).unwrap().len() > 10);
}

fn what_is_committed_of_a_live_file_is_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let writer = Writer::start(dir.path(), 0, 1 << 40, 400_000);
    let deadline = Instant::now() + LONG;
    let mut seen = 0;
    while seen < 50 {
        assert!(Instant::now() < deadline, "{seen} live files were measured");
        for entry in log.entries(Signal::Logs).unwrap().into_iter().filter(|entry| entry.form.grows()) {
            let committed = match log.committed(&entry) {
                Ok(committed) => committed,
                Err(error) => {
                    assert!(error.is_gone(), "{error}");
                    continue;
                }
            };
            // A request is one commit, or shares one.
            assert_eq!(committed.rows % RECORDS, 0);
            let after = log.committed(&entry).map_or(committed, |after| after);
            assert!(after.rows >= committed.rows, "rows are not taken back");
            seen += 1;
        }
    }
    drop(writer);
    // Nobody writes: what is behind the last whole commit does not count, and neither does what is changed within.
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let writer = Writer::rotating(dir.path(), 0, 1 << 40, 1 << 40, 1 << 40);
    while writer.kept().len() < 20 {
        assert!(Instant::now() < deadline, "the writer writes");
        std::thread::yield_now();
    }
    drop(writer);
    let live = log.entries(Signal::Logs).unwrap().remove(0);
    let committed = log.committed(&live).unwrap();
    assert!(committed.rows >= 20 * RECORDS, "acknowledged by a process that was killed");
    let bytes = std::fs::read(&live.path).unwrap();
    let mut torn = bytes[..committed.bytes as usize].to_vec();
    torn.extend_from_slice(&bytes[..bytes.len().min(777)]);
    std::fs::write(&live.path, &torn).unwrap();
    assert_eq!(log.committed(&live).unwrap(), committed);
    torn[committed.bytes as usize - 9] ^= 1;
    std::fs::write(&live.path, &torn).unwrap();
    assert!(log.committed(&live).unwrap().rows < committed.rows);
}

fn files_may_be_deleted_while_they_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let mut follow = log.follow(Signal::Logs, Positions::new(), wanted());
    let mut writer = Writer::start(dir.path(), 0, 600, 100_000);
    let (deadline, mut found) = (Instant::now() + LONG, Found::new());
    while !writer.has_ended() {
        assert!(Instant::now() < deadline, "the writer ends");
        take(&mut follow, &mut found);
        snapshot(&log);
    }
    while !found.contains_key(&599) {
        assert!(Instant::now() < deadline, "the last request comes");
        take(&mut follow, &mut found);
    }
    assert_whole(&found);
    let left = snapshot(&log);
    assert!(left.len() < 600 && left.keys().all(|number| found.contains_key(number)), "{} are left", left.len());
}
