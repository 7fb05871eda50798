//! The shop: four services, one purchase after the other, some of them slow or declined.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use otlp_arrow::Signal;
use serde_json::{Value, json};

const MILLISECOND: u64 = 1_000_000;
const BOUNDS: [f64; 6] = [5.0, 10.0, 25.0, 50.0, 100.0, 250.0];

pub(super) struct Shop {
    random: Random,
    start: u64,
    end: u64,
    /// When the next purchase begins.
    clock: u64,
    step: u64,
    traces: BTreeSet<String>,
    sold: u64,
    declined: u64,
    /// Milliseconds of each checkout.
    took: Vec<f64>,
}

impl Shop {
    /// A shop that was open for `seconds` until `now`, in nanoseconds since 1970.
    pub(super) fn new(now: u64, seconds: u64) -> Self {
        let start = now - seconds * 1000 * MILLISECOND;
        let random = Random(RandomState::new().build_hasher().finish() | 1);
        let step = seconds * 1000 * MILLISECOND / 60;
        Self {
            random,
            start,
            end: now,
            clock: start,
            step,
            traces: BTreeSet::new(),
            sold: 0,
            declined: 0,
            took: Vec::new(),
        }
    }

    /// The trace ids of all purchases so far, in hexadecimal.
    pub(super) fn traces(&self) -> &BTreeSet<String> {
        &self.traces
    }

    /// The spans and the log records of one purchase.
    pub(super) fn purchase(&mut self) -> [(Signal, Value); 2] {
        let trace = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        let begin = self.clock;
        self.clock += self.step;
        let slow = self.random.below(12) == 0;
        let declined = self.random.below(8) == 0;
        let items = 1 + self.random.below(5);
        let order = 10_000 + self.random.below(90_000);

        let mut ms = |low: u64, spread: u64| (low * 1000 + self.random.below(spread * 1000)) * 1000;
        let stock = ms(3, 6);
        let charge = if slow { ms(120, 90) } else { ms(12, 20) };
        let store = ms(2, 4);
        let (overhead, page) = (ms(1, 2), ms(2, 5));
        let checkout = overhead + stock + charge + if declined { 0 } else { store };
        let whole = checkout + page;

        let ids: Vec<String> = (0..5).map(|_| format!("{:016x}", self.random.next())).collect();
        let at = |offset: u64| begin + offset;
        let span = |position: usize, parent: Option<usize>, name: &str, kind: u8, from: u64, took: u64, more: Value| {
            let mut span = json!({
                "traceId": trace, "spanId": ids[position], "name": name, "kind": kind, "flags": 257,
                "startTimeUnixNano": at(from).to_string(), "endTimeUnixNano": at(from + took).to_string(),
            });
            if let Some(parent) = parent {
                span["parentSpanId"] = json!(ids[parent]);
            }
            if let (Value::Object(span), Value::Object(more)) = (&mut span, more) {
                span.extend(more);
            }
            span
        };
        let failure = json!({"code": 2, "message": "card declined"});
        let result = if declined { failure.clone() } else { json!({"code": 0}) };
        let status = if declined { 402 } else { 200 };
        let paying = page / 2 + overhead + stock;
        let exception = if declined {
            json!([{"timeUnixNano": at(paying + charge).to_string(), "name": "exception", "attributes": attributes(&[
                ("exception.type", json!("CardDeclined")), ("exception.message", json!("insufficient funds")),
            ])}])
        } else {
            json!([])
        };
        let mut checkout_spans = vec![span(
            1,
            Some(0),
            "POST /orders",
            2,
            page / 2,
            checkout,
            json!({"status": result, "attributes": attributes(&[
                ("http.route", json!("/orders")), ("order.items", json!(items)), ("order.id", json!(order)),
            ])}),
        )];
        if !declined {
            let saving = paying + charge;
            checkout_spans.push(span(
                4,
                Some(1),
                "INSERT orders",
                3,
                saving,
                store,
                json!({"attributes": attributes(&[("db.system.name", json!("postgresql"))])}),
            ));
        }
        let spans = json!({"resourceSpans": [
            resource("frontend", "spans", vec![span(0, None, "GET /checkout", 2, 0, whole, json!({"attributes": attributes(&[
                ("http.request.method", json!("GET")), ("http.route", json!("/checkout")),
                ("http.response.status_code", json!(status)),
            ])}))]),
            resource("checkout", "spans", checkout_spans),
            resource("inventory", "spans", vec![span(2, Some(1), "reserve items", 2, page / 2 + overhead, stock, json!({
                "attributes": attributes(&[("order.items", json!(items)), ("warehouse", json!("north"))]),
            }))]),
            resource("payment", "spans", vec![span(3, Some(1), "charge card", 2, paying, charge, json!({
                "status": if declined { failure } else { json!({"code": 1}) }, "events": exception,
                "attributes": attributes(&[("payment.amount", json!(items as f64 * 12.5)), ("retry", json!(slow))]),
            }))]),
        ]});

        let log = |position: usize, offset: u64, number: u8, text: &str, body: String| {
            json!({
                "timeUnixNano": at(offset).to_string(), "observedTimeUnixNano": at(offset).to_string(),
                "severityNumber": number, "severityText": text, "body": {"stringValue": body},
                "attributes": attributes(&[("order.id", json!(order))]), "traceId": trace, "spanId": ids[position],
            })
        };
        let mut paying_logs = Vec::new();
        if slow {
            paying_logs.push(log(
                3,
                paying + charge / 2,
                13,
                "WARN",
                "the bank answers slowly, trying again".to_owned(),
            ));
        }
        if declined {
            paying_logs.push(log(3, paying + charge, 17, "ERROR", format!("order {order}: card declined")));
        }
        let mut resource_logs = vec![resource(
            "checkout",
            "logRecords",
            vec![log(1, page, 9, "INFO", format!("order {order}: {items} items"))],
        )];
        if !paying_logs.is_empty() {
            resource_logs.push(resource("payment", "logRecords", paying_logs));
        }

        self.traces.insert(trace);
        self.took.push(checkout as f64 / MILLISECOND as f64);
        *(if declined { &mut self.declined } else { &mut self.sold }) += 1;
        [(Signal::Traces, spans), (Signal::Logs, json!({"resourceLogs": resource_logs}))]
    }

