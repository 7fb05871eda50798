//! A recorder with the defaults on a volume that is smaller than they are: it goes on recording the newest.
//!
//! The volumes are real, in memory. Mounting them takes the rights of root, or a user namespace in which this test is root.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, reason = "tests")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::internal::config::{Sources, print};
use otlp_arrow::{Code, Config, OtlpError, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_store::volume::{Volume, bytes_below};
use otlp_arrow_testkit::numbered::logs;
use otlp_arrow_testkit::payload::Kind;
use serde_json::json;

const MIB: u64 = 1 << 20;

/// A file system in memory.
struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    /// Of `mebibytes`; none if this test was run elsewhere, where it may mount one, or cannot be.
    fn mount(mebibytes: u64, test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        if mounted.as_ref().is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self { dir });
        }
        const INSIDE: &str = "OTLP_ARROW_TEST_INSIDE";
        let inside = ["--user", "--map-root-user", "--mount", "--"];
        let own = Command::new("unshare").args(inside).arg("true").output();
        if std::env::var_os(INSIDE).is_none() && own.is_ok_and(|own| own.status.success()) {
            let program = std::env::current_exe().unwrap();
            let run =
                Command::new("unshare").args(inside).arg(program).args([test, "--exact"]).env(INSIDE, "1").output();
            let run = run.unwrap();
            assert!(
                run.status.success(),
                "{}{}",
                String::from_utf8_lossy(&run.stdout),
                String::from_utf8_lossy(&run.stderr)
            );
            return None;
        }
        assert!(std::env::var_os("NO_SKIPS").is_none(), "no small file system can be mounted here: {mounted:?}");
        eprintln!("skipped: no small file system can be mounted here");
        None
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("not/there/yet")
    }

    /// Leaves `free` bytes to the recorder.
    fn fill(&self, free: u64) {
        let now = Volume::of(self.dir.path()).unwrap().free;
        let filler = self.dir.path().join("filler");
        let mut filler = std::fs::OpenOptions::new().create(true).append(true).open(filler).unwrap();
        // The recorder writes meanwhile, so there may be less.
        let _ = filler.write_all(&vec![7; now.saturating_sub(free) as usize]);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).output();
    }
}

fn send(library: &OtlpLibrary, bytes: impl Into<Bytes>) -> Result<(), OtlpError> {
    block_on(library.export_otlp(Signal::Logs, bytes.into())).map(|outcome| assert_eq!(outcome.rejected, 0))
}

/// Records that take some `bytes` of a live file.
fn put(library: &OtlpLibrary, bytes: u64) -> Result<(), OtlpError> {
    let one = Kind::Logs { body: 4000 }.encoded(100, 1);
    for _ in 0..bytes.div_ceil(one.len() as u64) {
        send(library, one.clone())?;
    }
    Ok(())
}

fn holds(library: &OtlpLibrary, number: u64) -> bool {
    let body = format!("record {number}");
    library.read(Signal::Logs, &ReadOptions::default()).unwrap().any(|batch| {
        let batch = batch.unwrap();
        let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
        bodies.iter().any(|found| found == Some(&body))
    })
}

fn by_hand(path: &Path) -> Config {
    Config { output_dir: path.to_owned(), ..Config::default() }
}

#[test]
fn with_the_defaults_a_small_volume_is_recorded_to_for_ever() {
    const TEST: &str = "with_the_defaults_a_small_volume_is_recorded_to_for_ever";
    for (mebibytes, times) in [(16, 4), (64, 3), (200, 1)] {
        let Some(small) = Small::mount(mebibytes, TEST) else { return };
        let parsed = Sources { arguments: json!({"output_dir": small.path()}), ..Sources::process().unwrap() };
        let config = if mebibytes == 64 { Config::load(&parsed).unwrap().config } else { by_hand(&small.path()) };
        let library = OtlpLibrary::open(config).unwrap();
        put(&library, mebibytes * MIB * times).unwrap();
        send(&library, logs([123_456])).unwrap();
        assert!(holds(&library, 123_456));
        let report = library.shutdown_blocking(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(report.unsealed_files, 0);
        let stats = library.stats();
        assert_eq!(stats.events.get("storage_full").copied().unwrap_or_default(), 0, "{:?}", stats.events);
        let taken = bytes_below(&small.path());
        assert!(taken > 0 && taken < mebibytes * MIB, "{taken}");
    }
}

#[test]
fn the_oldest_make_way_for_others_down_to_a_quarter_and_no_further() {
    let Some(small) = Small::mount(64, "the_oldest_make_way_for_others_down_to_a_quarter_and_no_further") else {
        return;
    };
    let library = OtlpLibrary::open(by_hand(&small.path())).unwrap();
    let most = library.config().retention.max_bytes;
    assert_eq!(most, 30 * MIB);
    send(&library, logs([1])).unwrap();
    put(&library, 24 * MIB).unwrap();
    small.fill(6 * MIB);
    let mut rounds = 0;
    while holds(&library, 1) {
        put(&library, 4 * MIB).unwrap();
        rounds += 1;
        assert!(rounds < 100, "the oldest never goes");
    }
    send(&library, logs([2])).unwrap();
    assert!(holds(&library, 2));
    // With nothing free at all, what is there stays, and new data is refused with what to do.
    std::fs::write(small.dir.path().join("filler"), "").unwrap();
    put(&library, 12 * MIB).unwrap();
    small.fill(0);
    let until = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        if let Err(error) = put(&library, 2 * MIB) {
            break error;
        }
        assert!(Instant::now() < until, "it is never full");
        small.fill(0);
    };
    assert_eq!(refused.code(), Code::StorageFull);
    assert!(refused.message().contains("free some space or lower"), "{refused}");
    assert!(bytes_below(&small.path()) >= most / 8, "not everything went");
    std::fs::remove_file(small.dir.path().join("filler")).unwrap();
    while send(&library, logs([3])).is_err() {
        assert!(Instant::now() < until, "it is never taken again");
        std::thread::yield_now();
    }
    assert!(holds(&library, 3));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_somebody_set_holds_and_what_holds_is_printed() {
    let Some(small) = Small::mount(64, "what_somebody_set_holds_and_what_holds_is_printed") else { return };
    let load = |storage: serde_json::Value| {
        let arguments = json!({"output_dir": small.path(), "storage": storage});
        Config::load(&Sources { arguments, ..Sources::process().unwrap() }).unwrap()
    };
    let printed = print(&load(json!({})));
    for told in [
        "min_free_bytes: 3MiB ",
        "# default, for a volume of 64MiB",
        "max_bytes: 30MiB ",
        "# default, for 60MiB of space",
    ] {
        assert!(printed.contains(told), "{told}\n{printed}");
    }
    let library = OtlpLibrary::open(load(json!({"min_free_bytes": "256MiB"})).config).unwrap();
    let refused = send(&library, logs([1])).unwrap_err();
    assert_eq!(refused.code(), Code::StorageFull);
    assert!(refused.message().contains("268435456 are left to others (storage.min_free_bytes)"), "{refused}");
    library.shutdown_blocking(None).unwrap();
}
