//! What is refused, how much of it, and what it costs.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_data::ArrayData;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use otlp_arrow_columns::schema::{logs, traces};
use otlp_arrow_columns::{BatchBuilder, Checked, DecodeError, Limits, Reason, Refusal, Signal, check};
use otlp_arrow_testkit::payload::Kind;
use prost::Message;

/// A length-delimited field.
fn block(field: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend(body);
    out
}

fn decode(signal: Signal, bytes: &[u8]) -> (RecordBatch, Checked) {
    let checked = check(signal, bytes, &Limits::default()).unwrap();
    let mut builder = BatchBuilder::new(signal);
    builder.append(bytes, &checked);
    (builder.finish(), checked)
}

/// A request of one scope with these spans.
fn request(spans: &[Vec<u8>]) -> Vec<u8> {
    let spans: Vec<u8> = spans.iter().flat_map(|span| block(2, span)).collect();
    block(1, &block(2, &spans))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn refusal(index: usize, field: &'static str, reason: Reason) -> Option<Refusal> {
    Some(Refusal { index, field, reason })
}

#[test]
fn one_bad_record_is_left_out() {
    let named = |name: &str| block(5, name.as_bytes());
    let deep = (0..65).fold(AnyValue::default(), |value, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })),
    });
    let deep = KeyValue { key: "deep".into(), value: Some(deep), ..Default::default() }.encode_to_vec();
    let invalid = b"\xff";
    let cases: [(Vec<u8>, &'static str, Reason); 14] = [
        (block(1, &[1; 15]), "trace_id", Reason::InvalidId),
        (block(2, &[1; 9]), "span_id", Reason::InvalidId),
        (block(4, &[1]), "parent_span_id", Reason::InvalidId),
        (block(13, &block(1, &[1; 17])), "links.trace_id", Reason::InvalidId),
        (block(13, &block(2, &[1; 16])), "links.span_id", Reason::InvalidId),
        (block(5, invalid), "name", Reason::InvalidUtf8),
        (block(3, invalid), "trace_state", Reason::InvalidUtf8),
        (block(9, &block(1, invalid)), "attributes.key", Reason::InvalidUtf8),
        (block(9, &block(2, &block(1, invalid))), "attributes.value", Reason::InvalidUtf8),
        (block(11, &block(2, invalid)), "events.name", Reason::InvalidUtf8),
        (block(11, &block(3, &block(1, invalid))), "events.attributes.key", Reason::InvalidUtf8),
        (block(13, &block(3, invalid)), "links.trace_state", Reason::InvalidUtf8),
        (block(15, &block(2, invalid)), "status.message", Reason::InvalidUtf8),
        (block(9, &deep), "attributes.value", Reason::TooDeep),
    ];
    for (bad, field, reason) in cases {
        let bytes = request(&[named("a"), [named("b"), bad].concat(), named("c")]);
        let (batch, checked) = decode(Signal::Traces, &bytes);
        assert_eq!(checked.refused.first, refusal(1, field, reason));
        assert_eq!((checked.rows, checked.refused.total()), (2, 1), "{field}");
        assert_eq!(checked.refused.by_reason[reason as usize], 1);
        let names = batch.column(traces::NAME).as_dictionary::<Int32Type>();
        let names: Vec<_> = names.downcast_dict::<StringArray>().unwrap().into_iter().flatten().collect();
        assert_eq!(names, ["a", "c"]);
    }
}

