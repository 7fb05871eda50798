//! Rows to OTAP and back by our own reader, and what is in the files of others.

use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_arrow_columns::otap::Stream;
use otlp_arrow_columns::otap::encode::{Encoder, Loss, Options};
use otlp_arrow_columns::{Format, Limits, Signal, decode, encode_protobuf};
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::otap::{Batch, Normal, Reader, otlp, points};
use otlp_arrow_wire::otap::BatchArrowRecords;

use super::number;

/// By our own reader: OTLP, columns, OTAP, columns, OTLP.
fn there_and_back<M: Normal>(signal: Signal, make: fn(&mut Generator) -> M) {
    let options = Options { metric_metadata: true, ..Options::default() };
    let (mut encoder, mut stream) = (Encoder::new(signal, &options), Stream::new(signal, 1 << 30));
    let (limits, mut rows) = (Limits::default(), 0);
    let first = number("OTLP_ARROW_SEED", 0);
    for (batch_id, seed) in (first..first + number("OTLP_ARROW_CASES", 700)).enumerate() {
        let request = make(&mut Generator::new(seed));
        let batch = decode(signal, &request.encode_to_vec(), Format::Protobuf).unwrap().batch;
        if batch.num_rows() == 0 {
            continue;
        }
        let encoded = encoder.encode(&batch, batch_id as i64).unwrap();
        let message = BatchArrowRecords::read(&encoded.message).unwrap();
        let tables = stream.read(&message, &limits, &mut |_| true, &mut |_| true);
        let tables = tables.unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        let plan = tables.plan(&limits, &mut |_| true).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        let back = plan.store();
        assert_eq!(back.batch().num_rows(), batch.num_rows(), "seed {seed}");
        let back = M::decode(&*encode_protobuf(signal, std::slice::from_ref(back.batch())).unwrap()).unwrap();
        let loose = encoded.lost.of(Loss::Doubles) > 0;
        if let Some(difference) = request.normal(loose).content().difference(&back.normal(loose).content()) {
            panic!("seed {seed}: {difference}");
        }
        rows += batch.num_rows();
    }
    assert!(rows > 500, "only {rows} rows");
}

#[test]
fn logs_come_back_as_they_were() {
    there_and_back(Signal::Logs, Generator::logs);
}

#[test]
fn traces_come_back_as_they_were() {
    there_and_back(Signal::Traces, Generator::traces);
}

#[test]
fn metrics_come_back_as_they_were() {
    there_and_back(Signal::Metrics, Generator::metrics);
}

/// Every request in a file of the corpus that is taken as a whole, through OTAP.
fn file<M: Normal>(signal: Signal, bytes: &[u8], format: Format, back: fn(&Batch) -> M) -> usize {
    let Ok(decoded) = decode(signal, bytes, format) else { return 0 };
    if decoded.batch.num_rows() == 0 {
        return 0;
    }
    let wanted = M::decode(&*encode_protobuf(signal, std::slice::from_ref(&decoded.batch)).unwrap()).unwrap();
    let options = Options { metric_metadata: true, ..Options::default() };
    let encoded = Encoder::new(signal, &options).encode(&decoded.batch, 0).unwrap();
    let found = back(&Reader::default().read(&encoded.message, 0));
    let loose = encoded.lost.of(Loss::Doubles) > 0;
    assert_eq!(wanted.normal(loose).content().difference(&found.normal(loose).content()), None);
    decoded.batch.num_rows()
}

#[test]
fn what_others_wrote_arrives_as_it_was() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/fixtures/corpus");
    let (mut files, mut rows) = (0, 0);
    for project in std::fs::read_dir(&corpus).unwrap().flatten().filter(|project| project.path().is_dir()) {
        for signal in Signal::ALL {
            let Ok(list) = std::fs::read_dir(project.path().join(signal.as_str())) else { continue };
            for path in list.flatten().map(|entry| entry.path()) {
                let bytes = std::fs::read(&path).unwrap();
                let format = match path.extension().and_then(|extension| extension.to_str()) {
                    Some("json") => Format::Json,
                    Some("pb") => Format::Protobuf,
                    _ => continue,
                };
                let found = match signal {
                    Signal::Logs => file::<ExportLogsServiceRequest>(signal, &bytes, format, otlp::logs),
                    Signal::Traces => file::<ExportTraceServiceRequest>(signal, &bytes, format, otlp::traces),
                    Signal::Metrics => file::<ExportMetricsServiceRequest>(signal, &bytes, format, points::metrics),
                };
                files += usize::from(found > 0);
                rows += found;
            }
        }
    }
    assert!(files > 50 && rows > 100, "{files} files with {rows} records");
}
