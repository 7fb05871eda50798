//! OTLP bytes to columns and back, ours beside everything else that could be done with the same bytes, in one run.
//!
//! All ways take turns in every round, so that noise of the machine hits them alike, and each runs once off the clock
//! before its sample; times are medians over the rounds, ratios are medians of each round's ratio. How to run it, and
//! what the columns mean: the README beside it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark")]

mod allocator;
#[path = "../../../crates/columns/tests/support/rowwise.rs"]
mod rowwise;
#[path = "../../../crates/columns/benches/support/scan.rs"]
mod scan;

use std::hint::black_box;
use std::time::{Duration, Instant};

use allocator::{Switched, with_mimalloc};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otel_arrow_dfe_pdata::otlp::logs::LogsProtoBytesEncoder;
use otel_arrow_dfe_pdata::otlp::metrics::MetricsProtoBytesEncoder;
use otel_arrow_dfe_pdata::otlp::traces::TracesProtoBytesEncoder;
use otel_arrow_dfe_pdata::otlp::{ProtoBuffer, ProtoBytesEncoder};
use otel_arrow_dfe_pdata::{OtapArrowRecords, OtlpProtoBytes, TryFromWithOptions};
use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check, encode_protobuf};
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

#[global_allocator]
static ALLOCATOR: Switched = Switched;

/// What is measured, in the order of the table.
const WAYS: [&str; 8] = [
    "ours",
    "scan (d)",
    "prost, system (a)",
    "prost, mimalloc (a)",
    "prost, rows (b)",
    "otel-arrow (c)",
    "ours, out",
    "otel-arrow, out",
];
/// Positions in [`WAYS`].
const OURS: usize = 0;
const SCAN: usize = 1;
const PROST: usize = 2;
const MIMALLOC: usize = 3;
const ROWS: usize = 4;
const OTAP: usize = 5;
const OURS_OUT: usize = 6;
const OTAP_OUT: usize = 7;

/// A sample takes at least this long, by repeating what is short.
const SAMPLE: Duration = Duration::from_micros(300);

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

/// The share of prost's time that a scan took where the goals were set: a slower scan counts as this much.
fn scan_share(kind: Kind) -> f64 {
    match kind {
        Kind::Spans { .. } => 334.0 / 1358.0,
        Kind::Logs { .. } => 201.0 / 747.0,
        Kind::Numbers => 86.0 / 418.0,
        Kind::Histograms => 110.0 / 616.0,
    }
}

/// How many times the scan's time ours may take.
fn goal(kind: Kind) -> f64 {
    match kind {
        Kind::Spans { .. } | Kind::Histograms => 2.0,
        Kind::Logs { .. } => 1.5,
        Kind::Numbers => 1.6,
    }
}

fn prost(signal: Signal, bytes: &[u8]) {
    match signal {
        Signal::Traces => drop(black_box(ExportTraceServiceRequest::decode(bytes).unwrap())),
        Signal::Logs => drop(black_box(ExportLogsServiceRequest::decode(bytes).unwrap())),
        Signal::Metrics => drop(black_box(ExportMetricsServiceRequest::decode(bytes).unwrap())),
    }
}

fn request(signal: Signal, bytes: Bytes) -> OtlpProtoBytes {
    match signal {
        Signal::Traces => OtlpProtoBytes::ExportTracesRequest(bytes),
        Signal::Logs => OtlpProtoBytes::ExportLogsRequest(bytes),
        Signal::Metrics => OtlpProtoBytes::ExportMetricsRequest(bytes),
    }
}

fn otap(signal: Signal, bytes: &Bytes) -> OtapArrowRecords {
    OtapArrowRecords::try_from_with_default(request(signal, bytes.clone())).unwrap()
}

fn encoder(signal: Signal) -> Box<dyn ProtoBytesEncoder> {
    match signal {
        Signal::Traces => Box::new(TracesProtoBytesEncoder::new()),
        Signal::Logs => Box::new(LogsProtoBytesEncoder::new()),
        Signal::Metrics => Box::new(MetricsProtoBytesEncoder::new()),
    }
}

/// Time of `times` runs.
fn timed(times: usize, mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..times).for_each(|_| run());
    start.elapsed()
}

type Way<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

