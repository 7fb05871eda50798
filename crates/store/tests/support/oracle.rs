//! What was sent, what was promised about it, and whether a store keeps to that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::{BatchBuilder, Checked, Limits};
use otlp_arrow_store::hooks::{CommitHook, Committed};
use otlp_arrow_store::{ReadOptions, Store};
use otlp_arrow_testkit::payload;
use otlp_arrow_testkit::rng::Rng;
use prost::Message;

use super::disk::Disk;

/// What holds for a request from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nothing: it is there as a whole or not at all.
    None,
    /// Acknowledged in memory only.
    Buffered,
    /// It survives the end of the process.
    Written,
    /// It survives a power cut.
    Synced,
}

#[derive(Debug)]
struct Sent {
    signal: Signal,
    bytes: Bytes,
    expected: RecordBatch,
    promise: Promise,
    /// The process that was asked.
    process: u64,
}

/// What checks came across.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Requests that had to be there and were.
    pub kept: u64,
    /// Requests that were not acknowledged, or not at the level of the crash, and are there.
    pub unpromised_kept: u64,
    /// The same, and are not there.
    pub unpromised_lost: u64,
    /// Requests that had to be there, in a file that retention deleted.
    pub evicted: u64,
}

/// The file each request went to, by its bytes: no two requests are alike.
#[derive(Debug, Default)]
struct Places(Mutex<HashMap<Bytes, String>>);

impl CommitHook for Places {
    fn committed(&self, commit: &Committed) {
        let mut places = self.0.lock().unwrap();
        for request in &commit.requests {
            let bytes = request.bytes.clone().expect("no record was refused");
            places.insert(bytes, commit.stem.to_string());
        }
    }
}

impl Found {
    /// Adds what another oracle came across.
    pub fn add(&mut self, other: &Found) {
        self.kept += other.kept;
        self.unpromised_kept += other.unpromised_kept;
        self.unpromised_lost += other.unpromised_lost;
        self.evicted += other.evicted;
    }
}

/// Knows every request of one schedule.
#[derive(Debug)]
pub struct Oracle {
    rng: Rng,
    sent: Vec<Sent>,
    disk: Arc<Disk>,
    places: Arc<Places>,
    /// By the text in the first row.
    keys: HashMap<String, usize>,
    pub found: Found,
    /// Retention has a limit that matters.
    pub may_delete: bool,
}

/// The column whose text is unique to a request.
fn key_column(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "name",
        Signal::Metrics => "metric_name",
        Signal::Logs => "body",
    }
}

impl Oracle {
    pub fn new(seed: u64, disk: Arc<Disk>) -> Self {
        Self {
            rng: Rng::new(!seed),
            sent: Vec::new(),
            disk,
            places: Arc::default(),
            keys: HashMap::new(),
            found: Found::default(),
            may_delete: false,
        }
    }

