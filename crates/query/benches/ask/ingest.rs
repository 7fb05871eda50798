//! Ingest at half of its peak while clients ask without pause, and ingest as fast as it goes beside one question.
//!
//!     ask ingest DIR SITUATION SECONDS ROUNDS CLIENTS
//!
//! SITUATION is `plain`, `rotation` (files of 2 MiB: rotated, sealed and indexed all the time), `retention` (the oldest are
//! deleted all the time) or `full` (DIR is a small volume, which is full for the first half of every round).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::{Code, OtlpLibrary, Signal};
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Ask, Indexed, Telemetry};
use otlp_arrow_testkit::payload::Kind;
use otlp_arrow_testkit::rng::Rng;

/// Records of a request: what an SDK hands over at most.
const RECORDS: usize = 512;
/// Different requests, sent in turns.
const REQUESTS: u64 = 64;
/// Requests on their way at once.
const SENDERS: usize = 16;
/// Requests a second to a small volume.
const FULL_RATE: f64 = 50.0;
/// How long a sender waits that was told that the disk is full.
const REFUSED: Duration = Duration::from_millis(20);

/// What was sent in one phase.
struct Phase {
    /// Seconds from when a request was due until it was acknowledged.
    times: Vec<f64>,
    seconds: f64,
    refused: u64,
    /// Questions that were answered meanwhile.
    asked: u64,
}

