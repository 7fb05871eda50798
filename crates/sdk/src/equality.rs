//! What is written equals what opentelemetry-proto's transform makes of the same objects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValueList, any_value};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;

use super::values;
use super::{logs, metrics, spans};

fn resource() -> Resource {
    Resource::builder_empty()
        .with_schema_url(
            [KeyValue::new("service.name", "shop"), KeyValue::new("n", 3), KeyValue::new("", "no name")],
            "https://example.com/schema",
        )
        .build()
}

fn values() -> Vec<KeyValue> {
    let text = |text: &'static str| StringValue::from(text);
    let mut values = vec![
        KeyValue::new("s", "text"),
        KeyValue::new("empty", ""),
        KeyValue::new("long", "x".repeat(300)),
        KeyValue::new("", "no name"),
        KeyValue::new("bools", Value::Array(Array::Bool(vec![true, false]))),
        KeyValue::new("ints", Value::Array(Array::I64(vec![0, -1, i64::MIN]))),
        KeyValue::new("doubles", Value::Array(Array::F64(vec![0.0, 1.5, f64::INFINITY]))),
        KeyValue::new("texts", Value::Array(Array::String(vec![text(""), text("a"), "y".repeat(200).into()]))),
        KeyValue::new("none", Value::Array(Array::I64(vec![]))),
    ];
    values.extend([0, 1, -1, 127, 128, i64::MAX, i64::MIN].map(|n| KeyValue::new("i", n)));
    values.extend([0.0, -0.0, 0.1, f64::MAX, f64::NEG_INFINITY].map(|n| KeyValue::new("d", n)));
    values.extend([true, false].map(|b| KeyValue::new("b", b)));
    values
}

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn context(trace: u128, span: u64, remote: bool, state: &str) -> SpanContext {
    let state = state.parse::<TraceState>().unwrap_or_default();
    SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::SAMPLED, remote, state)
}

fn span(number: u64, scope: &InstrumentationScope) -> SpanData {
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let statuses = [Status::Unset, Status::Ok, Status::error("went wrong"), Status::error("")];
    let mut events = SpanEvents::default();
    let mut links = SpanLinks::default();
    for extra in 0..number % 4 {
        events.events.push(Event::new(format!("event {extra}"), at(extra), values(), extra as u32));
        let other = context(u128::from(extra), extra, extra.is_multiple_of(2), "k=v");
        links.links.push(Link::new(other, values(), extra as u32));
    }
    (events.dropped_count, links.dropped_count) = (number as u32, 2 * number as u32);
    SpanData {
        span_context: context(
            u128::from(number) << 70,
            number,
            false,
            if number.is_multiple_of(2) { "" } else { "a=1,b=2" },
        ),
        parent_span_id: if number.is_multiple_of(3) { SpanId::INVALID } else { SpanId::from(number + 1) },
        parent_span_is_remote: number.is_multiple_of(5),
        span_kind: kinds[number as usize % kinds.len()].clone(),
        name: "n".repeat(number as usize * 7).into(),
        start_time: if number == 2 { UNIX_EPOCH - Duration::from_secs(1) } else { at(number << 60) },
        end_time: at(number),
        attributes: if number.is_multiple_of(2) { values() } else { vec![] },
        dropped_attributes_count: number as u32,
        events,
        links,
        status: statuses[number as usize % statuses.len()].clone(),
        instrumentation_scope: scope.clone(),
    }
}

fn scopes() -> [InstrumentationScope; 3] {
    [
        InstrumentationScope::builder("one").build(),
        InstrumentationScope::builder("").with_version("2").with_schema_url("https://example.com/s").build(),
        InstrumentationScope::builder("one").with_attributes(values()).build(),
    ]
}

/// Resource attributes come in the order of a hash map.
fn sorted(
    mut pairs: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    pairs.sort_by(|one, other| one.key.cmp(&other.key));
    pairs
}

