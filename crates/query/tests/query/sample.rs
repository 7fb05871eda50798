//! Telemetry of a small shop whose every record is known: made by number, sent to a recorder, and asked for.

use std::path::Path;

use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_arrow::{Config, OtlpLibrary, Signal};
use prost::Message;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// When the first record is.
pub(crate) const START: u64 = 1_790_000_000 * SECOND;
pub(crate) const SERVICES: [&str; 3] = ["frontend", "checkout", "payment"];
const NAMES: [&str; 4] = ["GET /", "POST /cart", "charge", "SELECT orders"];

/// What is known of one span.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) trace: [u8; 16],
    pub(crate) id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) start: u64,
    pub(crate) duration: u64,
    pub(crate) error: bool,
    pub(crate) server: bool,
    pub(crate) route: Option<String>,
    pub(crate) number: i64,
}

/// Spans `from..to`, ten a trace, one every 100 ms; a trace goes through all services.
pub(crate) fn spans(numbers: std::ops::Range<u64>) -> Vec<Made> {
    let id = |number: u64| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).to_be_bytes();
    let make = |number: u64| {
        let (trace, at) = (number / 10, number % 10);
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&id(trace + 1_000_000_000));
        trace_id[8..].copy_from_slice(&trace.to_be_bytes());
        Made {
            trace: trace_id,
            id: id(number),
            parent: (at > 0).then(|| id(number - 1 - at / 2)),
            service: SERVICES[(number % 3) as usize],
            name: NAMES[(number % 4) as usize],
            start: START + number * SECOND / 10,
            duration: (number * 791_900_013) % 2_000_000_000,
            error: number.is_multiple_of(11),
            server: at == 0 || number.is_multiple_of(5),
            route: (!number.is_multiple_of(4)).then(|| format!("/route/{}", number % 17)),
            number: number as i64,
        }
    };
    numbers.map(make).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    }
}

fn integer(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..Default::default() }
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource {
        attributes: vec![text("service.name", service), integer("host.cores", service.len() as i64)],
        ..Default::default()
    })
}

/// One export request of these spans.
pub(crate) fn request(spans: &[Made]) -> Bytes {
    let span = |made: &Made| {
        let mut attributes = vec![integer("number", made.number)];
        attributes.extend(made.route.as_deref().map(|route| text("http.route", route)));
        Span {
            trace_id: made.trace.to_vec(),
            span_id: made.id.to_vec(),
            parent_span_id: made.parent.map(Vec::from).unwrap_or_default(),
            name: made.name.into(),
            kind: if made.server { 2 } else { 3 },
            start_time_unix_nano: made.start,
            end_time_unix_nano: made.start + made.duration,
            status: made.error.then(|| Status { code: 2, message: format!("failed at {}", made.number) }),
            attributes,
            ..Default::default()
        }
    };
    let of_service = |service: &&str| {
        let spans: Vec<Span> = spans.iter().filter(|made| made.service == *service).map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
        ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }
    };
    let request = ExportTraceServiceRequest { resource_spans: SERVICES.iter().map(of_service).collect() };
    request.encode_to_vec().into()
}

/// The body of log record `number`.
pub(crate) fn body(number: u64) -> String {
    match number % 5 {
        0 => format!("payment of order {number} declined: card expired"),
        1 => format!("Cache MISS for key user:{number}"),
        _ => format!("request {number} took {} ms", number % 97),
    }
}

/// Log records of these numbers, one for the span of the same number, one every 100 ms.
pub(crate) fn logs(numbers: std::ops::Range<u64>) -> Bytes {
    let record = |made: Made| LogRecord {
        time_unix_nano: if made.number % 7 == 0 { 0 } else { made.start },
        observed_time_unix_nano: made.start + 1,
        severity_number: 1 + (made.number % 24) as i32,
        body: Some(AnyValue { value: Some(Value::StringValue(body(made.number as u64))) }),
        attributes: vec![integer("number", made.number)],
        trace_id: made.trace.to_vec(),
        span_id: made.id.to_vec(),
        ..Default::default()
    };
    let made = spans(numbers);
    let of_service = |service: &&str| {
        let of = made.iter().filter(|made| made.service == *service).cloned();
        let scope_logs = vec![ScopeLogs { log_records: of.map(record).collect(), ..Default::default() }];
        ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }
    };
    ExportLogsServiceRequest { resource_logs: SERVICES.iter().map(of_service).collect() }.encode_to_vec().into()
}

/// A recorder in `dir`.
pub(crate) fn recorder(dir: &Path) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    OtlpLibrary::open(config).unwrap()
}

/// Sends spans and log records of these numbers, some in each request.
pub(crate) fn send(library: &OtlpLibrary, numbers: std::ops::Range<u64>, each: u64) {
    for from in numbers.clone().step_by(each as usize) {
        let some = from..(from + each).min(numbers.end);
        let outcome = block_on(library.export_otlp(Signal::Traces, request(&spans(some.clone())))).unwrap();
        assert_eq!((outcome.accepted, outcome.rejected), (some.end - some.start, 0));
        block_on(library.export_otlp(Signal::Logs, logs(some))).unwrap();
    }
}

/// A directory with sealed files of two writers and a live file of a third, who is still open: 6,000 spans and log records.
pub(crate) fn mixed(dir: &Path) -> OtlpLibrary {
    for numbers in [0..2_000, 2_000..4_000] {
        let library = recorder(dir);
        send(&library, numbers, 250);
        library.shutdown_blocking(None).unwrap();
    }
    let library = recorder(dir);
    send(&library, 4_000..6_000, 125);
    library
}