impl Phase {
    fn share(&self, share: f64) -> f64 {
        let at = (self.times.len() as f64 * share) as usize;
        self.times.get(at.min(self.times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }
}

struct Ingest {
    library: OtlpLibrary,
    telemetry: Telemetry,
    requests: Vec<(Signal, Bytes)>,
    /// Records that were acknowledged, of spans and of log records.
    kept: [AtomicU64; 2],
    sent: AtomicUsize,
    /// The most memory that questions had.
    most: AtomicUsize,
}

impl Ingest {
    fn open(dir: &Path, situation: &str) -> Self {
        let mut config = crate::config(&dir.display().to_string());
        config.storage.min_free_bytes = 0;
        match situation {
            "plain" => {}
            "rotation" => config.rotation.max_bytes = 2 << 20,
            "retention" => (config.rotation.max_bytes, config.retention.max_bytes) = (2 << 20, 64 << 20),
            "full" => config.rotation.max_bytes = 4 << 20,
            other => panic!("{other:?} is not a situation"),
        }
        let library = OtlpLibrary::builder(config).indexed().open().unwrap();
        let request = |seed| match seed % 4 {
            0 => (Signal::Logs, Kind::Logs { body: 205 }.encoded(RECORDS, seed).into()),
            _ => (Signal::Traces, Kind::Spans { attributes: 10 }.encoded(RECORDS, seed).into()),
        };
        Self {
            telemetry: library.telemetry(),
            library,
            requests: (0..REQUESTS).map(request).collect(),
            kept: Default::default(),
            sent: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Sends for so long, as fast as it is answered, or so many requests a second, while so many clients ask.
    fn phase(&self, seconds: f64, rate: Option<f64>, clients: usize, meanwhile: impl FnOnce() + Send) -> Phase {
        let (began, next) = (Instant::now(), AtomicUsize::new(0));
        let (times, refused, asked) = (Mutex::new(Vec::new()), AtomicU64::new(0), AtomicU64::new(0));
        let done = AtomicBool::new(false);
        let (done, times_ref, refused_ref, asked_ref, next) = (&done, &times, &refused, &asked, &next);
        std::thread::scope(|scope| {
            let send = || {
                let mut own = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let due = match rate {
                        Some(rate) => began + Duration::from_secs_f64(number as f64 / rate),
                        None => Instant::now(),
                    };
                    if due.duration_since(began).as_secs_f64() >= seconds {
                        break;
                    }
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    refused_ref.fetch_add(self.send(), Ordering::Relaxed);
                    own.push(due.elapsed().as_secs_f64());
                }
                times_ref.lock().unwrap().append(&mut own);
            };
            let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
            for client in 0..clients {
                scope.spawn(move || {
                    let mut rng = Rng::new(client as u64);
                    while !done.load(Ordering::Relaxed) {
                        self.ask(&mut rng);
                        asked_ref.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            scope.spawn(meanwhile);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            done.store(true, Ordering::Relaxed);
        });
        let mut times = times.into_inner().unwrap();
        times.sort_by(f64::total_cmp);
        let (refused, asked) = (refused.into_inner(), asked.into_inner());
        Phase { times, seconds: began.elapsed().as_secs_f64(), refused, asked }
    }

    /// Sends one request until it is kept; how often it was refused before.
    fn send(&self) -> u64 {
        let at = self.sent.fetch_add(1, Ordering::Relaxed) % self.requests.len();
        let (signal, request) = &self.requests[at];
        for refused in 0.. {
            match block_on(self.library.export_otlp(*signal, request.clone())) {
                Ok(outcome) => {
                    assert_eq!(outcome.rejected, 0);
                    self.kept[usize::from(*signal == Signal::Logs)].fetch_add(RECORDS as u64, Ordering::Relaxed);
                    return refused;
                }
                Err(error) if error.code() == Code::StorageFull => std::thread::sleep(REFUSED),
                Err(error) => panic!("{error}"),
            }
        }
        0
    }

    fn ask(&self, rng: &mut Rng) {
        let trace = format!("{:016x}{:016x}", rng.bits(), rng.bits());
        let (question, words): (&str, Vec<(&str, &str)>) = match rng.below(6) {
            0 => ("trace", vec![("trace", &trace)]),
            1 => ("spans", vec![("service", "checkout"), ("min_duration", "70ms"), ("limit", "20")]),
            2 => ("counts", vec![("attr", "http.route=/api/v1/orders"), ("step", "1m")]),
            3 => ("logs", vec![("text", "rebalanced partition 7"), ("limit", "20")]),
            4 => ("services", Vec::new()),
            _ => ("attribute_values", vec![("key", "http.route")]),
        };
        self.telemetry.ask_named(question, words, &AskOptions::default()).unwrap().to_json().unwrap();
        self.most.fetch_max(self.telemetry.engine().memory().0, Ordering::Relaxed);
    }

    /// Rows that questions find, of spans and of log records.
    fn found(&self) -> [u64; 2] {
        ["traces", "logs"].map(|signal| {
            let words = [("signal", signal), ("step", "1d")];
            let answer = self.telemetry.ask_named("counts", words, &AskOptions::default()).unwrap();
            let told: serde_json::Value = serde_json::from_str(&answer.to_json().unwrap()).unwrap();
            told["total"].as_u64().unwrap()
        })
    }
}

/// What takes all space of a volume.
struct Filler(PathBuf, File);

impl Filler {
    fn new(dir: &Path) -> Self {
        let path = dir.parent().unwrap().join("filler");
        let mut filler = Self(path.clone(), File::create(path).unwrap());
        filler.fill();
        filler
    }

    /// Until there is no room for a page.
    fn fill(&mut self) {
        for size in [1 << 16, 1 << 12] {
            while self.1.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// For so long, whatever others free meanwhile; then there is room again.
    fn stay(mut self, seconds: f64) {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            self.fill();
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Now this first, now that: what one phase leaves to do falls on both.
fn in_turns(round: usize, [without, with]: [usize; 2]) -> [usize; 2] {
    if round.is_multiple_of(2) { [without, with] } else { [with, without] }
}

/// Waits until what was written is sealed, but for the files that are written to.
fn settle(dir: &Path) {
    let late = Instant::now() + Duration::from_secs(120);
    let unsealed = |signal: &str| {
        let names = otlp_arrow_testkit::watch::names(dir, &format!("otlp/{signal}"));
        names.iter().filter(|name| name.ends_with(".arrows")).count()
    };
    while ["traces", "logs"].into_iter().any(|signal| unsealed(signal) > 1) && Instant::now() < late {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn run(dir: &Path, arguments: &[&str]) {
    let [situation, seconds, rounds, clients] = arguments else {
        panic!("ingest DIR SITUATION SECONDS ROUNDS CLIENTS")
    };
    let (seconds, rounds, clients): (f64, usize, usize) =
        (seconds.parse().unwrap(), rounds.parse().unwrap(), clients.parse().unwrap());
    let ingest = Arc::new(Ingest::open(&dir.join("data"), situation));
    let dir = dir.join("data");
    let nothing = || ();
    let full = *situation == "full";
    // Peak, alone and beside one question at a time, in turns; a small volume holds too little for that.
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..if full { 0 } else { rounds } {
        for clients in in_turns(round, [0, 1]) {
            let rates = if clients == 0 { &mut alone } else { &mut beside };
            rates.push(ingest.phase(seconds / 2.0, None, clients, nothing).rate());
            settle(&dir);
        }
    }
    let (peak, beside) = if full { (FULL_RATE * 2.0, FULL_RATE * 2.0) } else { (median(alone), median(beside)) };
    // At half of it, with and without clients, in turns.
    let mut phases: [Vec<Phase>; 2] = Default::default();
    for round in 0..rounds {
        for clients in in_turns(round, [0, clients]) {
            let phases = &mut phases[usize::from(clients > 0)];
            let filler = full.then(|| Filler::new(&dir));
            phases.push(ingest.phase(seconds, Some(peak / 2.0), clients, move || {
                if let Some(filler) = filler {
                    filler.stay(seconds / 2.0);
                }
            }));
            settle(&dir);
        }
    }
    let told = phases.each_ref().map(|phases| {
        let of = |share: f64| median(phases.iter().map(|phase| phase.share(share) * 1e3).collect());
        let sum = |value: fn(&Phase) -> u64| phases.iter().map(value).sum::<u64>();
        serde_json::json!({
            "p50": of(0.5), "p99": of(0.99), "max": of(1.0), "requests": sum(|phase| phase.times.len() as u64),
            "refused": sum(|phase| phase.refused), "asked": sum(|phase| phase.asked),
        })
    });
    let kept = ingest.kept.each_ref().map(|kept| kept.load(Ordering::Relaxed));
    let found = ingest.found();
    if *situation != "retention" {
        assert_eq!(found, kept, "what was acknowledged is there");
    }
    let limits = ingest.telemetry.engine().limits().max_memory;
    let most = ingest.most.load(Ordering::Relaxed);
    assert!(most <= limits, "{most} bytes of {limits}");
    assert_eq!(ingest.telemetry.engine().memory().0, 0, "everything was given back");
    ingest.library.shutdown_blocking(None).unwrap();
    let records = |rate: f64| (rate * RECORDS as f64) as u64;
    println!(
        "{}",
        serde_json::json!({
            "situation": situation, "peak": records(peak), "beside_one_question": records(beside), "without": told[0],
            "with": told[1], "kept": kept, "found": found, "memory": most,
        })
    );
}
