//! One way of decoding in a loop, for a counter of instructions to look at. The difference between two
//! numbers of rounds is free of what it takes to start.
//!
//! `cargo bench -p otlp-arrow-columns --bench instructions --no-run`, then under `valgrind --tool=callgrind`:
//! `instructions spans10 ours 20 [records]` (kind as named by `decode.rs`; ours, encode, check, to_json, from_json, scan,
//! prost, rowwise, or for a batch append, append_plain, without dictionaries, or check_batch).
//! It prints the time of the fastest and of the middle round, which noise touches less than a mean.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "benchmarks")]

use std::hint::black_box;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_arrow_columns::{BatchBuilder, Format, Limits, Signal, check, check_batches, decode, encode_protobuf, json};
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

#[path = "support/plain.rs"]
mod plain;
#[path = "../tests/support/rowwise.rs"]
mod rowwise;
#[path = "support/scan.rs"]
mod scan;

/// Records a batch, unless told.
const RECORDS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [kind, way, rounds, records @ ..] = &arguments[..] else {
        // `cargo bench` runs it without arguments.
        println!("usage: instructions KIND WAY ROUNDS [RECORDS]");
        return;
    };
    let records = records.first().map_or(RECORDS, |text| text.parse().unwrap());
    let rounds: usize = rounds.parse().unwrap();
    let mut kinds = Kind::COMPARED.into_iter().chain([
        Kind::Spans { attributes: 25 },
        Kind::Logs { body: 300 },
        Kind::Logs { body: 1000 },
    ]);
    let kind = kinds.find(|other| other.name() == *kind).unwrap();
    let signal = match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    };
    let bytes = kind.encoded(records, 1);
    let batches = [decode(signal, &bytes, Format::Protobuf).unwrap().batch];
    let plain = plain::plain(&batches[0]);
    let text = json::from_protobuf(signal, &bytes).unwrap();
    let limits = Limits::default();
    let mut builder = BatchBuilder::new(signal);
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        let bytes = black_box(&bytes[..]);
        match way.as_str() {
            "check" => drop(black_box(check(signal, bytes, &limits).unwrap())),
            "append" | "append_plain" => {
                let given = if way == "append" { &batches[0] } else { &plain };
                let checked = check_batches(signal, [black_box(given).clone()], &limits).unwrap();
                drop(black_box(builder.store(&checked)));
            }
            "check_batch" => drop(black_box(check_batches(signal, [batches[0].clone()], &limits).unwrap())),
            "encode" => drop(black_box(encode_protobuf(signal, black_box(&batches)).unwrap())),
            "to_json" => drop(black_box(json::from_protobuf(signal, bytes).unwrap())),
            "from_json" => drop(black_box(json::to_protobuf(signal, black_box(&text), &limits).unwrap())),
            "scan" => drop(black_box(scan::request(signal, bytes).unwrap())),
            "rowwise" => drop(black_box(rowwise::decode(signal, bytes).unwrap())),
            "prost" => match signal {
                Signal::Traces => drop(black_box(ExportTraceServiceRequest::decode(bytes).unwrap())),
                Signal::Logs => drop(black_box(ExportLogsServiceRequest::decode(bytes).unwrap())),
                Signal::Metrics => drop(black_box(ExportMetricsServiceRequest::decode(bytes).unwrap())),
            },
            _ => {
                let checked = check(signal, bytes, &limits).unwrap();
                builder.append(bytes, &checked);
                drop(black_box(builder.finish()));
            }
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!(
        "{} {way}: {} ns a record in the fastest round, {} in the middle one",
        kind.name(),
        times[0].as_nanos() / records as u128,
        times[rounds / 2].as_nanos() / records as u128
    );
}
