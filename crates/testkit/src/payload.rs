//! Realistic requests for benchmarks and load tools: values differ from record to record as those of real programs do.
//!
//! Everything is decided by the seed. Sizes per record are near those of the published otel-arrow comparison:
//! spans of 10 attributes about 600 bytes, logs about 440, number points about 140, histogram points about 400.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message;

use crate::rng::Rng;

/// A kind of payload that speed is stated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTTP server spans with this many attributes (up to 25 different ones).
    Spans {
        /// Attributes a span.
        attributes: usize,
    },
    /// Log records whose body has about this many bytes.
    Logs {
        /// Bytes of body text.
        body: usize,
    },
    /// Points of monotonic sums, half of them integers.
    Numbers,
    /// Histogram points with 15 bounds.
    Histograms,
}

impl Kind {
    /// The four kinds of the published comparison.
    pub const COMPARED: [Kind; 4] =
        [Kind::Spans { attributes: 10 }, Kind::Logs { body: 205 }, Kind::Numbers, Kind::Histograms];

    /// A name for a benchmark, such as `spans10`.
    pub fn name(self) -> String {
        match self {
            Kind::Spans { attributes } => format!("spans{attributes}"),
            Kind::Logs { body } => format!("logs{body}"),
            Kind::Numbers => "numbers".into(),
            Kind::Histograms => "histograms".into(),
        }
    }

    /// One export request of `records` records, in binary protobuf.
    pub fn encoded(self, records: usize, seed: u64) -> Vec<u8> {
        match self {
            Kind::Spans { attributes } => spans(records, attributes, seed).encode_to_vec(),
            Kind::Logs { body } => logs(records, body, seed).encode_to_vec(),
            Kind::Numbers => numbers(records, seed).encode_to_vec(),
            Kind::Histograms => histograms(records, seed).encode_to_vec(),
        }
    }
}

const START: u64 = 1_795_000_000_000_000_000;
const ROUTES: [(&str, &str); 8] = [
    ("GET", "/api/v1/orders/{id}/shipments/latest"),
    ("GET", "/api/v1/products/{id}/reviews"),
    ("POST", "/api/v1/orders"),
    ("PUT", "/api/v1/carts/{id}/items"),
    ("GET", "/api/v1/users/{id}"),
    ("DELETE", "/api/v1/sessions/{id}"),
    ("GET", "/api/v1/recommendations/for/{id}"),
    ("POST", "/api/v1/payments/{id}/capture"),
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "python-requests/2.32.5",
];
const STATUS: [i64; 8] = [200, 200, 200, 201, 204, 304, 404, 500];
const WORDS: [&str; 16] = [
    "order",
    "accepted",
    "for",
    "customer",
    "payment",
    "retry",
    "after",
    "timeout",
    "while",
    "reading",
    "from",
    "cache",
    "partition",
    "rebalanced",
    "in",
    "ms",
];

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from(*rng.pick(b"0123456789abcdef"))).collect()
}

fn address(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.below(4), rng.below(256), 1 + rng.below(254))
}

fn hex_address(rng: &mut Rng) -> String {
    format!("2001:db8:{}:{}:{}:{}", hex(rng, 4), hex(rng, 4), hex(rng, 4), hex(rng, 4))
}

/// The resource of one instance of a service, as SDK detectors fill it.
pub fn resource(rng: &mut Rng) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", "checkout"),
            text("service.namespace", "shop"),
            text("service.version", "4.17.2"),
            text("service.instance.id", hex(rng, 32)),
            text("telemetry.sdk.language", "nodejs"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "2.2.0"),
            text("host.name", format!("node-{}", rng.below(100))),
            int("process.pid", 1 + rng.below(30_000) as i64),
        ],
        ..Default::default()
    }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.into(), version: "0.207.0".into(), ..Default::default() }
}