#[test]
fn unknown_fields_of_every_number_and_type_are_no_reason() {
    for number in [17, 1000, 0x3fff_ffff >> 3, (1 << 29) - 1] {
        let key = |wire_type: u32| {
            let mut key = Vec::new();
            prost::encoding::encode_varint(u64::from(number << 3 | wire_type), &mut key);
            key
        };
        let unknown =
            [[key(0), vec![1]], [key(1), vec![0; 8]], [key(2), vec![1, 1]], [key(3), key(4)], [key(5), vec![1; 4]]];
        let spans: Vec<_> = unknown.map(|field| [field.concat(), block(5, b"kept")].concat()).into();
        let (batch, checked) = decode(Signal::Traces, &request(&spans));
        assert_eq!((batch.num_rows(), checked.refused.first), (5, None), "field {number}");
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |levels: usize, map: bool| {
        (0..levels).fold(AnyValue::default(), |value, _| AnyValue {
            value: Some(if map {
                Value::KvlistValue(KeyValueList {
                    values: vec![KeyValue { key: "k".into(), value: Some(value), ..Default::default() }],
                })
            } else {
                Value::ArrayValue(ArrayValue { values: vec![value] })
            }),
        })
    };
    for map in [false, true] {
        for (levels, nesting, rows) in [(3, 3, 1), (4, 3, 0), (64, 64, 1), (65, 64, 0), (65, 1000, 0)] {
            let kv = KeyValue { key: "k".into(), value: Some(nested(levels, map)), ..Default::default() };
            let bytes = request(&[block(9, &kv.encode_to_vec())]);
            let checked = check(Signal::Traces, &bytes, &Limits { nesting, ..Limits::default() }).unwrap();
            assert_eq!((checked.rows, checked.refused.total()), (rows, 1 - rows as u64), "{levels} of {nesting}");
            let mut builder = BatchBuilder::new(Signal::Traces);
            builder.append(&bytes, &checked);
            assert_eq!(builder.finish().num_rows(), rows);
        }
    }
    // Reading goes no deeper than the limit, whatever there is.
    let mut bytes = Vec::new();
    for _ in 0..5000 {
        bytes = block(5, &block(1, &bytes));
    }
    let bytes = request(&[block(9, &block(2, &bytes))]);
    assert_eq!(check(Signal::Traces, &bytes, &Limits::default()).unwrap().refused.total(), 1);
}

#[test]
fn what_records_share_refuses_them_all() {
    let spans = [block(2, &block(5, b"a")), block(2, &block(1, &[1])), block(2, &block(5, b"c"))].concat();
    let good = block(1, &block(2, &block(2, b"")));
    let bad_text = block(1, b"\xff");
    for (bad, field) in [
        (block(1, &[block(1, &block(1, &bad_text)), block(2, &spans)].concat()), "resource.attributes.key"),
        (block(1, &[block(2, &spans), block(1, &block(3, &bad_text))].concat()), "resource.entity_refs"),
        (block(1, &[block(2, &spans), block(3, b"\xff")].concat()), "schema_url"),
        (block(1, &block(2, &[spans.clone(), block(3, b"\xff")].concat())), "schema_url"),
        (block(1, &block(2, &[block(1, &bad_text), spans.clone()].concat())), "scope.name"),
        (block(1, &block(2, &[block(1, &block(3, &bad_text)), spans.clone()].concat())), "scope.attributes.key"),
    ] {
        let (batch, checked) = decode(Signal::Traces, &[good.clone(), bad, good.clone()].concat());
        assert_eq!(checked.refused.total(), 3, "{field}");
        assert_eq!(checked.refused.by_reason[Reason::InvalidUtf8 as usize], 3);
        assert_eq!(checked.refused.first, refusal(1, field, Reason::InvalidUtf8));
        assert_eq!(batch.num_rows(), 2);
    }
    let points = block(5, &[block(1, b""), block(1, b"")].concat());
    for (bad, field) in [
        (block(1, b"\xff"), "metric.name"),
        (block(2, b"\xff"), "metric.description"),
        (block(3, b"\xff"), "metric.unit"),
        (block(12, &bad_text), "metadata.key"),
    ] {
        let metrics = [block(2, &points), block(2, &[points.clone(), bad].concat()), block(2, &points)].concat();
        let (batch, checked) = decode(Signal::Metrics, &block(1, &block(2, &metrics)));
        assert_eq!(checked.refused.first, refusal(2, field, Reason::InvalidUtf8));
        assert_eq!((checked.refused.total(), batch.num_rows()), (2, 4));
    }
    // A flaw without records refuses nothing.
    let (_, checked) = decode(Signal::Traces, &block(1, &block(1, &block(1, &bad_text))));
    assert_eq!((checked.rows, checked.refused.total()), (0, 0));
}

#[test]
fn broken_wire_is_malformed_and_says_where() {
    let bytes = Kind::Spans { attributes: 3 }.encoded(5, 1);
    let cut = check(Signal::Traces, &bytes[..bytes.len() - 1], &Limits::default());
    assert!(matches!(&cut, Err(DecodeError::Malformed { offset, .. }) if *offset < bytes.len()), "{cut:?}");
    let group = request(&[vec![0x94, 0x03]]);
    let Err(DecodeError::Malformed { offset, message }) = check(Signal::Traces, &group, &Limits::default()) else {
        panic!("the end of a group is no span");
    };
    assert_eq!((offset, &message[..]), (group.len(), "the end of a group that did not begin"));
}

/// Few wire bytes that ask for much memory are refused before any of it is taken, and quickly.
#[test]
fn small_wire_big_memory() {
    let limits = Limits::default();
    for (signal, record) in [
        (Signal::Logs, vec![0x12, 0]),
        (Signal::Traces, vec![0x12, 0]),
        (Signal::Metrics, vec![0x12, 4, 0x2a, 2, 0x0a, 0]),
        (Signal::Traces, vec![0x12, 2, 0x5a, 0]),
    ] {
        let records = record.repeat(62 << 20 >> record.len().ilog2());
        let bytes = block(1, &block(2, &records));
        let begun = Instant::now();
        let Err(DecodeError::TooLarge { needed, limit }) = check(signal, &bytes, &limits) else {
            panic!("{signal} is not refused");
        };
        assert!(needed > limit && needed < limit + (1 << 20), "{needed}");
        assert!(begun.elapsed() < Duration::from_secs(20), "seconds in a build without optimisation, not minutes");
    }
}

#[test]
fn equal_keys_are_numbered_in_linear_time() {
    let count = 300_000;
    let attributes = block(9, &attribute("k", Value::StringValue("v".into())).encode_to_vec()).repeat(count);
    let bytes = request(&[attributes]);
    let begun = Instant::now();
    let (batch, checked) = decode(Signal::Traces, &bytes);
    assert!(begun.elapsed() < Duration::from_secs(20), "quadratic time would be hours");
    assert!(memory(&batch) <= checked.arrow_bytes);
    let map = batch.column(traces::ATTRIBUTES).as_map();
    let keys = map.keys().as_string::<i32>();
    assert_eq!((keys.value(0), keys.value(1), keys.value(count - 1)), ("k", "k#2", "k#300000"));
    let types = batch.column(traces::ATTRIBUTE_TYPES).as_dictionary::<Int32Type>();
    let types = types.downcast_dict::<StringArray>().unwrap().into_iter().next().unwrap().unwrap();
    assert_eq!(types.len(), count);
    assert!(types.starts_with("sSSS") && types.ends_with('S'));
}

#[test]
fn repeated_keys_take_the_next_free_number() {
    let keys = ["k", "k#2", "k", "a", "k", "k#2", ""];
    let attributes: Vec<_> = keys.iter().map(|key| attribute(key, Value::IntValue(1))).collect();
    let event = span::Event { attributes: attributes.clone(), ..Default::default() };
    let span = Span { attributes, events: vec![event.clone(), span::Event::default(), event], ..Default::default() };
    let scope = ScopeSpans { spans: vec![span, Span::default()], ..Default::default() };
    let envelope = ResourceSpans { scope_spans: vec![scope], ..Default::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![envelope] };
    let (batch, _) = decode(Signal::Traces, &request.encode_to_vec());
    let expected = ["k", "k#2", "k#3", "a", "k#4", "k#2#2", ""];
    let names = |keys: &dyn Array| keys.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(batch.column(traces::ATTRIBUTES).as_map().keys()), expected);
    let events = batch.column(traces::EVENTS).as_list::<i32>().values().as_struct();
    assert_eq!(names(events.column(2).as_map().keys()), [expected, expected].concat());
    let types = events.column(3).as_string::<i32>();
    assert_eq!(types.iter().collect::<Vec<_>>(), [Some("iiIiIIi"), None, Some("iiIiIIi")]);
}

