//! What dead writers leave, and how the next one finds it.

use std::sync::Arc;

use otlp_arrow::event::EventName;
use otlp_arrow::ipc::seal::seal;
use otlp_arrow::store::storage_os::OsStorage;

use crate::faulty::{Faulty, Op};
use crate::support::*;

/// A directory as a killed process leaves it: one live file of 30 records in three commits, and no lock held.
fn killed() -> (tempfile::TempDir, std::path::PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let store = open(&config(work.path()));
    for id in [0, 10, 20] {
        put(&store, id..id + 10).unwrap();
    }
    let left = tempfile::tempdir().unwrap();
    for sub in ["otlp/logs", "writers"] {
        std::fs::create_dir_all(left.path().join(sub)).unwrap();
        for name in names(work.path(), sub) {
            std::fs::copy(work.path().join(sub).join(&name), left.path().join(sub).join(&name)).unwrap();
        }
    }
    let live = log_files(left.path(), "arrows").remove(0);
    (left, live)
}

#[test]
fn a_dead_writers_file_is_sealed_at_open() {
    let (dir, _) = killed();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (0, 1));
    assert_eq!(heard.records(EventName::FileRecovered), 30);
    assert_eq!(names(dir.path(), "writers").len(), 1, "only our own lock is left");
}

#[test]
fn a_living_writers_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(&config(dir.path()));
    put(&first, 0..5).unwrap();
    let heard = Heard::default();
    let second = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(heard.names(), []);
    assert_eq!(ids(&second), (0..5).collect::<Vec<_>>());
    put(&first, 5..10).unwrap();
    assert_eq!(ids(&second), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_torn_tail_is_set_aside_and_the_commits_before_it_are_kept() {
    let (dir, live) = killed();
    let whole = std::fs::read(&live).unwrap();
    std::fs::write(&live, &whole[..whole.len() - 7]).unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(ids(&store), (0..20).collect::<Vec<_>>());
    assert_eq!((heard.count(EventName::FileQuarantined), heard.records(EventName::FileRecovered)), (1, 20));
    let quarantine = names(dir.path(), "quarantine");
    assert_eq!(quarantine.len(), 2, "{quarantine:?}");
    let tail = quarantine.iter().find(|name| name.ends_with(".tail")).unwrap();
    assert!(whole[..whole.len() - 7].ends_with(&std::fs::read(dir.path().join("quarantine").join(tail)).unwrap()));
    let reason = quarantine.iter().find(|name| name.ends_with(".reason")).unwrap();
    assert!(std::fs::read_to_string(dir.path().join("quarantine").join(reason)).unwrap().contains("last whole commit"));
}

#[test]
fn a_tail_of_zeros_is_dropped_without_a_word() {
    let (dir, live) = killed();
    let mut bytes = std::fs::read(&live).unwrap();
    bytes.extend_from_slice(&[0; 5000]);
    std::fs::write(&live, &bytes).unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert_eq!((heard.count(EventName::FileQuarantined), names(dir.path(), "quarantine").len()), (0, 0));
}

#[test]
fn damage_in_the_middle_keeps_what_is_before_it() {
    let (dir, live) = killed();
    let mut bytes = std::fs::read(&live).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&live, &bytes).unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store), (0..10).collect::<Vec<_>>());
}

#[test]
fn files_without_a_whole_commit_go_and_garbage_is_kept_for_a_person() {
    let (dir, live) = killed();
    let whole = std::fs::read(&live).unwrap();
    // The schema and a piece of the first commit.
    std::fs::write(&live, &whole[..6000]).unwrap();
    let name = live.file_name().unwrap().to_str().unwrap();
    std::fs::write(live.with_file_name(name.replace("00000001.", "00000002.")), b"").unwrap();
    std::fs::write(live.with_file_name(name.replace("00000001.", "00000003.")), b"this is no stream of ours at all")
        .unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert!(ids(&store).is_empty());
    assert_eq!((heard.count(EventName::FileRecovered), heard.count(EventName::FileQuarantined)), (2, 1));
    assert!(names(dir.path(), "otlp/logs").is_empty());
    let quarantine = names(dir.path(), "quarantine");
    assert_eq!(quarantine.len(), 2, "{quarantine:?}");
    let kept = quarantine.iter().find(|name| name.ends_with(".arrows")).unwrap();
    assert_eq!(std::fs::read(dir.path().join("quarantine").join(kept)).unwrap(), b"this is no stream of ours at all");
}

#[test]
fn where_both_forms_exist_the_sealed_one_counts() {
    let (dir, live) = killed();
    let len = live.metadata().unwrap().len();
    seal(&OsStorage, &live, len, &live.with_extension("arrow"), None, &mut || true).unwrap().unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert!(log_files(dir.path(), "arrows").is_empty());
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let (dir, live) = killed();
    let mut bytes = std::fs::read(&live).unwrap();
    let key = b"otlp_arrow.schema";
    let key_at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    // The value is a string of one character near its key in the schema message: length 1, then '1'.
    let value_at = (0..key_at + 200)
        .rev()
        .find(|&at| bytes[at..].starts_with(&[1, 0, 0, 0, b'1', 0]) && at + 200 > key_at)
        .unwrap();
    bytes[value_at + 4] = b'2';
    std::fs::write(&live, &bytes).unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(std::fs::read(&live).unwrap(), bytes);
    assert_eq!(log_files(dir.path(), "arrow").len(), 0);
    assert_eq!(names(dir.path(), "quarantine").len(), 0);
    put(&store, [1]).unwrap();
}

#[test]
fn what_a_dead_writer_had_not_finished_goes() {
    let (dir, live) = killed();
    std::fs::create_dir(dir.path().join("tmp")).unwrap();
    let stem = live.file_stem().unwrap().to_str().unwrap();
    std::fs::write(dir.path().join("tmp").join(stem), b"half a sealed file").unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(names(dir.path(), "tmp"), [] as [&str; 0]);
    assert_eq!(ids(&store).len(), 30);
}

#[test]
fn a_disk_that_fails_during_recovery_is_no_reason_not_to_start() {
    for op in [Op::Create, Op::Append, Op::Sync, Op::Rename, Op::SyncDir, Op::Lock] {
        let (dir, _) = killed();
        let (disk, heard) = (Faulty::default(), Heard::default());
        disk.fail(op, 3, std::io::ErrorKind::StorageFull);
        let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
        assert_eq!(ids(&store), (0..30).collect::<Vec<_>>(), "{op:?}: read as it is");
        drop(store);
        disk.heal();
        let store = open_on(&config(dir.path()), Arc::new(disk), &heard);
        assert_eq!(ids(&store), (0..30).collect::<Vec<_>>(), "{op:?}");
        assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (0, 1), "{op:?}");
    }
}

#[test]
fn a_stream_without_any_lock_file_is_adopted_too() {
    let (dir, _) = killed();
    std::fs::remove_dir_all(dir.path().join("writers")).unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store).len(), 30);
    assert!(log_files(dir.path(), "arrows").is_empty());
}
