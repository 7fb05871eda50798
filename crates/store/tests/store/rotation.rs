//! Rotation, sealing in the background, and retention.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use otlp_arrow_base::Code;
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_base::event::EventName;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::hooks::RetentionHold;
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::storage_os::OsStorage;

use crate::faulty::{Faulty, Op};
use crate::support::*;

#[test]
fn files_are_rotated_by_size_and_sealed_while_data_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 20_000;
    let store = open(&config);
    for request in 0..30 {
        put(&store, request * 100..(request + 1) * 100).unwrap();
    }
    until("files are sealed", || log_files(dir.path(), "arrow").len() >= 3);
    assert_eq!(ids(&store), (0..3000).collect::<Vec<_>>(), "in order, over live, rotated and sealed files");
    store.close(soon());
    assert!(log_files(dir.path(), "arrows").is_empty());
    assert_eq!(ids(&open(&config)), (0..3000).collect::<Vec<_>>());
}

#[test]
fn a_file_is_rotated_by_age_though_nothing_comes_and_deleted_by_age_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (manual, config) = (ManualClock::new(), config(dir.path()));
    let store = open_by(&config, Arc::new(OsStorage), &Heard::default(), &manual);
    put(&store, [1]).unwrap();
    manual.advance(config.rotation.max_age - Duration::from_secs(1));
    assert_eq!(log_files(dir.path(), "arrows").len(), 1);
    in_time(&manual, Duration::from_secs(1), "the file is sealed", || {
        log_files(dir.path(), "arrow").len() == 1 && log_files(dir.path(), "arrows").is_empty()
    });
    put(&store, [2]).unwrap();
    assert_eq!(ids(&store), [1, 2]);
    // Its last record may be younger than the file by what it was open for.
    manual.advance(config.retention.max_age(Signal::Logs) + config.rotation.max_age);
    in_time(&manual, Duration::from_secs(1), "the file is deleted", || {
        store.maintain();
        ids(&store) == [2]
    });
}

#[test]
fn a_seal_that_fails_leaves_the_stream_and_is_tried_again() {
    for op in [Op::Rename, Op::SyncDir, Op::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let (manual, config) = (ManualClock::new(), config(dir.path()));
        let (disk, heard) = (Faulty::default(), Heard::default());
        let store = open_by(&config, Arc::new(disk.clone()), &heard, &manual);
        disk.fail(op, 1, io::ErrorKind::Other);
        put(&store, 0..10).unwrap();
        manual.advance(config.rotation.max_age);
        in_time(&manual, Duration::from_millis(100), "it is sealed in the end", || {
            log_files(dir.path(), "arrows").is_empty()
        });
        assert_eq!(ids(&store), (0..10).collect::<Vec<_>>(), "{op:?}");
        assert_eq!(log_files(dir.path(), "arrow").len(), 1, "{op:?}");
        assert_eq!(names(dir.path(), "tmp"), [] as [&str; 0], "{op:?}");
    }
}

#[test]
fn a_stream_that_cannot_be_deleted_does_not_count_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    put(&store, 0..10).unwrap();
    disk.fail(Op::Remove, usize::MAX, io::ErrorKind::PermissionDenied);
    store.close(soon());
    assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (1, 1));
    let next = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    assert_eq!(ids(&next), (0..10).collect::<Vec<_>>());
    drop(next);
    disk.heal();
    let last = open(&config(dir.path()));
    assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (0, 1));
    assert_eq!(ids(&last), (0..10).collect::<Vec<_>>());
}

#[test]
fn sixteen_files_waiting_refuse_new_data_until_one_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 1;
    let (disk, heard) = (Faulty::default(), Heard::default());
    disk.fail(Op::Rename, usize::MAX, io::ErrorKind::Other);
    let store = open_on(&config, Arc::new(disk.clone()), &heard);
    let mut kept = Vec::new();
    let error = (0..100).find_map(|id| put(&store, [id]).map(|()| kept.push(id)).err()).unwrap();
    assert_eq!(error.code(), Code::StorageFull, "{error}");
    assert!((16..=18).contains(&kept.len()), "{}", kept.len());
    assert_eq!(store.troubles().len(), 3, "no signal has room");
    put(&store, [999]).unwrap_err();
    assert_eq!(heard.count(EventName::StorageFull), 1, "announced once: {:?}", heard.messages());
    disk.heal();
    until("there is room again", || put(&store, [1000]).is_ok());
    kept.push(1000);
    until("that is announced", || heard.count(EventName::StorageRecovered) == 1);
    assert_eq!(heard.count(EventName::StorageFull), 1, "{:?}", heard.messages());
    assert_eq!(ids(&store), kept);
}