/// Bytes of all buffers, each counted once though columns share it.
fn memory(batch: &RecordBatch) -> usize {
    fn add(data: &ArrayData, seen: &mut HashMap<usize, usize>) {
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        for buffer in data.buffers().iter().chain(nulls) {
            seen.insert(buffer.data_ptr().as_ptr() as usize, buffer.capacity());
        }
        data.child_data().iter().for_each(|child| add(child, seen));
    }
    let mut seen = HashMap::new();
    batch.columns().iter().for_each(|column| add(&column.to_data(), &mut seen));
    seen.values().sum()
}

/// The first pass must not promise less than the columns take, nor much more.
#[test]
fn memory_is_counted_tightly() {
    for kind in Kind::COMPARED {
        let signal = match kind {
            Kind::Spans { .. } => Signal::Traces,
            Kind::Logs { .. } => Signal::Logs,
            _ => Signal::Metrics,
        };
        let (batch, checked) = decode(signal, &kind.encoded(2000, 3));
        let taken = memory(&batch);
        assert!(taken <= checked.arrow_bytes, "{kind:?}: {taken} of {}", checked.arrow_bytes);
        // A number point leaves out most of the columns that are counted for it.
        assert!(taken * 3 >= checked.arrow_bytes, "{kind:?}: {taken} of {}", checked.arrow_bytes);
    }
}

#[test]
fn bodies_keep_their_presence() {
    let body = |value: Option<Value>| block(2, &block(5, &AnyValue { value }.encode_to_vec()));
    let logs_ = [
        vec![0x12, 0],
        body(None),
        body(Some(Value::StringValue(String::new()))),
        body(Some(Value::BytesValue(vec![0, 255]))),
        body(Some(Value::DoubleValue(-0.0))),
        body(Some(Value::KvlistValue(KeyValueList { values: vec![attribute("@double", Value::DoubleValue(2.0))] }))),
        body(Some(Value::ArrayValue(ArrayValue::default()))),
    ];
    let (batch, _) = decode(Signal::Logs, &block(1, &block(2, &logs_.concat())));
    let bodies: Vec<_> = batch.column(logs::BODY).as_string::<i32>().iter().collect();
    let types = batch.column(logs::BODY_TYPE).as_dictionary::<Int32Type>();
    let types: Vec<_> = types.downcast_dict::<StringArray>().unwrap().into_iter().collect();
    assert_eq!(bodies, [None, None, Some(""), Some("AP8="), Some("-0.0"), Some(r#"{"@@double":2.0}"#), Some("[]")]);
    assert_eq!(types, [None, Some("n"), Some("s"), Some("y"), Some("d"), Some("m"), Some("a")]);
}