#[test]
fn spans_are_equal() {
    let resource = resource();
    let fields = values::resource(&resource);
    let scopes = scopes();
    let batches: [Vec<SpanData>; 3] = [
        vec![span(1, &scopes[0])],
        (0..40).map(|number| span(number, &scopes[number as usize % 3])).collect(),
        (0..9).map(|number| span(number, &scopes[2])).collect(),
    ];
    for batch in batches {
        let mut ours = ExportTraceServiceRequest::decode(&spans::request(&batch, &fields, 0)[..]).unwrap();
        let with_schema = ResourceAttributesWithSchema::from(&resource);
        let mut theirs =
            ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(batch, &with_schema) };
        for request in [&mut ours, &mut theirs] {
            let resource = request.resource_spans[0].resource.as_mut().unwrap();
            resource.attributes = sorted(std::mem::take(&mut resource.attributes));
        }
        assert_eq!(ours, theirs);
        // Without a detour over the structs too: as short as prost writes it.
        assert_eq!(ours.encoded_len(), theirs.encoded_len());
    }
    assert_eq!(spans::request(&[], &fields, 0), b"");
}

#[test]
fn a_resource_of_text_is_a_resource() {
    let fields =
        otlp_arrow::internal::Encoding::new(&[("service.name".into(), "shop".into()), ("k".into(), String::new())])
            .resource;
    let request = spans::request(&[span(1, &scopes()[0])], &fields, 0);
    let read = ExportTraceServiceRequest::decode(&request[..]).unwrap();
    let resource = Resource::builder_empty()
        .with_attributes([KeyValue::new("service.name", "shop"), KeyValue::new("k", "")])
        .build();
    let wanted = ResourceAttributesWithSchema::from(&resource).attributes.0;
    assert_eq!(sorted(read.resource_spans[0].resource.clone().unwrap().attributes), sorted(wanted));
}

/// Runs a check on every batch it is given.
struct Look<F>(F);

impl<F> std::fmt::Debug for Look<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

impl<F: Fn(&LogBatch<'_>) + Send + Sync> opentelemetry_sdk::logs::LogExporter for Look<F> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        (self.0)(&batch);
        Ok(())
    }
}

impl<F: Fn(&ResourceMetrics) + Send + Sync + 'static> PushMetricExporter for Look<F> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        (self.0)(metrics);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

fn log_values() -> Vec<(&'static str, AnyValue)> {
    let map: HashMap<opentelemetry::Key, AnyValue> = HashMap::from([("only".into(), AnyValue::Int(0))]);
    let deep = (0..40).fold(AnyValue::Int(1), |inner, _| AnyValue::ListAny(Box::new(vec![inner, AnyValue::from("x")])));
    vec![
        ("int", AnyValue::Int(-5)),
        ("zero", AnyValue::Int(0)),
        ("double", AnyValue::Double(0.0)),
        ("text", AnyValue::from("")),
        ("long", AnyValue::from("z".repeat(1000))),
        ("bool", AnyValue::Boolean(false)),
        ("bytes", AnyValue::Bytes(Box::new(vec![0, 255]))),
        ("no bytes", AnyValue::Bytes(Box::default())),
        ("list", AnyValue::ListAny(Box::new(vec![AnyValue::Int(1), AnyValue::from("a")]))),
        ("empty list", AnyValue::ListAny(Box::default())),
        ("map", AnyValue::Map(Box::new(map))),
        ("deep", deep),
    ]
}

#[test]
fn logs_are_equal_and_the_target_names_the_scope() {
    let resource = resource();
    let fields = values::resource(&resource);
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let look = Look(move |batch: &LogBatch<'_>| {
        let bytes = logs::request(batch, &fields, 0);
        let mut ours = ExportLogsServiceRequest::decode(&bytes[..]).unwrap();
        let with_schema = ResourceAttributesWithSchema::from(&resource);
        let mut theirs =
            ExportLogsServiceRequest { resource_logs: group_logs_by_resource_and_scope(batch, &with_schema) };
        for request in [&mut ours, &mut theirs] {
            let of = &mut request.resource_logs[0];
            let resource = of.resource.as_mut().unwrap();
            resource.attributes = sorted(std::mem::take(&mut resource.attributes));
            // The transform groups in the order of a hash map.
            of.scope_logs.sort_by_cached_key(|scope| scope.encode_to_vec());
        }
        assert_eq!(ours, theirs);
        let scopes = ours.resource_logs.iter().flat_map(|of| &of.scope_logs);
        seen.lock().unwrap().extend(scopes.map(|of| of.scope.clone().unwrap().name));
    });
    let provider = SdkLoggerProvider::builder().with_batch_exporter(look).build();
    let _active = Context::new().with_remote_span_context(context(7, 8, true, "")).attach();
    for scope in scopes() {
        let logger = provider.logger_with_scope(scope);
        for (number, (key, value)) in log_values().into_iter().enumerate() {
            let mut record = logger.create_log_record();
            record.set_body(value.clone());
            record.add_attribute(key, value);
            record.add_attributes(log_values());
            match number % 3 {
                0 => record.set_target("my_app::handlers"),
                1 => {
                    record.set_timestamp(at(number as u64));
                    record.set_severity_number(Severity::Fatal4);
                    record.set_severity_text("FATAL");
                }
                _ => record.set_event_name("event"),
            }
            logger.emit(record);
        }
        logger.emit(logger.create_log_record());
    }
    provider.force_flush().unwrap();
    assert!(names.lock().unwrap().iter().any(|name| name == "my_app::handlers"));
    provider.shutdown().unwrap();
}

