//! The way out: record batches to OTLP, beside prost encoding structs that are there already (which makes no use of
//! columns, and so is the least a detour over structs could cost), and OTLP/JSON both ways.
//!
//! Payloads are those of the published otel-arrow comparison; divide by the 1,000 records for figures per record.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_arrow_columns::{Format, Limits, Signal, decode, encode_protobuf, json};
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

const RECORDS: usize = 1_000;

fn encode(c: &mut Criterion) {
    for kind in Kind::COMPARED.into_iter().chain([Kind::Spans { attributes: 25 }, Kind::Logs { body: 1_000 }]) {
        let bytes = kind.encoded(RECORDS, 1);
        let mut group = c.benchmark_group(kind.name());
        group.throughput(Throughput::Elements(RECORDS as u64));
        let signal = match kind {
            Kind::Spans { .. } => Signal::Traces,
            Kind::Logs { .. } => Signal::Logs,
            Kind::Numbers | Kind::Histograms => Signal::Metrics,
        };
        let batches = [decode(signal, &bytes, Format::Protobuf).unwrap().batch];
        group.bench_function("encode", |b| b.iter(|| encode_protobuf(signal, &batches).unwrap()));
        match signal {
            Signal::Traces => {
                let request = ExportTraceServiceRequest::decode(&*bytes).unwrap();
                group.bench_function("prost", |b| b.iter(|| request.encode_to_vec()));
            }
            Signal::Logs => {
                let request = ExportLogsServiceRequest::decode(&*bytes).unwrap();
                group.bench_function("prost", |b| b.iter(|| request.encode_to_vec()));
            }
            Signal::Metrics => {
                let request = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
                group.bench_function("prost", |b| b.iter(|| request.encode_to_vec()));
            }
        }
        let text = json::from_protobuf(signal, &bytes).unwrap();
        let limits = Limits::default();
        group.bench_function("json_to_protobuf", |b| b.iter(|| json::to_protobuf(signal, &text, &limits).unwrap()));
        group.bench_function("json_from_protobuf", |b| b.iter(|| json::from_protobuf(signal, &bytes).unwrap()));
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1));
    targets = encode
}
criterion_main!(benches);
