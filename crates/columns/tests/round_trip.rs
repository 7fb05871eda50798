//! Requests of every shape, there and back: protobuf to columns to protobuf, and JSON to protobuf to JSON.
//!
//! A seeded share runs always; `OTLP_ARROW_CASES=1000000 cargo test --release --test round_trip` runs as many requests
//! of each signal, and `OTLP_ARROW_SEED` begins elsewhere. A failure names its seed.
#![allow(clippy::unwrap_used, reason = "tests")]

use otlp_arrow_columns::{BatchBuilder, Format, Limits, Signal, check, decode, encode, encode_protobuf, json};
use otlp_arrow_testkit::canonical::{Canonical, CanonicalJson};
use otlp_arrow_testkit::generate::Generator;
use prost::Message;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Runs `case` with one seed after the other.
fn each_seed(default: u64, mut case: impl FnMut(u64)) {
    let first = number("OTLP_ARROW_SEED", 0);
    for seed in first..first + number("OTLP_ARROW_CASES", default) {
        case(seed);
    }
}

fn assert_same(seed: u64, step: &str, difference: Option<String>) {
    if let Some(difference) = difference {
        panic!("seed {seed}, {step}: {difference}");
    }
}

fn columns_round_trip<M: CanonicalJson>(signal: Signal, make: fn(&mut Generator) -> M) {
    let limits = Limits::default();
    let mut builder = BatchBuilder::new(signal);
    let mut records = 0;
    each_seed(1_500, |seed| {
        let request = make(&mut Generator::new(seed));
        let bytes = request.encode_to_vec();
        let checked = check(signal, &bytes, &limits).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let wanted = request.content();
        assert_eq!((checked.refused.total(), checked.rows), (0, wanted.records()), "seed {seed}: {}", checked.refused);
        builder.append(&bytes, &checked);
        let batch = builder.finish();
        assert_eq!(batch.num_rows(), checked.rows, "seed {seed}");
        let back = encode_protobuf(signal, &[batch]).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let back = M::decode(&*back).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_same(seed, "columns", wanted.difference(&back.content()));
        records += checked.rows;
    });
    assert!(records > 500, "only {records} records");
}

fn json_round_trip<M: CanonicalJson>(signal: Signal, make: fn(&mut Generator) -> M) {
    each_seed(1_500, |seed| {
        let request = make(&mut Generator::new(seed));
        let text = json::from_protobuf(signal, &request.encode_to_vec()).unwrap();
        assert!(!text.contains(&b'\n'));
        let back = json::to_protobuf(signal, &text, &Limits::default())
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", String::from_utf8_lossy(&text)));
        let again = json::from_protobuf(signal, &back).unwrap();
        let back = M::decode(&*back).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_same(seed, "JSON", request.json_content().difference(&back.json_content()));
        assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(text).unwrap(), "seed {seed}");
    });
}

#[test]
fn traces_through_columns() {
    columns_round_trip(Signal::Traces, Generator::traces);
}

#[test]
fn logs_through_columns() {
    columns_round_trip(Signal::Logs, Generator::logs);
}

#[test]
fn metrics_through_columns() {
    columns_round_trip(Signal::Metrics, Generator::metrics);
}

#[test]
fn traces_through_json() {
    json_round_trip(Signal::Traces, Generator::traces);
}

#[test]
fn logs_through_json() {
    json_round_trip(Signal::Logs, Generator::logs);
}

#[test]
fn metrics_through_json() {
    json_round_trip(Signal::Metrics, Generator::metrics);
}

/// Several requests in one batch, several batches in one request, slices of batches: as if all had been one request.
#[test]
fn requests_and_batches_are_merged_and_split() {
    each_seed(200, |seed| {
        let mut generator = Generator::new(seed);
        let requests = [generator.traces(), generator.traces(), generator.traces()];
        let mut builder = BatchBuilder::new(Signal::Traces);
        let mut append = |request: &dyn Fn() -> Vec<u8>| {
            let bytes = request();
            builder.append(&bytes, &check(Signal::Traces, &bytes, &Limits::default()).unwrap());
        };
        append(&|| requests[0].encode_to_vec());
        append(&|| requests[1].encode_to_vec());
        let first = builder.finish();
        let second = decode(Signal::Traces, &requests[2].encode_to_vec(), Format::Protobuf).unwrap().batch;
        let half = first.num_rows() / 2;
        let batches = [first.slice(0, half), first.slice(half, first.num_rows() - half), second];
        let bytes = encode(Signal::Traces, &batches, Format::Protobuf).unwrap();
        let back =
            opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(&*bytes).unwrap();
        let mut all = requests[0].clone();
        all.resource_spans.extend(requests[1..].iter().flat_map(|request| request.resource_spans.clone()));
        assert_same(seed, "merged", all.content().difference(&back.content()));
    });
}
