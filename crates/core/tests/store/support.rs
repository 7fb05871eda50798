//! What the tests share: numbered log records, and looking at a directory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::internal::EventSink;
use otlp_arrow::store::storage::Storage;
use otlp_arrow::store::storage_os::OsStorage;
use otlp_arrow::store::{ReadOptions, Request, Store};
use otlp_arrow::{Config, Result, Signal};
use otlp_arrow::{Event, EventName};
use otlp_arrow_columns::{Limits, Payload};
use prost::Message;

/// One request of log records whose bodies are these numbers.
pub(crate) fn logs(ids: impl IntoIterator<Item = u64>) -> Bytes {
    let record = |id: u64| LogRecord {
        body: Some(AnyValue { value: Some(Value::StringValue(format!("record {id}"))) }),
        time_unix_nano: 1_700_000_000_000_000_000 + id,
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: ids.into_iter().map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

pub(crate) fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config
}

/// Everything that was announced.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Event>>>);

impl Heard {
    pub(crate) fn sink(&self) -> EventSink {
        let heard = Arc::clone(&self.0);
        Arc::new(move |event| heard.lock().unwrap().push(event))
    }

    pub(crate) fn names(&self) -> Vec<EventName> {
        self.0.lock().unwrap().iter().map(|event| event.name).collect()
    }

    pub(crate) fn count(&self, name: EventName) -> usize {
        self.names().into_iter().filter(|other| *other == name).count()
    }

    pub(crate) fn records(&self, name: EventName) -> u64 {
        self.0.lock().unwrap().iter().filter(|event| event.name == name).filter_map(|event| event.count).sum()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|event| format!("{}: {}", event.name, event.message)).collect()
    }
}

pub(crate) fn open(config: &Config) -> Store {
    Store::open(config.store_settings(), Arc::new(OsStorage), Arc::new(|_| ())).unwrap()
}

pub(crate) fn open_on(config: &Config, storage: Arc<dyn Storage>, heard: &Heard) -> Store {
    Store::open(config.store_settings(), storage, heard.sink()).unwrap()
}

pub(crate) fn request(store: &Store, bytes: Bytes) -> Result<Request> {
    let checked = otlp_arrow_columns::check(Signal::Logs, &bytes, &Limits::default())?;
    let reservation = store.budget().reserve(Signal::Logs, bytes.len() + checked.arrow_bytes)?;
    Ok(Request { payload: Payload::Otlp { signal: Signal::Logs, bytes, checked }, reservation })
}

/// Appends and waits for the acknowledgement.
pub(crate) fn put(store: &Store, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    block_on(store.append(request(store, logs(ids))?))
}

/// The numbers of the log records of a batch.
pub(crate) fn numbers(batch: &RecordBatch) -> Vec<u64> {
    let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
    bodies.iter().map(|body| body.unwrap().strip_prefix("record ").unwrap().parse().unwrap()).collect()
}

/// The numbers of all committed log records, in the order of [`Store::read`].
pub(crate) fn ids(store: &Store) -> Vec<u64> {
    let mut found = Vec::new();
    for batch in store.read(Signal::Logs, &ReadOptions::default()).unwrap() {
        found.extend(numbers(&batch.unwrap()));
    }
    found
}

/// The names of the files in `dir/sub`, sorted; none if there is no such directory.
pub(crate) fn names(dir: &Path, sub: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir.join(sub)) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn log_files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let names = names(dir, "otlp/logs");
    let suffix = format!(".{extension}");
    names.into_iter().filter(|name| name.ends_with(&suffix)).map(|name| dir.join("otlp/logs").join(name)).collect()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