fn ways<'a>(signal: Signal, bytes: &'a Bytes, limits: &'a Limits, records: usize) -> [Way<'a>; 8] {
    let mut builder = BatchBuilder::new(signal);
    let mut decode = move || {
        let checked = check(signal, black_box(bytes), limits).unwrap();
        builder.append(bytes, &checked);
        builder.finish()
    };
    let batch = [decode()];
    assert_eq!(batch[0].num_rows(), records);
    assert_eq!(rowwise::decode(signal, bytes).unwrap(), batch[0], "(b) makes the very same batch");
    let theirs = otap(signal, bytes);
    assert_eq!(theirs.num_items(), records);
    let (mut encoder, mut buffer) = (encoder(signal), ProtoBuffer::with_capacity(bytes.len() * 2));
    encoder.encode(&mut theirs.clone(), &mut buffer).unwrap();
    let back = encode_protobuf(signal, &batch).unwrap();
    for (whose, back) in [("ours", &back[..]), ("otel-arrow's", buffer.as_ref())] {
        assert_eq!(check(signal, back, limits).unwrap().rows, records, "{whose} bytes hold every record");
    }
    [
        Box::new(move |times| timed(times, || drop(black_box(decode())))),
        Box::new(move |times| timed(times, || _ = black_box(scan::request(signal, black_box(bytes)).unwrap()))),
        Box::new(move |times| timed(times, || prost(signal, black_box(bytes)))),
        Box::new(move |times| {
            let mut elapsed = Duration::ZERO;
            // SAFETY: there is one thread, and decoding keeps nothing: its result is dropped within.
            unsafe { with_mimalloc(|| elapsed = timed(times, || prost(signal, black_box(bytes)))) };
            elapsed
        }),
        Box::new(move |times| timed(times, || drop(black_box(rowwise::decode(signal, black_box(bytes)).unwrap())))),
        Box::new(move |times| timed(times, || drop(black_box(otap(signal, black_box(bytes)))))),
        Box::new(move |times| timed(times, || drop(black_box(encode_protobuf(signal, black_box(&batch)).unwrap())))),
        // It changes its input and wants an owned one; copies are made off the clock. Encoder and buffer are reused.
        Box::new(move |times| {
            let mut inputs = vec![theirs.clone(); times];
            let mut inputs = inputs.iter_mut();
            timed(times, || {
                buffer.clear();
                encoder.encode(inputs.next().unwrap(), &mut buffer).unwrap();
                black_box(buffer.len());
            })
        }),
    ]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds a record of every way in every round.
fn measure(kind: Kind, records: usize, rounds: usize) -> Vec<[f64; 8]> {
    let bytes = Bytes::from(kind.encoded(records, 1));
    let limits = Limits::default();
    let mut ways = ways(signal(kind), &bytes, &limits, records);
    let times = ways.each_mut().map(|way| {
        way(1);
        let once = way(1).max(Duration::from_nanos(50));
        SAMPLE.as_nanos().div_ceil(once.as_nanos()) as usize
    });
    (0..rounds)
        .map(|_| {
            let mut round = [0.0; 8];
            for ((way, times), nanos) in ways.iter_mut().zip(times).zip(&mut round) {
                // Off the clock, so that none pays for the pages that the way before it gave back to the system.
                way(1);
                *nanos = way(times).as_nanos() as f64 / (times * records) as f64;
            }
            round
        })
        .collect()
}

fn main() {
    let mut rounds = 25;
    let mut words = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().and_then(|text| text.parse().ok()).expect("--rounds N"),
            _ => words.push(argument),
        }
    }
    let kinds = [
        Kind::Spans { attributes: 10 },
        Kind::Spans { attributes: 25 },
        Kind::Logs { body: 205 },
        Kind::Logs { body: 300 },
        Kind::Logs { body: 1000 },
        Kind::Numbers,
        Kind::Histograms,
    ];
    println!("Nanoseconds a record, medians of {rounds} rounds; ratios are to ours, but ours to (d), with its goal.\n");
    println!("| records | {} | ours / (d) | a, system | a, mimalloc | b | c | out |", WAYS.join(" | "));
    println!("|---|{}", "---|".repeat(WAYS.len() + 6));
    for kind in kinds {
        let name = kind.name();
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        for records in [1, 100, 1000, 10_000] {
            let measured = measure(kind, records, rounds);
            let nanos = (0..8).map(|way| format!("{:.0}", median(measured.iter().map(|round| round[way]))));
            let ratio = |of: usize, to: usize| median(measured.iter().map(|round| round[of] / round[to]));
            let limit = |round: &[f64; 8]| round[OURS] / round[SCAN].min(round[PROST] * scan_share(kind));
            println!(
                "| {name} × {records} | {} | {:.2} of {:.1} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} |",
                nanos.collect::<Vec<_>>().join(" | "),
                median(measured.iter().map(limit)),
                goal(kind),
                ratio(PROST, OURS),
                ratio(MIMALLOC, OURS),
                ratio(ROWS, OURS),
                ratio(OTAP, OURS),
                ratio(OTAP_OUT, OURS_OUT),
            );
        }
    }
}