    /// A new request, about which nothing is promised yet.
    pub fn request(&mut self, signal: Signal) -> (usize, Bytes, Checked) {
        let number = self.sent.len();
        let seed = self.rng.bits();
        let most = if self.rng.one_in(5) { 40 } else { 4 };
        let records = 1 + self.rng.index(most);
        let bytes = match signal {
            Signal::Traces => {
                let mut request = payload::spans(records, 1 + self.rng.index(4), seed);
                let spans =
                    request.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans);
                spans.enumerate().for_each(|(row, span)| span.name = format!("{number}-{row}"));
                request.encode_to_vec()
            }
            Signal::Metrics => {
                let mut request = payload::numbers(records, seed);
                let metrics =
                    request.resource_metrics.iter_mut().flat_map(|r| &mut r.scope_metrics).flat_map(|s| &mut s.metrics);
                metrics.enumerate().for_each(|(row, metric)| metric.name = format!("{number}-{row}"));
                request.encode_to_vec()
            }
            Signal::Logs => {
                let mut request = payload::logs(records, 20, seed);
                let logs =
                    request.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records);
                logs.enumerate().for_each(|(row, log)| {
                    let text = opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(format!(
                        "{number}-{row}"
                    ));
                    log.body = Some(opentelemetry_proto::tonic::common::v1::AnyValue { value: Some(text) });
                });
                request.encode_to_vec()
            }
        };
        let checked = otlp_arrow_columns::check(signal, &bytes, &Limits::default()).unwrap();
        let mut builder = BatchBuilder::new(signal);
        builder.append(&bytes, &checked);
        let expected = plain(&builder.finish());
        assert_eq!(expected.num_rows(), checked.rows);
        self.keys.insert(text_at(&expected, key_column(signal), 0), number);
        let bytes = Bytes::from(bytes);
        self.sent.push(Sent { signal, bytes: bytes.clone(), expected, promise: Promise::None, process: 0 });
        (number, bytes, checked)
    }

    /// To be hung onto every store: it notes which file a request went to.
    pub fn places(&self) -> Arc<dyn CommitHook> {
        Arc::clone(&self.places) as _
    }

    /// Whether the request was in a file that is deleted in all its forms. Only retention does that to a file with rows.
    fn is_evicted(&self, sent: &Sent) -> bool {
        let places = self.places.0.lock().unwrap();
        places.get(&sent.bytes).is_some_and(|stem| self.disk.is_deleted(stem))
    }

    /// One process ended, the others did not.
    pub fn died(&mut self, process: u64) {
        for sent in self.sent.iter_mut().filter(|sent| sent.process == process && sent.promise == Promise::Buffered) {
            sent.promise = Promise::None;
        }
    }

    /// The store of `process` answered.
    pub fn answered(&mut self, request: usize, process: u64, promise: Promise) {
        (self.sent[request].process, self.sent[request].promise) = (process, promise);
    }

    /// What `process` acknowledged in memory is written.
    pub fn flushed(&mut self, process: u64) {
        for sent in self.sent.iter_mut().filter(|sent| sent.process == process && sent.promise == Promise::Buffered) {
            sent.promise = Promise::Written;
        }
    }

    /// Every process ended, one way or another.
    pub fn ended(&mut self) {
        self.change(Promise::Buffered, Promise::None);
    }

    /// What was not synced may be gone.
    pub fn power_cut(&mut self) {
        self.change(Promise::Written, Promise::None);
        self.change(Promise::Buffered, Promise::None);
    }

    fn change(&mut self, from: Promise, to: Promise) {
        for sent in self.sent.iter_mut().filter(|sent| sent.promise == from) {
            sent.promise = to;
        }
    }

    /// Reads everything back and compares.
    pub fn check(&mut self, store: &Store) -> Result<(), String> {
        for signal in Signal::ALL {
            let batches = store.read(signal, &ReadOptions::default()).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let batches = batches.map_err(|error| format!("{signal} cannot be read: {error} {:?}", error.causes()))?;
            let seen = self.walk(signal, &batches)?;
            for (number, sent) in self.sent.iter().enumerate().filter(|(_, sent)| sent.signal == signal) {
                match (seen.get(&number).copied().unwrap_or(0), sent.promise) {
                    (0, Promise::Written | Promise::Synced) if self.may_delete && self.is_evicted(sent) => {
                        self.found.evicted += 1;
                    }
                    (0, Promise::Written | Promise::Synced) => {
                        return Err(format!("{signal} request {number} was promised ({:?}) and is lost", sent.promise));
                    }
                    (0, _) => self.found.unpromised_lost += 1,
                    (1, Promise::Written | Promise::Synced) => self.found.kept += 1,
                    (1, _) => self.found.unpromised_kept += 1,
                    (times, _) => return Err(format!("{signal} request {number} is there {times} times")),
                }
            }
        }
        Ok(())
    }

    /// How often each request is there. Rows that belong to no whole request are an error.
    fn walk(&self, signal: Signal, batches: &[RecordBatch]) -> Result<HashMap<usize, u64>, String> {
        let mut seen = HashMap::new();
        let Some(first) = batches.first() else { return Ok(seen) };
        let all = concat_batches(first.schema_ref(), batches).map_err(|error| error.to_string())?;
        let mut row = 0;
        while row < all.num_rows() {
            let key = text_at(&all, key_column(signal), row);
            let number = *self.keys.get(&key).ok_or_else(|| format!("{signal} row {row} ({key}) begins no request"))?;
            let expected = &self.sent[number].expected;
            if row + expected.num_rows() > all.num_rows() {
                return Err(format!("{signal} request {number} is there in part"));
            }
            let found = all.slice(row, expected.num_rows());
            for (column, (found, expected)) in found.columns().iter().zip(expected.columns()).enumerate() {
                if found != expected {
                    let name = all.schema_ref().field(column).name().clone();
                    return Err(format!("{signal} request {number}, {name}: {found:?} is not {expected:?}"));
                }
            }
            *seen.entry(number).or_insert(0) += 1;
            row += expected.num_rows();
        }
        Ok(seen)
    }
}

fn text_at(batch: &RecordBatch, column: &str, row: usize) -> String {
    let column = batch.column_by_name(column).unwrap();
    column.as_string::<i32>().value(row).to_owned()
}

/// The batch as it is read: dictionaries as plain text.
pub fn plain(batch: &RecordBatch) -> RecordBatch {
    let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        match column.as_dictionary_opt::<Int32Type>() {
            Some(dictionary) => {
                let text: StringArray = dictionary.downcast_dict::<StringArray>().unwrap().into_iter().collect();
                fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, field.is_nullable())));
                columns.push(Arc::new(text));
            }
            None => {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}