#[test]
fn metrics_are_equal() {
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&kinds);
    let look = Look(move |batch: &ResourceMetrics| {
        let bytes = metrics::request(batch, 0);
        let mut ours = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        let mut theirs = ExportMetricsServiceRequest::from(batch);
        for request in [&mut ours, &mut theirs] {
            let resource = request.resource_metrics[0].resource.as_mut().unwrap();
            resource.attributes = sorted(std::mem::take(&mut resource.attributes));
        }
        assert_eq!(ours, theirs);
        let metrics = ours.resource_metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
        seen.lock().unwrap().extend(metrics.map(|metric| metric.name.clone()));
        assert!(metrics::points(batch) > 10);
    });
    let exponential = |instrument: &Instrument| {
        (instrument.kind() == InstrumentKind::Histogram && instrument.name().starts_with("exponential")).then(|| {
            let aggregation =
                Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
            Stream::builder().with_aggregation(aggregation).build().unwrap()
        })
    };
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(look).with_interval(Duration::from_secs(3600)).build())
        .with_resource(resource())
        .with_view(exponential)
        .build();
    for scope in scopes() {
        let meter = provider.meter_with_scope(scope);
        for pair in values() {
            let pairs = [pair, KeyValue::new("more", "x")];
            meter.u64_counter("counter").with_unit("By").with_description("bytes").build().add(u64::MAX, &pairs);
            meter.f64_counter("sum").build().add(0.0, &pairs);
            meter.i64_up_down_counter("up_down").build().add(-3, &pairs);
            meter.f64_gauge("gauge").build().record(-0.5, &pairs);
            meter.i64_gauge("int_gauge").build().record(0, &pairs);
            for value in [0.0, 0.3, 7.0, 1e9] {
                meter.f64_histogram("histogram").build().record(value, &pairs);
                meter.f64_histogram("exponential").build().record(value, &pairs);
                meter.f64_histogram("exponential").build().record(-value, &pairs);
                meter.u64_histogram("exponential_int").build().record(value as u64, &pairs);
                let bare = meter.u64_histogram("bare").with_boundaries(vec![]).build();
                bare.record(value as u64, &pairs);
            }
        }
    }
    provider.force_flush().unwrap();
    let names = kinds.lock().unwrap().clone();
    for name in
        ["counter", "sum", "up_down", "gauge", "int_gauge", "histogram", "exponential", "exponential_int", "bare"]
    {
        assert!(names.iter().any(|seen| seen == name), "{name} in {names:?}");
    }
    provider.shutdown().unwrap();
}

#[test]
fn a_map_is_a_list_of_pairs() {
    let map: HashMap<opentelemetry::Key, AnyValue> =
        (0..20).map(|n| (format!("k{n}").into(), AnyValue::Int(n))).collect();
    let mut out = otlp_arrow_wire::Writer::default();
    super::values::log_value(1, &AnyValue::Map(Box::new(map)), &mut out);
    // A message with an AnyValue in field 1.
    let read = opentelemetry_proto::tonic::common::v1::ArrayValue::decode(&out.finish()[..]).unwrap();
    let Some(any_value::Value::KvlistValue(KeyValueList { values })) = &read.values[0].value else {
        panic!("a map: {read:?}")
    };
    let mut keys: Vec<&str> = values.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    let mut wanted: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
}
