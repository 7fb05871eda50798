//! What it costs to receive and keep one record: CPU of the whole `otlp-arrow serve` process, as the operating system
//! counts it, under OTLP/gRPC load from another process, beside baselines and the Collector in the same run.
//!
//! ```text
//! cargo bench --bench cost                            everything, an hour and a half
//! cargo bench --bench cost -- --scale 0.1             a tenth of it
//! cargo bench --bench cost -- --only spans --look     one kind, and where its CPU goes
//! cargo bench --bench cost -- --receiver serve        those whose name begins so; can be repeated
//! cargo bench --bench cost -- small                   1,000 requests of one record a second, ten minutes; --only numbers
//! cargo bench --bench cost -- idle                    memory at rest
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, clippy::disallowed_methods, reason = "a benchmark")]

mod accounting;
mod idle;
mod load;
mod server;
mod small;
mod tonic;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use accounting::Used;
use load::Load;
use otlp_arrow::Signal;
use otlp_arrow_store::storage::Storage;
use otlp_arrow_store::storage_os::OsStorage;
use server::{Receiver, Server};

/// What can be said on the command line.
#[derive(Debug)]
pub(crate) struct Options {
    /// 1 is as the issue asks for.
    pub(crate) scale: f64,
    binary: PathBuf,
    collector: PathBuf,
    only: Option<String>,
    receivers: Vec<String>,
    look: bool,
    rounds: usize,
}

impl Options {
    fn of(arguments: &[String]) -> Self {
        let value = |key: &str| {
            let at = arguments.iter().position(|argument| argument == key)?;
            Some(arguments.get(at + 1).unwrap_or_else(|| panic!("{key} needs a value")).clone())
        };
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        Self {
            scale: value("--scale").map_or(1.0, |scale| scale.parse().unwrap()),
            binary: value("--binary").unwrap_or(env!("CARGO_BIN_EXE_otlp-arrow").into()).into(),
            collector: value("--collector").unwrap_or(format!("{root}/target/collector")).into(),
            only: value("--only"),
            receivers: arguments
                .windows(2)
                .filter(|pair| pair[0] == "--receiver")
                .map(|pair| pair[1].clone())
                .collect(),
            look: arguments.iter().any(|argument| argument == "--look"),
            rounds: value("--rounds").map_or(3, |rounds| rounds.parse().unwrap()),
        }
    }

    /// Starts a receiver.
    pub(crate) fn start(&self, receiver: Receiver) -> Server {
        Server::start(receiver, &self.binary, &self.collector)
    }
}

/// One load.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    kind: &'static str,
    records: usize,
    connections: usize,
    /// Requests a second, in all; as many as are answered where it is None.
    rate: Option<f64>,
    /// Times the appending baseline, without sealing.
    limit: Option<f64>,
    receivers: &'static [Receiver],
}

const WRITTEN: Receiver = Receiver::Serve("written");
const ALL: &[Receiver] =
    &[Receiver::Drop, Receiver::Append, Receiver::Tonic, WRITTEN, Receiver::Collector, Receiver::CollectorZstd];
const OURS: &[Receiver] = &[Receiver::Tonic, Receiver::Append, WRITTEN];
const LEVELS: &[Receiver] = &[Receiver::Serve("buffered"), WRITTEN, Receiver::Serve("synced")];

/// The same load for all: what a core or two keep up with, so that sealing follows and no request is refused.
const LOAD: Option<f64> = Some(200.0);

