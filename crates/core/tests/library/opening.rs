//! Opening: alone, by the builder, and in an executor that has other things to do.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;

use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use otlp_arrow::{EventName, OtlpLibrary, Signal};
use otlp_arrow_testkit::numbered::logs;
use otlp_arrow_testkit::watch::{log_files, until};

use super::support::config;

/// Writers that left a file behind.
const WRITERS: u64 = 24;
const RECORDS: u64 = 2_000;

/// A directory whose next open has files to recover.
fn left_behind(dir: &std::path::Path) {
    let libraries: Vec<_> = (0..WRITERS).map(|_| OtlpLibrary::open(config(dir)).unwrap()).collect();
    for (library, first) in libraries.iter().zip((0..).step_by(RECORDS as usize)) {
        block_on(library.export_otlp(Signal::Logs, logs(first..first + RECORDS))).unwrap();
    }
    drop(libraries);
    assert_eq!(log_files(dir, "arrows").len() as u64, WRITERS, "nothing was sealed");
}

fn rows(library: &OtlpLibrary) -> u64 {
    let batches = library.read(Signal::Logs, &Default::default()).unwrap();
    batches.map(|batch| batch.unwrap().num_rows() as u64).sum()
}

#[test]
fn an_executor_of_one_thread_goes_on_while_files_are_recovered() {
    let dir = tempfile::tempdir().unwrap();
    left_behind(dir.path());
    let turns = Rc::new(Cell::new(0));
    let counted = Rc::clone(&turns);
    let mut pool = LocalPool::new();
    let other = async move {
        loop {
            counted.set(counted.get() + 1);
            let mut again = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut again, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    };
    pool.spawner().spawn_local(other).unwrap();
    let before = turns.get();
    let library = pool.run_until(OtlpLibrary::new(config(dir.path()))).unwrap();
    assert!(turns.get() > before, "the other task had no turn while {WRITERS} files were recovered");
    assert_eq!(log_files(dir.path(), "arrow").len() as u64, WRITERS, "all were recovered before it was open");
    assert_eq!(rows(&library), WRITERS * RECORDS);
    block_on(library.shutdown(None)).unwrap();
}

#[test]
fn an_opening_that_nobody_waits_for_any_more_leaves_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    // Polled once, which starts the thread, and dropped.
    drop(futures::FutureExt::now_or_never(OtlpLibrary::new(config(dir.path()))));
    let locks = dir.path().join("writers");
    until("it was opened and is closed", || {
        std::fs::read_dir(&locks).is_ok_and(|mut entries| entries.next().is_none())
    });
}

#[test]
fn a_listener_of_the_builder_is_told_of_the_events_of_opening() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    block_on(library.export_otlp(Signal::Logs, logs([1]))).unwrap();
    drop(library);
    std::fs::write(log_files(dir.path(), "arrows").remove(0), b"this is not a stream of ours at all").unwrap();
    let (sender, told) = mpsc::channel();
    let builder = OtlpLibrary::builder(config(dir.path())).on_event(move |event| sender.send(event.name).unwrap());
    let library = block_on(builder.build()).unwrap();
    let event = told.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!(event, EventName::FileQuarantined);
    library.shutdown_blocking(None).unwrap();
}
