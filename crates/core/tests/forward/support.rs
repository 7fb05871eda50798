//! Libraries with destinations, numbered records, and what arrived of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::config::DestinationConfig;
use otlp_arrow::internal::destinations::{Content, Request};
use otlp_arrow::{Config, Event, EventName, OtlpLibrary, Signal};
use otlp_arrow_testkit::backend::Received;
use prost::Message;

pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn destination(name: &str, url: &str) -> DestinationConfig {
    let mut destination = DestinationConfig::new(name, url);
    destination.timeout = Duration::from_secs(2);
    destination.retry.initial = Duration::from_millis(20);
    destination.retry.max = Duration::from_millis(100);
    destination.breaker.open = Duration::from_millis(50);
    destination.breaker.max_open = Duration::from_millis(200);
    destination
}

pub(crate) fn config(dir: &Path, destinations: impl IntoIterator<Item = DestinationConfig>) -> Config {
    let mut config =
        Config { output_dir: dir.to_owned(), forward: destinations.into_iter().collect(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config
}

pub(crate) fn logs(numbers: impl IntoIterator<Item = u64>) -> Bytes {
    let record = |number: u64| LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + number,
        body: Some(AnyValue { value: Some(Value::StringValue(format!("record {number}"))) }),
        ..Default::default()
    };
    let log_records = numbers.into_iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }
        .encode_to_vec()
        .into()
}

/// What a destination is asked to take, outside of a library.
pub(crate) fn request(payload: Bytes) -> Request {
    Request { signal: Signal::Logs, content: Content::Otlp(payload), records: 1, hops: Default::default(), rows: None }
}

/// The records of what was kept, with how often each came.
pub(crate) fn numbers(received: &[Received]) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for request in received.iter().filter(|request| request.kept) {
        for number in numbers_of(&request.payload) {
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

pub(crate) fn numbers_of(payload: &[u8]) -> Vec<u64> {
    let request = ExportLogsServiceRequest::decode(payload).unwrap();
    let records =
        request.resource_logs.iter().flat_map(|resource| &resource.scope_logs).flat_map(|scope| &scope.log_records);
    records
        .map(|record| {
            let Some(Value::StringValue(body)) = record.body.as_ref().and_then(|body| body.value.as_ref()) else {
                panic!("a record without its body");
            };
            let number = body.strip_prefix("record ").unwrap().parse().unwrap();
            assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_000 + number, "altered");
            number
        })
        .collect()
}

pub(crate) fn export(library: &OtlpLibrary, from: u64, to: u64) {
    let outcome = block_on(library.export_otlp(Signal::Logs, logs(from..to))).unwrap();
    assert_eq!(outcome.accepted, to - from);
}

pub(crate) fn all_of(range: std::ops::Range<u64>) -> impl Fn(&[Received]) -> bool {
    move |received| {
        let found = numbers(received);
        range.clone().all(|number| found.contains_key(&number))
    }
}

pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An event of this name, waited for.
pub(crate) fn event(events: &std::sync::mpsc::Receiver<Event>, name: EventName) -> Event {
    let end = Instant::now() + LONG;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).unwrap_or_else(|_| panic!("no {name}"));
        if event.name == name {
            return event;
        }
    }
}

pub(crate) fn events_of(library: &OtlpLibrary) -> std::sync::mpsc::Receiver<Event> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    library.on_event(move |event| drop(sender.lock().unwrap().send(event.clone())));
    receiver
}

pub(crate) struct Certificate {
    pub(crate) server: Arc<rustls::ServerConfig>,
    pub(crate) ca: tempfile::NamedTempFile,
}

fn file(pem: String) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    file
}

/// A client's own certificate and key.
pub(crate) struct Identity {
    pub(crate) cert: tempfile::NamedTempFile,
    pub(crate) key: tempfile::NamedTempFile,
    der: rustls::pki_types::CertificateDer<'static>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { cert: file(signed.pem()), key: file(key.serialize_pem()), der: signed.der().clone() }
    }
}

/// A self-signed certificate for `name`, valid from 2020 to `until_year`.
pub(crate) fn certificate(name: &str, until_year: i32) -> Certificate {
    certificate_for(name, until_year, None)
}

/// The same, for a server that lets in `client` only, if there is one.
pub(crate) fn certificate_for(name: &str, until_year: i32, client: Option<&Identity>) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let signed = params.self_signed(&key).unwrap();
    let ca = file(signed.pem());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let server = match client {
        None => server.with_no_client_auth(),
        Some(client) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(client.der.clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            server.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut server = server.with_single_cert(vec![signed.der().clone()], key.into()).unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Certificate { server: Arc::new(server), ca }
}