fn span_attributes(rng: &mut Rng, count: usize, method: &str, route: &str, path: &str, status: i64) -> Vec<KeyValue> {
    let mut list = vec![
        text("http.request.method", method),
        text("http.route", route),
        text("url.path", path),
        text("url.scheme", "https"),
        int("http.response.status_code", status),
        text("server.address", "shop.eu-west-1.example.com"),
        int("server.port", 443),
        text("client.address", hex_address(rng)),
        text("user_agent.original", *rng.pick(&AGENTS)),
        text("network.protocol.version", *rng.pick(&["1.1", "2", "3"])),
    ];
    if count > list.len() {
        list.extend([
            int("http.request.body.size", rng.below(4096) as i64),
            int("http.response.body.size", rng.below(65_536) as i64),
            text("url.query", format!("page={}&sort=price", rng.below(50))),
            int("client.port", 1024 + rng.below(60_000) as i64),
            text("network.peer.address", address(rng)),
            int("network.peer.port", 1024 + rng.below(60_000) as i64),
            int("thread.id", 1 + rng.below(64) as i64),
            text("thread.name", format!("worker-{}", rng.below(64))),
            text("enduser.id", hex(rng, 16)),
            text("app.tenant", format!("tenant-{}", rng.below(200))),
            attribute("app.cache_hit", Value::BoolValue(rng.one_in(3))),
            attribute("app.score", Value::DoubleValue((rng.unit() * 1e6).round() / 1e4)),
            attribute(
                "http.request.header.x-request-id",
                Value::ArrayValue(ArrayValue {
                    values: vec![AnyValue { value: Some(Value::StringValue(hex(rng, 32))) }],
                }),
            ),
            text("session.id", hex(rng, 32)),
            text("url.full", format!("https://shop.eu-west-1.example.com{path}?page={}", rng.below(50))),
        ]);
    }
    list.truncate(count);
    list
}

/// Spans of an HTTP server; 1 in 8 failed, and those carry an exception event.
pub fn spans(records: usize, attributes: usize, seed: u64) -> ExportTraceServiceRequest {
    let mut rng = Rng::new(seed);
    let rng = &mut rng;
    let resource = resource(rng);
    let mut time = START;
    let spans = (0..records)
        .map(|_| {
            let (method, route) = *rng.pick(&ROUTES);
            let path = route.replace("{id}", &rng.below(10_000_000).to_string());
            let status = *rng.pick(&STATUS);
            time += rng.below(2_000_000);
            let end = time + 200_000 + rng.below(80_000_000);
            let failed = status == 500;
            Span {
                trace_id: rng.id(16),
                span_id: rng.id(8),
                parent_span_id: if rng.one_in(4) { Vec::new() } else { rng.id(8) },
                trace_state: if rng.one_in(2) {
                    format!("vendor=t61rcWkgMzE,rojo={}", hex(rng, 16))
                } else {
                    String::new()
                },
                flags: 0x101,
                name: format!("{method} {route}"),
                kind: span::SpanKind::Server as i32,
                start_time_unix_nano: time,
                end_time_unix_nano: end,
                attributes: span_attributes(rng, attributes, method, route, &path, status),
                events: if failed { vec![exception(rng, end - 1_000)] } else { Vec::new() },
                status: Some(Status {
                    message: if failed { "upstream timed out".into() } else { String::new() },
                    code: if failed { 2 } else { 0 },
                }),
                ..Default::default()
            }
        })
        .collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope("@opentelemetry/instrumentation-http")),
                spans,
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.37.0".into(),
        }],
    }
}

fn exception(rng: &mut Rng, time: u64) -> span::Event {
    span::Event {
        time_unix_nano: time,
        name: "exception".into(),
        attributes: vec![
            text("exception.type", "TimeoutError"),
            text("exception.message", format!("no answer within {} ms", 1 + rng.below(5000))),
        ],
        ..Default::default()
    }
}

fn sentence(rng: &mut Rng, bytes: usize) -> String {
    let mut body = String::with_capacity(bytes + 12);
    while body.len() < bytes {
        if rng.one_in(5) {
            body.push_str(&rng.below(100_000).to_string());
        } else {
            body.push_str(rng.pick::<&str>(&WORDS));
        }
        body.push(' ');
    }
    body.truncate(bytes);
    body
}

/// Log records with a text body of `body` bytes and five attributes, within traces.
pub fn logs(records: usize, body: usize, seed: u64) -> ExportLogsServiceRequest {
    let mut rng = Rng::new(seed);
    let rng = &mut rng;
    let resource = resource(rng);
    let mut time = START;
    let log_records = (0..records)
        .map(|_| {
            time += rng.below(500_000);
            let (number, name) = *rng.pick(&[(9, "INFO"), (9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")]);
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: time + rng.below(50_000),
                severity_number: number,
                severity_text: name.into(),
                body: Some(AnyValue { value: Some(Value::StringValue(sentence(rng, body))) }),
                attributes: vec![
                    text("code.file.path", "/srv/app/src/orders/service.ts"),
                    int("code.line.number", 1 + rng.below(900) as i64),
                    text("thread.name", format!("worker-{}", rng.below(16))),
                    text("order.id", hex(rng, 16)),
                    text("event.domain", "orders"),
                ],
                flags: 1,
                trace_id: rng.id(16),
                span_id: rng.id(8),
                ..Default::default()
            }
        })
        .collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs { scope: Some(scope("pino")), log_records, schema_url: String::new() }],
            schema_url: String::new(),
        }],
    }
}

