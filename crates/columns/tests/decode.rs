//! The way in, against a plain reading of the same bytes with prost.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/rowwise.rs"]
mod rowwise;
#[path = "support/wire.rs"]
mod wire;

use arrow_array::{Array, RecordBatch};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric::Data};
use otlp_arrow_columns::{BatchBuilder, Checked, DecodeError, Limits, Signal, check, schema};
use otlp_arrow_testkit::payload::Kind;
use otlp_arrow_testkit::rng::Rng;
use prost::Message;

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn decode(signal: Signal, bytes: &[u8]) -> Result<(RecordBatch, Checked), DecodeError> {
    let checked = check(signal, bytes, &Limits::default())?;
    let mut builder = BatchBuilder::new(signal);
    builder.append(bytes, &checked);
    Ok((builder.finish(), checked))
}

/// Says which column and row differ; batches of thousands of rows are no help in a message.
#[track_caller]
fn assert_equal(ours: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(ours.num_rows(), expected.num_rows());
    for (i, field) in expected.schema().fields().iter().enumerate() {
        let (a, b) = (ours.column(i), expected.column(i));
        a.to_data().validate_full().unwrap();
        if a != b {
            let row = (0..a.len()).find(|&row| a.slice(row, 1) != b.slice(row, 1));
            let at = row.unwrap_or_default();
            panic!("{} row {row:?}: {:?} is not {:?}", field.name(), a.slice(at, 1), b.slice(at, 1));
        }
    }
}

#[test]
fn realistic_requests_become_the_expected_rows() {
    let kinds = Kind::COMPARED.into_iter().chain([Kind::Spans { attributes: 25 }, Kind::Logs { body: 1000 }]);
    for kind in kinds {
        let signal = signal(kind);
        for (records, seed) in [(1, 1), (100, 2), (1000, 3)] {
            let bytes = kind.encoded(records, seed);
            let (batch, checked) = decode(signal, &bytes).unwrap();
            assert_eq!(batch.schema(), schema(signal));
            assert_eq!(checked.rows, records);
            assert_eq!(checked.refused.total(), 0);
            assert_equal(&batch, &rowwise::decode(signal, &bytes).unwrap());
        }
    }
}

/// Several requests in one batch are as one request after another, and a builder can be used again.
#[test]
fn requests_share_a_batch() {
    for kind in Kind::COMPARED {
        let signal = signal(kind);
        let mut builder = BatchBuilder::new(signal);
        for round in 0..3 {
            let requests: Vec<_> = (0..5).map(|i| kind.encoded(7 + i, round * 10 + i as u64)).collect();
            for (i, bytes) in requests.iter().enumerate() {
                builder.append(bytes, &check(signal, bytes, &Limits::default()).unwrap());
                assert_eq!(builder.rows(), (0..=i).map(|i| 7 + i).sum::<usize>());
            }
            // Messages of one type merge by concatenation.
            assert_equal(&builder.finish(), &rowwise::decode(signal, &requests.concat()).unwrap());
            assert_eq!(builder.rows(), 0);
        }
        assert_eq!(builder.finish().num_rows(), 0);
    }
}