const CASES: &[Case] = &[
    Case { name: "spans", kind: "spans", records: 1000, connections: 4, rate: LOAD, limit: Some(2.5), receivers: ALL },
    Case { name: "logs", kind: "logs", records: 1000, connections: 4, rate: LOAD, limit: Some(2.5), receivers: ALL },
    Case {
        name: "number points",
        kind: "numbers",
        records: 1000,
        connections: 4,
        rate: LOAD,
        limit: Some(3.0),
        receivers: ALL,
    },
    Case {
        name: "histograms",
        kind: "histograms",
        records: 1000,
        connections: 4,
        rate: LOAD,
        limit: Some(2.5),
        receivers: ALL,
    },
    Case {
        name: "spans, 10 a request",
        kind: "spans",
        records: 10,
        // Each sender waits for its commit: enough of them that all receivers get the same load.
        connections: 32,
        rate: Some(2000.0),
        limit: None,
        receivers: OURS,
    },
    Case {
        name: "spans, 64 connections",
        kind: "spans",
        records: 1000,
        connections: 64,
        rate: LOAD,
        limit: None,
        receivers: OURS,
    },
    Case {
        name: "spans by durability",
        kind: "spans",
        records: 1000,
        connections: 4,
        rate: LOAD,
        limit: None,
        receivers: LEVELS,
    },
];

/// Rotations that are waited for at full scale.
const ROTATIONS: f64 = 8.0;
const SECONDS: f64 = 60.0;

/// Microseconds of CPU a record.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// Everything but the thread that seals.
    receiving: f64,
    /// The thread that seals, for each record that was sealed.
    sealing: f64,
    /// Of receiving and sealing, the part in the kernel.
    system: f64,
    /// Pages mapped for 1,000 records.
    faults: f64,
    records_per_second: f64,
    refused: f64,
}

impl Cost {
    fn both(&self) -> f64 {
        self.receiving + self.sealing
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--load") => return load::main(&arguments[1..]),
        Some("--serve") => return server::baseline(&arguments[1..]),
        _ => {}
    }
    let options = Options::of(&arguments);
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    if asked("small") {
        return small::run(&options);
    }
    if asked("idle") {
        return idle::run(&options);
    }
    cost(&options);
}

fn cost(options: &Options) {
    if !options.collector.exists() {
        println!("no {}: see bench/collector/README.md; the Collector is left out", options.collector.display());
    }
    println!("CPU of the receiving process, \u{b5}s a record; median of {}, scale {}", options.rounds, options.scale);
    println!(
        "| load | receiver | receiving | of append | of append, tonic | limit | sealing | both | of Collector, zstd | kernel | faults/1000 | records/s | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| options.only.as_deref().is_none_or(|only| case.name == only)) {
        let is_meant = |receiver: &&Receiver| {
            let is_collector = matches!(receiver, Receiver::Collector | Receiver::CollectorZstd);
            let asked = &options.receivers;
            (asked.is_empty() || asked.iter().any(|asked| receiver.name().starts_with(asked.as_str())))
                && (!is_collector || options.collector.exists())
        };
        let receivers: Vec<Receiver> = case.receivers.iter().filter(is_meant).copied().collect();
        let mut costs = vec![Vec::new(); receivers.len()];
        for _ in 0..options.rounds {
            for (receiver, costs) in receivers.iter().zip(&mut costs) {
                costs.push(measure(options, case, *receiver));
            }
        }
        let medians: Vec<Cost> = costs.iter_mut().map(|costs| median(costs)).collect();
        let of = |wanted| Some(&medians[receivers.iter().position(|receiver| *receiver == wanted)?]);
        let append = of(Receiver::Append).or_else(|| of(WRITTEN)).map(|cost| cost.receiving);
        let append_by_tonic = of(Receiver::Tonic).map(|cost| cost.receiving);
        let zstd = of(Receiver::CollectorZstd).map(Cost::both);
        let bytes = load::kind(case.kind).encoded(case.records, 1).len() / case.records;
        for (receiver, cost) in receivers.iter().zip(&medians) {
            let times = |cost: f64, base: Option<f64>| base.map_or(String::new(), |base| format!("{:.2}", cost / base));
            let (ratio, to_tonic) = (times(cost.receiving, append), times(cost.receiving, append_by_tonic));
            let of_zstd = times(cost.both(), zstd);
            let limit = case.limit.filter(|_| *receiver == WRITTEN).map_or(String::new(), |limit| limit.to_string());
            println!(
                "| {} ({bytes} B) | {} | {:.3} | {ratio} | {to_tonic} | {limit} | {:.3} | {:.3} | {of_zstd} | {:.3} | {:.0} | {:.0} | {:.0} |",
                case.name,
                receiver.name(),
                cost.receiving,
                cost.sealing,
                cost.both(),
                cost.system,
                cost.faults,
                cost.records_per_second,
                cost.refused
            );
        }
    }
}