fn point_attributes(rng: &mut Rng) -> Vec<KeyValue> {
    let (method, route) = *rng.pick(&ROUTES);
    vec![
        text("http.request.method", method),
        text("http.route", route),
        int("http.response.status_code", *rng.pick(&STATUS)),
    ]
}

/// Twenty points a metric, so that names and units repeat as they do in an export.
const POINTS_A_METRIC: usize = 20;

fn metrics(
    records: usize,
    seed: u64,
    mut metric: impl FnMut(&mut Rng, usize, usize) -> Metric,
) -> ExportMetricsServiceRequest {
    let mut rng = Rng::new(seed);
    let resource = resource(&mut rng);
    let metrics = (0..records.div_ceil(POINTS_A_METRIC))
        .map(|index| metric(&mut rng, index, POINTS_A_METRIC.min(records - index * POINTS_A_METRIC)))
        .collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope("http-metrics")),
                metrics,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

/// Points of cumulative monotonic sums; every second metric counts in integers.
pub fn numbers(records: usize, seed: u64) -> ExportMetricsServiceRequest {
    metrics(records, seed, |rng, index, points| Metric {
        name: format!("http.server.requests.{}", index % 25),
        description: "Requests answered".into(),
        unit: "{request}".into(),
        data: Some(metric::Data::Sum(Sum {
            data_points: (0..points)
                .map(|_| NumberDataPoint {
                    attributes: point_attributes(rng),
                    start_time_unix_nano: START,
                    time_unix_nano: START + 60_000_000_000 + rng.below(1_000_000),
                    value: Some(if index % 2 == 0 {
                        number_data_point::Value::AsInt(rng.below(10_000_000) as i64)
                    } else {
                        number_data_point::Value::AsDouble(rng.unit() * 1e4)
                    }),
                    ..Default::default()
                })
                .collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        })),
        ..Default::default()
    })
}

/// Histogram points of request durations, with sum, min and max.
pub fn histograms(records: usize, seed: u64) -> ExportMetricsServiceRequest {
    const BOUNDS: [f64; 15] =
        [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2500.0, 5e3, 7500.0, 1e4];
    metrics(records, seed, |rng, index, points| Metric {
        name: format!("http.server.request.duration.{}", index % 25),
        description: "Duration of HTTP server requests".into(),
        unit: "ms".into(),
        data: Some(metric::Data::Histogram(Histogram {
            data_points: (0..points)
                .map(|_| {
                    let bucket_counts: Vec<u64> = (0..=BOUNDS.len()).map(|_| rng.below(1_000)).collect();
                    HistogramDataPoint {
                        attributes: point_attributes(rng),
                        start_time_unix_nano: START,
                        time_unix_nano: START + 60_000_000_000 + rng.below(1_000_000),
                        count: bucket_counts.iter().sum(),
                        sum: Some(rng.unit() * 1e6),
                        bucket_counts,
                        explicit_bounds: BOUNDS.to_vec(),
                        min: Some(rng.unit()),
                        max: Some(9_000.0 + rng.unit()),
                        ..Default::default()
                    }
                })
                .collect(),
            aggregation_temporality: AggregationTemporality::Delta as i32,
        })),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_per_record_are_those_of_the_published_comparison() {
        let size = |kind: Kind| kind.encoded(1_000, 1).len() / 1_000;
        for (kind, expected) in Kind::COMPARED.into_iter().zip([598, 437, 140, 403]) {
            let size = size(kind);
            assert!(
                size.abs_diff(expected) * 10 < expected,
                "{} has {size} bytes a record, not {expected}",
                kind.name()
            );
        }
    }

    #[test]
    fn the_seed_decides_everything_and_records_differ() {
        for kind in Kind::COMPARED {
            assert_eq!(kind.encoded(50, 7), kind.encoded(50, 7));
            assert_ne!(kind.encoded(50, 7), kind.encoded(50, 8));
        }
        let request = spans(100, 25, 3);
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        assert_eq!(spans.len(), 100);
        assert!(spans.iter().all(|span| span.attributes.len() == 25));
        assert_ne!(spans[0].trace_id, spans[1].trace_id);
    }

    #[test]
    fn the_number_of_points_is_exact() {
        for records in [1, 19, 20, 21, 100] {
            let request = numbers(records, 5);
            let points: usize = request.resource_metrics[0].scope_metrics[0]
                .metrics
                .iter()
                .map(|metric| match &metric.data {
                    Some(metric::Data::Sum(sum)) => sum.data_points.len(),
                    _ => 0,
                })
                .sum();
            assert_eq!(points, records);
        }
    }
}
