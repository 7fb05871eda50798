//! A process of its own that records and forwards, told what to do line by line, so that it can be ended in every way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::config::DestinationConfig;
use otlp_arrow::internal::{Export, Producer as _, Waiter};
use otlp_arrow::{Config, OtlpLibrary, Severity, Signal};
use otlp_arrow_testkit::harness::{self, again};
use serde_json::{Value, json};

use crate::numbered::request;

/// The other side; its job is what to open, as JSON.
pub(crate) const PROCESS: harness::Process = ("OTLP_ARROW_TEST_LONG_PROCESS", the_process);
/// Records of one request.
pub(crate) const RECORDS: u64 = 1_000;
const LONG: Duration = Duration::from_secs(60);

/// A running process.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a process opens.
pub(crate) struct Job<'a> {
    pub(crate) dir: &'a Path,
    /// The remote; none to ingest alone.
    pub(crate) url: Option<&'a str>,
    /// A directory that the same data is recorded in without any destination, turn and turn about.
    pub(crate) beside: Option<&'a Path>,
    pub(crate) retention_bytes: u64,
    pub(crate) rotation_bytes: u64,
}

impl Process {
    pub(crate) fn start(job: &Job<'_>) -> Self {
        let text = json!({
            "dir": job.dir, "url": job.url, "beside": job.beside,
            "retention_bytes": job.retention_bytes, "rotation_bytes": job.rotation_bytes,
        });
        let mut command = again(PROCESS, &text.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut process = Self { child, input, output };
        process.answer();
        process
    }

    fn answer(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the process ended");
            if let Some(answer) = line.strip_prefix("> ") {
                return serde_json::from_str(answer).unwrap();
            }
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap();
        self.answer()
    }

    /// Has requests ingested; says how long acknowledgements took, with the destination and beside it.
    pub(crate) fn ingest(&mut self, first: u64, end: u64) -> Value {
        self.ask(&json!({"do": "ingest", "first": first, "end": end}))
    }

    /// What waits, what was evicted, and the most memory so far.
    pub(crate) fn look(&mut self) -> Value {
        self.ask(&json!({"do": "look"}))
    }

    /// Shuts it down in peace.
    pub(crate) fn end(mut self) -> Value {
        let answer = self.ask(&json!({"do": "end"}));
        assert!(self.child.wait().unwrap().success());
        answer
    }

    /// It exits without shutting its library down.
    pub(crate) fn exit(mut self) {
        writeln!(self.input, "{}", json!({"do": "exit"})).unwrap();
        self.child.wait().unwrap();
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn open(dir: &Path, job: &Value, url: Option<&str>) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.retention.max_bytes = job["retention_bytes"].as_u64().unwrap();
    config.rotation.max_bytes = job["rotation_bytes"].as_u64().unwrap();
    if let Some(url) = url {
        let mut destination = DestinationConfig::new("away", url);
        destination.max_in_flight = 1;
        // Not to wait up to five minutes for the breaker when the remote is back; all else is as it is by default.
        destination.breaker.open = Duration::from_millis(500);
        destination.breaker.max_open = Duration::from_secs(2);
        config.forward = vec![destination];
    }
    OtlpLibrary::open(config).unwrap()
}

fn the_process(job: &str) {
    let job: Value = serde_json::from_str(job).unwrap();
    let library = open(Path::new(job["dir"].as_str().unwrap()), &job, job["url"].as_str());
    let beside = job["beside"].as_str().map(|dir| open(Path::new(dir), &job, None));
    println!("> {{}}");
    for line in std::io::stdin().lines() {
        let question: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match question["do"].as_str().unwrap() {
            "ingest" => {
                let range = question["first"].as_u64().unwrap()..question["end"].as_u64().unwrap();
                ingest(&library, beside.as_ref(), range)
            }
            "look" => standing(&library),
            "exit" => std::process::exit(0),
            _ => {
                if let Some(beside) = &beside {
                    beside.shutdown_blocking(Some(LONG)).unwrap();
                }
                let undelivered = library.shutdown_blocking(Some(LONG)).unwrap().undelivered_records;
                let mut answer = standing(&library);
                answer["undelivered"] = undelivered.into();
                println!("> {answer}");
                return;
            }
        };
        println!("> {answer}");
    }
}

fn ingest(library: &OtlpLibrary, beside: Option<&OtlpLibrary>, requests: std::ops::Range<u64>) -> Value {
    let mut took: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for number in requests {
        let bytes = request(number * RECORDS..(number + 1) * RECORDS);
        let mut both = [Some(library), beside].into_iter().zip(&mut took).collect::<Vec<_>>();
        // Neither always comes first.
        if number % 2 == 1 {
            both.reverse();
        }
        for (library, took) in both {
            let Some(library) = library else { continue };
            let started = Instant::now();
            let (signal, records, waiter) = (Signal::Logs, RECORDS, Waiter::Batch);
            let (timeout, severity) = (LONG, Severity::Warn);
            let export = Export { signal, bytes: bytes.clone(), records, waiter, timeout, severity };
            let outcome = block_on(library.send(export)).unwrap();
            took.push(started.elapsed());
            assert_eq!(outcome.accepted, RECORDS);
        }
    }
    let of = |took: &mut Vec<Duration>| {
        took.sort_unstable();
        let at = |part: f64| took.get((took.len() as f64 * part) as usize).map(Duration::as_secs_f64);
        json!({"p50": at(0.5), "p99": at(0.99)})
    };
    let [mut with, mut beside] = took;
    json!({"latency": of(&mut with), "beside": of(&mut beside), "peak": peak()})
}

fn standing(library: &OtlpLibrary) -> Value {
    let info = library.forwarders().first().map(|forwarder| forwarder.info());
    let counted = |name: &str| library.stats().counters.total(name, &[("event", "records_evicted")]);
    json!({
        "waiting": info.as_ref().map(|info| info.lag_records),
        "evicted": info.as_ref().map(|info| info.evicted_records),
        "events": counted("otlp_arrow_events_total"),
        "peak": peak(),
    })
}

/// The most memory that was ever resident, in bytes; nothing where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
