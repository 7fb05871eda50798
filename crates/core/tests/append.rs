//! Batches through the public way in: read, followed and forwarded equal to what came as OTLP; and stages, which may
//! change or drop records on the way.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;
use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
use otlp_arrow::ReadOptions;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::config::{DestinationConfig, Durability};
use otlp_arrow::{Code, Config, ExportOutcome, Format, OtlpError, OtlpLibrary, Result, Signal, Stage, Staged};
use otlp_arrow_testkit::backend::{Backend, Received};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::payload;
use prost::Message;

const LONG: Duration = Duration::from_secs(20);

fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config
}

fn request_of(signal: Signal, seed: u64) -> Vec<u8> {
    let mut generator = Generator::new(seed);
    match signal {
        Signal::Traces => generator.traces().encode_to_vec(),
        Signal::Metrics => generator.metrics().encode_to_vec(),
        Signal::Logs => generator.logs().encode_to_vec(),
    }
}

fn batch_of(signal: Signal, request: &[u8]) -> RecordBatch {
    otlp_arrow_columns::decode(signal, request, Format::Protobuf).unwrap().batch
}

fn logs(records: usize) -> Vec<u8> {
    payload::logs(records, 30, 7).encode_to_vec()
}

fn append(library: &OtlpLibrary, signal: Signal, batch: RecordBatch) -> Result<ExportOutcome> {
    block_on(library.append(signal, batch))
}

/// How two requests differ as OTLP semantics sees them; each may be several joined.
fn difference(signal: Signal, a: &[u8], b: &[u8]) -> Option<String> {
    fn of<M: Canonical + Message + Default>(a: &[u8], b: &[u8]) -> Option<String> {
        M::decode(a).unwrap().content().difference(&M::decode(b).unwrap().content())
    }
    match signal {
        Signal::Traces => of::<trace::v1::ExportTraceServiceRequest>(a, b),
        Signal::Metrics => of::<metrics::v1::ExportMetricsServiceRequest>(a, b),
        Signal::Logs => of::<logs::v1::ExportLogsServiceRequest>(a, b),
    }
}

/// Everything that is committed, as one OTLP request.
fn read_as_otlp(library: &OtlpLibrary, signal: Signal) -> Vec<u8> {
    let batches: Vec<RecordBatch> =
        library.read(signal, &ReadOptions::default()).unwrap().collect::<Result<_>>().unwrap();
    otlp_arrow_columns::encode(signal, &batches, Format::Protobuf).unwrap()
}

