//! The telemetry of a shop of twelve services, as much of it as one wants: traces of about ten spans through several
//! services, exported by each instance for itself, and log records within them. What questions are measured over.
//!
//! Everything is decided by the seed, the number of spans and the time they are spread over.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message;

use crate::rng::Rng;

/// When the first span starts, in nanoseconds since 1970.
pub const START: u64 = 1_795_000_000_000_000_000;
/// Traces that are under way at once.
const TRACES: usize = 100;
const INSTANCES: usize = 3;

/// The name of a service, its routes, and the system it asks.
type Service = (&'static str, [&'static str; 3], &'static str);

const SERVICES: [Service; 12] = [
    ("frontend", ["/", "/products/{id}", "/cart"], ""),
    ("checkout", ["/api/v1/orders", "/api/v1/orders/{id}", "/api/v1/orders/{id}/cancel"], "postgresql"),
    ("cart", ["/api/v1/carts/{id}", "/api/v1/carts/{id}/items", "/api/v1/carts/{id}/total"], "redis"),
    ("payment", ["/api/v1/payments/{id}/capture", "/api/v1/payments", "/api/v1/refunds"], "postgresql"),
    ("catalog", ["/api/v1/products", "/api/v1/products/{id}", "/api/v1/products/{id}/reviews"], "mongodb"),
    ("inventory", ["/api/v1/stock/{id}", "/api/v1/stock/{id}/reserve", "/api/v1/warehouses"], "postgresql"),
    ("shipping", ["/api/v1/shipments", "/api/v1/shipments/{id}", "/api/v1/quotes"], "postgresql"),
    ("users", ["/api/v1/users/{id}", "/api/v1/sessions", "/api/v1/sessions/{id}"], "postgresql"),
    ("pricing", ["/api/v1/prices/{id}", "/api/v1/discounts", "/api/v1/currencies"], "redis"),
    ("recommendation", ["/api/v1/recommendations/for/{id}", "/api/v1/trending", "/api/v1/similar/{id}"], "mongodb"),
    ("search", ["/api/v1/search", "/api/v1/suggest", "/api/v1/facets"], "elasticsearch"),
    ("email", ["/api/v1/messages", "/api/v1/templates/{id}", "/api/v1/bounces"], ""),
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "python-requests/2.32.5",
];
const TABLES: [&str; 6] = ["orders", "order_items", "payments", "stock", "users", "shipments"];

/// Requests that belong to about the same time.
#[derive(Debug, Default)]
pub struct Wave {
    /// Export requests of spans, encoded.
    pub traces: Vec<Vec<u8>>,
    /// Export requests of log records, encoded.
    pub logs: Vec<Vec<u8>>,
    /// Spans of all requests.
    pub spans: u64,
    /// Log records of all requests.
    pub records: u64,
}

/// Makes waves until there are enough spans.
#[derive(Debug)]
pub struct Traffic {
    rng: Rng,
    resources: Vec<Resource>,
    /// Spans that are still wanted.
    left: u64,
    /// Nanoseconds from one trace to the next.
    step: u64,
    time: u64,
}

/// Spans and log records of one instance that wait to be exported.
#[derive(Default)]
struct Batch {
    spans: Vec<Span>,
    records: Vec<LogRecord>,
}

/// One trace on its way.
struct Trace<'a> {
    rng: &'a mut Rng,
    id: Vec<u8>,
    instance: usize,
    batches: &'a mut [Batch],
}

impl Traffic {
    /// At least `spans` spans, spread over `seconds` from [`START`] on.
    pub fn new(seed: u64, spans: u64, seconds: u64) -> Self {
        let mut rng = Rng::new(seed);
        let resources = (0..SERVICES.len() * INSTANCES).map(|at| resource(&mut rng, at / INSTANCES)).collect();
        let traces = (spans / 10).max(1);
        Self { rng, resources, left: spans, step: (seconds * 1_000_000_000 / traces).max(1), time: START }
    }

