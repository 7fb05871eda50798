//! Batches that were not made by our decoder: kept equal whatever types their columns have, and refused whole where
//! they are wrong.
//!
//! A seeded share runs always; `OTLP_ARROW_CASES` and `OTLP_ARROW_SEED` widen it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/tools.rs"]
mod tools;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, NullArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{DataType, Field, Schema};
use otlp_arrow_columns::{
    BatchBuilder, BatchError, Format, Limits, Payload, Signal, StoredBatch, check, check_batches, decode,
    encode_protobuf, schema,
};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::payload::Kind;
use prost::Message;
use tools::{TOOLS, Tool, batch_by};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let first = number("OTLP_ARROW_SEED", 0);
    first..first + number("OTLP_ARROW_CASES", default)
}

fn request_of(signal: Signal, seed: u64) -> Vec<u8> {
    let mut generator = Generator::new(seed);
    match signal {
        Signal::Traces => generator.traces().encode_to_vec(),
        Signal::Metrics => generator.metrics().encode_to_vec(),
        Signal::Logs => generator.logs().encode_to_vec(),
    }
}

fn batch_of(signal: Signal, seed: u64) -> RecordBatch {
    decode(signal, &request_of(signal, seed), Format::Protobuf).unwrap().batch
}

fn store(signal: Signal, batches: &[RecordBatch]) -> Result<StoredBatch, BatchError> {
    let checked = check_batches(signal, batches.iter().cloned(), &Limits::default())?;
    Ok(BatchBuilder::new(signal).store(&checked))
}

fn refusal(signal: Signal, batch: &RecordBatch) -> String {
    store(signal, std::slice::from_ref(batch)).unwrap_err().to_string()
}

/// How two requests differ as OTLP semantics sees them.
fn difference(signal: Signal, a: &[u8], b: &[u8]) -> Option<String> {
    fn of<M: Canonical + Message + Default>(a: &[u8], b: &[u8]) -> Option<String> {
        M::decode(a).unwrap().content().difference(&M::decode(b).unwrap().content())
    }
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    match signal {
        Signal::Traces => of::<trace::v1::ExportTraceServiceRequest>(a, b),
        Signal::Metrics => of::<metrics::v1::ExportMetricsServiceRequest>(a, b),
        Signal::Logs => of::<logs::v1::ExportLogsServiceRequest>(a, b),
    }
}

