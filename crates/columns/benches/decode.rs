//! OTLP bytes to columns, beside what else could be done with the same bytes:
//! `scan` reads every field and checks its text, which is the limit; `prost` only decodes; `rowwise` decodes with prost
//! and fills arrow's builders row by row.
//!
//! `cargo bench -p otlp-arrow-columns --bench decode -- --quick`
#![allow(missing_docs, clippy::unwrap_used, reason = "benchmarks")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check};
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

#[path = "../tests/support/rowwise.rs"]
mod rowwise;
#[path = "support/scan.rs"]
mod scan;

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn prost(signal: Signal, bytes: &[u8]) {
    match signal {
        Signal::Traces => drop(black_box(ExportTraceServiceRequest::decode(bytes).unwrap())),
        Signal::Logs => drop(black_box(ExportLogsServiceRequest::decode(bytes).unwrap())),
        Signal::Metrics => drop(black_box(ExportMetricsServiceRequest::decode(bytes).unwrap())),
    }
}

fn decode(c: &mut Criterion) {
    let limits = Limits::default();
    let kinds = Kind::COMPARED.into_iter().chain([
        Kind::Spans { attributes: 25 },
        Kind::Logs { body: 300 },
        Kind::Logs { body: 1000 },
    ]);
    for kind in kinds {
        let signal = signal(kind);
        let mut group = c.benchmark_group(kind.name());
        for records in [1, 100, 1000, 10_000] {
            let bytes = kind.encoded(records, 1);
            group.throughput(Throughput::Elements(records as u64));
            let mut builder = BatchBuilder::new(signal);
            group.bench_with_input(BenchmarkId::new("ours", records), &bytes, |b, bytes| {
                b.iter(|| {
                    let checked = check(signal, bytes, &limits).unwrap();
                    builder.append(bytes, &checked);
                    builder.finish()
                });
            });
            group.bench_with_input(BenchmarkId::new("check", records), &bytes, |b, bytes| {
                b.iter(|| check(signal, bytes, &limits).unwrap());
            });
            group.bench_with_input(BenchmarkId::new("scan", records), &bytes, |b, bytes| {
                b.iter(|| scan::request(signal, black_box(bytes)).unwrap());
            });
            group.bench_with_input(BenchmarkId::new("prost", records), &bytes, |b, bytes| {
                b.iter(|| prost(signal, bytes));
            });
            group.bench_with_input(BenchmarkId::new("rowwise", records), &bytes, |b, bytes| {
                b.iter(|| rowwise::decode(signal, bytes).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