    fn wave(&mut self) -> Wave {
        let mut batches: Vec<Batch> = Vec::new();
        batches.resize_with(self.resources.len(), Batch::default);
        for _ in 0..TRACES {
            let time = self.time + self.rng.below(self.step);
            self.time += self.step;
            let (id, instance) = (id(&mut self.rng, 16), self.rng.index(INSTANCES));
            let mut trace = Trace { rng: &mut self.rng, id, instance, batches: &mut batches };
            trace.visit(time);
        }
        let mut wave = Wave::default();
        for (batch, resource) in batches.into_iter().zip(&self.resources) {
            let scope = |name: &str| InstrumentationScope {
                name: name.into(),
                version: "0.207.0".into(),
                ..InstrumentationScope::default()
            };
            let Batch { spans, records } = batch;
            if !spans.is_empty() {
                wave.spans += spans.len() as u64;
                let scope_spans = ScopeSpans {
                    scope: Some(scope("@opentelemetry/instrumentation-http")),
                    spans,
                    ..Default::default()
                };
                let of = ResourceSpans {
                    resource: Some(resource.clone()),
                    scope_spans: vec![scope_spans],
                    schema_url: "https://opentelemetry.io/schemas/1.37.0".into(),
                };
                wave.traces.push(ExportTraceServiceRequest { resource_spans: vec![of] }.encode_to_vec());
            }
            if !records.is_empty() {
                wave.records += records.len() as u64;
                let scope_logs = ScopeLogs { scope: Some(scope("pino")), log_records: records, ..Default::default() };
                let of = ResourceLogs {
                    resource: Some(resource.clone()),
                    scope_logs: vec![scope_logs],
                    ..Default::default()
                };
                wave.logs.push(ExportLogsServiceRequest { resource_logs: vec![of] }.encode_to_vec());
            }
        }
        wave
    }
}

impl Iterator for Traffic {
    type Item = Wave;

    fn next(&mut self) -> Option<Wave> {
        if self.left == 0 {
            return None;
        }
        let wave = self.wave();
        self.left = self.left.saturating_sub(wave.spans);
        Some(wave)
    }
}

