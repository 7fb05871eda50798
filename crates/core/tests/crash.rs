//! Processes ended at each named place of the write path, and in the middle of anything: what was acknowledged is there,
//! nothing is there that was not sent, no request is there in part, and nothing is there twice.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::config::Durability;
use otlp_arrow::{Config, Format, OtlpLibrary, Signal};
use otlp_arrow_store::failpoint::{Point, VARIABLE};
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::tests;
use prost::Message;

/// The process that writes; its job is the directory and the first request number.
const WRITING: Process = ("OTLP_ARROW_TEST_CRASH_CHILD", child);
/// Records of one request.
const RECORDS: u64 = 40;

fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config.rotation.max_bytes = 30_000;
    config.durability = Durability::Synced;
    config.retention.max_bytes = 1 << 40;
    config
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

fn batch(number: u64) -> RecordBatch {
    otlp_arrow_columns::decode(Signal::Logs, &request(number), Format::Protobuf).unwrap().batch
}

/// Writes numbered requests and says on standard output which it sends and which are acknowledged, until it is ended.
fn child(job: &str) {
    let (dir, first) = job.split_once('|').unwrap();
    let first: u64 = first.parse().unwrap();
    let mut config = config(Path::new(dir));
    if std::env::var(VARIABLE).is_ok_and(|name| name.starts_with("retention")) {
        config.retention.max_bytes = 100_000;
    }
    let mut out = std::io::stdout();
    let library = OtlpLibrary::open(config).unwrap();
    for number in first..first + 300 {
        writeln!(out, "sent {number}").unwrap();
        // Every third one comes as a batch: it must be there in whole, or not at all, just as one of OTLP.
        let kept = match number % 3 {
            0 => block_on(library.append(Signal::Logs, batch(number))),
            _ => block_on(library.export_otlp(Signal::Logs, request(number).into())),
        };
        if kept.is_ok() {
            writeln!(out, "kept {number}").unwrap();
        }
    }
    library.shutdown_blocking(None).unwrap();
    writeln!(out, "done").unwrap();
}

#[derive(Default)]
struct Oracle {
    sent: BTreeSet<u64>,
    kept: BTreeSet<u64>,
    next: u64,
}

impl Oracle {
    fn start(&self, dir: &Path, failpoint: Option<&str>) -> Child {
        let mut command = again(WRITING, &format!("{}|{}", dir.display(), self.next));
        match failpoint {
            Some(name) => command.env(VARIABLE, name),
            None => command.env_remove(VARIABLE),
        };
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Notes what the process said until its end; `kill` ends it after so many acknowledgements. Whether it ended by itself.
    fn listen(&mut self, mut child: Child, kill: Option<usize>) -> bool {
        let (mut done, mut acknowledged) = (false, 0);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            let word = |word: &str| line.strip_prefix(word).and_then(|number| number.parse::<u64>().ok());
            if let Some(number) = word("sent ") {
                self.sent.insert(number);
                self.next = self.next.max(number + 1);
            } else if let Some(number) = word("kept ") {
                self.kept.insert(number);
                acknowledged += 1;
                if Some(acknowledged) == kill {
                    child.kill().unwrap();
                }
            } else if line == "done" {
                done = true;
            }
        }
        child.wait().unwrap();
        done
    }

    /// Opens the directory, which recovers it, and compares; `from` is the first request retention cannot have deleted.
    fn compare(&self, dir: &Path, lossy: bool, context: &str) {
        let library = OtlpLibrary::open(config(dir)).unwrap();
        let mut found: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for batch in library.read(Signal::Logs, &Default::default()).unwrap() {
            let batch = batch.unwrap();
            for body in batch.column_by_name("body").unwrap().as_string::<i32>() {
                let (number, record) = body.unwrap().split_once('/').unwrap();
                let fresh = found.entry(number.parse().unwrap()).or_default().insert(record.parse().unwrap());
                assert!(fresh, "{context}: {} is there twice", body.unwrap());
            }
        }
        for (number, records) in &found {
            assert!(self.sent.contains(number), "{context}: {number} was never sent");
            assert_eq!(records.len() as u64, RECORDS, "{context}: {number} is there in part");
        }
        if !lossy {
            let lost: Vec<_> = self.kept.iter().filter(|number| !found.contains_key(number)).collect();
            assert!(lost.is_empty(), "{context}: acknowledged and lost: {lost:?}");
        }
        library.shutdown_blocking(None).unwrap();
        let left = std::fs::read_dir(dir.join("otlp/logs")).unwrap();
        let unsealed = left.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "arrows").count();
        assert_eq!(unsealed, 0, "{context}: everything is sealed in the end");
    }
}

fn main() -> ExitCode {
    main_of(
        &[WRITING],
        &tests![a_process_ended_at_any_named_place_loses_nothing, processes_killed_one_after_the_other_lose_nothing,],
    )
}

fn a_process_ended_at_any_named_place_loses_nothing() {
    for point in Point::ALL {
        for side in ["before", "after"] {
            let dir = tempfile::tempdir().unwrap();
            let mut oracle = Oracle::default();
            let name = |count: u32| format!("{}.{side}:{count}", point.as_str());
            let reached = match point {
                // Only a directory with something to adopt, or something damaged, comes there.
                Point::Adopt | Point::Quarantine => {
                    assert!(!oracle.listen(oracle.start(dir.path(), Some("write.after:9")), None));
                    if point == Point::Quarantine {
                        tear_the_newest(dir.path());
                    }
                    !oracle.listen(oracle.start(dir.path(), Some(&name(1))), None)
                }
                _ => {
                    let count = if matches!(point, Point::Write | Point::Fdatasync | Point::SealWrite) { 5 } else { 2 };
                    !oracle.listen(oracle.start(dir.path(), Some(&name(count))), None)
                }
            };
            assert!(reached, "{} was never reached", name(1));
            if !cfg!(windows) {
                oracle.compare(dir.path(), point == Point::RetentionDelete, &name(1));
            }
        }
    }
}

/// Adds bytes to the newest stream as a write that was cut short leaves them.
fn tear_the_newest(dir: &Path) {
    let entries = std::fs::read_dir(dir.join("otlp/logs")).unwrap().map(|entry| entry.unwrap().path());
    let newest = entries.filter(|path| path.extension().unwrap() == "arrows").max().unwrap();
    std::fs::OpenOptions::new().append(true).open(newest).unwrap().write_all(&[0xff; 333]).unwrap();
}

fn processes_killed_one_after_the_other_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut oracle = Oracle::default();
    for round in 0..8 {
        assert!(!oracle.listen(oracle.start(dir.path(), None), Some(10 + round * 7)));
        // Every other recovery is ended as well.
        if round % 2 == 1 {
            let point = ["adopt.before", "seal-write.after:2", "rename.before", "unlink.after"][round / 2];
            oracle.listen(oracle.start(dir.path(), Some(point)), None);
        }
        std::thread::sleep(Duration::from_millis(round as u64));
    }
    assert!(oracle.kept.len() > 200);
    oracle.compare(dir.path(), false, "eight kills");
}