    /// A counter, a gauge and a histogram of all purchases so far.
    pub(super) fn metrics(&mut self) -> Value {
        let (start, end) = (self.start.to_string(), self.end.to_string());
        let counter = |value: u64, result: &str| {
            json!({"startTimeUnixNano": start, "timeUnixNano": end, "asInt": value.to_string(),
                "attributes": attributes(&[("result", json!(result))])})
        };
        let mut buckets = [0u64; BOUNDS.len() + 1];
        for took in &self.took {
            buckets[BOUNDS.iter().take_while(|bound| *took > **bound).count()] += 1;
        }
        let buckets: Vec<String> = buckets.iter().map(u64::to_string).collect();
        let minimum = self.took.iter().copied().fold(f64::INFINITY, f64::min);
        let maximum = self.took.iter().copied().fold(0.0, f64::max);
        let stock = 1000 - self.random.below(200);
        let checkout = vec![
            json!({"name": "shop.orders", "unit": "{order}", "description": "orders by result", "sum": {
                "aggregationTemporality": 2, "isMonotonic": true,
                "dataPoints": [counter(self.sold, "sold"), counter(self.declined, "declined")],
            }}),
            json!({"name": "shop.checkout.duration", "unit": "ms", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
                "startTimeUnixNano": start, "timeUnixNano": end, "count": self.took.len().to_string(),
                "sum": self.took.iter().sum::<f64>(), "min": minimum, "max": maximum,
                "bucketCounts": buckets, "explicitBounds": BOUNDS,
            }]}}),
        ];
        let inventory = vec![json!({"name": "shop.stock", "unit": "{item}", "gauge": {"dataPoints": [
            {"timeUnixNano": end, "asDouble": stock as f64, "attributes": attributes(&[("warehouse", json!("north"))])},
        ]}})];
        json!({"resourceMetrics": [
            resource("checkout", "metrics", checkout), resource("inventory", "metrics", inventory),
        ]})
    }
}

/// One service's records under `field`.
fn resource(service: &str, field: &str, records: Vec<Value>) -> Value {
    let scopes = match field {
        "spans" => "scopeSpans",
        "metrics" => "scopeMetrics",
        _ => "scopeLogs",
    };
    json!({
        "resource": {"attributes": attributes(&[("service.name", json!(service)), ("deployment.environment", json!("demo"))])},
        scopes: [{"scope": {"name": "otlp-arrow-demo", "version": env!("CARGO_PKG_VERSION")}, field: records}],
    })
}

fn attributes(pairs: &[(&str, Value)]) -> Value {
    let typed = |value: &Value| match value {
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        other => json!({"stringValue": other}),
    };
    pairs.iter().map(|(key, value)| json!({"key": key, "value": typed(value)})).collect()
}

/// xorshift64*: enough for made-up numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
