//! Numbered records, and who counts them where they arrive.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

/// A setting of a long run, or what the suite's share takes.
pub(crate) fn setting(name: &str, share: u64) -> u64 {
    std::env::var(name).map_or(share, |text| text.parse().unwrap())
}

fn text(text: String) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text)) })
}

fn attribute(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

/// One request of records as a web server logs them; each carries its number as its time and all over its content.
pub(crate) fn request(numbers: Range<u64>) -> Bytes {
    let record = |number: u64| LogRecord {
        time_unix_nano: 1 + number,
        severity_number: 9 + (number % 3) as i32 * 4,
        body: text(format!("GET /orders/{number} answered in {} ms", number % 977)),
        attributes: vec![
            attribute("http.route", text("/orders/:id".into())),
            attribute("user.id", text(format!("user-{}", number % 10_007))),
            attribute("http.response.body.size", Some(AnyValue { value: Some(Value::IntValue(number as i64 % 4096)) })),
        ],
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: numbers.map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

/// Counts records by their numbers: a byte for each, however many bytes arrive.
pub(crate) struct Tally {
    times: Vec<AtomicU8>,
    /// Records that came, each time counted.
    arrivals: AtomicU64,
    /// Records that came for the first time.
    different: AtomicU64,
    /// The number that each writer's next new record has if order is kept; writers have as many records each.
    next: Vec<AtomicU64>,
    disordered: AtomicU64,
}

impl Tally {
    /// For numbers below `records`, which as many `writers` in turn wrote equal parts of.
    pub(crate) fn new(records: u64, writers: u64) -> Self {
        Self {
            times: (0..records).map(|_| AtomicU8::new(0)).collect(),
            arrivals: AtomicU64::new(0),
            different: AtomicU64::new(0),
            next: (0..writers).map(|writer| AtomicU64::new(writer * records / writers)).collect(),
            disordered: AtomicU64::new(0),
        }
    }

    /// Counts one request's records, and compares each with what was sent.
    pub(crate) fn add(&self, payload: &[u8]) {
        let request = ExportLogsServiceRequest::decode(payload).unwrap();
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        let of_each = self.times.len() as u64 / self.next.len() as u64;
        for record in scopes.flat_map(|scope| &scope.log_records) {
            let number = record.time_unix_nano - 1;
            assert_eq!(record.body, text(format!("GET /orders/{number} answered in {} ms", number % 977)), "altered");
            assert_eq!(record.attributes.len(), 3, "altered");
            self.arrivals.fetch_add(1, Ordering::Relaxed);
            if self.times[number as usize].fetch_add(1, Ordering::Relaxed) > 0 {
                continue;
            }
            self.different.fetch_add(1, Ordering::Relaxed);
            let next = &self.next[(number / of_each) as usize];
            if number < next.load(Ordering::Relaxed) {
                self.disordered.fetch_add(1, Ordering::Relaxed);
            }
            next.store(number + 1, Ordering::Relaxed);
        }
    }

    /// Records that came, each time counted.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// Records that came at least once.
    pub(crate) fn different(&self) -> u64 {
        self.different.load(Ordering::Relaxed)
    }

    /// Records that never came.
    pub(crate) fn missing(&self) -> u64 {
        self.times.len() as u64 - self.different()
    }

    /// Arrivals beyond each record's first.
    pub(crate) fn repeated(&self) -> u64 {
        self.arrivals() - self.different()
    }

    /// Records that came for the first time after a later one of the same writer.
    pub(crate) fn disordered(&self) -> u64 {
        self.disordered.load(Ordering::Relaxed)
    }
}