fn id(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut id: Vec<u8> = [rng.bits().to_be_bytes(), rng.bits().to_be_bytes()].concat();
    id.truncate(len);
    id[0] |= 1;
    id
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(value.cast_signed()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn resource(rng: &mut Rng, service: usize) -> Resource {
    let name = SERVICES[service].0;
    let attributes = vec![
        text("service.name", name),
        text("service.namespace", "shop"),
        text("service.version", format!("4.{service}.2")),
        text("service.instance.id", format!("{:016x}{:016x}", rng.bits(), rng.bits())),
        text("telemetry.sdk.language", "nodejs"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "2.2.0"),
        text("k8s.pod.name", format!("{name}-{:08x}", rng.bits() as u32)),
        text("host.name", format!("node-{}", rng.below(20))),
        int("process.pid", 1 + rng.below(30_000)),
    ];
    Resource { attributes, ..Resource::default() }
}

/// What a span is made of beside its trace.
struct Made {
    service: usize,
    name: String,
    kind: span::SpanKind,
    parent: Vec<u8>,
    start: u64,
    duration: u64,
    failed: bool,
    attributes: Vec<KeyValue>,
}

impl Trace<'_> {
    /// A request of a browser, and all that it causes.
    fn visit(&mut self, time: u64) {
        // Most are quick; one in thirty waits for something.
        let slow = if self.rng.one_in(30) { 12 } else { 1 };
        let duration = (4_000_000 + self.rng.below(60_000_000)) * slow;
        let root = self.serve(0, Vec::new(), time, duration);
        let calls = 1 + self.rng.below(3);
        for at in 0..calls {
            let (start, part) = (time + duration / 10 + at * duration / 4, duration / 5);
            let service = 1 + self.rng.index(SERVICES.len() - 1);
            let (client, inner) = self.call(0, service, &root, start, part);
            let server = self.serve(service, client, start + part / 20, inner);
            for query in 0..self.rng.below(3) {
                self.query(service, &server, start + part / 10 + query * inner / 3, inner / 4);
            }
            if self.rng.one_in(3) {
                let next = 1 + self.rng.index(SERVICES.len() - 1);
                let (client, innermost) = self.call(service, next, &server, start + inner / 2, inner / 3);
                let server = self.serve(next, client, start + inner / 2 + innermost / 20, innermost);
                self.query(next, &server, start + inner / 2 + innermost / 10, innermost / 2);
            }
        }
    }

    fn serve(&mut self, service: usize, parent: Vec<u8>, start: u64, duration: u64) -> Vec<u8> {
        let (name, routes, _) = SERVICES[service];
        let route = routes[[0, 0, 0, 1, 1, 2][self.rng.index(6)]];
        let method = *self.rng.pick(&["GET", "GET", "GET", "POST", "PUT"]);
        let failed = self.rng.one_in(50);
        let status = if failed { *self.rng.pick(&[500, 502, 503]) } else { *self.rng.pick(&[200, 200, 200, 201, 404]) };
        let mut attributes = vec![
            text("http.request.method", method),
            text("http.route", route),
            text("url.path", route.replace("{id}", &self.rng.below(1_000_000).to_string())),
            text("url.scheme", "https"),
            int("http.response.status_code", status),
            text("server.address", format!("{name}.shop.svc.cluster.local")),
            text("client.address", format!("10.{}.{}.{}", self.rng.below(4), self.rng.below(256), self.rng.below(256))),
            text("user_agent.original", *self.rng.pick(&AGENTS)),
            text("network.protocol.version", *self.rng.pick(&["1.1", "2"])),
            text("app.tenant", format!("tenant-{}", self.rng.below(200))),
        ];
        if self.rng.one_in(3) {
            attributes.push(text("user.id", format!("{:08}", self.rng.below(2_000_000))));
        }
        if self.rng.one_in(100) {
            attributes.push(text("feature_flag.key", "new-checkout"));
        }
        if failed {
            attributes.push(text("error.type", status.to_string()));
        }
        let kind = span::SpanKind::Server;
        let name = format!("{method} {route}");
        self.span(Made { service, name, kind, parent, start, duration, failed, attributes })
    }

    /// The client's side of a call: its id, and how long the other side may take.
    fn call(&mut self, from: usize, to: usize, parent: &[u8], start: u64, duration: u64) -> (Vec<u8>, u64) {
        let (name, method) = (SERVICES[to].0, *self.rng.pick(&["GET", "POST"]));
        let attributes = vec![
            text("http.request.method", method),
            text("server.address", format!("{name}.shop.svc.cluster.local")),
            int("server.port", 8080),
            text("url.full", format!("http://{name}.shop.svc.cluster.local:8080/api/v1?n={}", self.rng.below(100_000))),
            int("http.response.status_code", 200),
        ];
        let kind = span::SpanKind::Client;
        let name = method.to_owned();
        let parent = parent.to_vec();
        let id = self.span(Made { service: from, name, kind, parent, start, duration, failed: false, attributes });
        (id, duration * 9 / 10)
    }

    fn query(&mut self, service: usize, parent: &[u8], start: u64, duration: u64) {
        let system = SERVICES[service].2;
        if system.is_empty() {
            return;
        }
        let (table, operation) = (*self.rng.pick(&TABLES), *self.rng.pick(&["SELECT", "SELECT", "UPDATE", "INSERT"]));
        let attributes = vec![
            text("db.system.name", system),
            text("db.namespace", "shop"),
            text("db.operation.name", operation),
            text("db.collection.name", table),
            text("db.query.text", format!("{operation} … {table} WHERE id = $1 AND version = {}", self.rng.below(40))),
            text("server.address", format!("{system}-0.shop.svc.cluster.local")),
        ];
        let kind = span::SpanKind::Client;
        let name = format!("{operation} {table}");
        let parent = parent.to_vec();
        self.span(Made { service, name, kind, parent, start, duration, failed: false, attributes });
    }

    fn span(&mut self, made: Made) -> Vec<u8> {
        let span_id = id(self.rng, 8);
        let Made { service, name, kind, parent, start, duration, failed, attributes } = made;
        if self.rng.one_in(2) {
            self.record(service, &span_id, start + duration / 2, failed);
        }
        let batch = &mut self.batches[service * INSTANCES + self.instance];
        batch.spans.push(Span {
            trace_id: self.id.clone(),
            span_id: span_id.clone(),
            parent_span_id: parent,
            flags: 0x101,
            name,
            kind: kind as i32,
            start_time_unix_nano: start,
            end_time_unix_nano: start + duration,
            attributes,
            status: Some(Status { message: String::new(), code: if failed { 2 } else { 0 } }),
            ..Span::default()
        });
        span_id
    }

    fn record(&mut self, service: usize, span_id: &[u8], time: u64, failed: bool) {
        let rng = &mut *self.rng;
        let (order, ms) = (rng.below(10_000_000), rng.below(5_000));
        let (level, body) = match rng.below(40) {
            _ if failed => (
                17,
                format!(
                    "upstream request failed: timeout after {ms} ms while reading response header from upstream, \
                     order={order} attempt={} code=50{}",
                    rng.below(5),
                    rng.below(5)
                ),
            ),
            0 => {
                (13, format!("card declined by issuer for order {order}: insufficient funds, customer was asked again"))
            }
            1 => (13, format!("lock wait of {ms} ms exceeded the limit of {} ms on order_items", rng.below(1_000))),
            at if at < 15 => (
                9,
                format!(
                    "order {order} accepted for customer {:08}: {} items, total {}.{:02} EUR, region eu-west-1, \
                     payment authorised in {ms} ms, shipment will be scheduled from warehouse {}",
                    rng.below(2_000_000),
                    1 + rng.below(9),
                    rng.below(900),
                    rng.below(100),
                    rng.below(12)
                ),
            ),
            at if at < 28 => (
                9,
                format!(
                    "GET /api/v1/products/{order} 200 {ms}ms {} bytes referer=https://shop.example.com/products/{} \
                     cache=hit upstream=catalog-{}",
                    rng.below(60_000),
                    rng.below(1_000_000),
                    rng.below(3)
                ),
            ),
            _ => (
                5,
                format!(
                    "cache lookup key=price:{order}:eur:v{} took {} µs, partition {} of 64, ttl {} s",
                    rng.below(9),
                    rng.below(900),
                    rng.below(64),
                    rng.below(3_600)
                ),
            ),
        };
        let name = [(17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG")].into_iter().find(|(at, _)| *at == level);
        let attributes = vec![
            text("code.file.path", "/srv/app/src/orders/service.ts"),
            int("code.line.number", 1 + rng.below(900)),
            text("thread.name", format!("worker-{}", rng.below(16))),
            text("app.tenant", format!("tenant-{}", rng.below(200))),
        ];
        let record = LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time + rng.below(50_000),
            severity_number: level,
            severity_text: name.map(|(_, name)| name.to_owned()).unwrap_or_default(),
            body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
            attributes,
            flags: 1,
            trace_id: self.id.clone(),
            span_id: span_id.to_vec(),
            ..LogRecord::default()
        };
        self.batches[service * INSTANCES + self.instance].records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn traces_go_through_services_and_their_parents_are_there() {
        let waves: Vec<Wave> = Traffic::new(3, 5_000, 3_600).collect();
        let made: u64 = waves.iter().map(|wave| wave.spans).sum();
        assert!((5_000..7_000).contains(&made), "{made}");
        assert!(waves.iter().all(|wave| wave.records * 3 > wave.spans && wave.records < wave.spans));
        let mut parents: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let (mut traces, mut services, mut times) = (BTreeSet::new(), BTreeSet::new(), (u64::MAX, 0));
        for request in waves.iter().flat_map(|wave| &wave.traces) {
            let request = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
            let of = &request.resource_spans[0];
            services.insert(format!("{:?}", of.resource.as_ref().unwrap().attributes[0].value));
            for span in &of.scope_spans[0].spans {
                traces.insert(span.trace_id.clone());
                parents.insert(span.span_id.clone(), span.parent_span_id.clone());
                times = (times.0.min(span.start_time_unix_nano), times.1.max(span.start_time_unix_nano));
            }
        }
        assert_eq!(services.len(), SERVICES.len());
        assert_eq!(parents.len() as u64, made, "ids are distinct");
        assert!(parents.values().all(|parent| parent.is_empty() || parents.contains_key(parent)));
        assert_eq!(parents.values().filter(|parent| parent.is_empty()).count(), traces.len());
        let seconds = (times.1 - times.0) / 1_000_000_000;
        assert!(times.0 >= START && (3_000..4_500).contains(&seconds), "{seconds}");
        let again: Vec<Wave> = Traffic::new(3, 5_000, 3_600).collect();
        assert!(waves.iter().zip(&again).all(|(a, b)| (&a.traces, &a.logs) == (&b.traces, &b.logs)));
    }
}
