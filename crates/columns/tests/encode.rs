//! The way out: batches of other shapes than the decoder's, and batches that are wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric;
use otlp_arrow_columns::{EncodeError, Format, Signal, decode, encode, encode_protobuf};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::payload;
use prost::Message;

fn batch_of(signal: Signal, request: &impl Message) -> RecordBatch {
    decode(signal, &request.encode_to_vec(), Format::Protobuf).unwrap().batch
}

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(name).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(name, column.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn texts(batch: &RecordBatch, name: &str) -> StringArray {
    let column = batch.column_by_name(name).unwrap();
    match column.as_dictionary_opt::<Int32Type>() {
        Some(dictionary) => dictionary.downcast_dict::<StringArray>().unwrap().into_iter().collect(),
        None => column.as_string::<i32>().clone(),
    }
}

/// What `read()` hands out: no dictionaries.
fn plain(batch: &RecordBatch) -> RecordBatch {
    batch.schema().fields().iter().fold(batch.clone(), |plain, field| match field.data_type() {
        DataType::Dictionary(..) => with_column(&plain, field.name(), Arc::new(texts(batch, field.name()))),
        _ => plain,
    })
}

#[test]
fn plain_text_stands_in_for_dictionaries() {
    for seed in 0..150 {
        let mut generator = Generator::new(seed);
        let traces = generator.traces();
        let batch = batch_of(Signal::Traces, &traces);
        let bytes = encode_protobuf(Signal::Traces, &[plain(&batch)]).unwrap();
        let back = ExportTraceServiceRequest::decode(&*bytes).unwrap();
        assert_eq!(traces.content().difference(&back.content()), None, "seed {seed}");
        let metrics = generator.metrics();
        let batch = batch_of(Signal::Metrics, &metrics);
        let bytes = encode_protobuf(Signal::Metrics, &[plain(&batch)]).unwrap();
        let back = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        assert_eq!(metrics.content().difference(&back.content()), None, "seed {seed}");
    }
}

#[test]
fn columns_are_found_by_name() {
    let request = payload::spans(20, 10, 1);
    let batch = batch_of(Signal::Traces, &request);
    let reversed: Vec<usize> = (0..batch.num_columns()).rev().collect();
    let expected = encode_protobuf(Signal::Traces, std::slice::from_ref(&batch)).unwrap();
    assert_eq!(encode_protobuf(Signal::Traces, &[batch.project(&reversed).unwrap()]).unwrap(), expected);
    assert_eq!(ExportTraceServiceRequest::decode(&*expected).unwrap(), request);
}

#[test]
fn no_rows_are_an_empty_request() {
    let batch = batch_of(Signal::Logs, &payload::logs(3, 10, 1)).slice(0, 0);
    assert_eq!(encode_protobuf(Signal::Logs, &[]).unwrap(), b"");
    assert_eq!(encode(Signal::Logs, &[batch.clone(), batch], Format::Json).unwrap(), b"{}");
}

#[test]
fn seventy_thousand_names_and_two_scopes_in_turn() {
    let mut request = payload::spans(70_000, 1, 1);
    let scopes = &mut request.resource_spans[0].scope_spans;
    for (index, span) in scopes[0].spans.iter_mut().enumerate() {
        span.name = format!("name-{index}");
    }
    let mut other = scopes[0].clone();
    other.scope.as_mut().unwrap().name = "other".into();
    scopes.push(other);
    let whole = batch_of(Signal::Traces, &request);
    let names: HashSet<_> = texts(&whole, "name").iter().flatten().map(str::to_owned).collect();
    assert_eq!((whole.num_rows(), names.len()), (140_000, 70_000));
    let pieces: Vec<RecordBatch> =
        (0..1_000).flat_map(|at| [whole.slice(at * 70, 70), whole.slice(70_000 + at * 70, 70)]).collect();
    let bytes = encode_protobuf(Signal::Traces, &pieces).unwrap();
    assert_eq!(ExportTraceServiceRequest::decode(&*bytes).unwrap(), request, "regrouped as they were");
}

#[test]
fn consecutive_points_form_one_metric() {
    let request = payload::numbers(60, 1);
    let batch = batch_of(Signal::Metrics, &request);
    let split = [batch.slice(0, 15), batch.slice(15, 45)];
    let bytes = encode_protobuf(Signal::Metrics, &split).unwrap();
    assert_eq!(ExportMetricsServiceRequest::decode(&*bytes).unwrap(), request);
}

#[test]
fn negative_zero_is_not_zero() {
    // prost cannot write this: sum -0.0 of a summary point, quantile -0.0.
    let zero = [&[0x29][..], &(-0.0f64).to_le_bytes(), &[0x32, 9, 0x09], &(-0.0f64).to_le_bytes()].concat();
    let mut bytes = zero.clone();
    for number in [1u8, 11, 2, 2, 1] {
        bytes = [&[number << 3 | 2, bytes.len() as u8], &*bytes].concat();
    }
    for format in [Format::Protobuf, Format::Json] {
        let batch = decode(Signal::Metrics, &bytes, Format::Protobuf).unwrap().batch;
        let out = encode(Signal::Metrics, &[batch], format).unwrap();
        let batch = decode(Signal::Metrics, &out, format).unwrap().batch;
        let back = encode_protobuf(Signal::Metrics, &[batch]).unwrap();
        assert!(back.ends_with(&zero), "{format}: {back:?}");
    }
}

#[test]
fn arrays_nest_as_deep_as_is_allowed_and_no_deeper() {
    for (levels, refused) in [(64, 0), (65, 1), (66, 1), (500, 1)] {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        let close = "]}}".repeat(levels);
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{open}{{"intValue":"7"}}{close}}},{{}}]}}]}}]}}"#
        );
        let decoded = decode(Signal::Logs, text.as_bytes(), Format::Json).unwrap();
        assert_eq!(decoded.refused.by_reason[otlp_arrow_columns::Reason::TooDeep as usize], refused, "{levels}");
        let back = encode(Signal::Logs, &[decoded.batch], Format::Json).unwrap();
        if refused == 0 {
            assert_eq!(String::from_utf8(back).unwrap(), text);
        }
    }
}