/// The one in the middle by receiving cost.
fn median(costs: &mut [Cost]) -> Cost {
    costs.sort_by(|a, b| a.receiving.total_cmp(&b.receiving));
    costs[costs.len() / 2]
}

fn measure(options: &Options, case: &Case, receiver: Receiver) -> Cost {
    let server = options.start(receiver);
    let signal = load::signal(load::kind(case.kind));
    let mut load = Load::start(server.address, case.kind, case.records, case.connections);
    let seconds = SECONDS * options.scale;
    server::warm_page_cache();
    load.run((seconds / 10.0).clamp(1.0, 5.0), case.rate);
    settle(&server, signal);
    let serves = matches!(receiver, Receiver::Serve(_));
    let (known, _) = server.files(signal);
    let rotations = if serves { (ROTATIONS * options.scale).ceil() as usize } else { 0 };
    let before = Used::by(&server.child);
    let threads = accounting::by_thread(&server.child);
    let (mut requests, mut refused, mut taken) = (0.0, 0.0, 0.0);
    let began = Instant::now();
    loop {
        let sent = load.run(seconds.min(10.0), case.rate);
        requests += sent.requests;
        refused += sent.refused;
        taken += sent.seconds;
        let rotated = server.files(signal).0.len().saturating_sub(known.len());
        if taken >= seconds * 0.99 && rotated >= rotations || began.elapsed().as_secs_f64() > seconds * 10.0 + 60.0 {
            break;
        }
    }
    settle(&server, signal);
    let used = Used::by(&server.child).since(before);
    let records = requests * case.records as f64;
    let sealed = if serves { sealed_rows(&server, signal, &known) } else { 0.0 };
    if options.look {
        look(&server, &threads, records);
    }
    Cost {
        receiving: (used.total - used.sealing) / records * 1e6,
        sealing: if sealed > 0.0 { used.sealing / sealed * 1e6 } else { 0.0 },
        system: used.system / records * 1e6,
        faults: used.faults / records * 1e3,
        records_per_second: records / taken,
        refused,
    }
}

/// CPU by thread, in microseconds a record.
fn look(server: &Server, before: &[(String, f64)], records: f64) {
    for (name, seconds) in accounting::by_thread(&server.child) {
        let earlier = before.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, seconds)| *seconds);
        println!("    {name:<16} {:.3}", (seconds - earlier) / records * 1e6);
    }
    let memory = |key| accounting::memory_kib(&server.child, key) / 1024;
    println!("    resident {} MiB, at most {} MiB", memory("VmRSS"), memory("VmHWM"));
}

/// Waits until every file that is full is sealed.
fn settle(server: &Server, signal: Signal) {
    let late = Instant::now() + Duration::from_secs(600);
    while server.files(signal).1.len() > 1 {
        assert!(Instant::now() < late, "sealing does not come to an end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Rows of the files that were sealed since `known`.
fn sealed_rows(server: &Server, signal: Signal, known: &[PathBuf]) -> f64 {
    let new = server.files(signal).0.into_iter().filter(|path| !known.contains(path));
    let rows =
        new.map(|path| otlp_arrow_store::file::compact::check(&*OsStorage.open(&path).unwrap()).unwrap().unwrap().rows);
    rows.sum::<u64>() as f64
}