/// What every stored batch must be: valid Arrow in exactly the schema, never more than was counted, and OTLP again.
fn assert_sound(signal: Signal, stored: &StoredBatch) -> Vec<u8> {
    let batch = stored.batch();
    assert_eq!(batch.schema(), schema(signal));
    batch.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    let bytes = encode_protobuf(signal, std::slice::from_ref(batch)).unwrap();
    let again = decode(signal, &bytes, Format::Protobuf).unwrap();
    assert_eq!((again.refused.total(), again.batch.num_rows()), (0, batch.num_rows()));
    bytes
}

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(name).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(name, column.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn without(batch: &RecordBatch, name: &str) -> RecordBatch {
    let wanted: Vec<usize> = (0..batch.num_columns()).filter(|at| batch.schema().field(*at).name() != name).collect();
    batch.project(&wanted).unwrap()
}

fn texts_of(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap();
    let plain: StringArray = match column.as_dictionary_opt::<Int32Type>() {
        Some(dictionary) => dictionary.downcast_dict::<StringArray>().unwrap().into_iter().collect(),
        None => column.as_string::<i32>().clone(),
    };
    plain.iter().map(|text| text.map(str::to_owned)).collect()
}

fn with_text(batch: &RecordBatch, name: &str, text: impl Fn(usize) -> Option<&'static str>) -> RecordBatch {
    let column: StringArray = (0..batch.num_rows()).map(text).collect();
    with_column(batch, name, Arc::new(column))
}

/// A batch of `rows` ordinary records.
fn ordinary(kind: Kind, rows: usize) -> RecordBatch {
    decode(signal_of(kind), &kind.encoded(rows, 5), Format::Protobuf).unwrap().batch
}

fn signal_of(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

const SPANS: Kind = Kind::Spans { attributes: 4 };
const LOGS: Kind = Kind::Logs { body: 20 };

#[test]
fn batches_are_stored_as_they_would_have_come_by_otlp() {
    for seed in seeds(120) {
        for signal in Signal::ALL {
            let request = request_of(signal, seed);
            let batch = decode(signal, &request, Format::Protobuf).unwrap().batch;
            let stored = store(signal, std::slice::from_ref(&batch)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert_eq!(stored.batch(), &batch, "seed {seed}, {signal}");
            let bytes = assert_sound(signal, &stored);
            assert_eq!(difference(signal, &request, &bytes), None, "seed {seed}, {signal}");
        }
    }
}

#[test]
fn batches_of_every_tool_are_stored_equal_also_in_part() {
    for seed in seeds(20) {
        for signal in Signal::ALL {
            let batch = batch_of(signal, seed);
            let (from, len) = (batch.num_rows() / 3, batch.num_rows() - batch.num_rows() / 3);
            let part = batch.slice(from, len);
            assert_eq!(store(signal, std::slice::from_ref(&part)).unwrap().batch(), &part, "seed {seed}, {signal}");
            for tool in TOOLS {
                let theirs = batch_by(tool, &batch);
                let named = |error: BatchError| panic!("seed {seed}, {signal}, {tool:?}: {error}");
                let stored = store(signal, std::slice::from_ref(&theirs)).unwrap_or_else(named);
                assert_eq!(stored.batch(), &batch, "seed {seed}, {signal}, {tool:?}");
                let stored = store(signal, &[theirs.slice(from, len)]).unwrap_or_else(named);
                assert_eq!(stored.batch(), &part, "seed {seed}, {signal}, {tool:?}");
            }
        }
    }
}

#[test]
fn several_batches_become_one_and_stand_beside_otlp() {
    for seed in seeds(60) {
        for signal in Signal::ALL {
            let requests = [seed, seed + 1_000_000].map(|seed| request_of(signal, seed));
            let batches = requests.each_ref().map(|request| decode(signal, request, Format::Protobuf).unwrap().batch);
            let both = store(signal, &[batches[0].clone(), batch_by(Tool::Polars2, &batches[1])]).unwrap();
            let mut builder = BatchBuilder::new(signal);
            let checked = requests.each_ref().map(|request| check(signal, request, &Limits::default()).unwrap());
            requests.iter().zip(&checked).for_each(|(request, checked)| builder.append(request, checked));
            assert_eq!(both.batch(), &builder.finish(), "seed {seed}, {signal}");
            // In one commit: a request as OTLP, one as a batch, and the first again.
            let [bytes, _] = requests.map(bytes::Bytes::from);
            let [first, _] = checked;
            let otlp = Payload::Otlp { signal, bytes, checked: first };
            let one = Payload::Batch(store(signal, &batches[1..]).unwrap());
            let payloads = [&otlp, &one, &otlp];
            builder.expect_payloads(payloads);
            payloads.into_iter().for_each(|payload| builder.append_payload(payload));
            let expected = store(signal, &[batches[0].clone(), batches[1].clone(), batches[0].clone()]).unwrap();
            assert_eq!(&builder.finish(), expected.batch(), "seed {seed}, {signal}");
        }
    }
}

#[test]
fn memory_is_counted_by_the_rows_and_not_by_what_lies_beside_them() {
    for kind in Kind::COMPARED {
        let (signal, batch) = (signal_of(kind), ordinary(kind, 4000));
        let whole = check_batches(signal, [batch.clone()], &Limits::default()).unwrap();
        let by_otlp = check(signal, &kind.encoded(4000, 5), &Limits::default()).unwrap();
        assert!(whole.arrow_bytes() <= by_otlp.arrow_bytes, "{kind:?}");
        let stored = BatchBuilder::new(signal).store(&whole);
        assert!(memory(stored.batch()) <= stored.arrow_bytes(), "{kind:?}: {} bytes", memory(stored.batch()));
        let part = check_batches(signal, [batch.slice(1000, 40)], &Limits::default()).unwrap();
        assert!(part.arrow_bytes() * 50 < whole.arrow_bytes(), "{kind:?}: {}", part.arrow_bytes());
        let stored = BatchBuilder::new(signal).store(&part);
        assert!(memory(stored.batch()) <= stored.arrow_bytes(), "{kind:?}: {} bytes", memory(stored.batch()));
        let limits = Limits { max_request_memory: whole.arrow_bytes() - 1, ..Limits::default() };
        let error = check_batches(signal, [batch.clone()], &limits).unwrap_err();
        assert!(matches!(error, BatchError::TooLarge { needed, limit } if needed > limit), "{error}");
    }
}

/// Bytes of the rows' buffers.
fn memory(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap()).sum()
}

/// A dictionary says little and may stand for a lot; so do views.
#[test]
fn text_that_is_far_more_in_rows_is_counted_before_it_is_copied() {
    let batch = ordinary(LOGS, 4000);
    let body: StringArray = [Some("x".repeat(1 << 20))].into_iter().collect();
    let keys = UInt32Array::from(vec![0; batch.num_rows()]);
    let body = DictionaryArray::<UInt32Type>::try_new(keys, Arc::new(body)).unwrap();
    let types = with_text(&batch, "body_type", |_| Some("s"));
    let error = store(Signal::Logs, &[with_column(&types, "body", Arc::new(body))]).unwrap_err();
    assert!(matches!(error, BatchError::TooLarge { needed, .. } if needed > 4000 << 20), "{error}");
}

#[test]
fn nothing_of_other_rows_is_copied() {
    let batch = ordinary(LOGS, 100);
    let secrets = with_text(&batch, "severity_text", |row| Some(if row < 50 { "secret" } else { "plain" }));
    let secrets = batch_by(Tool::Categories, &store(Signal::Logs, &[secrets]).unwrap().batch().slice(50, 50));
    let stored = store(Signal::Logs, &[secrets]).unwrap();
    let column = stored.batch().column_by_name("severity_text").unwrap().as_dictionary::<Int32Type>();
    assert_eq!(column.values().as_string::<i32>().iter().collect::<Vec<_>>(), [Some("plain")]);
    let bodies = stored.batch().column_by_name("body").unwrap().as_string::<i32>();
    assert_eq!(bodies.value_data().len(), bodies.iter().flatten().map(str::len).sum::<usize>());
}

#[test]
fn derived_columns_follow_from_their_sources() {
    let spans = ordinary(SPANS, 10);
    let wrong = with_column(&spans, "duration", Arc::new(Int64Array::from(vec![7; 10])));
    let wrong = with_text(&wrong, "service_name", |_| Some("somebody else"));
    assert_eq!(store(Signal::Traces, &[wrong]).unwrap().batch(), &spans);
    let left_out = without(&without(&spans, "duration"), "service_name");
    assert_eq!(store(Signal::Traces, &[left_out]).unwrap().batch(), &spans);
    let points = ordinary(Kind::Numbers, 20);
    let ints = points.column_by_name("value_int").unwrap().as_primitive::<Int64Type>();
    assert!(ints.null_count() < 20, "some are integers");
    let wrong: Float64Array = (0..20).map(|row| if ints.is_valid(row) { None } else { Some(0.5) }).collect();
    let stored = store(Signal::Metrics, &[with_column(&points, "value", Arc::new(wrong))]).unwrap();
    let values = stored.batch().column_by_name("value").unwrap().as_primitive::<arrow_array::types::Float64Type>();
    for row in 0..20 {
        assert_eq!(values.value(row), if ints.is_valid(row) { ints.value(row) as f64 } else { 0.5 });
    }
}

#[test]
fn service_names_are_what_the_decoder_would_have_said() {
    for (json, name) in [
        (r#"{"service.name":"shop"}"#, Some("shop")),
        (
            r#"{"a":[1,{"service.name":"no"}], "service.name" : "two\u0020words" , "service.name":"second"}"#,
            Some("two words"),
        ),
        (r#"{"service\u002ename":7}"#, Some("7")),
        (r#"{"service.name":1.5,"b":2}"#, Some("1.5")),
        (r#"{"service.name":{"@double":"NaN"}}"#, Some("NaN")),
        (r#"{"service.name":{"@bytes":"AAE="}}"#, Some("AAE=")),
        (r#"{"service.name":{"@@bytes":"AAE="}}"#, Some(r#"{"@@bytes":"AAE="}"#)),
        (r#"{"service.name":[1,"b"]}"#, Some(r#"[1,"b"]"#)),
        (r#"{"service.name":true}"#, Some("true")),
        (r#"{"service.name":null,"service.name":"second"}"#, None),
        (r#"{"service.name":""}"#, Some("")),
        ("{}", None),
    ] {
        let batch = with_text(&ordinary(LOGS, 3), "resource_attributes", |_| Some(json));
        let stored = store(Signal::Logs, &[batch]).unwrap();
        assert_eq!(
            texts_of(stored.batch(), "service_name"),
            [name.map(str::to_owned), name.map(str::to_owned), name.map(str::to_owned)]
        );
        let bytes = assert_sound(Signal::Logs, &stored);
        let by_otlp = decode(Signal::Logs, &bytes, Format::Protobuf).unwrap().batch;
        assert_eq!(texts_of(&by_otlp, "service_name"), texts_of(stored.batch(), "service_name"), "{json}");
    }
}

/// What OTLP cannot tell apart is stored in the one form that docs/schema.md gives it.
#[test]
fn the_form_of_the_schema_is_restored() {
    let logs = ordinary(LOGS, 4);
    let empty = |name: &str, batch: RecordBatch| with_text(&batch, name, |_| Some(""));
    let zeros: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![0; 4]));
    let mut given = empty("event_name", empty("severity_text", logs.clone()));
    for name in ["time", "observed_time"] {
        given = with_column(&given, name, Arc::clone(&zeros));
    }
    given = with_column(&given, "severity_number", Arc::new(Int32Array::from(vec![0; 4])));
    given = with_text(&given, "resource_entity_refs", |_| Some("[ ]"));
    let no_strings = texts_of(&logs, "attribute_types").iter().all(|types| types.is_none());
    let stored = store(Signal::Logs, &[given]).unwrap();
    for name in ["event_name", "severity_text", "time", "observed_time", "severity_number", "resource_entity_refs"] {
        assert_eq!(stored.batch().column_by_name(name).unwrap().null_count(), 4, "{name}");
    }
    assert!(!no_strings, "the letters are tested below");
    let spans = ordinary(SPANS, 3);
    let numbered = with_text(&spans, "kind", |row| [Some("2"), Some("99"), Some("-1")][row]);
    let numbered =
        empty("trace_state", with_text(&numbered, "status_code", |row| [Some("1"), None, Some("unset")][row]));
    let numbered = empty("status_message", numbered);
    let stored = store(Signal::Traces, &[numbered]).unwrap();
    let kinds: Vec<_> = texts_of(stored.batch(), "kind").into_iter().flatten().collect();
    assert_eq!(kinds, ["server", "99", "-1"]);
    assert_eq!(texts_of(stored.batch(), "status_code"), [Some("ok".into()), None, Some("unset".into())]);
    assert_eq!(stored.batch().column_by_name("trace_state").unwrap().null_count(), 3);
    assert_sound(Signal::Traces, &stored);
}

#[test]
fn nullable_columns_may_be_left_out_and_others_may_not() {
    for kind in [SPANS, LOGS, Kind::Numbers] {
        let (signal, batch) = (signal_of(kind), ordinary(kind, 5));
        for field in schema(signal).fields() {
            let name = field.name();
            let left_out = store(signal, &[without(&batch, name)]);
            let nothing = store(signal, &[with_column(&batch, name, Arc::new(NullArray::new(5)))]);
            if !field.is_nullable() && name != "duration" {
                let error = left_out.unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("column {name} is missing or has only nulls, and must be ")),
                    "{error}"
                );
                assert_eq!(nothing.unwrap_err().to_string(), error);
                continue;
            }
            // Columns that say something only together.
            let together = [
                "body",
                "body_type",
                "is_monotonic",
                "temporality",
                "resource_attributes",
                "scope_name",
                "attribute_types",
            ];
            match left_out {
                Ok(stored) => assert_eq!(stored.batch(), nothing.unwrap().batch(), "{name}"),
                Err(error) => {
                    assert!(together.contains(&&**name), "{name}: {error}");
                    assert_eq!(nothing.unwrap_err(), error);
                }
            }
        }
    }
}

#[test]
fn columns_that_do_not_belong_are_named() {
    let spans = ordinary(SPANS, 3);
    let mut fields: Vec<_> = spans.schema().fields().iter().cloned().collect();
    let mut columns = spans.columns().to_vec();
    fields.push(Arc::new(Field::new("colour", DataType::Int64, true)));
    columns.push(Arc::new(Int64Array::from(vec![1; 3])));
    let more = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.clone()).unwrap();
    assert_eq!(
        refusal(Signal::Traces, &more),
        "column colour is not one of traces in storage schema v1 (docs/schema.md): leave it out, or use the name it has there"
    );
    fields.pop();
    columns.pop();
    fields.push(fields[4].clone());
    columns.push(columns[4].clone());
    let twice = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert_eq!(refusal(Signal::Traces, &twice), "column flags of traces is there twice: leave one out");
    assert_eq!(refusal(Signal::Logs, &spans), "these are the columns of traces, not of logs: append them as traces");
    let schema = spans.schema().as_ref().clone().with_metadata([("otlp_arrow.schema".into(), "2".into())].into());
    let newer = RecordBatch::try_new(Arc::new(schema), spans.columns().to_vec()).unwrap();
    assert!(refusal(Signal::Traces, &newer).contains("of version 2 of the storage schema"));
}

#[test]
fn wrong_types_and_widths_are_named_with_what_is_expected() {
    let spans = ordinary(SPANS, 3);
    let of = |name: &str, column: ArrayRef| refusal(Signal::Traces, &with_column(&spans, name, column));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    assert_eq!(
        of("kind", numbers.clone()),
        "column kind is of type Int64, and must be text: Utf8, LargeUtf8, Utf8View, or a dictionary of one of them"
    );
    assert_eq!(of("flags", numbers.clone()), "column flags is of type Int64, and must be UInt32");
    assert_eq!(
        of("start_time", Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3]))),
        "column start_time is of type Timestamp(µs), and must be Timestamp(ns)"
    );
    assert!(of("duration", Arc::new(StringArray::from(vec!["a", "b", "c"]))).contains("must be Int64"));
    assert!(of("service_name", numbers.clone()).contains("must be text"));
    let short = arrow_array::FixedSizeBinaryArray::try_from_iter([[1_u8; 8]; 3].into_iter()).unwrap();
    assert_eq!(
        of("trace_id", Arc::new(short)),
        "column trace_id is of type FixedSizeBinary(8), and must be FixedSizeBinary(16), or bytes of this length"
    );
    let short = arrow_array::LargeBinaryArray::from_iter([Some(&[1_u8; 16][..]), None, Some(&[1; 5])]);
    assert_eq!(of("trace_id", Arc::new(short)), "row 2, column trace_id: an id of 5 bytes, and it must have 16");
    let categories = DictionaryArray::<Int32Type>::try_new(vec![0; 3].into(), numbers.clone()).unwrap();
    assert!(of("name", Arc::new(categories)).starts_with("column name is of type Dictionary(Int32, Int64)"));
    for name in ["events", "links"] {
        assert_eq!(of(name, numbers.clone()), format!("column {name} is of type Int64, and must be a list of structs"));
    }
    assert!(
        of("attributes", numbers.clone()).ends_with("must be Map(Utf8, Utf8), or a list of structs of key and value")
    );
    let points = ordinary(Kind::Numbers, 3);
    let error = refusal(Signal::Metrics, &with_column(&points, "bucket_counts", numbers));
    assert_eq!(error, "column bucket_counts is of type Int64, and must be a list of UInt64");
}

#[test]
fn cells_that_no_decoder_writes_are_named_with_their_row() {
    let spans = ordinary(SPANS, 3);
    let at = |name: &str, wrong: &'static str, batch: &RecordBatch, signal| {
        let own = texts_of(batch, name);
        let column: StringArray =
            (0..3).map(|row| if row == 1 { Some(wrong.to_owned()) } else { own[row].clone() }).collect();
        // In the second of two batches: rows are counted over both.
        let error = store(signal, &[batch.clone(), with_column(batch, name, Arc::new(column))]).unwrap_err();
        let text = error.to_string();
        text.strip_prefix(&format!("row 4, column {name}: ")).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let traces = |name, wrong| at(name, wrong, &spans, Signal::Traces);
    assert_eq!(traces("kind", "boss"), "is not one of the names that docs/schema.md lists, nor the number of another");
    assert!(traces("status_code", "fine").starts_with("is not one of the names"));
    assert_eq!(traces("resource_attributes", "{'a':1}"), "not the JSON of an attribute value");
    assert_eq!(traces("resource_attributes", "{} x"), "text after the JSON object");
    assert_eq!(traces("scope_attributes", ""), "not the JSON of an attribute value");
    assert_eq!(traces("scope_attributes", r#"{"a":99999999999999999999}"#), "not an integer of 64 bits");
    assert_eq!(traces("resource_attributes", r#"{"a":{"@bytes":"?"}}"#), "not base64");
    assert!(traces("resource_entity_refs", r#"[{"id":"a"}]"#).contains("an entity reference has a key other than"));
    assert_eq!(traces("attribute_types", "ss"), "2 letter(s) beside 4 attribute(s)");
    let nulls: UInt32Array = [Some(1), None, Some(3)].into_iter().collect();
    assert_eq!(
        refusal(Signal::Traces, &with_column(&spans, "flags", Arc::new(nulls))),
        "row 1, column flags: is null, and this column has no nulls"
    );
    assert_eq!(
        refusal(Signal::Traces, &with_text(&spans, "name", |row| (row != 2).then_some("x"))),
        "row 2, column name: is null, and this column has no nulls"
    );
    let alone =
        with_text(&with_text(&spans, "status_code", |_| None), "status_message", |row| (row == 1).then_some("x"));
    assert!(refusal(Signal::Traces, &alone).starts_with("row 1, column status_code: is null, which says"));
    let no_resource = with_text(&spans, "resource_attributes", |_| None);
    let dropped =
        with_column(&no_resource, "resource_dropped_attributes_count", Arc::new(UInt32Array::from(vec![0, 2, 0])));
    assert!(
        refusal(Signal::Traces, &dropped).starts_with("row 1, column resource_dropped_attributes_count: must be 0")
    );
    let no_scope = with_text(&with_text(&spans, "scope_name", |_| None), "scope_version", |_| Some("1"));
    assert!(refusal(Signal::Traces, &no_scope).starts_with("row 0, column scope_version: must be ''"));
    let logs = ordinary(LOGS, 3);
    assert_eq!(at("body_type", "ss", &logs, Signal::Logs), "is not one letter");
    let body = |text, letter| with_text(&with_text(&logs, "body", move |_| text), "body_type", move |_| letter);
    let wrong = |text, letter| refusal(Signal::Logs, &body(text, letter));
    assert_eq!(wrong(Some("x"), Some("i")), "row 0, column body: with the letter i: not an integer of 64 bits");
    assert_eq!(wrong(None, Some("s")), "row 0, column body: with the letter s: a null value whose letter is not n");
    assert_eq!(
        wrong(Some("x"), Some("n")),
        "row 0, column body: with the letter n: a value that is not null, and its letter is n"
    );
    assert_eq!(
        wrong(Some("[1"), Some("a")),
        "row 0, column body: with the letter a: not the JSON of an attribute value"
    );
    assert!(wrong(Some("x"), None).starts_with("row 0, column body_type: is null, which says that there is no body"));
    let deep = |levels: usize| {
        with_column(
            &body(None, Some("a")),
            "body",
            Arc::new(StringArray::from(vec![format!("{}{}", "[".repeat(levels), "]".repeat(levels)); 3])),
        )
    };
    assert!(store(Signal::Logs, &[deep(64)]).is_ok());
    assert_eq!(
        refusal(Signal::Logs, &deep(65)),
        "row 0, column body: with the letter a: arrays and maps nested too deep"
    );
}

/// Logs of one attribute list: keys and values of each row, and their letters.
fn with_attributes(entries: &[(&str, Option<&str>)], letters: Option<&'static str>) -> RecordBatch {
    use arrow_array::builder::{MapBuilder, StringBuilder};
    let logs = ordinary(LOGS, 2);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..2 {
        for (key, value) in entries.iter().filter(|_| row == 1) {
            map.keys().append_value(key);
            map.values().append_option(*value);
        }
        map.append(true).unwrap();
    }
    let logs = with_column(&logs, "attributes", Arc::new(map.finish()));
    with_text(&logs, "attribute_types", move |row| letters.filter(|_| row == 1))
}

#[test]
fn attributes_agree_with_their_letters() {
    let wrong = |entries: &[(&str, Option<&str>)], letters| refusal(Signal::Logs, &with_attributes(entries, letters));
    for (letter, value, why) in [
        ("i", Some("1.5"), "not an integer of 64 bits"),
        ("d", Some("one"), "not a number"),
        ("b", Some("yes"), "neither true nor false"),
        ("y", Some("?"), "not base64"),
        ("a", Some("{}"), "not the JSON of an attribute value"),
        ("m", Some("[]"), "not the JSON of an attribute value"),
        ("s", None, "a null value whose letter is not n"),
        ("n", Some(""), "a value that is not null, and its letter is n"),
        ("x", Some("1"), "a letter that no type has"),
    ] {
        let shown = value.map_or("null".into(), |value| format!("{value:?}"));
        let error = wrong(&[("k", value)], Some(letter));
        assert_eq!(
            error,
            format!("row 1, column attributes: the value of \"k\" is {shown} with the letter {letter}: {why}")
        );
    }
    assert!(wrong(&[("k", None)], None).ends_with("a null value whose letter is not n"));
    assert_eq!(
        wrong(&[("a", Some("1")), ("b", Some("2")), ("a", Some("3"))], None),
        "row 1, column attributes: the key \"a\" is there twice: name the second a#2, with its letter in upper case"
    );
    let many: Vec<(String, Option<&str>)> = (0..40).map(|at| (format!("k{}", at % 39), Some("v"))).collect();
    let many: Vec<(&str, Option<&str>)> = many.iter().map(|(key, value)| (&**key, *value)).collect();
    assert!(wrong(&many, None).contains("the key \"k0\" is there twice"));
    assert!(wrong(&[("a", Some("1")), ("b", Some("2"))], Some("sS")).contains("does not end in # and a number"));
    let right = with_attributes(
        &[("a", Some("1")), ("a#2", Some("2")), ("e", None), ("m", Some(r#"{"x":[1.5]}"#))],
        Some("iInm"),
    );
    let stored = store(Signal::Logs, &[right]).unwrap();
    assert_eq!(texts_of(stored.batch(), "attribute_types"), [None, Some("iInm".into())]);
    assert_sound(Signal::Logs, &stored);
    let plain = store(Signal::Logs, &[with_attributes(&[("a", Some("1")), ("b", Some(""))], Some("ss"))]).unwrap();
    assert_eq!(texts_of(plain.batch(), "attribute_types"), [None, None]);
}

#[test]
fn points_have_what_their_kind_has() {
    let points = ordinary(Kind::Numbers, 3);
    let counts: ArrayRef = Arc::new(UInt64Array::from(vec![None, Some(3), None]));
    let kind = texts_of(&points, "metric_type")[1].clone().unwrap();
    let error = refusal(Signal::Metrics, &with_column(&points, "count", counts));
    assert_eq!(error, format!("row 1, column count: must be null in such a point: it is a {kind}"));
    let error = refusal(Signal::Metrics, &with_text(&points, "metric_type", |_| Some("histogram")));
    assert!(error.starts_with("row 0, column "), "{error}");
    assert_eq!(
        refusal(Signal::Metrics, &with_text(&points, "metric_type", |_| Some("meter"))),
        "row 0, column metric_type: is not one of gauge, sum, histogram, exponential_histogram and summary"
    );
    let empty = with_text(&points, "metadata", |_| Some("{}"));
    assert_eq!(store(Signal::Metrics, &[empty]).unwrap().batch().column_by_name("metadata").unwrap().null_count(), 3);
}

/// Batches with wrong parts put together from right ones: what is taken is sound, whatever it was.
#[test]
fn what_is_taken_is_always_sound() {
    let (mut taken, mut refused) = (0, 0);
    for seed in seeds(300) {
        let mut rng = otlp_arrow_testkit::rng::Rng::new(seed);
        for signal in Signal::ALL {
            let (a, b) = (batch_of(signal, seed), batch_of(signal, seed + 7_000_000));
            let rows = a.num_rows().min(b.num_rows());
            if rows == 0 {
                continue;
            }
            let (a, b) = (a.slice(a.num_rows() - rows, rows), b.slice(0, rows));
            let mut columns = a.columns().to_vec();
            for _ in 0..1 + rng.index(2) {
                let at = rng.index(columns.len());
                columns[at] = match rng.index(4) {
                    // Another record's cell: a letter or a kind that does not fit.
                    0 => Arc::clone(b.column(at)),
                    1 => swapped(&columns[at], &mut rng),
                    2 if is_text(&columns[at]) => {
                        let texts = (0..rows).map(|_| rng.one_in(4).then(|| *rng.pick(&TEXTS)));
                        let own = a.slice(0, rows);
                        let own = texts_of(&own, own.schema().field(at).name());
                        Arc::new(
                            texts
                                .zip(own)
                                .map(|(text, own)| text.map_or(own, |text| Some(text.to_owned())))
                                .collect::<StringArray>(),
                        )
                    }
                    _ => arrow_array::new_null_array(columns[at].data_type(), rows),
                };
            }
            let names = a.schema();
            let fields: Vec<_> = names
                .fields()
                .iter()
                .zip(&columns)
                .map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true))
                .collect();
            let mixed = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
            match store(signal, std::slice::from_ref(&mixed)) {
                Ok(stored) => {
                    taken += 1;
                    let bytes = assert_sound(signal, &stored);
                    // And it stays what it is when it goes round.
                    let again = decode(signal, &bytes, Format::Protobuf).unwrap().batch;
                    let again = encode_protobuf(signal, &[again]).unwrap();
                    assert_eq!(difference(signal, &bytes, &again), None, "seed {seed}, {signal}");
                    assert_eq!(store(signal, std::slice::from_ref(stored.batch())).unwrap().batch(), stored.batch());
                }
                Err(BatchError::Cell { .. } | BatchError::MissingColumn { .. }) => refused += 1,
                Err(error) => panic!("seed {seed}, {signal}: {error}"),
            }
        }
    }
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
}

/// Texts that mean something in one column or another.
const TEXTS: [&str; 24] = [
    "",
    "s",
    "i",
    "n",
    "S",
    "ss",
    "sS",
    "si",
    "2",
    "-1",
    "99",
    "server",
    "ok",
    "gauge",
    "{}",
    "[]",
    "null",
    "1.5",
    "k#2",
    r#"{"a":1.5}"#,
    r#"{"@bytes":"AA=="}"#,
    r#"{"@double":"x"}"#,
    r#"[{"type":"t"}]"#,
    r#"{"service.name":[1]}"#,
];

fn is_text(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Utf8 | DataType::Dictionary(..))
}

/// The same cells in another order.
fn swapped(column: &ArrayRef, rng: &mut otlp_arrow_testkit::rng::Rng) -> ArrayRef {
    let at = rng.index(column.len());
    let (front, back) = (column.slice(0, at).to_data(), column.slice(at, column.len() - at).to_data());
    let mut data = MutableArrayData::new(vec![&back, &front], false, column.len());
    data.try_extend(0, 0, back.len()).unwrap();
    data.try_extend(1, 0, front.len()).unwrap();
    arrow_array::make_array(data.freeze())
}

/// What comes over the C data interface was believed until now: its offsets, indexes and text may be anything.
#[test]
fn broken_layouts_are_refused() {
    let spans = ordinary(SPANS, 3);
    let of = |name: &str, column: ArrayRef| refusal(Signal::Traces, &with_column(&spans, name, column));
    let broken = "an offset or index points outside of the column";
    for offsets in [[0, 9, 2, 3], [0, 1, 2, 900], [-1, 1, 2, 3], [0, 3, 1, 3]] {
        let data = arrow_data::ArrayData::builder(DataType::Utf8)
            .len(3)
            .add_buffer(arrow_buffer::Buffer::from_vec(offsets.to_vec()))
            .add_buffer(arrow_buffer::Buffer::from(b"abc"));
        // SAFETY: nothing is read by these offsets but by what is tested, which checks them.
        #[allow(unsafe_code, reason = "it is what a foreign function would hand over")]
        let column: ArrayRef = Arc::new(StringArray::from(unsafe { data.build_unchecked() }));
        let error = of("name", column);
        assert!(error.ends_with(broken), "{offsets:?}: {error}");
    }
    let data = arrow_data::ArrayData::builder(DataType::Utf8)
        .len(3)
        .add_buffer(arrow_buffer::Buffer::from_vec(vec![0, 1, 2, 3]))
        .add_buffer(arrow_buffer::Buffer::from(b"a\xffc"));
    // SAFETY: the text is read as bytes only, until what is tested has found that it is none.
    #[allow(unsafe_code, reason = "it is what a foreign function would hand over")]
    let column: ArrayRef = Arc::new(StringArray::from(unsafe { data.build_unchecked() }));
    assert_eq!(of("name", column), "row 1, column name: is not UTF-8");
    let views = arrow_buffer::ScalarBuffer::from(vec![0_u128, 40 | 7 << 64, 0]);
    // SAFETY: nothing is read by these views but by what is tested, which checks them.
    #[allow(unsafe_code, reason = "it is what a foreign function would hand over")]
    let column: ArrayRef = Arc::new(unsafe { StringViewArray::new_unchecked(views, vec![], None) });
    assert!(of("scope_version", column).ends_with(broken));
    let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let data =
        arrow_data::ArrayData::builder(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
            .len(3)
            .add_buffer(arrow_buffer::Buffer::from_vec(vec![0, 1, 2]))
            .add_child_data(values.to_data());
    // SAFETY: nothing is read by these indexes but by what is tested, which checks them.
    #[allow(unsafe_code, reason = "it is what a foreign function would hand over")]
    let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from(unsafe { data.build_unchecked() }));
    assert_eq!(of("name", column), format!("row 2, column name: {broken}"));
}