fn flaw(batch: &RecordBatch, name: &str, column: ArrayRef) -> String {
    encode_protobuf(Signal::Traces, &[batch.slice(0, 0), with_column(batch, name, column)]).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_column_is_told() {
    let batch = batch_of(Signal::Traces, &payload::spans(3, 10, 1));
    let strings = |texts: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let missing = batch.project(&[0, 1, 2]).unwrap();
    assert!(matches!(
        encode_protobuf(Signal::Traces, &[missing]),
        Err(EncodeError::MissingColumn { column: "events" | "trace_state" | "resource_attributes" })
    ));
    assert_eq!(
        flaw(&batch, "flags", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
        "column flags is of type UInt64 and must be UInt32"
    );
    assert_eq!(
        flaw(&batch, "kind", strings(["server", "server", "butler"])),
        "batch 1, row 2, column kind: neither a name nor a number of the enum"
    );
    assert_eq!(
        flaw(&batch, "attribute_types", strings(["s", "s", "s"])),
        "batch 1, row 0, column attribute_types: not one letter per attribute"
    );
    for (letters, message) in [
        ("iiiiiiiiii", "not an integer of 64 bits"),
        ("dddddddddd", "not a number"),
        ("bbbbbbbbbb", "neither true nor false"),
        ("yyyyyyyyyy", "not base64"),
        ("aaaaaaaaaa", "not the JSON of an attribute value"),
        ("mmmmmmmmmm", "not the JSON of an attribute value"),
        ("SSSSSSSSSS", "a repeated key without its number"),
        ("??????????", "a letter that no type has"),
    ] {
        assert_eq!(
            flaw(&batch, "attribute_types", strings([letters; 3])),
            format!("batch 1, row 0, column attributes: {message}")
        );
    }
    for json in ["", "[]", "{", "{\"a\":1}x", "{\"a\":99999999999999999999}", "{\"a\":{\"@double\":1}}", "{\"a\":01}"] {
        let text = flaw(&batch, "resource_attributes", strings([json; 3]));
        assert!(text.starts_with("batch 1, row 0, column resource_attributes: "), "{json}: {text}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let text = flaw(&batch, "resource_attributes", strings([&deep; 3]));
    assert!(text.ends_with("nested too deep"), "{text}");
}

/// Arrays from other processes are not checked by Arrow: an index beyond the dictionary must not panic.
#[test]
fn a_dictionary_index_beyond_its_values_is_told() {
    let batch = batch_of(Signal::Traces, &payload::spans(3, 10, 1));
    for key in [7, -1, i32::MAX] {
        let keys = Int32Array::from(vec![0, 0, key]);
        let values: ArrayRef = Arc::new(StringArray::from(vec!["server"]));
        // SAFETY: nothing reads the array but the encoder under test, which checks every index.
        let broken = unsafe { DictionaryArray::new_unchecked(keys, values) };
        assert_eq!(
            flaw(&batch, "kind", Arc::new(broken)),
            "batch 1, row 2, column kind: an offset or index points outside of the column"
        );
    }
}

/// The points of one metric keep what only some kinds have.
#[test]
fn points_of_all_kinds_come_back() {
    let mut kinds = [0; 5];
    for seed in 0..100 {
        let request = Generator::new(seed).metrics();
        let bytes = encode_protobuf(Signal::Metrics, &[batch_of(Signal::Metrics, &request)]).unwrap();
        let back = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        for metric in back.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics) {
            kinds[match metric.data.as_ref().unwrap() {
                metric::Data::Gauge(_) => 0,
                metric::Data::Sum(_) => 1,
                metric::Data::Histogram(_) => 2,
                metric::Data::ExponentialHistogram(_) => 3,
                metric::Data::Summary(_) => 4,
            }] += 1;
        }
    }
    assert!(kinds.iter().all(|&count| count > 20), "{kinds:?}");
}
