//! OTLP/JSON in and out, each oddity of real senders by itself. The property tests are in round_trip.rs.
#![allow(clippy::unwrap_used, reason = "tests")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::{exemplar, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_arrow_columns::{DecodeError, Limits, Signal, check, json};
use prost::Message;

/// The mark of a record with an impossible value: field 536870911 with its eight bytes.
const INVALID: [u8; 13] = [0xf9, 0xff, 0xff, 0xff, 0x0f, 0xa3, 0xf6, 0x4b, 0x09, 0xe2, 0x71, 0x5d, 0x8c];

fn read(signal: Signal, text: &str) -> Vec<u8> {
    json::to_protobuf(signal, text.as_bytes(), &Limits::default()).unwrap()
}

fn span_bytes(fields: &str) -> Vec<u8> {
    read(Signal::Traces, &format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#))
}

fn span(fields: &str) -> Span {
    let mut request = ExportTraceServiceRequest::decode(&*span_bytes(fields)).unwrap();
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

/// Whether the record is marked as invalid.
fn refused(fields: &str) -> bool {
    span_bytes(fields).ends_with(&INVALID)
}

fn value(text: &str) -> Option<Value> {
    span(&format!(r#""attributes":[{{"key":"k","value":{text}}}]"#)).attributes.remove(0).value.unwrap().value
}

fn malformed(text: &str) -> (usize, String) {
    match json::to_protobuf(Signal::Traces, text.as_bytes(), &Limits::default()) {
        Err(DecodeError::Malformed { offset, message }) => (offset, message),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn ids_are_hexadecimal_in_any_case() {
    let span = span(
        r#""traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"","links":[{"traceId":"5b8e"}]"#,
    );
    assert_eq!(span.trace_id, 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes());
    assert_eq!(span.span_id, 0xeee1_9b7e_c3c1_b174_u64.to_be_bytes());
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.links[0].trace_id, [0x5b, 0x8e], "of the wrong length, for check to refuse");
    let odd = self::span(r#""traceId":"xyz","spanId":"eee19b7ec3c1b17""#);
    assert_eq!((odd.trace_id.len(), odd.span_id.len()), (1, 1), "lengths no id has");
}

#[test]
fn integers_are_numbers_or_strings_in_any_spelling() {
    for text in ["1544712660000000000", "\"1544712660000000000\"", "1.54471266e18", "\"1544712660000000000.0\""] {
        assert_eq!(span(&format!(r#""startTimeUnixNano":{text}"#)).start_time_unix_nano, 1_544_712_660_000_000_000);
    }
    assert_eq!(span(r#""endTimeUnixNano":"18446744073709551615""#).end_time_unix_nano, u64::MAX);
    assert_eq!(span(r#""droppedEventsCount":"3","flags":257,"kind":"2""#).flags, 257);
    assert_eq!(value(r#"{"intValue":1e3}"#), Some(Value::IntValue(1000)));
    assert_eq!(value(r#"{"intValue":"-9223372036854775808"}"#), Some(Value::IntValue(i64::MIN)));
    assert_eq!(value(r#"{"intValue":0}"#), Some(Value::IntValue(0)));
    assert_eq!(span(r#""startTimeUnixNano":"007""#).start_time_unix_nano, 7);
}

#[test]
fn what_javascript_writes_for_odd_numbers() {
    assert_eq!(value(r#"{"intValue":1e+21}"#), Some(Value::DoubleValue(1e21)));
    assert_eq!(value(r#"{"intValue":9223372036854776000}"#), Some(Value::DoubleValue(9_223_372_036_854_775_808.0)));
    let is_nan = |text| matches!(value(text), Some(Value::DoubleValue(value)) if value.is_nan());
    assert!(is_nan(r#"{"doubleValue":null}"#));
    assert!(is_nan(r#"{"doubleValue":"NaN"}"#));
    assert!(is_nan(r#"{"doubleValue":"nan"}"#));
    assert_eq!(value(r#"{"doubleValue":"+Inf"}"#), Some(Value::DoubleValue(f64::INFINITY)));
    assert_eq!(value(r#"{"doubleValue":null,"stringValue":"x"}"#), Some(Value::StringValue("x".into())));
    assert_eq!(value(r#"{"stringValue":"x","doubleValue":null}"#), Some(Value::StringValue("x".into())));
    assert_eq!(value(r#"{"doubleValue":"-Infinity"}"#), Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert_eq!(value(r#"{"doubleValue":5}"#), Some(Value::DoubleValue(5.0)));
    assert_eq!(value(r#"{"doubleValue":"1.5"}"#), Some(Value::DoubleValue(1.5)));
    assert_eq!(value("{}"), None);
    assert_eq!(value(r#"{"stringValue":null}"#), None);
    // Who writes every member of a oneof writes null for those that are absent, and means no NaN.
    assert_eq!(value(r#"{"stringValue":null,"boolValue":null,"intValue":null,"doubleValue":null}"#), None);
    assert_eq!(value(r#"{"doubleValue":null,"intValue":null}"#), None);
}

#[test]
fn a_value_that_cannot_be_refuses_its_record() {
    for fields in [
        r#""startTimeUnixNano":"18446744073709551616""#,
        r#""startTimeUnixNano":-1"#,
        r#""startTimeUnixNano":1.5"#,
        r#""startTimeUnixNano":"soon""#,
        r#""droppedLinksCount":4294967296"#,
        r#""kind":"SPAN_KIND_NONE""#,
        r#""kind":2147483648"#,
        r#""name":5"#,
        r#""name":{}"#,
        r#""status":[]"#,
        r#""events":{}"#,
        r#""events":[null]"#,
        r#""attributes":[{"key":"k","value":{"bytesValue":"*"}}]"#,
        r#""attributes":[{"key":"k","value":{"intValue":1.5}}]"#,
        r#""attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]"#,
        r#""attributes":[{"key":"k","value":{"doubleValue":1e400}}]"#,
        r#""attributes":[{"key":"k","value":{"boolValue":"true"}}]"#,
    ] {
        assert!(refused(fields), "{fields}");
    }
    assert!(!refused(r#""name":"fine""#));
    let two = read(Signal::Traces, r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":1},null,{"name":"b"}]}]}]}"#);
    let request = ExportTraceServiceRequest::decode(&*two).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.iter().map(|span| &*span.name).collect::<Vec<_>>(), ["", "", "b"], "the others stay");
    assert_eq!(two.windows(INVALID.len()).filter(|at| *at == INVALID).count(), 2);
}

#[test]
fn a_value_that_cannot_be_outside_of_records_refuses_the_request() {
    for (text, offset, message) in [
        (r#"{"resourceSpans":[{"schemaUrl":5}]}"#, 31, "resourceSpans[0].schemaUrl = 5: not a string"),
        (r#"{"resourceSpans":{}}"#, 17, "resourceSpans = {}: not an array"),
        (r#"{"resource_spans":[{},[ 5,\n6 ]]}"#, 22, "resource_spans[1] = [ 5, 6 ]: not an object"),
        (
            r#"{"resourceSpans":[{},{"resource":{"attributes":[{"key":"k","value":{"boolValue":"yes"}}]}}]}"#,
            80,
            "resourceSpans[1].resource.attributes[0].value.boolValue = \"yes\": neither true nor false",
        ),
        (
            r#"{"resourceSpans":[{"resource":{"attributes":[{"value":{"boolValue":true,"intValue":"7"}}]}}]}"#,
            83,
            "resourceSpans[0].resource.attributes[0].value.intValue = \"7\": only one of boolValue and intValue may be there",
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"scope":{"droppedAttributesCount":-1}}]}]}"#,
            68,
            "resourceSpans[0].scopeSpans[0].scope.droppedAttributesCount = -1: not an unsigned integer of 32 bits",
        ),
    ] {
        let text = text.replace("\\n", "\n");
        assert_eq!(malformed(&text), (offset, message.to_owned()), "{text}");
    }
    let two = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{},"sum":{"dataPoints":[{}]}}]}]}]}"#;
    let error = json::to_protobuf(Signal::Metrics, two.as_bytes(), &Limits::default()).unwrap_err().to_string();
    assert!(
        error.contains("metrics[0].sum = {\"dataPoints\":[{}]}: only one of gauge and sum may be there"),
        "{error}"
    );
}

fn outcome(signal: Signal, text: &str) -> (usize, String, Option<Box<str>>) {
    let bytes = json::to_remarked_protobuf(signal, text.as_bytes(), &Limits::default()).unwrap();
    let checked = check(signal, &bytes, &Limits::default()).unwrap();
    (checked.rows, checked.refused.to_string(), checked.warning)
}

fn spans(spans: &str) -> (usize, String, Option<Box<str>>) {
    outcome(Signal::Traces, &format!(r#"{{"resourceSpans":[{{}},{{"scopeSpans":[{{}},{{"spans":[{spans}]}}]}}]}}"#))
}

#[test]
fn the_first_refused_record_is_told_with_the_path_and_the_value() {
    for (fields, detail) in [
        (r#""startTimeUnixNano":"abc""#, r#"startTimeUnixNano = "abc": not an unsigned integer of 64 bits"#),
        (r#""start_time_unix_nano": -1"#, "start_time_unix_nano = -1: not an unsigned integer of 64 bits"),
        (r#""name":{"a":[1,2]}"#, r#"name = {"a":[1,2]}: not a string"#),
        (
            r#""kind":"SPAN_KIND_NONE""#,
            r#"kind = "SPAN_KIND_NONE": neither a number of 32 bits nor a name such as SPAN_KIND_CONSUMER"#,
        ),
        (
            r#""events":[{"name":"a"},{"timeUnixNano":true}]"#,
            "events[1].timeUnixNano = true: not an unsigned integer of 64 bits",
        ),
        (r#""events":{}"#, "events = {}: not an array"),
        (r#""links":[5]"#, "links[0] = 5: not an object"),
        (
            r#""status":{"code":2.5}"#,
            "status.code = 2.5: neither a number of 32 bits nor a name such as STATUS_CODE_ERROR",
        ),
        (
            r#""attributes":[{"key":"k","value":{"bytesValue":"*"}}]"#,
            r#"attributes[0].value.bytesValue = "*": not base64"#,
        ),
        (
            r#""attributes":[{},{"value":{"arrayValue":{"values":[{},{"kvlistValue":{"values":[{"value":{"doubleValue":"x"}}]}}]}}}]"#,
            r#"attributes[1].value.arrayValue.values[1].kvlistValue.values[0].value.doubleValue = "x": not a number"#,
        ),
        (
            r#""attributes":[{"value":{"stringValue":"s","intValue":1}}]"#,
            "attributes[0].value.intValue = 1: only one of stringValue and intValue may be there",
        ),
        (
            r#""attributes":[{"value":{"intValue":1,"boolValue":null,"doubleValue":2,"stringValue":"s"}}]"#,
            "attributes[0].value.doubleValue = 2: only one of intValue and doubleValue may be there",
        ),
    ] {
        let (rows, refused, _) = spans(&format!(r#"{{"name":"fine"}},{{{fields}}},{{"name":7}}"#));
        let wanted = format!(
            "2 record(s) refused; first: record 1, field value, invalid_value: resourceSpans[1].scopeSpans[1].spans[1].{detail}"
        );
        assert_eq!((rows, refused), (1, wanted), "{fields}");
    }
    let (_, refused, _) = spans("{},[],5");
    assert!(refused.ends_with("resourceSpans[1].scopeSpans[1].spans[1] = []: not an object"), "{refused}");
    for (id, field, digits) in
        [("traceId", "trace_id", 32), ("spanId", "span_id", 16), ("parentSpanId", "parent_span_id", 16)]
    {
        for wrong in ["00ff", "xyz", "zz", "0"] {
            let (_, refused, _) = spans(&format!(r#"{{"name":"a","{id}":"{wrong}"}}"#));
            let wanted = format!(
                "field {field}, invalid_id: resourceSpans[1].scopeSpans[1].spans[0].{id} = \"{wrong}\": not the {digits} hexadecimal digits of an id"
            );
            assert!(refused.ends_with(&wanted), "{refused}");
        }
    }
    let (_, refused, _) = spans(r#"{"links":[{"traceId":"00"}],"name":1}"#);
    assert!(
        refused.ends_with("field value, invalid_value: resourceSpans[1].scopeSpans[1].spans[0].name = 1: not a string"),
        "{refused}"
    );
    // One that only the check finds wrong has no value to show, and takes none of another's.
    let deep = format!(r#"{}1{}"#, r#"{"arrayValue":{"values":["#.repeat(70), "]}}".repeat(70));
    let (_, refused, _) = spans(&format!(r#"{{"attributes":[{{"key":"k","value":{deep}}}]}},{{"name":1}}"#));
    assert!(refused.ends_with("first: record 0, field attributes.value, too_deep"), "{refused}");
}

#[test]
fn two_members_of_a_oneof_refuse_the_point_that_has_them() {
    let points = |points: &str| {
        outcome(
            Signal::Metrics,
            &format!(
                r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{points}]}}}}]}}]}}]}}"#
            ),
        )
    };
    let (rows, refused, _) = points(
        r#"{"asInt":"1","asDouble":2},{"asInt":"1","asDouble":null},{"asDouble":null,"asInt":null},{"exemplars":[{"asDouble":1,"asInt":1}]}"#,
    );
    assert_eq!(rows, 2);
    assert!(
        refused.starts_with("2 record(s)")
            && refused
                .ends_with("metrics[0].gauge.dataPoints[0].asDouble = 2: only one of asInt and asDouble may be there"),
        "{refused}"
    );
}

#[test]
fn long_paths_and_values_are_shortened_and_stay_on_one_line() {
    let open = r#"{"arrayValue":{"values":[{},"#.repeat(60);
    let close = "]}}".repeat(60);
    let (_, refused, _) =
        spans(&format!(r#"{{"attributes":[{{"value":{open}{{"intValue":"{}"}}{close}}}]}}"#, "é9".repeat(1000)));
    let (head, tail) = refused.split_once('…').unwrap();
    assert!(head.contains("resourceSpans[1].scopeSpans[1].spans[0].attributes[0].value.arrayValue"), "{refused}");
    assert!(tail.contains("values[1].intValue = \"é9é9") && refused.len() < 600, "{refused}");
    let (_, refused, _) = spans("{\"name\":{\n  \"a\": 1,\n  \"b\": 2\n}}");
    assert!(refused.ends_with(r#"name = { "a": 1, "b": 2 }: not a string"#), "{refused}");
    // What is deep where no field is takes no memory for its path.
    let deep =
        format!(r#"{{"x":{}{},"resourceSpans":[{{"schemaUrl":1}}]}}"#, "[".repeat(2_000_000), "]".repeat(2_000_000));
    assert!(malformed(&deep).1.starts_with("resourceSpans[0].schemaUrl = 1"));
}

#[test]
fn text_that_is_not_json_is_told_with_the_path_before_it() {
    let (_, message) = malformed(r#"{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"name":"a",}]}]}]}"#);
    assert_eq!(message, "expected a key in quotes, at or behind resourceSpans[1].scopeSpans[0].spans[0].name");
    let (_, message) = malformed(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"#);
    assert_eq!(
        message,
        "the JSON text ends within a string, at or behind resourceSpans[0].scopeSpans[0].spans[0].name"
    );
    assert_eq!(malformed("[]").1, "an export request is a JSON object");
}

#[test]
fn what_a_request_holds_besides_is_remarked() {
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#;
    let of = |signal, text: &str| outcome(signal, text).2.map(String::from);
    let belongs =
        "resourceLogs is not kept: this was sent as traces, and is part of a request of logs: send it as that";
    assert_eq!(of(Signal::Traces, logs).as_deref(), Some(belongs));
    assert_eq!(of(Signal::Logs, logs), None);
    let both = r#"{"resource_logs":[{}],"x":1,"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#;
    assert_eq!(
        outcome(Signal::Traces, both),
        (1, String::new(), Some(belongs.replacen("resourceLogs", "resource_logs", 1).into()))
    );
    for nothing in [
        "{}",
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceLogs":[],"resourceMetrics":null,"x":{}}"#,
        r#"{"resourceSpans":[{"scopeSpans":[]}]}"#,
    ] {
        assert_eq!(of(Signal::Traces, nothing), None, "{nothing}");
    }
    for (text, member) in [
        (r#"{"hello":"world"}"#, "hello"),
        (
            r#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{}]}]}]}"#,
            "resourceSpans[0].instrumentationLibrarySpans",
        ),
        (r#"{"resourceSpans":[{"scopeSpans":[{"logRecords":[{}]}]}]}"#, "resourceSpans[0].scopeSpans[0].logRecords"),
        (r#"{"spans":[{"name":"a"}]}"#, "spans"),
    ] {
        let wanted =
            format!("nothing is kept of this request: it holds no traces, and {member} is not a field of OTLP");
        assert_eq!(of(Signal::Traces, text), Some(wanted), "{text}");
    }
    // Fields of a later OTLP beside records are nobody's trouble.
    assert_eq!(
        of(Signal::Traces, r#"{"later":1,"resourceSpans":[{"later":1,"scopeSpans":[{"spans":[{"name":1}]}]}]}"#),
        None
    );
}

#[test]
fn protobuf_of_nothing_known_is_remarked_too() {
    let of = |bytes: &[u8]| check(Signal::Traces, bytes, &Limits::default()).unwrap().warning.map(String::from);
    assert_eq!(of(b""), None);
    assert_eq!(of(b"\x0a\x00"), None);
    for bytes in [&b"\x12\x03abc"[..], b"\x0a\x05\xc2\x3e\x02\x0a\x00", b"\x0a\x04\x12\x02\x20\x01"] {
        let said = of(bytes).unwrap();
        assert_eq!(said, "nothing is kept of this request: it holds no traces, and 1 field(s) in it are none of OTLP");
    }
    // A later OTLP has more fields, beside records.
    assert_eq!(of(b"\x18\x07\x0a\x04\x12\x02\x12\x00"), None);
    // The mark of our own reader with other bytes is somebody else's field.
    assert!(of(b"\xfa\xff\xff\xff\x0f\x02hi").is_some());
}

#[test]
fn text_that_is_not_json_is_malformed_at_its_offset() {
    for (text, at) in [
        ("", 0),
        ("   ", 3),
        ("[]", 0),
        ("null", 0),
        ("{", 1),
        ("{}x", 2),
        (r#"{"a":1,}"#, 7),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":01}"#, 6),
        (r#"{"a":+1}"#, 5),
        (r#"{"a":1.}"#, 5),
        (r#"{"a":"\x"}"#, 6),
        (r#"{"a":"\u12g4"}"#, 6),
        ("{\"a\":\"\n\"}", 6),
        (r#"{"a":[1,2}"#, 9),
        (r#"{"a":nul}"#, 5),
        (r#"{"a":NaN}"#, 5),
        (r#"{'a':1}"#, 1),
    ] {
        assert_eq!(malformed(text).0, at, "{text}");
    }
}

#[test]
fn the_empty_request_and_unknown_fields() {
    assert_eq!(read(Signal::Traces, "{}"), b"");
    assert_eq!(read(Signal::Logs, "\u{feff} { } "), b"");
    assert_eq!(read(Signal::Traces, r#"{"resourceSpans":[],"x":{"y":[[{"z":null}],"]",-1.5e-7,true]}}"#), b"");
    assert_eq!(read(Signal::Metrics, r#"{"resourceMetrics":null}"#), b"");
}

#[test]
fn names_may_be_snake_case_or_escaped_and_the_last_counts() {
    let first = span(r#""trace_id":"5B8EFFF798038103D269B633813FC60C","start_time_unix_nano":7,"\u006eame":"x""#);
    assert_eq!((first.trace_id.len(), first.start_time_unix_nano, &*first.name), (16, 7, "x"));
    let last = span(
        r#""name":"a","attributes":[{"key":"gone"}],"events":[{}],"name":"b","kind":1,"attributes":[{"key":"k"}],"kind":null"#,
    );
    assert_eq!((&*last.name, last.kind, last.events.len()), ("b", 0, 1));
    assert_eq!(last.attributes.iter().map(|attribute| &*attribute.key).collect::<Vec<_>>(), ["k"]);
    assert_eq!(value(r#"{"intValue":1,"stringValue":null,"intValue":2}"#), Some(Value::IntValue(2)));
    assert_eq!(span(r#""kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}"#).kind, 2);
}

#[test]
fn strings_with_every_escape_and_lone_surrogates() {
    let name = |text: &str| span(&format!(r#""name":"{text}""#)).name;
    assert_eq!(name(r#"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"#), "\"\\/\u{8}\u{c}\n\r\tAé😀");
    assert_eq!(name(r"\ud800"), "\u{fffd}");
    assert_eq!(name(r"a\udc00b\ud800\ud800x"), "a\u{fffd}b\u{fffd}\u{fffd}x");
    assert_eq!(name(r"\ud83d\u0041"), "\u{fffd}A");
    assert_eq!(
        name("plain, long enough for more than one word: é😀"),
        "plain, long enough for more than one word: é😀"
    );
}

#[test]
fn arrays_maps_and_empty_values() {
    let text = r#"{"arrayValue":{"values":[{"stringValue":""},null,{},{"kvlistValue":{"values":[{"key":"a","value":{"bytesValue":"-_8"}},{"key":"b"}]}}]}}"#;
    let expected = Value::ArrayValue(ArrayValue {
        values: vec![
            AnyValue { value: Some(Value::StringValue(String::new())) },
            AnyValue { value: None },
            AnyValue { value: None },
            AnyValue {
                value: Some(Value::KvlistValue(KeyValueList {
                    values: vec![
                        KeyValue {
                            key: "a".into(),
                            value: Some(AnyValue { value: Some(Value::BytesValue(vec![251, 255])) }),
                            ..Default::default()
                        },
                        KeyValue { key: "b".into(), ..Default::default() },
                    ],
                })),
            },
        ],
    });
    assert_eq!(value(text), Some(expected));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Some(Value::ArrayValue(ArrayValue { values: vec![] })));
    assert_eq!(value(r#"{"bytesValue":""}"#), Some(Value::BytesValue(vec![])));
}

#[test]
fn points_keep_presence_and_packed_numbers() {
    let text = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"g","gauge":{"dataPoints":[{"asInt":"42","timeUnixNano":"1"},{"asInt":0},{"asDouble":null},{"asDouble":0.0,"exemplars":[{"asDouble":1.0,"spanId":"eee19b7ec3c1b174"},{"asInt":5}]},{}]}},
        {"histogram":{"aggregationTemporality":2,"dataPoints":[{"count":1,"sum":0,"min":null,"bucketCounts":[0,"1"],"explicitBounds":[1,"2.5",null]}]}},
        {"exponentialHistogram":{"dataPoints":[{"scale":-3,"positive":{"offset":"-2","bucketCounts":["300"]},"negative":{}}]}},
        {"summary":{"dataPoints":[{"quantileValues":[{"quantile":0.5,"value":"Infinity"}]}]}}]}]}]}"#;
    let request = ExportMetricsServiceRequest::decode(&*read(Signal::Metrics, text)).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let Some(metric::Data::Gauge(gauge)) = &metrics[0].data else { panic!() };
    let values: Vec<_> = gauge.data_points.iter().map(|point| point.value).collect();
    assert_eq!(values[..2], [Some(number_data_point::Value::AsInt(42)), Some(number_data_point::Value::AsInt(0))]);
    assert!(matches!(values[2], Some(number_data_point::Value::AsDouble(value)) if value.is_nan()));
    assert_eq!(values[3..], [Some(number_data_point::Value::AsDouble(0.0)), None]);
    let exemplars = &gauge.data_points[3].exemplars;
    assert_eq!(exemplars[0].value, Some(exemplar::Value::AsDouble(1.0)));
    assert_eq!((exemplars[0].span_id.len(), exemplars[1].value), (8, Some(exemplar::Value::AsInt(5))));
    let Some(metric::Data::Histogram(histogram)) = &metrics[1].data else { panic!() };
    let point = &histogram.data_points[0];
    assert_eq!((histogram.aggregation_temporality, point.count, point.sum, point.min), (2, 1, Some(0.0), None));
    assert_eq!(point.bucket_counts, [0, 1]);
    assert_eq!(point.explicit_bounds[..2], [1.0, 2.5]);
    assert!(point.explicit_bounds[2].is_nan());
    let Some(metric::Data::ExponentialHistogram(exponential)) = &metrics[2].data else { panic!() };
    let point = &exponential.data_points[0];
    assert_eq!(point.scale, -3);
    assert_eq!(
        point.positive.as_ref().map(|buckets| (buckets.offset, buckets.bucket_counts.clone())),
        Some((-2, vec![300]))
    );
    assert!(point.negative.is_some());
    let Some(metric::Data::Summary(summary)) = &metrics[3].data else { panic!() };
    assert_eq!(summary.data_points[0].quantile_values[0].value, f64::INFINITY);
}

#[test]
fn nesting_is_cut_where_check_refuses_it() {
    for levels in [10_000, 1_000_000] {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        let close = "]}}".repeat(levels);
        let bytes = span_bytes(&format!(r#""attributes":[{{"key":"k","value":{open}{close}}}],"name":"deep""#));
        // 66 levels of two messages each, a few bytes a message.
        assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
    }
    // Unknown fields are skipped at any depth.
    let text = format!(r#"{{"x":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(read(Signal::Traces, &text), b"");
}

#[test]
fn the_result_is_bounded() {
    let limits = Limits { max_request_memory: 1_000, ..Limits::default() };
    let text = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(10_000));
    let result = json::to_protobuf(Signal::Traces, text.as_bytes(), &limits);
    assert!(matches!(result, Err(DecodeError::TooLarge { limit: 1_000, .. })), "{result:?}");
}

/// A number of two characters becomes eight bytes, and a record that is none a mark: both are stopped on the way, not
/// at the end of the object around them.
#[test]
fn the_result_is_bounded_while_an_array_is_read() {
    let limits = Limits { max_request_memory: 1_000, ..Limits::default() };
    let numbers = format!(r#"{{"bucketCounts":[{}1]}}"#, "1,".repeat(100_000));
    let records = format!("{}1", "1,".repeat(100_000));
    for points in [numbers, records] {
        let text = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{points}]}}}}]}}]}}]}}"#
        );
        match json::to_protobuf(Signal::Metrics, text.as_bytes(), &limits) {
            Err(DecodeError::TooLarge { needed: 1_001..1_100, limit: 1_000 }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn writes_compact_json_in_the_form_of_the_specification() {
    let text = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a\"\\\n\u0001é"}}]},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"18446744073709551615","severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"i","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":1e+21}},{"key":"n","value":{"doubleValue":"NaN"}},{"key":"z","value":{"doubleValue":-0.0}},{"key":"b","value":{"bytesValue":"+/8="}},{"key":"t","value":{"boolValue":false}},{"key":"e","value":{}},{"key":"a","value":{"arrayValue":{}}}]}},"flags":1,"traceId":"5b8efff798038103d269b633813fc60c"}]}],"schemaUrl":"u"}]}"#;
    let bytes = read(Signal::Logs, text);
    ExportLogsServiceRequest::decode(&*bytes).unwrap();
    assert_eq!(String::from_utf8(json::from_protobuf(Signal::Logs, &bytes).unwrap()).unwrap(), text);
    assert_eq!(json::from_protobuf(Signal::Logs, b"").unwrap(), b"{}");
}

#[test]
fn fields_of_the_wire_in_any_order_are_gathered() {
    // Span: name "a", event, attribute, event, name "b", status code 2, status message "m", an unknown field.
    let span =
        b"\x2a\x01a\x5a\x02\x08\x01\x4a\x03\x0a\x01k\x5a\x00\x2a\x01b\x7a\x02\x18\x02\x7a\x03\x12\x01m\xb8\x3e\x01"
            .as_slice();
    let mut bytes = Vec::new();
    for number in [2u8, 2, 1] {
        let inner = if bytes.is_empty() { span.to_vec() } else { std::mem::take(&mut bytes) };
        bytes = vec![number << 3 | 2, inner.len() as u8];
        bytes.extend(inner);
    }
    // The tag of an event's time is fixed64, so that the event above is wrong: tell so, with its place.
    let error = json::from_protobuf(Signal::Traces, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "malformed OTLP at byte 11: Span.Event.timeUnixNano has wire type 0, not 1");
    let at = bytes.iter().position(|&byte| byte == 0x08).unwrap();
    bytes[at] = 0x20;
    let text = String::from_utf8(json::from_protobuf(Signal::Traces, &bytes).unwrap()).unwrap();
    assert_eq!(
        text,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"b","attributes":[{"key":"k"}],"events":[{"droppedAttributesCount":1},{}],"status":{"code":2,"message":"m"}}]}]}]}"#
    );
}

#[test]
fn repeated_numbers_may_be_packed_or_not() {
    let request = |point: &[u8]| {
        let mut bytes = point.to_vec();
        for number in [1u8, 9, 2, 2, 1] {
            let mut outer = vec![number << 3 | 2, bytes.len() as u8];
            outer.extend(bytes);
            bytes = outer;
        }
        String::from_utf8(json::from_protobuf(Signal::Metrics, &bytes).unwrap()).unwrap()
    };
    let packed = b"\x32\x10\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0";
    let loose = b"\x31\x01\0\0\0\0\0\0\0\x31\x02\0\0\0\0\0\0\0";
    assert!(request(packed).contains(r#"{"bucketCounts":["1","2"]}"#));
    assert_eq!(request(packed), request(loose));
}

#[test]
fn malformed_protobuf_is_told_and_never_panics() {
    for bytes in
        [&b"\x0a"[..], b"\x0a\x05", b"\x0b", b"\x00\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x08\x01"]
    {
        assert!(json::from_protobuf(Signal::Traces, bytes).is_err(), "{bytes:?}");
    }
    assert!(json::from_protobuf(Signal::Traces, b"\x0a\x03\x1a\x01\xff").unwrap_err().to_string().contains("UTF-8"));
}

/// Members of a oneof in turn, each replacing the other, between many fields: in linear time.
#[test]
fn members_that_replace_each_other_are_settled_once() {
    // Metric: metadata, gauge, sum, metadata, gauge, sum ... and a histogram at the end.
    let mut bytes = b"\x62\x00\x2a\x00\x3a\x00".repeat(100_000);
    bytes.extend(b"\x4a\x02\x10\x01\x4a\x00");
    for number in [2u8, 2, 1] {
        let mut outer = Vec::from([number << 3 | 2]);
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend(bytes);
        bytes = outer;
    }
    let text = String::from_utf8(json::from_protobuf(Signal::Metrics, &bytes).unwrap()).unwrap();
    assert!(!text.contains("gauge") && !text.contains("sum"));
    assert!(text.starts_with(r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"aggregationTemporality":1},"metadata":[{},{}"#), "{}", &text[..200]);
}
