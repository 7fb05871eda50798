//! Long streams: dictionaries that grow, widen, begin anew and end; tables at their limits.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow_columns::otap::encode::{Encoder, Loss, MAX_ROWS, Options};
use otlp_arrow_columns::{Format, Signal, decode};
use otlp_arrow_testkit::otap::{Reader, otlp};
use prost::Message;

fn text(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::StringValue(value)) }), ..Default::default() }
}

fn request(records: impl Iterator<Item = LogRecord>) -> ExportLogsServiceRequest {
    let scope = ScopeLogs { scope: Some(Default::default()), log_records: records.collect(), ..Default::default() };
    let of = ResourceLogs { resource: Some(Default::default()), scope_logs: vec![scope], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![of] }
}

/// Sends requests on one stream, and returns what the reader saw of it.
fn stream(requests: impl Iterator<Item = ExportLogsServiceRequest>) -> Reader {
    let (mut encoder, mut reader) = (Encoder::new(Signal::Logs, &Options::default()), Reader::default());
    for (batch_id, request) in requests.enumerate() {
        let batch = decode(Signal::Logs, &request.encode_to_vec(), Format::Protobuf).unwrap().batch;
        let encoded = encoder.encode(&batch, batch_id as i64).unwrap();
        assert!(encoded.lost.is_empty());
        let back = otlp::logs(&reader.read(&encoded.message, batch_id as i64));
        assert!(back == request, "batch {batch_id} is another");
    }
    reader
}

#[test]
fn many_values_that_do_not_come_again_end_a_dictionary() {
    let record = |n: u64| LogRecord { attributes: vec![text("request", format!("r-{n}"))], ..Default::default() };
    let reader = stream((0..70).map(|batch| request((0..1000).map(|n| record(batch * 1000 + n)))));
    assert!(reader.widths.contains("str:plain"), "{:?}", reader.widths);
    assert!(reader.widths.contains("key:u8"));
    assert!(reader.schemas < 10, "{} schemas", reader.schemas);
}

#[test]
fn seventy_thousand_values_that_come_again_begin_a_dictionary_anew() {
    // Each value four times, in neighbouring batches: few for so many cells.
    let record = |n: u64| LogRecord { attributes: vec![text("user", format!("u-{}", n / 4))], ..Default::default() };
    let reader = stream((0..280).map(|batch| request((0..1000).map(|n| record(batch * 1000 + n)))));
    assert!(reader.widths.contains("str:u16") && !reader.widths.contains("str:plain"), "{:?}", reader.widths);
    assert!(reader.grew > 200, "{} deltas", reader.grew);
    // Keys and values once each, and values once more.
    assert!(reader.schemas <= 2 && reader.replaced == 3, "{} schemas, {}", reader.schemas, reader.replaced);
}

#[test]
fn narrow_dictionaries_become_wide_ones_within_a_stream() {
    let record = |n: u64| LogRecord { event_name: format!("event-{}", n % 400), ..Default::default() };
    let reader = stream((0..40).map(|batch| request((0..100).map(|n| record(batch * 100 + n)))));
    assert!(reader.widths.contains("event_name:u8") && reader.widths.contains("event_name:u16"), "{:?}", reader.widths);
}

#[test]
fn columns_appear_with_their_first_value_and_stay() {
    let plain = || LogRecord { time_unix_nano: 7, ..Default::default() };
    let full = || LogRecord { severity_number: 9, flags: 1, body: text("", "b".into()).value, ..plain() };
    let of = |is_full: bool| request((0..3).map(|_| if is_full { full() } else { plain() }));
    let reader = stream([false, false, true, false, true].into_iter().map(of));
    assert_eq!(reader.schemas, 2, "the third batch has new columns, and no other");
}