/// Takes the records out that OTLP calls invalid; how many that were.
fn without_invalid(signal: Signal, bytes: &[u8]) -> Result<(RecordBatch, u64), prost::DecodeError> {
    let is_id = |id: &Vec<u8>, len: usize| id.is_empty() || id.len() == len;
    let mut refused = 0;
    let mut keep = |valid: bool| {
        refused += u64::from(!valid);
        valid
    };
    let batch = match signal {
        Signal::Traces => {
            let mut request = ExportTraceServiceRequest::decode(bytes)?;
            for scope in request.resource_spans.iter_mut().flat_map(|envelope| &mut envelope.scope_spans) {
                scope.spans.retain(|span| {
                    let mut links = span.links.iter();
                    keep(
                        is_id(&span.trace_id, 16)
                            && is_id(&span.span_id, 8)
                            && is_id(&span.parent_span_id, 8)
                            && links.all(|link| is_id(&link.trace_id, 16) && is_id(&link.span_id, 8)),
                    )
                });
            }
            rowwise::traces(&request)
        }
        Signal::Logs => {
            let mut request = ExportLogsServiceRequest::decode(bytes)?;
            for scope in request.resource_logs.iter_mut().flat_map(|envelope| &mut envelope.scope_logs) {
                scope.log_records.retain(|log| keep(is_id(&log.trace_id, 16) && is_id(&log.span_id, 8)));
            }
            rowwise::logs(&request)
        }
        Signal::Metrics => {
            let mut request = ExportMetricsServiceRequest::decode(bytes)?;
            let scopes = request.resource_metrics.iter_mut().flat_map(|envelope| &mut envelope.scope_metrics);
            for metric in scopes.flat_map(|scope| &mut scope.metrics) {
                let mut valid = |exemplars: &Vec<Exemplar>| {
                    keep(exemplars.iter().all(|e| is_id(&e.trace_id, 16) && is_id(&e.span_id, 8)))
                };
                match &mut metric.data {
                    Some(Data::Gauge(data)) => data.data_points.retain(|point| valid(&point.exemplars)),
                    Some(Data::Sum(data)) => data.data_points.retain(|point| valid(&point.exemplars)),
                    Some(Data::Histogram(data)) => data.data_points.retain(|point| valid(&point.exemplars)),
                    Some(Data::ExponentialHistogram(data)) => data.data_points.retain(|point| valid(&point.exemplars)),
                    Some(Data::Summary(_)) | None => {}
                }
            }
            rowwise::metrics(&request)
        }
    };
    Ok((batch, refused))
}

/// Compares with prost; how many rows it has, if prost could read it.
fn differ(signal: Signal, bytes: &[u8]) -> Option<usize> {
    let ours = decode(signal, bytes);
    match without_invalid(signal, bytes) {
        Ok((expected, refused)) => {
            let (batch, checked) = ours.unwrap_or_else(|error| panic!("prost reads it: {error}: {bytes:02x?}"));
            assert_eq!(checked.refused.by_reason, [refused, 0, 0, 0], "{bytes:02x?}");
            assert_eq!(checked.refused.first.is_some(), refused > 0);
            assert_equal(&batch, &expected);
            Some(batch.num_rows())
        }
        Err(error) => {
            // prost refuses the request where we refuse records, or reads what is replaced later on.
            let lenient = error.to_string().contains("UTF-8") || error.to_string().contains("recursion");
            assert!(lenient || matches!(ours, Err(DecodeError::Malformed { .. })), "{error}: {bytes:02x?}");
            None
        }
    }
}

#[test]
fn random_requests_are_read_as_prost_reads_them() {
    let (mut read, mut rows) = (0, [0; 3]);
    for seed in 0..200 {
        for signal in Signal::ALL {
            let bytes = wire::Generator::new(seed, seed % 3 == 0).request(signal);
            if let Some(count) = differ(signal, &bytes) {
                read += 1;
                rows[signal.index()] += count;
            }
        }
    }
    assert!(read > 400 && rows.iter().all(|&rows| rows > 1000), "{read} requests, {rows:?} rows");
}

#[test]
fn damaged_requests_are_judged_as_prost_judges_them() {
    let mut rng = Rng::new(7);
    let mut read = 0;
    for seed in 0..150 {
        for signal in Signal::ALL {
            let mut bytes = wire::Generator::new(seed, false).request(signal);
            if bytes.is_empty() {
                continue;
            }
            for _ in 0..=rng.below(3) {
                let at = rng.index(bytes.len());
                match rng.below(3) {
                    0 => bytes[at] ^= 1 << rng.below(8),
                    1 => bytes[at] = rng.bits() as u8,
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            if rng.one_in(4) {
                bytes.truncate(rng.index(bytes.len() + 1));
            }
            read += usize::from(differ(signal, &bytes).is_some());
        }
    }
    assert!(read > 25, "{read}");
}
