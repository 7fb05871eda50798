//! Disks that fail: what was acknowledged stays, what is new is refused as retryable, and it ends by itself.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use otlp_arrow_base::Code;
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_base::event::EventName;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::settings::Durability;

use crate::faulty::{Faulty, Op};
use crate::support::*;

#[test]
fn every_fault_of_a_commit_is_answered_as_retryable_and_leaves_what_was_there() {
    for durability in [Durability::Written, Durability::Synced] {
        for op in [Op::Append, Op::ShortAppend, Op::Create, Op::Sync, Op::SyncDir] {
            for kind in [ErrorKind::StorageFull, ErrorKind::Other, ErrorKind::PermissionDenied] {
                let dir = tempfile::tempdir().unwrap();
                let mut config = config(dir.path());
                config.durability = durability;
                let (disk, heard) = (Faulty::default(), Heard::default());
                let store = open_on(&config, Arc::new(disk.clone()), &heard);
                let mut kept = Vec::new();
                let mut failed = 0;
                for id in 0..12 {
                    if id % 4 == 1 {
                        disk.fail(op, 2, kind);
                    }
                    match put(&store, [id, 1000 + id]) {
                        Ok(()) => kept.extend([id, 1000 + id]),
                        Err(error) => {
                            assert!(error.retryable(), "{error}");
                            let full = kind == ErrorKind::StorageFull;
                            assert_eq!(error.code(), if full { Code::StorageFull } else { Code::StorageFailed });
                            failed += 1;
                        }
                    }
                    disk.heal();
                    // A refusal holds for a moment after a failure.
                    std::thread::sleep(Duration::from_millis(3));
                }
                let context = format!("{durability:?} {op:?} {kind:?}");
                assert_eq!(ids(&store), kept, "{context}");
                let fails = match op {
                    Op::Append | Op::ShortAppend => true,
                    Op::Sync => durability == Durability::Synced,
                    _ => false, // Only new files are created, and have their directory synced.
                };
                assert!(failed > 0 || !fails, "{context}");
                assert!(kept.len() >= 12, "{context}: most got through");
                if failed > 0 {
                    let (full, broken) = (heard.count(EventName::StorageFull), heard.count(EventName::StorageFailed));
                    assert!(full + broken > 0, "{context}");
                    assert_eq!(heard.count(EventName::StorageRecovered), full + broken, "{context}");
                }
                assert_eq!(store.close(soon()), Default::default(), "{context}");
                let next = open(&config);
                assert_eq!(ids(&next), kept, "{context}, read again");
                assert_eq!(names(dir.path(), "quarantine"), [] as [&str; 0], "{context}");
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_cut_back_is_closed_and_its_tail_never_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    put(&store, 0..10).unwrap();
    disk.fail(Op::ShortAppend, 1, ErrorKind::Other);
    disk.fail(Op::Truncate, 1, ErrorKind::Other);
    put(&store, 10..20).unwrap_err();
    until("it goes on in another file", || put(&store, 20..30).is_ok());
    let expected: Vec<u64> = (0..10).chain(20..30).collect();
    assert_eq!(ids(&store), expected);
    store.close(soon());
    assert_eq!(ids(&open(&config(dir.path()))), expected);
    assert_eq!(log_files(dir.path(), "arrow").len(), 2);
}

#[test]
fn a_batch_that_could_not_be_synced_goes_to_a_new_file_without_the_sender_noticing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Synced;
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config, Arc::new(disk.clone()), &heard);
    put(&store, 0..10).unwrap();
    disk.fail(Op::Sync, 1, ErrorKind::Other);
    put(&store, 10..20).unwrap();
    assert_eq!(ids(&store), (0..20).collect::<Vec<_>>());
    store.close(soon());
    assert_eq!(log_files(dir.path(), "arrow").len(), 2);
    assert_eq!(ids(&open(&config)), (0..20).collect::<Vec<_>>());
}

#[test]
fn buffered_data_survives_a_full_disk_in_memory_and_is_written_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_millis(1) };
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config, Arc::new(disk.clone()), &heard);
    disk.fail(Op::Append, usize::MAX, ErrorKind::StorageFull);
    put(&store, 0..10).unwrap();
    until("it is announced", || heard.count(EventName::StorageFull) == 1);
    assert_eq!(block_on(store.flush()).unwrap_err().code(), Code::StorageFull);
    until("new data is refused", || put(&store, [1000]).is_err_and(|error| error.code() == Code::StorageFull));
    disk.heal();
    until("what was acknowledged is written", || ids(&store).starts_with(&(0..10).collect::<Vec<_>>()));
    until("it is announced", || heard.count(EventName::StorageRecovered) == 1);
}

#[test]
fn buffered_data_that_cannot_be_written_before_the_end_is_counted_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(60) };
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config, Arc::new(disk.clone()), &heard);
    disk.fail(Op::Append, usize::MAX, ErrorKind::Other);
    put(&store, 0..10).unwrap();
    let report = store.close(std::time::Instant::now() + Duration::from_millis(150));
    assert_eq!(report.uncommitted_records, 10);
    assert_eq!(heard.records(EventName::RecordsDropped), 10);
    let mut stats = Default::default();
    store.report(&mut stats);
    let stats: otlp_arrow_base::stats::LibraryStats = stats;
    assert_eq!((stats.accepted_records.logs, stats.dropped_records.logs, stats.waiting_records.logs), (10, 10, 0));
}