#[test]
fn a_message_has_at_most_as_many_rows_as_numbers() {
    let record = |n: usize| LogRecord {
        attributes: vec![text("k", "v".into()), text(&format!("k{}", n % 7), "w".into())],
        ..Default::default()
    };
    let rows = |count: usize| {
        let bytes = request((0..count).map(record)).encode_to_vec();
        decode(Signal::Logs, &bytes, Format::Protobuf).unwrap().batch
    };
    let mut encoder = Encoder::new(Signal::Logs, &Options::default());
    let most = encoder.encode(&rows(MAX_ROWS), 0).unwrap();
    let back = otlp::logs(&Reader::default().read(&most.message, 0));
    assert!(back == request((0..MAX_ROWS).map(record)));
    let error = encoder.encode(&rows(MAX_ROWS + 1), 1).unwrap_err().to_string();
    assert!(error.contains("65536 rows") && error.contains("65535"), "{error}");
    assert!(encoder.encode(&rows(1), 1).is_ok(), "the stream goes on");
}

#[test]
fn doubles_that_readers_compare_differently_keep_their_records_apart() {
    let double = |key: &str, value: f64| KeyValue {
        value: Some(AnyValue { value: Some(Value::DoubleValue(value)) }),
        ..text(key, String::new())
    };
    for (values, altered) in [
        (vec![0.0, -0.0, 0.0, -0.0, 0.0], true),
        (vec![f64::NAN; 6], true),
        (vec![f64::NAN, 1.0, f64::NAN, 2.0, f64::NAN, 3.0], false),
        (vec![1.0, 1.0, -1.0, 1.0], false),
    ] {
        let record = |value: &f64| LogRecord { attributes: vec![double("d", *value)], ..Default::default() };
        let wanted = request(values.iter().map(record));
        let batch = decode(Signal::Logs, &wanted.encode_to_vec(), Format::Protobuf).unwrap().batch;
        let encoded = Encoder::new(Signal::Logs, &Options::default()).encode(&batch, 0).unwrap();
        assert_eq!(encoded.lost.of(Loss::Doubles) > 0, altered, "{values:?}");
        // The reader compares what Go finds with what Rust finds.
        let back = otlp::logs(&Reader::default().read(&encoded.message, 0));
        for (record, value) in back.resource_logs[0].scope_logs[0].log_records.iter().zip(&values) {
            let Some(Value::DoubleValue(found)) = record.attributes[0].value.clone().unwrap().value else { panic!() };
            assert!(found == *value || found.is_nan() && value.is_nan(), "{found} for {value}");
        }
    }
}

#[test]
fn what_has_no_place_is_counted() {
    let deep = (0..40).fold(AnyValue { value: Some(Value::IntValue(1)) }, |value, _| AnyValue {
        value: Some(Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values: vec![value] })),
    });
    let attributes = vec![KeyValue { value: Some(deep.clone()), ..text("deep", String::new()) }];
    let mut wanted = request((0..3).map(|_| LogRecord {
        attributes: attributes.clone(),
        body: Some(deep.clone()),
        ..Default::default()
    }));
    let entity = opentelemetry_proto::tonic::common::v1::EntityRef { r#type: "host".into(), ..Default::default() };
    wanted.resource_logs[0].resource.as_mut().unwrap().entity_refs = vec![entity];
    let batch = decode(Signal::Logs, &wanted.encode_to_vec(), Format::Protobuf).unwrap().batch;
    let encoded = Encoder::new(Signal::Logs, &Options::default()).encode(&batch, 0).unwrap();
    assert_eq!((encoded.lost.of(Loss::EntityRefs), encoded.lost.of(Loss::Nesting)), (3, 6));
    let back = otlp::logs(&Reader::default().read(&encoded.message, 0));
    let record = &back.resource_logs[0].scope_logs[0].log_records[0];
    let json = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(record.body.as_ref().unwrap().value, Some(Value::StringValue(json.clone())));
    assert_eq!(record.attributes[0].value.as_ref().unwrap().value, Some(Value::StringValue(json)));
}