fn rows(library: &OtlpLibrary, signal: Signal) -> usize {
    library.read(signal, &ReadOptions::default()).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

fn joined(signal: Signal, received: &[Received]) -> Vec<u8> {
    let of_signal = received.iter().filter(|request| request.kept && request.signal == signal.as_str());
    of_signal.flat_map(|request| request.payload.to_vec()).collect()
}

/// One total of the counters, of all series with these labels.
fn counted(library: &OtlpLibrary, name: &str, labels: &[(&'static str, &str)]) -> u64 {
    library.stats().counters.total(name, labels)
}

/// Generated requests of each signal, by turns as OTLP and as batches: what is read, followed and forwarded afterwards is
/// what the requests said, live, sealed, and from memory or from files.
#[test]
fn batches_are_read_followed_and_forwarded_equal() {
    for (memory, seeds) in [(64 << 20, 0..25_u64), (0, 100..125)] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        let mut destination = DestinationConfig::new("one", backend.url());
        (destination.memory, destination.max_in_flight) = (memory, 1);
        let library = OtlpLibrary::open(Config { forward: vec![destination], ..config(dir.path()) }).unwrap();
        let mut expected = Signal::ALL.map(|_| Vec::new());
        for seed in seeds {
            for signal in Signal::ALL {
                let request = request_of(signal, seed);
                let outcome = match seed % 3 {
                    0 => block_on(library.export_otlp(signal, Bytes::from(request.clone()))).unwrap(),
                    _ => append(&library, signal, batch_of(signal, &request)).unwrap(),
                };
                assert_eq!((outcome.accepted, outcome.rejected), (batch_of(signal, &request).num_rows() as u64, 0));
                expected[signal.index()].extend(request);
            }
        }
        let check = |library: &OtlpLibrary, step: &str| {
            for signal in Signal::ALL {
                let found = difference(signal, &expected[signal.index()], &read_as_otlp(library, signal));
                assert_eq!(found, None, "{signal} {step}");
            }
        };
        check(&library, "live");
        for signal in Signal::ALL {
            let total = rows(&library, signal);
            let mut subscription = library.subscribe(signal, "follower", SubscribeFrom::Beginning).unwrap();
            let mut followed = Vec::new();
            while followed.iter().map(RecordBatch::num_rows).sum::<usize>() < total {
                followed.push(subscription.next_blocking().unwrap().unwrap());
            }
            let followed = otlp_arrow_columns::encode(signal, &followed, Format::Protobuf).unwrap();
            assert_eq!(difference(signal, &expected[signal.index()], &followed), None, "{signal} followed");
            backend.wait_until(LONG, |received| batch_of(signal, &joined(signal, received)).num_rows() >= total);
            let forwarded = joined(signal, &backend.received());
            assert_eq!(difference(signal, &expected[signal.index()], &forwarded), None, "{signal} forwarded");
        }
        library.shutdown_blocking(None).unwrap();
        let library = OtlpLibrary::open(config(dir.path())).unwrap();
        check(&library, "sealed");
        // What was read goes back in equal, though its columns are plain text now.
        let again = tempfile::tempdir().unwrap();
        let other = OtlpLibrary::open(config(again.path())).unwrap();
        for signal in Signal::ALL {
            for batch in library.read(signal, &ReadOptions::default()).unwrap() {
                append(&other, signal, batch.unwrap()).unwrap();
            }
        }
        check(&other, "appended again");
        other.shutdown_blocking(None).unwrap();
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn what_is_committed_is_one_commit_and_counted_like_otlp() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    // Far more than a commit of requests would have.
    let batch = batch_of(Signal::Logs, &logs(70_000));
    assert_eq!(append(&library, Signal::Logs, batch.clone()).unwrap().accepted, 70_000);
    assert_eq!(
        append(&library, Signal::Logs, batch.slice(0, 0)).unwrap(),
        ExportOutcome::default(),
        "no rows, no commit"
    );
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.committed_records.logs), (70_000, 70_000));
    assert_eq!((stats.waiting_records.logs, stats.buffer_bytes), (0, 0), "memory is given back");
    let library_label = [("signal", "logs"), ("protocol", "library")];
    assert_eq!(counted(&library, "otlp_arrow_received_records_total", &library_label), 70_000);
    assert_eq!(stats.counters.total("otlp_arrow_commit_seconds", &[("signal", "logs")]), 1, "one commit");
    assert_eq!(counted(&library, "otlp_arrow_request_seconds", &[("code", "OK")]), 2);
    let kept: Vec<_> =
        library.read(Signal::Logs, &ReadOptions { dictionaries: true, ..Default::default() }).unwrap().collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].as_ref().unwrap().columns() == batch.columns(), "every column as it was");
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn buffered_batches_wait_in_memory_and_are_written_with_others() {
    let dir = tempfile::tempdir().unwrap();
    let durability = Durability::Buffered { write_interval: Duration::from_secs(60) };
    let library = OtlpLibrary::open(Config { durability, ..config(dir.path()) }).unwrap();
    for _ in 0..3 {
        append(&library, Signal::Logs, batch_of(Signal::Logs, &logs(10))).unwrap();
        block_on(library.export_otlp(Signal::Logs, logs(10).into())).unwrap();
    }
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.waiting_records.logs), (60, 60));
    assert!(stats.buffer_bytes > 0);
    block_on(library.flush()).unwrap();
    let stats = library.stats();
    assert_eq!((stats.committed_records.logs, stats.waiting_records.logs, stats.buffer_bytes), (60, 0, 0));
    assert_eq!(counted(&library, "otlp_arrow_commit_seconds", &[("signal", "logs")]), 1);
    assert_eq!(difference(Signal::Logs, &logs(10).repeat(6), &read_as_otlp(&library, Signal::Logs)), None);
    library.shutdown_blocking(None).unwrap();
}

