//! From `append` to a file, and from open to close.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_store::Settings;
use otlp_arrow_store::hooks::{CommitHook, Committed};
use otlp_arrow_store::settings::Durability;
use otlp_arrow_store::storage_os::OsStorage;

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
fn buffered_writes_by_itself_after_its_interval() {
    let dir = tempfile::tempdir().unwrap();
    let (manual, write_interval) = (ManualClock::new(), Duration::from_secs(5));
    let config = Settings { durability: Durability::Buffered { write_interval }, ..config(dir.path()) };
    let store = open_by(&config, Arc::new(OsStorage), &Heard::default(), &manual);
    put(&store, [1]).unwrap();
    assert_eq!(ids(&store), [] as [u64; 0], "the time stands still");
    manual.advance(write_interval);
    until("it is written", || ids(&store) == [1]);
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
