//! Exports of SDKs while something is wrong: how long they hold a thread, what is counted, and what is told.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::config::Durability;
use otlp_arrow::internal::{Export, Producer as _, Waiter};
use otlp_arrow::{Code, Event, EventName, ExportOutcome, OtlpError, OtlpLibrary, Severity, Signal};
use otlp_arrow_testkit::numbered::logs;

use super::support::{config, ids};

/// Far more than a thread may be held, and far less than if each export held it for so long.
const LOADED_MACHINE: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(30);

fn send(library: &OtlpLibrary, id: u64, waiter: Waiter, timeout: Duration) -> Result<ExportOutcome, OtlpError> {
    let (signal, severity) = (Signal::Logs, Severity::Warn);
    block_on(library.send(Export { signal, bytes: logs([id]), records: 1, waiter, timeout, severity }))
}

/// A library whose buffer is full of what it will not write before it is asked to, and how many records these are.
fn full(dir: &Path) -> (OtlpLibrary, u64) {
    let mut config = config(dir);
    config.buffer.max_bytes = 64 << 10;
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(3600) };
    let library = OtlpLibrary::open(config).unwrap();
    let mut sent = 0;
    while block_on(library.export_otlp(Signal::Logs, logs([sent]))).is_ok() {
        sent += 1;
    }
    (library, sent)
}

fn lost(library: &OtlpLibrary) -> u64 {
    library.stats().counters.total("otlp_arrow_refused_records_total", &[("signal", "logs")])
}

fn dropped(library: &OtlpLibrary) -> Vec<Event> {
    let mut events = library.events();
    library.shutdown_blocking(None).ok();
    let mut found = Vec::new();
    while let Some(event) = events.recv() {
        if event.name == EventName::RecordsDropped {
            found.push(event);
        }
    }
    found
}

#[test]
fn a_fault_that_passes_holds_a_thread_for_a_moment_in_all_and_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let (library, kept) = full(dir.path());
    let began = Instant::now();
    for id in 0..100 {
        assert_eq!(send(&library, 1000 + id, Waiter::Request, LONG).unwrap_err().code(), Code::BufferFull);
    }
    assert!(began.elapsed() >= Duration::from_millis(100), "it does wait");
    assert!(began.elapsed() < LOADED_MACHINE, "and not each time: {:?}", began.elapsed());
    assert_eq!(lost(&library), 100);
    block_on(library.flush()).unwrap();
    send(&library, 2000, Waiter::Request, LONG).unwrap();
    let counts: Vec<_> = dropped(&library).iter().map(|event| event.count.unwrap()).collect();
    assert_eq!(counts, [1, 99], "the first at once, the rest together");
    assert_eq!(ids(&library).len() as u64, kept + 1);
}

#[test]
fn threads_are_held_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _) = full(dir.path());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let library = &library;
            scope.spawn(move || {
                for id in 0..20 {
                    send(library, 1000 + 100 * thread + id, Waiter::Request, LONG).unwrap_err();
                }
            });
        }
    });
    assert!(began.elapsed() < LOADED_MACHINE, "{:?}", began.elapsed());
    assert_eq!(lost(&library), 160);
}

#[test]
fn a_batch_waits_and_gets_in_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (library, kept) = full(dir.path());
    let waits = std::thread::spawn({
        let library = library.clone();
        move || send(&library, 1000, Waiter::Batch, LONG)
    });
    let refused = [("signal", "logs"), ("code", "BUFFER_FULL")];
    while library.stats().counters.total("otlp_arrow_request_seconds", &refused) < 4 {
        std::thread::yield_now();
    }
    block_on(library.flush()).unwrap();
    // On a machine that does other things too there may have been no room for so long that it is not told.
    let told = waits.join().unwrap();
    assert!(told.is_ok() || told.is_err_and(|error| error.code() == Code::Timeout));
    until(|| {
        block_on(library.flush()).unwrap();
        ids(&library).len() as u64 == kept + 1
    });
    assert_eq!(lost(&library), 0);
}

/// Waits for what a thread of the library does.
fn until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < 2 * LONG, "it never happens");
        std::thread::yield_now();
    }
}

#[test]
fn batches_that_find_no_room_for_long_are_told_so_together_and_kept_if_there_is_some_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (library, kept) = full(dir.path());
    let began = Instant::now();
    for id in 0..20 {
        let error = send(&library, 1000 + id, Waiter::Batch, LONG).unwrap_err();
        assert_eq!((error.code(), error.causes().len()), (Code::Timeout, 1), "{error}");
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "they do wait: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10), "and not one after the other: {:?}", began.elapsed());
    assert_eq!(lost(&library), 0, "nobody knows yet");
    block_on(library.flush()).unwrap();
    until(|| {
        block_on(library.flush()).unwrap();
        ids(&library).len() as u64 == kept + 20
    });
    assert_eq!((lost(&library), library.stats().events.get("records_dropped").copied().unwrap_or_default()), (0, 0));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn batches_that_find_no_room_are_lost_at_their_own_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _) = full(dir.path());
    for id in 0..3 {
        let error = send(&library, 1000 + id, Waiter::Batch, Duration::from_secs(4)).unwrap_err();
        assert!([Code::Timeout, Code::BufferFull].contains(&error.code()), "{error}");
    }
    until(|| lost(&library) == 3);
    let counts: Vec<_> = dropped(&library).iter().map(|event| event.count.unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 3);
}

