//! One directory and two users: a process that is opened as root and goes on as another user, and two users who share.
//!
//! It takes root: by itself, by `sudo` where that asks for no password.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, reason = "tests")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::{Code, Config, OtlpError, OtlpLibrary, Signal, SubscribeFrom};
use otlp_arrow_testkit::numbered::{logs, numbers};

/// Somebody else, and the group they are in; and somebody in no group of theirs.
const OTHER: u32 = 65_533;
const GROUP: u32 = 65_532;
const STRANGER: u32 = 65_531;

/// Whether this test may change its user. If not, it has run as root elsewhere, or cannot.
fn is_root(test: &str) -> bool {
    // SAFETY: the call takes nothing.
    if unsafe { libc::geteuid() } == 0 {
        return true;
    }
    const INSIDE: &str = "OTLP_ARROW_TEST_AS_ROOT";
    let allowed = Command::new("sudo").args(["-n", "true"]).output().is_ok_and(|done| done.status.success());
    if allowed && std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().unwrap();
        let set = format!("{INSIDE}=1");
        let run = Command::new("sudo").args(["-n", "env", &set]).arg(program).args([test, "--exact"]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        return false;
    }
    assert!(std::env::var_os("NO_SKIPS").is_none(), "nobody here is root");
    eprintln!("skipped: nobody here is root");
    false
}

/// A folder that everybody may enter and write to.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