fn with_column(batch: &RecordBatch, name: &str, column: Arc<dyn Array>) -> RecordBatch {
    let at = batch.schema().index_of(name).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(name, column.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn what_cannot_be_kept_is_refused_whole_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.max_request_memory = 1 << 20;
    config.buffer.max_bytes = 4 << 20;
    let library = OtlpLibrary::open(config).unwrap();
    let batch = batch_of(Signal::Logs, &logs(10));
    let numbers = with_column(&batch, "severity_text", Arc::new(UInt32Array::from(vec![1; 10])));
    let error = append(&library, Signal::Logs, numbers).unwrap_err();
    assert_eq!((error.code(), error.retryable()), (Code::InvalidData, false));
    assert!(error.message().starts_with("column severity_text is of type UInt32, and must be text"), "{error}");
    let letters = (0..10).map(|row| Some(if row == 7 { "i" } else { "s" }));
    let letters = with_column(&batch, "body_type", Arc::new(letters.collect::<StringArray>()));
    let error = append(&library, Signal::Logs, letters).unwrap_err();
    assert!(error.message().starts_with("row 7, column body: with the letter i: "), "{error}");
    let error = append(&library, Signal::Traces, batch.clone()).unwrap_err();
    assert_eq!(error.message(), "these are the columns of logs, not of traces: append them as logs");
    let error = append(&library, Signal::Logs, batch_of(Signal::Logs, &logs(20_000))).unwrap_err();
    assert_eq!((error.code(), error.retryable()), (Code::TooLarge, false));
    assert!(error.message().contains("limits.max_request_memory"), "{error}");
    assert_eq!(rows(&library, Signal::Logs), 0, "nothing of them is kept");
    assert_eq!(library.stats().buffer_bytes, 0);
    for (code, count) in [("INVALID_DATA", 3), ("TOO_LARGE", 1)] {
        assert_eq!(counted(&library, "otlp_arrow_request_seconds", &[("code", code)]), count);
    }
    library.shutdown_blocking(None).unwrap();
    assert_eq!(append(&library, Signal::Logs, batch).unwrap_err().code(), Code::Closed);
}

#[test]
fn the_buffer_is_reserved_before_rows_are_copied() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.buffer.max_bytes = 1 << 20;
    let library = OtlpLibrary::open(config).unwrap();
    let error = append(&library, Signal::Logs, batch_of(Signal::Logs, &logs(20_000))).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
    assert!(error.message().contains("buffer.max_bytes"), "{error}");
    assert_eq!((rows(&library, Signal::Logs), library.stats().buffer_bytes), (0, 0));
    library.shutdown_blocking(None).unwrap();
}

/// Drops every second log record, counted from 0.
struct EverySecond;

impl Stage for EverySecond {
    fn name(&self) -> &str {
        "every_second"
    }

    fn apply(&self, signal: Signal, batch: &RecordBatch) -> Result<Staged> {
        if signal != Signal::Logs {
            return Ok(Staged::Unchanged);
        }
        let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(row % 2 == 0)).collect();
        let kept = filter_record_batch(batch, &keep).unwrap();
        Ok(Staged::Changed(kept))
    }
}

/// What a test has a stage do.
struct Scripted<F>(&'static str, F);

impl<F: Fn(Signal, &RecordBatch) -> Result<Staged> + Send + Sync + 'static> Stage for Scripted<F> {
    fn name(&self) -> &str {
        self.0
    }

    fn apply(&self, signal: Signal, batch: &RecordBatch) -> Result<Staged> {
        self.1(signal, batch)
    }
}

