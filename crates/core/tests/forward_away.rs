//! A remote that is away for a long time while processes end in every way: everything arrives in the end, each writer's in
//! order, and what arrives twice is at most what one second of sending was.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::config::DestinationConfig;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_testkit::backend::{Backend, Received, Reply};
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::tests;
use prost::Message;

/// The process that is ended; its job is the directory, the remote's URL, its first and last request, and what it does then.
const ENDED: Process = ("OTLP_ARROW_TEST_AWAY_CHILD", the_process_that_is_ended);
/// Records of one request.
const RECORDS: u64 = 1_000;
/// Requests of the whole run.
const REQUESTS: u64 = 200;
const LONG: Duration = Duration::from_secs(30);
/// What the remote takes for an answer where a process is to be ended in the middle of its sending.
const SLOW: Duration = Duration::from_millis(250);

fn open(dir: &Path, url: &str) -> OtlpLibrary {
    let mut destination = DestinationConfig::new("away", url);
    destination.max_in_flight = 1;
    destination.timeout = Duration::from_secs(5);
    destination.retry.initial = Duration::from_millis(20);
    destination.retry.max = Duration::from_millis(100);
    destination.breaker.open = Duration::from_millis(50);
    destination.breaker.max_open = Duration::from_millis(200);
    let mut config = Config { output_dir: dir.to_owned(), forward: [destination].into(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    OtlpLibrary::open(config).unwrap()
}

/// A request whose records carry their number as their time, and enough else for the run to take many requests on its way.
fn request(number: u64) -> Bytes {
    let body = AnyValue { value: Some(Value::StringValue("-".repeat(100))) };
    let record = |index: u64| LogRecord {
        time_unix_nano: 1 + number * RECORDS + index,
        body: Some(body.clone()),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: (0..RECORDS).map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

fn ingest(library: &OtlpLibrary, requests: Range<u64>) {
    for number in requests {
        let outcome = block_on(library.export_otlp(Signal::Logs, request(number))).unwrap();
        assert_eq!(outcome.accepted, RECORDS);
    }
}

/// The numbers of one request's records.
fn records(received: &Received) -> Vec<u64> {
    let request = ExportLogsServiceRequest::decode(&*received.payload).unwrap();
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.flat_map(|scope| &scope.log_records).map(|record| record.time_unix_nano - 1).collect()
}

/// How often each record was kept, in the order of the numbers.
fn times(received: &[Received]) -> Vec<u32> {
    let mut times = vec![0; (REQUESTS * RECORDS) as usize];
    for number in received.iter().filter(|request| request.kept).flat_map(records) {
        times[number as usize] += 1;
    }
    times
}

/// Whether the last record of all arrived; the rest is compared once.
fn last_arrived(received: &[Received]) -> bool {
    received.last().is_some_and(|request| request.kept && records(request).contains(&(REQUESTS * RECORDS - 1)))
}

/// A process of its own that ingests these requests; returns when they are acknowledged, with the process still there.
fn start(dir: &Path, url: &str, requests: Range<u64>, then: &str) -> std::process::Child {
    let mut command = again(ENDED, &format!("{}|{url}|{}|{}|{then}", dir.display(), requests.start, requests.end));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "kept"), "the process ended before its requests were kept");
    child
}

fn main() -> ExitCode {
    main_of(
        &[ENDED],
        &tests![
            a_remote_away_while_processes_end_in_every_way_gets_all_of_each_in_order,
            a_process_killed_while_it_sends_repeats_at_most_one_second_of_it,
        ],
    )
}

fn the_process_that_is_ended(job: &str) {
    let [dir, url, first, end, then] = job.split('|').collect::<Vec<_>>().try_into().unwrap();
    let library = open(Path::new(dir), url);
    ingest(&library, first.parse().unwrap()..end.parse().unwrap());
    println!("kept");
    if then == "abort" {
        std::process::abort();
    }
    // The test ends this process long before; the bound is for a test that itself was ended.
    std::thread::sleep(LONG);
}

fn a_remote_away_while_processes_end_in_every_way_gets_all_of_each_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    let (url, address): (String, SocketAddr) = (backend.url(), backend.address());
    drop(backend);

    let clean = open(dir.path(), &url);
    ingest(&clean, 0..50);
    assert_eq!(clean.shutdown_blocking(None).unwrap().undelivered_records, 50 * RECORDS);
    let dropped = open(dir.path(), &url);
    ingest(&dropped, 50..100);
    drop(dropped);
    let aborted = start(dir.path(), &url, 100..150, "abort").wait().unwrap();
    assert!(!aborted.success());
    let last = open(dir.path(), &url);
    ingest(&last, 150..REQUESTS);

    let backend = Backend::start_at(address, None);
    let received = backend.wait_until(LONG, last_arrived);
    let order: Vec<u64> = received.iter().filter(|request| request.kept).flat_map(records).collect();
    // Order is a writer's: whose data comes first depends on who is adopted first.
    for writer in 0..REQUESTS / 50 {
        let of_writer: Vec<u64> = order.iter().copied().filter(|number| number / (50 * RECORDS) == writer).collect();
        let wanted: Vec<u64> = (writer * 50 * RECORDS..(writer + 1) * 50 * RECORDS).collect();
        assert!(of_writer == wanted, "writer {writer}: {} records, in another order or not once each", of_writer.len());
    }
    // Nobody died while something was being sent, so nothing may come twice.
    assert_eq!(order.len() as u64, REQUESTS * RECORDS);
    assert_eq!(last.shutdown_blocking(None).unwrap().undelivered_records, 0);
    assert_eq!(std::fs::read_dir(dir.path().join("cursors/forward/away")).unwrap().count(), 0, "no cursor is left");
}

fn a_process_killed_while_it_sends_repeats_at_most_one_second_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    backend.reply(Reply::Grpc { status: 14, retry_after: None });
    let mut child = start(dir.path(), &backend.url(), 0..REQUESTS, "stay");
    backend.reply(Reply::AcceptAfter(SLOW));
    let kept = |received: &[Received]| {
        received.iter().filter(|request| request.kept).map(|request| request.at).collect::<Vec<_>>()
    };
    // Long enough for the cursor to have been written, which it is once a second, and not for everything.
    let before = backend.wait_until(LONG, |received| {
        let kept = kept(received);
        kept.len() >= 2 && kept[kept.len() - 1] - kept[0] >= Duration::from_millis(2_500)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let before = backend.received().len().max(before.len());
    let before = &backend.received()[..before];
    assert!(!last_arrived(before), "everything had arrived before the end");
    let ended = before[before.len() - 1].at;
    // What was under way, and the time a write of the cursor itself may wait for the answer before it, come on top.
    let second = before.iter().filter(|request| ended - request.at <= Duration::from_secs(1) + 2 * SLOW);
    let bound: usize = second.map(|request| records(request).len()).sum();
    let sent: usize = before.iter().filter(|request| request.kept).map(|request| records(request).len()).sum();
    assert!(bound < sent, "the bound proves nothing: {bound} of {sent}");

    backend.reply(Reply::Accept);
    let next = open(dir.path(), &backend.url());
    let received = backend.wait_until(LONG, last_arrived);
    let times = times(&received);
    let (missing, twice) =
        (times.iter().filter(|times| **times == 0).count(), times.iter().filter(|times| **times > 1).count());
    assert_eq!(missing, 0, "records that never arrived");
    assert!(times.iter().all(|times| *times <= 2), "one end repeats a record once");
    assert!(twice <= bound, "{twice} records came twice; one second were {bound}");
    assert_eq!(next.shutdown_blocking(None).unwrap().undelivered_records, 0);
}