#[test]
fn a_file_that_is_damaged_before_it_is_sealed_costs_what_is_damaged_and_holds_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 40_000;
    let heard = Heard::default();
    let store = open_on(&config, Arc::new(Faulty::default()), &heard);
    for id in 0..3 {
        put(&store, [id]).unwrap();
    }
    let live = log_files(dir.path(), "arrows").remove(0);
    let mut bytes = std::fs::read(&live).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = std::fs::OpenOptions::new().write(true).open(&live).unwrap();
        file.seek(SeekFrom::Start(last as u64)).unwrap();
        file.write_all(&bytes[last..=last]).unwrap();
    }
    // Far more files than may wait to be sealed.
    for id in 3..250 {
        put(&store, [id]).unwrap();
    }
    store.close(soon());
    assert_eq!((log_files(dir.path(), "arrows").len(), heard.count(EventName::StorageFull)), (0, 0));
    let lost = heard.records(EventName::RecordsDropped);
    assert!((1..20).contains(&lost), "{lost}");
    let expected: Vec<u64> = (0..2).chain(2 + lost..250).collect();
    assert_eq!(ids(&open(&config)), expected, "the commits before the damage, and all other files");
    assert_eq!(heard.count(EventName::FileQuarantined), 1);
    assert_eq!(store.stats().snapshot().total("otlp_arrow_dropped_records_total", &[("reason", "damaged")]), lost);
}

#[test]
fn the_oldest_files_make_room_for_new_ones() {
    make_room(&tempfile::tempdir().unwrap());
}

#[test]
fn room_is_made_beside_a_folder_that_cannot_be_listed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("otlp")).unwrap();
    std::fs::write(dir.path().join("otlp/traces"), "no folder").unwrap();
    make_room(&dir);
}

fn make_room(dir: &tempfile::TempDir) {
    let mut config = config(dir.path());
    config.rotation.max_bytes = 10_000;
    config.retention.max_bytes = 60_000;
    config.sealing.compression = otlp_arrow_store::settings::SealingCompression::None;
    let store = open(&config);
    let mut next = 0;
    let size = || -> u64 {
        let entries = std::fs::read_dir(dir.path().join("otlp/logs")).unwrap();
        entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
    };
    until("old files went and the directory is within its limit", || {
        for _ in 0..20 {
            if put(&store, next..next + 20).is_ok() {
                next += 20;
            }
        }
        until("a sweep keeps to the limit", || size() <= 60_000);
        ids(&store).first().is_some_and(|first| *first > 100)
    });
    let left = ids(&store);
    let first = left[0];
    assert_eq!(left, (first..next).collect::<Vec<_>>(), "only the oldest are gone");
}

#[test]
fn live_files_are_closed_when_nothing_else_can_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.max_bytes = 5_000;
    let store = open(&config);
    put(&store, 0..50).unwrap();
    until("the live file was closed and deleted", || {
        let _ = put(&store, [100]);
        !ids(&store).contains(&0)
    });
    until("new data is taken", || put(&store, [7]).is_ok());
}

#[test]
fn what_somebody_needs_goes_last_and_its_loss_is_announced() {
    struct Forwarder(AtomicU64);
    impl RetentionHold for Forwarder {
        fn first_needed(&self, _: Signal, stem: &Stem) -> Option<u64> {
            (stem.seq == 1).then_some(3)
        }
        fn evicted(&self, _: Signal, stem: &Stem, rows: u64) -> u64 {
            assert_eq!(stem.seq, 1);
            self.0.fetch_add(rows, Ordering::SeqCst);
            rows
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 1;
    config.retention.max_bytes = 60_000;
    let heard = Heard::default();
    let store = open_on(&config, Arc::new(Faulty::default()), &heard);
    let forwarder = Arc::new(Forwarder(AtomicU64::new(0)));
    store.add_hold(Arc::clone(&forwarder) as _);
    put(&store, 0..10).unwrap();
    let mut next = 100;
    until("the second file went", || {
        until("there is room", || put(&store, next..next + 10).is_ok());
        next += 10;
        !ids(&store).contains(&100)
    });
    assert_eq!(ids(&store)[..10], (0..10).collect::<Vec<_>>(), "the first file is needed");
    assert_eq!(heard.count(EventName::RecordsEvicted), 0);
    drop(store);
    config.retention.max_bytes = 100;
    let store = open_on(&config, Arc::new(Faulty::default()), &heard);
    store.add_hold(Arc::clone(&forwarder) as _);
    until("it was evicted", || heard.records(EventName::RecordsEvicted) == 7);
    assert_eq!(forwarder.0.load(Ordering::SeqCst), 7);
    assert_eq!(store.stats().snapshot().total("otlp_arrow_dropped_records_total", &[("reason", "evicted")]), 7);
}

#[test]
fn what_was_set_aside_counts_and_goes_when_nothing_else_can() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.max_bytes = 50_000;
    for sub in ["quarantine", "rejected/far"] {
        std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        std::fs::write(dir.path().join(sub).join("old"), [1; 30_000]).unwrap();
    }
    let store = open(&config);
    let left = || names(dir.path(), "quarantine").len() + names(dir.path(), "rejected/far").len();
    until("one of the two is gone", || left() == 1);
    put(&store, 0..10).unwrap();
    assert_eq!((ids(&store).len(), left()), (10, 1));
}