/// The records of a request, a bit each.
fn bodies(request: &[u8]) -> Vec<String> {
    let batch = batch_of(Signal::Logs, request);
    let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
    bodies.iter().map(|body| body.unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_stage_drops_records_that_then_are_nowhere() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let config = Config { forward: vec![DestinationConfig::new("one", backend.url())], ..config(dir.path()) };
    let library = OtlpLibrary::builder(config).stage(EverySecond).open().unwrap();
    let (request, spans) = (logs(101), payload::spans(5, 3, 1).encode_to_vec());
    for outcome in [
        block_on(library.export_otlp(Signal::Logs, request.clone().into())).unwrap(),
        append(&library, Signal::Logs, batch_of(Signal::Logs, &request)).unwrap(),
    ] {
        // The sender did nothing wrong, and need not know.
        assert_eq!(outcome, ExportOutcome { accepted: 101, ..ExportOutcome::default() });
    }
    block_on(library.export_otlp(Signal::Traces, spans.clone().into())).unwrap();
    let left: Vec<String> = bodies(&request).into_iter().step_by(2).collect();
    let twice = [left.clone(), left].concat();
    assert_eq!(bodies(&read_as_otlp(&library, Signal::Logs)), twice);
    let received = backend.wait_until(LONG, |received| {
        let logs = joined(Signal::Logs, received);
        batch_of(Signal::Logs, &logs).num_rows() >= 102 && received.iter().any(|request| request.signal == "traces")
    });
    assert_eq!(bodies(&joined(Signal::Logs, &received)), twice, "not as they came");
    let traces: Vec<_> = received.iter().filter(|request| request.signal == "traces").collect();
    assert_eq!(traces[0].payload, spans, "what no stage changed goes out as the very bytes");
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.committed_records.logs, stats.dropped_records.logs), (102, 102, 0));
    assert_eq!(counted(&library, "otlp_arrow_received_records_total", &[("signal", "logs")]), 202);
    let filtered = [("signal", "logs"), ("processor", "every_second")];
    assert_eq!(counted(&library, "otlp_arrow_filtered_records_total", &filtered), 100);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn stages_run_in_order_and_may_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let shout = |_: Signal, batch: &RecordBatch| {
        let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
        let loud: StringArray = bodies.iter().map(|body| body.map(str::to_uppercase)).collect();
        Ok(Staged::Changed(with_column(batch, "body", Arc::new(loud))))
    };
    let small = |_: Signal, batch: &RecordBatch| match batch.num_rows() {
        0..=5 => Ok(Staged::Changed(batch.slice(0, 0))),
        _ => Ok(Staged::Unchanged),
    };
    let library = OtlpLibrary::builder(config(dir.path()))
        .stage(EverySecond)
        .stage(Scripted("small", small))
        .stage(Scripted("shout", shout))
        .open()
        .unwrap();
    let (request, few) = (logs(40), logs(9));
    assert_eq!(append(&library, Signal::Logs, batch_of(Signal::Logs, &few)).unwrap().accepted, 9);
    assert_eq!(block_on(library.export_otlp(Signal::Logs, few.into())).unwrap().accepted, 9);
    assert_eq!(rows(&library, Signal::Logs), 0);
    assert_eq!(append(&library, Signal::Logs, batch_of(Signal::Logs, &request)).unwrap().accepted, 40);
    let expected: Vec<String> = bodies(&request).iter().step_by(2).map(|body| body.to_uppercase()).collect();
    assert_eq!(bodies(&read_as_otlp(&library, Signal::Logs)), expected);
    for (stage, records) in [("every_second", 4 + 4 + 20), ("small", 10), ("shout", 0)] {
        assert_eq!(counted(&library, "otlp_arrow_filtered_records_total", &[("processor", stage)]), records, "{stage}");
    }
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.committed_records.logs), (20, 20));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn records_that_otlp_calls_invalid_are_refused_before_any_stage() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::builder(config(dir.path())).stage(EverySecond).open().unwrap();
    let mut request = payload::logs(10, 20, 3);
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = vec![1, 2, 3];
    let outcome = block_on(library.export_otlp(Signal::Logs, request.encode_to_vec().into())).unwrap();
    assert_eq!((outcome.accepted, outcome.rejected), (9, 1));
    assert!(outcome.message.contains("trace_id"), "{}", outcome.message);
    assert_eq!(rows(&library, Signal::Logs), 5);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_stage_that_fails_or_makes_nonsense_keeps_nothing_of_the_request() {
    type Made = Box<dyn Fn(Signal, &RecordBatch) -> Result<Staged> + Send + Sync>;
    let wrong: [(Made, Code, &str); 3] = [
        (
            Box::new(|_, _| Err(OtlpError::new(Code::Unavailable, "the rules are being read"))),
            Code::Unavailable,
            "rules",
        ),
        (
            Box::new(|_, batch| {
                let twice = arrow_select::concat::concat_batches(&batch.schema(), [batch, batch]).unwrap();
                Ok(Staged::Changed(twice))
            }),
            Code::Internal,
            "the stage wrong made 20 records of 10: a stage may not add any",
        ),
        (
            Box::new(|_, batch| {
                let texts: StringArray = (0..batch.num_rows()).map(|_| Some("x")).collect();
                Ok(Staged::Changed(with_column(batch, "body_type", Arc::new(texts))))
            }),
            Code::Internal,
            "what the stages (wrong) made cannot be kept: row 0, column body: with the letter x: a letter that no type has",
        ),
    ];
    for (made, code, message) in wrong {
        let dir = tempfile::tempdir().unwrap();
        let library = OtlpLibrary::builder(config(dir.path())).stage(Scripted("wrong", made)).open().unwrap();
        for error in [
            block_on(library.export_otlp(Signal::Logs, logs(10).into())).unwrap_err(),
            append(&library, Signal::Logs, batch_of(Signal::Logs, &logs(10))).unwrap_err(),
        ] {
            assert_eq!(error.code(), code);
            assert!(error.message().contains(message), "{error}");
        }
        assert_eq!((rows(&library, Signal::Logs), library.stats().buffer_bytes), (0, 0));
        assert_eq!(counted(&library, "otlp_arrow_received_records_total", &[]), 0);
        assert_eq!(counted(&library, "otlp_arrow_filtered_records_total", &[]), 0);
        library.shutdown_blocking(None).unwrap();
    }
}