/// Runs `what` in a forked process of another user; it panics there if it fails.
fn as_user(user: u32, group: u32, what: impl FnOnce()) {
    // SAFETY: the child only uses this library and leaves by `_exit`; glibc makes memory allocation safe after a fork.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: these take numbers only.
        let changed =
            unsafe { libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(group) == 0 && libc::setuid(user) == 0 };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(i32::from(!changed || done.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `pid` is our child and `status` a place for its status.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child failed: {status}");
}

fn config(dir: &Path) -> Config {
    Config { output_dir: dir.to_owned(), ..Config::default() }
}

fn shared(dir: &Path, mode: u32) -> Config {
    let mut config = config(dir);
    (config.storage.mode, config.storage.group) = (mode, Some(GROUP.to_string()));
    config
}

fn put(library: &OtlpLibrary, number: u64) -> Result<(), OtlpError> {
    block_on(library.export_otlp(Signal::Logs, logs([number]))).map(drop)
}

fn read(library: &OtlpLibrary) -> Vec<u64> {
    let mut found: Vec<u64> =
        library.read(Signal::Logs, &Default::default()).unwrap().flat_map(|batch| numbers(&batch.unwrap())).collect();
    found.sort_unstable();
    found
}

#[test]
fn a_worker_that_goes_on_as_another_user_is_told_at_once_how() {
    if !is_root("a_worker_that_goes_on_as_another_user_is_told_at_once_how") {
        return;
    }
    let dir = folder();
    let output = dir.path().join("telemetry");
    let library = OtlpLibrary::open(config(&output)).unwrap();
    put(&library, 1).unwrap();
    as_user(OTHER, GROUP, || {
        let began = Instant::now();
        let error = put(&library, 2).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(error.code(), Code::StorageFailed);
        for told in ["belongs to user 0 with mode 0700", "this process is user 65533", "storage.mode", "storage.group"]
        {
            assert!(error.message().contains(told), "{told}: {error}");
        }
    });
    // Privacy is what it was.
    assert_eq!(output.metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!(read(&library), [1]);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn with_a_group_the_worker_records_and_nobody_else_may() {
    if !is_root("with_a_group_the_worker_records_and_nobody_else_may") {
        return;
    }
    let dir = folder();
    let output = dir.path().join("a/telemetry");
    let library = OtlpLibrary::open(shared(&output, 0o660)).unwrap();
    put(&library, 1).unwrap();
    as_user(OTHER, GROUP, || {
        put(&library, 2).unwrap();
        let mut batches = library.subscribe(Signal::Logs, "theirs", SubscribeFrom::Beginning).unwrap();
        assert!(batches.next_blocking().unwrap().is_ok());
        batches.ack();
        drop(batches);
        library.shutdown_blocking(None).unwrap();
    });
    // What the worker left is taken over, sealed, subscribed to and deleted by the other user, and the other way round.
    let mut batches = library.subscribe(Signal::Logs, "theirs", SubscribeFrom::Beginning).unwrap();
    put(&library, 3).unwrap();
    assert!(batches.next_blocking().unwrap().is_ok());
    drop(batches);
    assert_eq!(read(&library), [1, 2, 3]);
    library.shutdown_blocking(None).unwrap();
    as_user(OTHER, GROUP, || {
        let theirs = OtlpLibrary::open(shared(&output, 0o660)).unwrap();
        put(&theirs, 4).unwrap();
        assert_eq!(read(&theirs), [1, 2, 3, 4]);
        theirs.shutdown_blocking(None).unwrap();
    });
    as_user(STRANGER, STRANGER, || {
        assert!(std::fs::read_dir(&output).is_err());
        let error = put(&OtlpLibrary::open(config(&output)).unwrap(), 5).unwrap_err();
        assert_eq!(error.code(), Code::StorageFailed, "{error}");
    });
    every_file(&output, &mut |path, metadata| {
        let wanted = if metadata.is_dir() { 0o770 } else { 0o660 };
        assert_eq!((metadata.mode() & 0o777, metadata.gid()), (wanted, GROUP), "{}", path.display());
    });
}

#[test]
fn a_group_that_reads_does_not_record() {
    if !is_root("a_group_that_reads_does_not_record") {
        return;
    }
    let dir = folder();
    let output = dir.path().join("telemetry");
    let library = OtlpLibrary::open(shared(&output, 0o640)).unwrap();
    put(&library, 1).unwrap();
    as_user(OTHER, GROUP, || {
        let theirs = OtlpLibrary::open(config(&output)).unwrap();
        assert_eq!(read(&theirs), [1]);
        assert_eq!(put(&theirs, 2).unwrap_err().code(), Code::StorageFailed);
    });
    library.shutdown_blocking(None).unwrap();
    // What was private before is shared by the next that opens it so.
    let later = dir.path().join("later");
    let library = OtlpLibrary::open(config(&later)).unwrap();
    put(&library, 7).unwrap();
    library.shutdown_blocking(None).unwrap();
    std::fs::set_permissions(&later, std::fs::Permissions::from_mode(0o755)).unwrap();
    OtlpLibrary::open(shared(&later, 0o640)).unwrap().shutdown_blocking(None).unwrap();
    as_user(OTHER, GROUP, || assert_eq!(read(&OtlpLibrary::open(config(&later)).unwrap()), [7]));
    assert_eq!(later.metadata().unwrap().mode() & 0o7777, 0o755, "the folder itself is left as it is");
}

#[test]
fn what_is_made_in_a_folder_of_a_group_belongs_to_that_group() {
    if !is_root("what_is_made_in_a_folder_of_a_group_belongs_to_that_group") {
        return;
    }
    let dir = folder();
    let output = dir.path().join("telemetry");
    std::fs::create_dir(&output).unwrap();
    std::os::unix::fs::chown(&output, None, Some(GROUP)).unwrap();
    std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o2770)).unwrap();
    let mut config = config(&output);
    config.storage.mode = 0o660;
    let library = OtlpLibrary::open(config).unwrap();
    put(&library, 1).unwrap();
    as_user(OTHER, GROUP, || put(&library, 2).unwrap());
    assert_eq!(read(&library), [1, 2]);
    library.shutdown_blocking(None).unwrap();
    every_file(&output, &mut |path, metadata| assert_eq!(metadata.gid(), GROUP, "{}", path.display()));
    assert_eq!(output.join("otlp/logs").metadata().unwrap().mode() & 0o7777, 0o2770);
}

fn every_file(dir: &Path, look: &mut impl FnMut(&Path, &std::fs::Metadata)) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        look(&path, &metadata);
        if metadata.is_dir() {
            every_file(&path, look);
        }
    }
}