#[test]
fn a_library_that_is_dropped_tells_what_it_could_not_keep() {
    let dir = tempfile::tempdir().unwrap();
    let (library, kept) = full(dir.path());
    send(&library, 1000, Waiter::Batch, LONG).unwrap_err();
    let mut events = library.events();
    let began = Instant::now();
    drop(library);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let mut told = 0;
    while let Some(event) = events.recv() {
        told += if event.name == EventName::RecordsDropped { event.count.unwrap() } else { 0 };
    }
    let found = ids(&OtlpLibrary::open(config(dir.path())).unwrap()).len() as u64;
    assert_eq!(found + told, kept + 1, "{told} were told to be lost");
}

#[test]
fn what_waits_has_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _) = full(dir.path());
    // An eighth of 64 KiB: one of these fits, two do not.
    let large = logs(0..200);
    assert!(large.len() > 4 << 10 && large.len() < 32 << 10, "{}", large.len());
    let export = |bytes| {
        let (signal, waiter, severity) = (Signal::Logs, Waiter::Batch, Severity::Warn);
        library.send(Export { signal, bytes, records: 200, waiter, timeout: LONG, severity })
    };
    let mut first = Box::pin(export(large.clone()));
    assert!(futures::FutureExt::now_or_never(&mut first).is_none(), "it waits");
    let refused = block_on(export(large));
    assert_eq!(refused.unwrap_err().code(), Code::BufferFull, "at once");
    block_on(library.flush()).unwrap();
    block_on(first).unwrap();
    assert_eq!(lost(&library), 200);
}

#[test]
fn at_the_end_nobody_waits_for_long_and_what_is_left_is_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _) = full(dir.path());
    let waits: Vec<_> = (0..3)
        .map(|id| {
            let library = library.clone();
            std::thread::spawn(move || send(&library, 1000 + id, Waiter::Batch, LONG).unwrap_err().code())
        })
        .collect();
    let refused = [("signal", "logs"), ("code", "BUFFER_FULL")];
    while library.stats().counters.total("otlp_arrow_request_seconds", &refused) < 4 {
        std::thread::yield_now();
    }
    let began = Instant::now();
    library.ends_by(Some(Instant::now() + Duration::from_millis(300)));
    for wait in waits {
        assert!([Code::BufferFull, Code::Timeout].contains(&wait.join().unwrap()));
    }
    assert_eq!(send(&library, 2000, Waiter::Batch, LONG).unwrap_err().code(), Code::BufferFull);
    assert!(began.elapsed() < LOADED_MACHINE);
    until(|| lost(&library) == 4);
    assert_eq!(dropped(&library).iter().map(|event| event.count.unwrap()).sum::<u64>(), 4);
}

#[test]
fn at_the_end_what_is_under_way_is_not_waited_for_either_and_kept_if_it_gets_through() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.commit_interval = Duration::from_secs(3600);
    let library = OtlpLibrary::open(config).unwrap();
    send(&library, 0, Waiter::Batch, LONG).unwrap();
    let waits = std::thread::spawn({
        let library = library.clone();
        move || send(&library, 1, Waiter::Batch, LONG).unwrap_err().code()
    });
    while library.stats().queued_requests.logs == 0 {
        std::thread::yield_now();
    }
    let began = Instant::now();
    library.ends_by(Some(began + Duration::from_millis(200)));
    assert_eq!(waits.join().unwrap(), Code::Timeout);
    assert!(began.elapsed() < LOADED_MACHINE);
    assert_eq!(lost(&library), 0, "nobody knows yet");
    library.shutdown_blocking(None).unwrap();
    assert_eq!((ids(&library), lost(&library)), (vec![0, 1], 0));
}

#[test]
fn a_shutdown_does_not_wait_for_who_waits_for_room_and_says_what_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _) = full(dir.path());
    let waits = std::thread::spawn({
        let library = library.clone();
        move || send(&library, 1000, Waiter::Batch, LONG).unwrap_err().code()
    });
    let refused = [("signal", "logs"), ("code", "BUFFER_FULL")];
    while library.stats().counters.total("otlp_arrow_request_seconds", &refused) < 4 {
        std::thread::yield_now();
    }
    let error = library.shutdown_blocking(None).unwrap_err();
    assert!(error.message().contains("1 record(s) could not be written and are lost"), "{error}");
    assert!([Code::Closed, Code::Timeout].contains(&waits.join().unwrap()));
}

#[test]
fn what_cannot_pass_fails_at_once_and_is_used_again_when_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    std::fs::write(&in_the_way, "x").unwrap();
    let library = OtlpLibrary::open(config(&in_the_way.join("telemetry"))).unwrap();
    let began = Instant::now();
    for (id, waiter) in [Waiter::Request, Waiter::Batch].into_iter().cycle().take(40).enumerate() {
        let error = send(&library, id as u64, waiter, LONG).unwrap_err();
        assert_eq!((error.code(), error.passes()), (Code::StorageFailed, false), "{error}");
    }
    assert!(began.elapsed() < LOADED_MACHINE, "{:?}", began.elapsed());
    assert_eq!(lost(&library), 40);
    std::fs::remove_file(&in_the_way).unwrap();
    let again = Instant::now();
    while send(&library, 99, Waiter::Request, LONG).is_err() {
        assert!(again.elapsed() < LONG, "it is never used again");
        std::thread::yield_now();
    }
    assert_eq!(ids(&library), [99]);
}

#[test]
fn one_at_a_time_does_not_wait_for_others_to_be_committed_with() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.commit_interval = Duration::from_secs(3600);
    let library = OtlpLibrary::open(config).unwrap();
    for id in 0..20 {
        send(&library, id, Waiter::Request, LONG).unwrap();
    }
    assert_eq!(ids(&library).len(), 20);
}
