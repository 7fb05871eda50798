//! Rows to OTAP, ours beside otel-arrow's, in one run; and each read by the other: what comes out is compared field by field.
//!
//!     cargo run --release --manifest-path bench/otel-arrow/Cargo.toml --bin otap
//!
//! Both begin with columns, ours with a batch as it lies in a file and otel-arrow with its own tables, and end with the bytes of a
//! message; streams and what they know last over the rounds. Times are medians, ratios are medians of each round's ratio.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use arrow_array::RecordBatch;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otel_arrow_dfe_pdata::encode::producer::{Producer, ProducerOptions};
use otel_arrow_dfe_pdata::proto::opentelemetry::arrow::v1::BatchArrowRecords;
use otel_arrow_dfe_pdata::{Consumer, OtapArrowRecords, OtlpProtoBytes, TryFromWithOptions};
use otlp_arrow_columns::otap::Stream;
use otlp_arrow_columns::otap::encode::{Encoder, Options};
use otlp_arrow_columns::{Format, Limits, Signal, decode, encode_protobuf};
use otlp_arrow_testkit::otap::Normal;
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

const BATCHES: usize = 20;

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn theirs(signal: Signal, bytes: &[u8]) -> OtapArrowRecords {
    let bytes = Bytes::copy_from_slice(bytes);
    let request = match signal {
        Signal::Traces => OtlpProtoBytes::ExportTracesRequest(bytes),
        Signal::Logs => OtlpProtoBytes::ExportLogsRequest(bytes),
        Signal::Metrics => OtlpProtoBytes::ExportMetricsRequest(bytes),
    };
    OtapArrowRecords::try_from_with_default(request).unwrap()
}

/// The request that their reader makes of a message.
fn read_by_them(consumer: &mut Consumer, signal: Signal, message: &[u8]) -> Vec<u8> {
    let mut message = BatchArrowRecords::decode(message).unwrap();
    match signal {
        Signal::Traces => consumer.consume_traces_batches(&mut message).unwrap().encode_to_vec(),
        Signal::Logs => consumer.consume_logs_batches(&mut message).unwrap().encode_to_vec(),
        Signal::Metrics => consumer.consume_metrics_batches(&mut message).unwrap().encode_to_vec(),
    }
}

fn read_by_us(stream: &mut Stream, signal: Signal, message: &[u8]) -> Vec<u8> {
    let (limits, message) = (Limits::default(), otlp_arrow_wire::otap::BatchArrowRecords::read(message).unwrap());
    let tables = stream.read(&message, &limits, &mut |_| true, &mut |_| true).unwrap();
    let rows = tables.plan(&limits, &mut |_| true).unwrap().store();
    encode_protobuf(signal, std::slice::from_ref(rows.batch())).unwrap()
}

fn same<M: Normal>(was: &[u8], is: &[u8], whose: &str) {
    let content = |bytes| M::decode(bytes).unwrap().normal(false).content();
    if let Some(difference) = content(was).difference(&content(is)) {
        panic!("{whose}: {difference}");
    }
}

fn compare(signal: Signal, was: &[u8], is: &[u8], whose: &str) {
    match signal {
        Signal::Traces => same::<ExportTraceServiceRequest>(was, is, whose),
        Signal::Logs => same::<ExportLogsServiceRequest>(was, is, whose),
        Signal::Metrics => same::<ExportMetricsServiceRequest>(was, is, whose),
    }
}

/// Each reads what the other wrote, over a stream of several batches.
fn peers(kind: Kind, records: usize) {
    let signal = signal(kind);
    let (mut encoder, mut consumer) = (Encoder::new(signal, &Options::default()), Consumer::default());
    let (mut producer, mut stream) = (Producer::new(), Stream::new(signal, 1 << 30));
    for seed in 0..5 {
        let bytes = kind.encoded(records, seed);
        let batch = decode(signal, &bytes, Format::Protobuf).unwrap().batch;
        let ours = encoder.encode(&batch, seed as i64).unwrap();
        compare(signal, &bytes, &read_by_them(&mut consumer, signal, &ours.message), "ours, read by otel-arrow");
        let message = producer.produce_bar(&mut theirs(signal, &bytes)).unwrap().encode_to_vec();
        compare(signal, &bytes, &read_by_us(&mut stream, signal, &message), "otel-arrow's, read by us");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds a record and bytes a record of each, in every round.
fn measure(kind: Kind, records: usize, rounds: usize, zstd: bool) -> Vec<[f64; 4]> {
    let signal = signal(kind);
    let batches: Vec<(RecordBatch, OtapArrowRecords)> = (0..BATCHES)
        .map(|seed| kind.encoded(records, seed as u64))
        .map(|bytes| (decode(signal, &bytes, Format::Protobuf).unwrap().batch, theirs(signal, &bytes)))
        .collect();
    let level = zstd.then_some(1);
    let mut encoder = Encoder::new(signal, &Options { zstd: level, ..Options::default() });
    let ipc_compression = zstd.then_some(otel_arrow_dfe_pdata::arrow::ipc::CompressionType::ZSTD);
    let mut producer = Producer::new_with_options(ProducerOptions { ipc_compression });
    let mut id = 0;
    let all = (BATCHES * records) as f64;
    (0..rounds)
        .map(|_| {
            let (mut ours, mut others) = (0, 0);
            let start = Instant::now();
            for (batch, _) in &batches {
                ours += black_box(encoder.encode(black_box(batch), id).unwrap()).message.len();
                id += 1;
            }
            let ours_took = start.elapsed().as_nanos() as f64;
            // It changes its input: copies are made off the clock.
            let mut copies: Vec<OtapArrowRecords> = batches.iter().map(|(_, records)| records.clone()).collect();
            let start = Instant::now();
            for copy in &mut copies {
                others += black_box(producer.produce_bar(black_box(copy)).unwrap().encode_to_vec()).len();
            }
            [ours_took / all, start.elapsed().as_nanos() as f64 / all, ours as f64 / all, others as f64 / all]
        })
        .collect()
}

fn main() {
    let kinds = [
        Kind::Spans { attributes: 10 },
        Kind::Spans { attributes: 25 },
        Kind::Logs { body: 205 },
        Kind::Logs { body: 1000 },
        Kind::Numbers,
        Kind::Histograms,
    ];
    println!("Nanoseconds and bytes a record, medians; the ratio is otel-arrow's time to ours: above 1 ours is faster.\n");
    println!("| records | zstd | ours, ns | otel-arrow, ns | ratio | ours, bytes | otel-arrow, bytes |\n|---|---|---|---|---|---|---|");
    for kind in kinds {
        for records in [100, 1000, 10_000] {
            peers(kind, records);
            for zstd in [true, false] {
                let measured = measure(kind, records, 15, zstd);
                let of = |at: usize| median(measured.iter().map(|round| round[at]));
                let ratio = median(measured.iter().map(|round| round[1] / round[0]));
                println!(
                    "| {} × {records} | {zstd} | {:.0} | {:.0} | {ratio:.2} | {:.1} | {:.1} |",
                    kind.name(),
                    of(0),
                    of(1),
                    of(2),
                    of(3)
                );
            }
        }
    }
}
