//! Ways a library ends, and what it says of itself meanwhile.

use std::time::Duration;

use futures::executor::block_on;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::config::Durability;
use otlp_arrow::internal::{Export, Producer as _, Waiter};
use otlp_arrow::{Code, OtlpLibrary, Severity, Signal};
use otlp_arrow_testkit::numbered::logs;
use otlp_arrow_testkit::payload::Kind;
use otlp_arrow_testkit::watch::{log_files, names, until};

use super::support::{config, ids};

#[test]
fn buffered_acknowledges_before_it_writes_and_says_what_is_at_risk() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(3600) };
    let library = OtlpLibrary::open(config).unwrap();
    block_on(library.export_otlp(Signal::Logs, logs(0..5))).unwrap();
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.waiting_records.logs, stats.committed_records.logs), (5, 5, 0));
    assert!(stats.buffer_bytes > 0);
    block_on(library.flush()).unwrap();
    let stats = library.stats();
    assert_eq!((stats.accepted_records.logs, stats.waiting_records.logs, stats.committed_records.logs), (5, 0, 5));
    assert_eq!(log_files(dir.path(), "arrows").len(), 1);
}

#[test]
fn a_dropped_library_has_written_what_it_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(3600) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let library = OtlpLibrary::new(config.clone()).await.unwrap();
        library.export_otlp(Signal::Logs, logs(0..9)).await.unwrap();
    });
    let next = OtlpLibrary::open(config).unwrap();
    assert_eq!(ids(&next), (0..9).collect::<Vec<_>>());
}

#[test]
fn after_shutdown_exports_are_refused_and_shutting_down_again_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    let clone = library.clone();
    block_on(library.export_otlp(Signal::Logs, logs([1]))).unwrap();
    block_on(library.shutdown(None)).unwrap();
    block_on(clone.shutdown(None)).unwrap();
    let error = block_on(clone.export_otlp(Signal::Logs, logs([2]))).unwrap_err();
    assert_eq!(error.code(), Code::Closed);
    block_on(library.flush()).unwrap();
    assert_eq!(library.health().status, otlp_arrow::HealthStatus::Closed);
}

#[test]
fn shutting_down_during_exports_loses_nothing_that_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    let accepted: Vec<u64> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let library = library.clone();
                scope.spawn(move || {
                    let mut accepted = Vec::new();
                    for id in (sender * 1_000_000).. {
                        match block_on(library.export_otlp(Signal::Logs, logs([id]))) {
                            Ok(_) => accepted.push(id),
                            Err(error) => {
                                assert_eq!(error.code(), Code::Closed, "{error}");
                                return accepted;
                            }
                        }
                    }
                    unreachable!("ids do not end");
                })
            })
            .collect();
        until("something was accepted", || library.stats().committed_records.logs > 20);
        library.shutdown_blocking(None).unwrap();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let next = OtlpLibrary::open(config(dir.path())).unwrap();
    let mut found = ids(&next);
    found.sort_unstable();
    let mut accepted = accepted;
    accepted.sort_unstable();
    assert_eq!(found, accepted);
}

#[test]
fn every_signal_has_its_own_files_and_refused_records_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    for (signal, kind) in [
        (Signal::Traces, Kind::Spans { attributes: 10 }),
        (Signal::Metrics, Kind::Numbers),
        (Signal::Logs, Kind::Logs { body: 100 }),
    ] {
        let outcome = block_on(library.export_otlp(signal, kind.encoded(40, 1).into())).unwrap();
        assert_eq!((outcome.accepted, outcome.rejected), (40, 0));
        assert_eq!(names(dir.path(), &format!("otlp/{signal}")).len(), 1);
    }
    let error = block_on(library.export_otlp(Signal::Traces, vec![0xff; 9].into())).unwrap_err();
    assert_eq!(error.code(), Code::InvalidData);
    let stats = library.stats();
    assert_eq!(stats.committed_records, otlp_arrow::PerSignal { traces: 40, metrics: 40, logs: 40 });
    assert_eq!(stats.counters.total("otlp_arrow_received_records_total", &[("protocol", "library")]), 120);
    assert_eq!(stats.buffer_bytes, 0, "what was refused gave its memory back");
}

#[test]
fn a_full_buffer_refuses_and_whoever_waits_gets_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.buffer.max_bytes = 64 << 10;
    config.durability = Durability::Buffered { write_interval: Duration::from_millis(300) };
    let library = OtlpLibrary::open(config).unwrap();
    let mut sent = 0;
    let error = loop {
        match block_on(library.export_otlp(Signal::Logs, logs([sent]))) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::BufferFull);
    assert!(sent > 3);
    let (signal, bytes, waiter, severity) = (Signal::Logs, logs([sent]), Waiter::Batch, Severity::Warn);
    let export = Export { signal, bytes, records: 1, waiter, timeout: Duration::from_secs(10), severity };
    block_on(library.send(export)).unwrap();
    library.shutdown_blocking(None).unwrap();
    assert_eq!(library.stats().committed_records.logs, sent + 1);
}

#[test]
fn a_closed_library_takes_no_subscription() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    library.shutdown_blocking(None).unwrap();
    assert_eq!(library.subscribe(Signal::Logs, "tail", SubscribeFrom::Now).unwrap_err().code(), Code::Closed);
}
