//! A process that forks with an open library: parent and child both go on, and nothing is lost or written twice.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use futures::executor::block_on;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_testkit::payload::Kind;

fn config(dir: &Path) -> Config {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 1;
    config
}

fn put(library: &OtlpLibrary, records: usize, seed: u64) {
    let bytes = Kind::Logs { body: 20 }.encoded(records, seed);
    assert_eq!(block_on(library.export_otlp(Signal::Logs, bytes.into())).unwrap().accepted, records as u64);
}

fn rows(library: &OtlpLibrary) -> usize {
    library.read(Signal::Logs, &Default::default()).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

fn locks(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("writers")).unwrap().count()
}

/// Runs `child` in a forked process and returns its exit code, which is 0 unless it panicked.
fn fork(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child only uses this library and leaves by `_exit`; glibc makes memory allocation safe after a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    pid
}

fn exit_code(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `pid` is our child and `status` a place for its status.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "the child was killed: {status}");
    libc::WEXITSTATUS(status)
}

#[test]
fn a_child_opens_a_writer_of_its_own_and_the_parents_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    put(&library, 10, 1);
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let pid = fork(|| {
        put(&library, 5, 2);
        put(&library, 5, 3);
        assert_eq!(library.stats().committed_records.logs, 10, "the child counts its own");
        assert_eq!(rows(&library), 20, "and reads everything");
        theirs.write_all(b"1").unwrap();
        // The parent shuts down meanwhile, while we are alive.
        theirs.read_exact(&mut [0]).unwrap();
        put(&library, 7, 4);
        library.shutdown_blocking(None).unwrap();
    });
    ours.read_exact(&mut [0]).unwrap();
    assert_eq!(locks(dir.path()), 2, "parent and child are two writers");
    put(&library, 3, 5);
    assert_eq!(library.stats().committed_records.logs, 13);
    library.shutdown_blocking(None).unwrap();
    assert_eq!(locks(dir.path()), 1, "the child does not keep the parent's lock alive");
    ours.write_all(b"1").unwrap();
    assert_eq!(exit_code(pid), 0);
    assert_eq!(locks(dir.path()), 0);
    let next = OtlpLibrary::open(config(dir.path())).unwrap();
    assert_eq!(rows(&next), 10 + 10 + 7 + 3);
}

#[test]
fn what_a_child_wrote_before_it_was_ended_is_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    put(&library, 10, 1);
    let pid = fork(|| {
        put(&library, 5, 2);
        let grandchild = fork(|| put(&library, 4, 3));
        assert_eq!(exit_code(grandchild), 0);
    });
    assert_eq!(exit_code(pid), 0);
    assert_eq!(locks(dir.path()), 3, "child and grandchild left theirs");
    let other = OtlpLibrary::open(config(dir.path())).unwrap();
    assert_eq!(rows(&other), 19);
    assert_eq!(locks(dir.path()), 2, "adopted; the parent lives");
    put(&library, 1, 4);
    assert_eq!(rows(&library), 20);
}

#[test]
fn a_child_that_only_drops_the_library_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    put(&library, 10, 1);
    let clone = library.clone();
    let pid = fork(|| {
        drop(library.clone());
        drop(clone);
    });
    assert_eq!(exit_code(pid), 0);
    put(&library, 1, 2);
    assert_eq!((rows(&library), locks(dir.path())), (11, 1));
    library.shutdown_blocking(None).unwrap();
    let after = fork(|| {
        let error = block_on(library.export_otlp(Signal::Logs, Kind::Numbers.encoded(1, 1).into())).unwrap_err();
        assert_eq!(error.code(), otlp_arrow::Code::Closed);
    });
    assert_eq!(exit_code(after), 0);
    assert_eq!(locks(dir.path()), 0, "a closed library stays closed in a child");
}

#[test]
fn a_subscription_goes_on_in_the_parent_and_ends_in_the_child() {
    let dir = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(dir.path())).unwrap();
    put(&library, 10, 1);
    let mut subscription = library.subscribe(Signal::Logs, "followed", SubscribeFrom::Beginning).unwrap();
    assert_eq!(subscription.next_blocking().unwrap().unwrap().num_rows(), 10);
    let pid = fork(|| {
        let error = subscription.next_blocking().unwrap().unwrap_err();
        assert_eq!(error.code(), otlp_arrow::Code::Closed);
        assert!(subscription.next_blocking().is_none());
        subscription.ack();
        // SAFETY: the copy of a value that the parent owns is dropped once in this process, which ends by `_exit`.
        drop(unsafe { std::ptr::read(&subscription) });
        let taken = library.subscribe(Signal::Logs, "followed", SubscribeFrom::Beginning).unwrap_err();
        assert_eq!(taken.code(), otlp_arrow::Code::Unavailable, "the name is the parent's still");
        let mut own = library.subscribe(Signal::Logs, "child", SubscribeFrom::Beginning).unwrap();
        assert_eq!(own.next_blocking().unwrap().unwrap().num_rows(), 10);
    });
    assert_eq!(exit_code(pid), 0);
    put(&library, 3, 2);
    assert_eq!(subscription.next_blocking().unwrap().unwrap().num_rows(), 3);
}
