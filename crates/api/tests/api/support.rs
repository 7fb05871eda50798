//! A recorder that answers over HTTP, and a client that says exactly what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_api::HttpApi;
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;

use crate::sample;

/// A machine that is busy takes long for anything; what is wrong takes forever.
const PATIENCE: Duration = Duration::from_secs(300);

/// A recorder in a directory of its own, which answers.
pub(crate) struct Answering {
    pub(crate) library: OtlpLibrary,
    pub(crate) address: SocketAddr,
    pub(crate) dir: TempDir,
}

impl Answering {
    /// With nothing in it.
    pub(crate) fn empty(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { output_dir: dir.path().join("out"), ..Config::default() };
        config.storage.min_free_bytes = 0;
        config.query.timeout = PATIENCE;
        config.listen.http = Some(([127, 0, 0, 1], 0).into());
        change(&mut config);
        let library = OtlpLibrary::builder(config).http_api().open().unwrap();
        let address = library.addresses().http.unwrap();
        Self { library, address, dir }
    }

    /// With so many spans and log records, and a sum.
    pub(crate) fn with(records: u64) -> Self {
        let answering = Self::empty(|_| ());
        sample::send(&answering.library, 0..records, 200);
        block_on(answering.library.export_otlp(Signal::Metrics, sum().into())).unwrap();
        answering
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        get(self.address, path, &[])
    }

    /// The JSON of a path behind `/api/v1` that is answered with 200.
    pub(crate) fn json(&self, path: &str) -> Value {
        let reply = self.get(&format!("/api/v1{path}"));
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{path}: {}", reply.text());
        reply.json()
    }
}

/// A log record of a service, for each of them.
pub(crate) fn logs<'a>(services: impl IntoIterator<Item = (String, &'a str)>) -> Bytes {
    let of = |(service, body): (String, &str)| {
        let value = Some(AnyValue { value: Some(any_value::Value::StringValue(service)) });
        let attribute = KeyValue { key: "service.name".into(), value, ..Default::default() };
        let body = Some(AnyValue { value: Some(any_value::Value::StringValue(body.into())) });
        let record = LogRecord { time_unix_nano: sample::START, severity_number: 9, body, ..Default::default() };
        ResourceLogs {
            resource: Some(Resource { attributes: vec![attribute], ..Default::default() }),
            scope_logs: vec![ScopeLogs { log_records: vec![record], ..Default::default() }],
            ..Default::default()
        }
    };
    ExportLogsServiceRequest { resource_logs: services.into_iter().map(of).collect() }.encode_to_vec().into()
}

/// Log records of 20,000 characters: as many of them are a long answer that is made quickly.
pub(crate) fn long(records: usize) -> Bytes {
    let body = "a long body: ".repeat(1_540);
    logs((0..records).map(|_| ("long".to_owned(), body.as_str())))
}

/// A sum of two services, a point each ten seconds.
fn sum() -> Vec<u8> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
        ..Default::default()
    };
    let of = |service: &str, each: i64| {
        let point = |at: u64| NumberDataPoint {
            start_time_unix_nano: sample::START,
            time_unix_nano: sample::START + (at + 1) * 10 * sample::SECOND,
            value: Some(number_data_point::Value::AsInt(each * (at as i64 + 1))),
            ..Default::default()
        };
        let sum = Sum { data_points: (0..30).map(point).collect(), aggregation_temporality: 2, is_monotonic: true };
        let metric = Metric {
            name: "shop/orders".into(),
            unit: "{order}".into(),
            data: Some(metric::Data::Sum(sum)),
            ..Default::default()
        };
        ResourceMetrics {
            resource: Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() }),
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }],
            ..Default::default()
        }
    };
    ExportMetricsServiceRequest { resource_metrics: vec![of("checkout", 50), of("payment", 20)] }.encode_to_vec()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(2000).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code and the message of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned();
        (self.status, text("code"), text("message"))
    }
}

pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    request(address, "GET", path, headers, b"")
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> Reply {
    request(address, "POST", path, &[("content-type", "application/json")], body)
}

/// One request over a connection of its own; `Host` is that of the address unless it is among the headers.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = connect(address, method, path, headers, body);
    let mut bytes = Vec::new();
    let whole = stream.read_to_end(&mut bytes).is_ok();
    parsed(&bytes, method == "HEAD", whole)
}

/// The connection, after the request was sent.
pub(crate) fn connect(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers.iter().filter(|(name, _)| *name != "no-host") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes());
    // It may be refused before it is read.
    let _ = stream.write_all(body);
    stream
}

fn parsed(bytes: &[u8], head_only: bool, whole: bool) -> Reply {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let rest = &bytes[end + 4..];
    let (body, complete) = match (of("transfer-encoding"), of("content-length")) {
        _ if head_only => (rest.to_vec(), true),
        (Some("chunked"), _) => chunks(rest),
        (_, Some(length)) => (rest.to_vec(), rest.len() == length.parse::<usize>().unwrap()),
        _ => (rest.to_vec(), true),
    };
    Reply { status, headers, body, whole: whole && complete }
}

/// The body of chunks, and whether the last one is there.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else { return (body, false) };
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        rest = &rest[end + 2..];
        if length == 0 {
            return (body, true);
        }
        if rest.len() < length + 2 {
            body.extend_from_slice(rest);
            return (body, false);
        }
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
    }
}

/// A tail that is listened to.
pub(crate) struct Listening {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An event as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
    pub(crate) comment: bool,
}

impl Listening {
    pub(crate) fn to(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = connect(address, "GET", &format!("/api/v1/tail/{path}"), headers, b"");
        let mut listening = Self { stream, buffer: Vec::new() };
        let head = listening.until(b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("text/event-stream"), "{head}");
        listening
    }

    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                let rest = self.buffer.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            let mut bytes = [0; 65536];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The next event, which may be a comment; nothing at the end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        // An event is a chunk, or several.
        let mut text = Vec::new();
        while !text.ends_with(b"\n\n") {
            let head = self.until(b"\r\n")?;
            let length = usize::from_str_radix(String::from_utf8_lossy(&head).trim(), 16).unwrap();
            if length == 0 {
                return None;
            }
            while self.buffer.len() < length + 2 {
                let mut bytes = [0; 65536];
                match self.stream.read(&mut bytes) {
                    Ok(0) | Err(_) => return None,
                    Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                }
            }
            let rest = self.buffer.split_off(length + 2);
            text.extend_from_slice(&std::mem::replace(&mut self.buffer, rest)[..length]);
        }
        let mut event = Event::default();
        for line in String::from_utf8(text).unwrap().lines() {
            match line.split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ => event.comment |= line.starts_with(':'),
            }
        }
        Some(event)
    }

    /// The rows of events until there are so many, and the last event.
    pub(crate) fn rows(&mut self, list: &str, many: usize) -> (Vec<Value>, Event) {
        let (mut rows, mut last) = (Vec::new(), Event::default());
        while rows.len() < many {
            let event = self.next().unwrap_or_else(|| panic!("the tail ended after {} rows", rows.len()));
            if let Some(some) = event.data[list].as_array() {
                rows.extend(some.iter().cloned());
                last = event;
            }
        }
        (rows, last)
    }
}
