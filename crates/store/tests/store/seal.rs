//! A flush that seals: what it leaves in the folders, and what it says where it cannot.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::executor::block_on;
use otlp_arrow_base::Code;
use otlp_arrow_store::settings::Durability;

use crate::faulty::{Faulty, Op};
use crate::support::*;

/// Live and sealed files of logs.
fn forms(dir: &std::path::Path) -> (usize, usize) {
    let names = names(dir, "otlp/logs");
    let count = |extension: &str| names.iter().filter(|name| name.ends_with(extension)).count();
    (count(".arrows"), count(".arrow"))
}

#[test]
fn everything_that_was_accepted_is_sealed_when_it_resolves() {
    let levels =
        [Durability::Written, Durability::Synced, Durability::Buffered { write_interval: Duration::from_secs(3600) }];
    for durability in levels {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.durability = durability;
        let store = open(&config);
        block_on(store.flush_and_seal()).unwrap();
        assert_eq!(names(dir.path(), "otlp/logs"), [] as [&str; 0], "of nothing nothing is made");
        for round in 1..4 {
            put(&store, [round]).unwrap();
            block_on(store.flush_and_seal()).unwrap();
            assert_eq!(forms(dir.path()), (0, round as usize), "{durability:?}");
            block_on(store.flush_and_seal()).unwrap();
            assert_eq!(forms(dir.path()), (0, round as usize), "what is sealed is left alone");
        }
        assert_eq!(ids(&store), [1, 2, 3]);
        put(&store, [4]).unwrap();
        block_on(store.flush()).unwrap();
        assert_eq!(forms(dir.path()), (1, 3), "a flush seals nothing");
        assert_eq!(store.close(soon()), Default::default());
        assert_eq!(ids(&open(&config)), [1, 2, 3, 4]);
    }
}

#[test]
fn it_ends_under_load_and_other_writers_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open(&config(dir.path())), open(&config(dir.path())));
    put(&other, [1_000_000]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                put(&store, [id]).unwrap();
            }
        });
        for _ in 0..5 {
            let accepted = ids(&store).len();
            block_on(store.flush_and_seal()).unwrap();
            let sealed = names(dir.path(), "otlp/logs").iter().filter(|name| name.ends_with(".arrow")).count();
            assert!(sealed > 0 || accepted <= 1, "{accepted} were there");
        }
        stop.store(true, Ordering::Relaxed);
    });
    block_on(store.flush_and_seal()).unwrap();
    assert_eq!(forms(dir.path()).0, 1, "that of the other writer");
    block_on(other.flush_and_seal()).unwrap();
    assert_eq!(forms(dir.path()).0, 0);
}

#[test]
fn a_file_that_cannot_be_sealed_is_told_and_stays_readable() {
    for (op, kind) in [
        (Op::Rename, ErrorKind::StorageFull),
        (Op::Rename, ErrorKind::PermissionDenied),
        (Op::SyncDir, ErrorKind::Other),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (disk, heard) = (Faulty::default(), Heard::default());
        let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
        put(&store, [1, 2]).unwrap();
        disk.fail(op, usize::MAX, kind);
        let error = block_on(store.flush_and_seal()).unwrap_err();
        assert!(error.retryable(), "{error}");
        assert_eq!(ids(&store), [1, 2], "{op:?}");
        put(&store, [3]).unwrap();
        disk.heal();
        block_on(store.flush_and_seal()).unwrap();
        assert_eq!((forms(dir.path()).0, ids(&store)), (0, vec![1, 2, 3]));
    }
}

#[test]
fn a_shutdown_meanwhile_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    put(&store, [1]).unwrap();
    disk.fail(Op::Rename, usize::MAX, ErrorKind::Other);
    let sealing = store.flush_and_seal();
    let report = store.close(Instant::now() + Duration::from_millis(300));
    assert_eq!(report.unsealed_files, 1);
    let error = block_on(sealing).unwrap_err();
    assert!(matches!(error.code(), Code::Closed | Code::StorageFailed), "{error}");
    assert!(store.flush_and_seal().now_or_never().is_some_and(|done| done.is_err()));
}
