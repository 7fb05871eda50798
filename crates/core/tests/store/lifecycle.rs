//! From `append` to a file, and from open to close.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::config::Durability;
use otlp_arrow::internal::Producer as _;
use otlp_arrow::store::hooks::{CommitHook, Committed};
use otlp_arrow::{Code, OtlpLibrary, Signal};
use otlp_arrow_testkit::payload::Kind;

use crate::support::*;

#[test]
fn what_is_acknowledged_is_in_a_live_file_and_after_close_in_a_sealed_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    put(&store, [1, 2]).unwrap();
    put(&store, [3]).unwrap();
    assert_eq!(ids(&store), [1, 2, 3]);
    let live = log_files(dir.path(), "arrows");
    assert_eq!(live.len(), 1);
    let stream = arrow_ipc::reader::StreamReader::try_new(std::fs::File::open(&live[0]).unwrap(), None).unwrap();
    assert_eq!(stream.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3, "readable by anybody at any time");
    assert_eq!(store.close(soon()), Default::default());

    assert!(log_files(dir.path(), "arrows").is_empty());
    let sealed = log_files(dir.path(), "arrow");
    assert_eq!(sealed.len(), 1);
    let file = arrow_ipc::reader::FileReader::try_new(std::fs::File::open(&sealed[0]).unwrap(), None).unwrap();
    assert_eq!(file.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
    assert_eq!(names(dir.path(), "writers"), [] as [&str; 0], "a clean exit leaves no lock behind");
    assert_eq!(names(dir.path(), "tmp"), [] as [&str; 0]);
    assert_eq!(names(dir.path(), "quarantine"), [] as [&str; 0]);
}

#[cfg(unix)]
#[test]
fn files_and_directories_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(&dir.path().join("new")));
    put(&store, [1]).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for sub in ["new", "new/otlp", "new/otlp/logs", "new/writers"] {
        assert_eq!(mode(&dir.path().join(sub)), 0o700, "{sub}");
    }
    assert_eq!(mode(&log_files(&dir.path().join("new"), "arrows")[0]), 0o600);
}

#[test]
fn many_requests_at_once_share_few_commits_and_each_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.commit_interval = Duration::from_millis(200);
    let store = open(&config);
    #[derive(Default)]
    struct Commits(AtomicU64);
    impl CommitHook for Commits {
        fn committed(&self, commit: &Committed) {
            self.0.fetch_add(1, Ordering::SeqCst);
            assert_eq!(commit.requests.iter().map(|request| request.rows).sum::<u64>(), commit.rows);
        }
    }
    let commits = Arc::new(Commits::default());
    store.on_commit(Arc::clone(&commits) as _);
    let appended: Vec<_> = (0..500).map(|id| store.append(request(&store, logs([id])).unwrap())).collect();
    for done in appended {
        block_on(done).unwrap();
    }
    assert_eq!(ids(&store), (0..500).collect::<Vec<_>>());
    // One where the thread took its time to start.
    assert!(commits.0.load(Ordering::SeqCst) >= 1, "hooks run before anybody is told");
    assert!(commits.0.load(Ordering::SeqCst) <= 10, "{} commits", commits.0.load(Ordering::SeqCst));
    assert_eq!(store.budget().used(), 0, "all memory is given back");
}

#[test]
fn a_request_is_kept_though_nobody_polls_its_future() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    drop(store.append(request(&store, logs([7])).unwrap()));
    block_on(store.flush()).unwrap();
    assert_eq!(ids(&store), [7]);
}

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
fn buffered_writes_by_itself_after_its_interval() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_millis(50) };
    let store = open(&config);
    put(&store, [1]).unwrap();
    until("it is written", || ids(&store) == [1]);
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
    let next = open(&config);
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
    let next = open(&config(dir.path()));
    let mut found = ids(&next);
    found.sort_unstable();
    let mut accepted = accepted;
    accepted.sort_unstable();
    assert_eq!(found, accepted);
}

#[test]
fn several_libraries_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&config(dir.path())), open(&config(dir.path())));
    put(&first, [1]).unwrap();
    put(&second, [2]).unwrap();
    put(&first, [3]).unwrap();
    for store in [&first, &second] {
        let mut found = ids(store);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }
    assert_eq!(names(dir.path(), "writers").len(), 2);
    first.close(soon());
    let mut found = ids(&second);
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3]);
    assert_eq!(names(dir.path(), "writers").len(), 1);
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
    let deadline = Instant::now() + Duration::from_secs(10);
    block_on(library.send_within(Signal::Logs, logs([sent]), deadline)).unwrap();
    library.shutdown_blocking(None).unwrap();
    assert_eq!(library.stats().committed_records.logs, sent + 1);
}

#[test]
fn nobody_takes_over_a_file_that_is_still_being_sealed() {
    use crate::faulty::{Faulty, Op};
    let dir = tempfile::tempdir().unwrap();
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    put(&store, 0..10).unwrap();
    let gate = disk.block(Op::Rename);
    let report = store.close(Instant::now() + Duration::from_millis(100));
    assert_eq!((report.unsealed_files, report.uncommitted_records), (1, 0));
    let other = open(&config(dir.path()));
    assert_eq!(log_files(dir.path(), "arrows").len(), 1, "left to the one who seals it");
    assert_eq!(ids(&other), (0..10).collect::<Vec<_>>());
    drop(gate);
    until("it is sealed by its writer", || log_files(dir.path(), "arrows").is_empty());
    assert_eq!(ids(&other), (0..10).collect::<Vec<_>>());
    drop(other);
    let last = open(&config(dir.path()));
    until("no lock is left", || names(dir.path(), "writers").len() == 1);
    assert_eq!(ids(&last), (0..10).collect::<Vec<_>>());
}