#[test]
fn the_room_left_to_others_is_respected() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.min_free_bytes = 1 << 20;
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config, Arc::new(disk.clone()), &heard);
    put(&store, 0..10).unwrap();
    disk.set_free(Some(1 << 20));
    until("new data is refused", || put(&store, 10..20).is_err());
    let error = store.troubles().remove(0);
    assert_eq!((error.0, error.1.code()), (Signal::Logs, Code::StorageFull));
    assert!(error.1.message().contains("storage.min_free_bytes"), "{}", error.1);
    disk.set_free(Some(1 << 30));
    until("readiness comes back though nobody sends", || store.troubles().is_empty());
    assert_eq!(heard.names(), [EventName::StorageFull, EventName::StorageRecovered]);
    put(&store, 20..30).unwrap();
}

#[cfg(unix)]
#[test]
fn a_live_file_that_somebody_cuts_costs_what_was_in_it_and_not_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(Faulty::default()), &heard);
    put(&store, 0..10).unwrap();
    let live = log_files(dir.path(), "arrows").remove(0);
    std::fs::OpenOptions::new().write(true).open(&live).unwrap().set_len(0).unwrap();
    let mut next = 100;
    until("it is noticed", || {
        put(&store, [next]).unwrap();
        next += 1;
        !live.exists()
    });
    for id in next..next + 20 {
        put(&store, [id]).unwrap();
    }
    store.close(soon());
    let lost = heard.records(EventName::RecordsDropped);
    let found = ids(&open(&config(dir.path())));
    assert_eq!(
        found.len() as u64 + lost,
        10 + (next - 100) + 20,
        "all that is missing was told: {:?}",
        heard.messages()
    );
    assert!(found.ends_with(&(next..next + 20).collect::<Vec<_>>()));
}

#[cfg(unix)]
#[test]
fn a_directory_deleted_under_us_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("out");
    let (manual, heard) = (ManualClock::new(), Heard::default());
    let store = open_by(&config(&root), Arc::new(Faulty::default()), &heard, &manual);
    put(&store, 0..10).unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    manual.advance(Duration::from_secs(1));
    put(&store, [10]).unwrap();
    assert_eq!((ids(&store), log_files(&root, "arrows").len()), (vec![10], 1), "it is in a new file");
    assert!(heard.messages()[0].contains("by another program or a person"), "{:?}", heard.messages());
    assert_eq!(names(&root, "writers").len(), 1, "the lock is there again");
    let next = open(&config(&root));
    assert_eq!(ids(&next), [10]);
    assert_eq!(log_files(&root, "arrows").len(), 1, "nobody takes a living writer's file");
}

#[cfg(unix)]
#[test]
fn a_directory_deleted_between_two_files_stays_that_of_a_living_writer() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("out");
    let mut config = config(&root);
    config.rotation.max_bytes = 1;
    let disk = Faulty::default();
    // Rotated, and not sealed yet.
    disk.delay(Op::SyncDir, Duration::from_millis(200));
    let heard = Heard::default();
    let store = open_on(&config, Arc::new(disk), &heard);
    for id in 0..4 {
        put(&store, [id]).unwrap();
    }
    // One more may be named at this very moment.
    let unsealed = 4 - log_files(&root, "arrow").len() as u64;
    // Sealing may make something in it while it is deleted.
    until("it is deleted", || std::fs::remove_dir_all(&root).is_ok());
    put(&store, [4]).unwrap();
    assert_eq!(names(&root, "writers").len(), 1, "the lock is there again with the first file");
    let next = open(&config);
    assert_eq!(names(&root, "writers").len(), 2, "nobody takes it for a dead writer's");
    for id in 5..8 {
        put(&store, [id]).unwrap();
    }
    store.close(soon());
    let found = ids(&next);
    assert!(found.ends_with(&[4, 5, 6, 7]), "{found:?}");
    let lost = heard.records(EventName::RecordsDropped);
    assert!((unsealed - 1..=unsealed).contains(&lost), "{lost} of {unsealed}: {:?}", heard.messages());
    assert_eq!(store.stats().snapshot().total("otlp_arrow_dropped_records_total", &[("reason", "deleted")]), lost);
}

#[test]
fn an_output_dir_that_cannot_be_written_lets_the_program_run_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a file");
    std::fs::write(&root, b"in the way").unwrap();
    let heard = Heard::default();
    let store = open_on(&config(&root), Arc::new(Faulty::default()), &heard);
    assert_eq!(heard.count(EventName::StorageFailed), 1);
    let error = put(&store, [1]).unwrap_err();
    assert_eq!((error.code(), error.retryable()), (Code::StorageFailed, true));
    assert!(error.message().contains("a file"), "{error}");
    std::fs::remove_file(&root).unwrap();
    until("it is written once it can be", || put(&store, [2]).is_ok());
    assert_eq!(ids(&store), [2]);
}
