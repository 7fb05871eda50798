//! What dead writers leave, and how the next one finds it.

use std::sync::Arc;

use otlp_arrow_base::event::EventName;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::Settings;
use otlp_arrow_store::file::compact::compact;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_store::subscription::SubscribeFrom;
use otlp_arrow_store::{ReadOptions, Store};

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
fn a_folder_that_cannot_be_listed_does_not_stand_in_the_way_of_the_others() {
    let (dir, _) = killed();
    std::fs::write(dir.path().join("otlp/traces"), "no folder").unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (0, 1));
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
    assert!(
        std::fs::read_to_string(dir.path().join("quarantine").join(reason)).unwrap().contains("last complete commit")
    );
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
    compact(&OsStorage, &live, len, &live.with_extension("arrow"), None, &mut || true).unwrap().unwrap();
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert!(log_files(dir.path(), "arrows").is_empty());
}

/// Has every schema in `bytes` say that a later version wrote them.
fn make_newer(bytes: &mut [u8]) {
    let key = b"otlp_arrow.schema";
    let keys: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(key)).collect();
    for key_at in keys {
        // The value is a string of one character near its key in the schema message: length 1, then '1'.
        let value_at = (0..key_at + 200)
            .rev()
            .find(|&at| bytes[at..].starts_with(&[1, 0, 0, 0, b'1', 0]) && at + 200 > key_at)
            .unwrap();
        bytes[value_at + 4] = b'2';
    }
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let (dir, live) = killed();
    let mut bytes = std::fs::read(&live).unwrap();
    make_newer(&mut bytes);
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

#[test]
fn a_stream_whose_first_commit_is_damaged_is_kept_for_a_person() {
    let whole = std::fs::read(killed().1).unwrap();
    let head = whole.windows(8).position(|bytes| bytes == b"otlp_arr").unwrap();
    let (mut kept, mut cut) = (0, 0);
    for at in (head + 400..whole.len() / 3).step_by(whole.len() / 60) {
        let (dir, live) = killed();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x04;
        std::fs::write(&live, &bytes).unwrap();
        let heard = Heard::default();
        let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
        let name = live.file_name().unwrap().to_str().unwrap();
        let aside = dir.path().join("quarantine").join(format!("logs-{name}"));
        assert!(ids(&store).len() < 30 && log_files(dir.path(), "arrows").is_empty(), "byte {at}");
        assert_eq!(std::fs::read(&aside).ok(), Some(bytes), "byte {at}: {:?}", heard.messages());
        assert_eq!(heard.count(EventName::FileQuarantined), 1, "byte {at}");
        kept += 1;
    }
    // Cut within the first commit, nothing was acknowledged, wherever the cut is.
    for at in (head + 400..whole.len() / 3).step_by(whole.len() / 40) {
        let (dir, live) = killed();
        std::fs::write(&live, &whole[..at]).unwrap();
        let heard = Heard::default();
        drop(open_on(&config(dir.path()), Arc::new(OsStorage), &heard));
        if heard.count(EventName::FileRecovered) == 1 {
            cut += 1;
            assert_eq!(names(dir.path(), "quarantine"), [] as [&str; 0], "cut at {at}");
        }
    }
    assert!(kept >= 10 && cut >= 5, "{kept} {cut}");
}

type Damage = fn(&mut Vec<u8>);
/// Ways in which a sealed file does not hold.
const DAMAGES: [(&str, Damage); 4] = [
    ("empty", |bytes| bytes.clear()),
    ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
    ("garbage", |bytes| bytes.fill(7)),
    ("changed", |bytes| {
        // In the last message, whose body ends right before the footer.
        let footer = u32::from_le_bytes(bytes[bytes.len() - 10..bytes.len() - 6].try_into().unwrap()) as usize;
        let at = bytes.len() - 10 - footer - 8 - 40;
        bytes[at] ^= 1;
    }),
];

#[test]
fn a_stream_is_not_deleted_for_a_sealed_file_that_does_not_hold() {
    let sealed = |live: &std::path::Path| {
        let target = live.with_extension("arrow");
        compact(&OsStorage, live, live.metadata().unwrap().len(), &target, Some(1), &mut || true).unwrap().unwrap();
        std::fs::read(target).unwrap()
    };
    for (what, damage) in DAMAGES {
        let (dir, live) = killed();
        let mut bytes = sealed(&live);
        damage(&mut bytes);
        std::fs::write(live.with_extension("arrow"), &bytes).unwrap();
        let heard = Heard::default();
        let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
        assert_eq!(ids(&store), (0..30).collect::<Vec<_>>(), "{what}");
        assert_eq!((log_files(dir.path(), "arrows").len(), log_files(dir.path(), "arrow").len()), (0, 1), "{what}");
        let quarantine = names(dir.path(), "quarantine");
        let kept = quarantine.iter().find(|name| name.ends_with(".arrow")).unwrap();
        assert_eq!(std::fs::read(dir.path().join("quarantine").join(kept)).unwrap(), bytes, "{what}");
        assert_eq!(heard.count(EventName::FileQuarantined), 1, "{what}");
    }
}

#[test]
fn a_sealed_file_that_cannot_be_read_does_not_stand_in_the_way_of_the_others() {
    let (dir, live) = killed();
    let other = live.with_file_name(live.file_name().unwrap().to_str().unwrap().replace("00000001.", "00000002."));
    std::fs::write(other.with_extension("arrow"), b"").unwrap();
    let garbage = other.with_file_name(other.file_name().unwrap().to_str().unwrap().replace("00000002.", "00000003."));
    std::fs::write(garbage.with_extension("arrow"), b"ARROW1\0\0and then nothing that ends as it should").unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    assert_eq!(ids(&store), (0..30).collect::<Vec<_>>());
    assert_eq!(heard.count(EventName::FileQuarantined), 2, "{:?}", heard.messages());
    assert_eq!((log_files(dir.path(), "arrow").len(), names(dir.path(), "quarantine").len()), (1, 4));
}

#[test]
fn a_shutdown_does_not_wait_for_the_recovery_of_thousands_of_files() {
    let (dir, live) = killed();
    let name = live.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = std::fs::read(&live).unwrap();
    for seq in 2..1500 {
        std::fs::write(live.with_file_name(name.replace("00000001.", &format!("{seq:08}."))), &whole).unwrap();
    }
    let disk = Faulty::default();
    // Slow enough that opening gives up long before the end, and the rest is on its way in the background.
    disk.delay(Op::SyncDir, std::time::Duration::from_millis(20));
    let store = open_on(&config(dir.path()), Arc::new(disk), &Heard::default());
    put(&store, [7_000]).unwrap();
    let left = log_files(dir.path(), "arrows").len();
    assert!(left > 1000, "{left} files are left for the background");
    until("the background goes on", || log_files(dir.path(), "arrows").len() < left);
    store.close(soon());
    assert!(log_files(dir.path(), "arrows").len() > 500, "it ended where it was");
}

/// A store that has sealed a file for each of so many records, as `config` makes it do.
fn one_file_each(config: &Settings, count: u64) -> Store {
    let store = open(config);
    for id in 0..count {
        put(&store, [id]).unwrap();
    }
    let root = &config.output_dir;
    until("all are sealed", || log_files(root, "arrow").len() as u64 == count && log_files(root, "arrows").is_empty());
    store
}

/// The numbers that can be read, and the errors met on the way.
fn read_on(store: &Store) -> (Vec<u64>, Vec<String>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for batch in store.read(Signal::Logs, &ReadOptions::default()).unwrap() {
        match batch {
            Ok(batch) => found.extend(numbers(&batch)),
            Err(error) => errors.push(error.message().to_owned()),
        }
    }
    (found, errors)
}

#[test]
fn a_sealed_file_damaged_after_a_clean_exit_is_told_once_and_set_aside() {
    for (what, damage) in DAMAGES {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.rotation.max_bytes = 1;
        let writer = one_file_each(&config, 4);
        let file = log_files(dir.path(), "arrow").remove(1);
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();

        // It belongs to a living writer: another one only tells.
        let other = open(&config);
        let (found, errors) = read_on(&other);
        assert_eq!((found, errors.len()), (vec![0, 2, 3], 1), "{what}");
        assert!(errors[0].contains(file.to_str().unwrap()) && errors[0].contains("move it"), "{what}: {errors:?}");
        assert!(file.exists());
        writer.close(soon());
        other.close(soon());
        assert_eq!(names(dir.path(), "writers"), [] as [&str; 0]);

        let heard = Heard::default();
        let store = open_on(&config, Arc::new(OsStorage), &heard);
        let (found, errors) = read_on(&store);
        assert_eq!((found, errors.len()), (vec![0, 2, 3], 1), "{what}");
        assert!(errors[0].contains(file.to_str().unwrap()) && errors[0].contains("read again"), "{what}: {errors:?}");
        let quarantine = names(dir.path(), "quarantine");
        let kept = quarantine.iter().find(|name| name.ends_with(".arrow")).unwrap();
        assert_eq!(std::fs::read(dir.path().join("quarantine").join(kept)).unwrap(), bytes, "{what}");
        assert_eq!(heard.names(), [EventName::FileQuarantined], "{what}");
        assert_eq!(ids(&store), [0, 2, 3], "{what}");
        assert_eq!(names(dir.path(), "writers").len(), 1, "only our own lock is left");
    }
}

#[test]
fn a_file_of_ones_own_that_is_damaged_once_sealed_is_set_aside_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 1;
    let store = one_file_each(&config, 3);
    std::fs::write(log_files(dir.path(), "arrow").remove(0), "").unwrap();
    // Who has yet to deliver it is told of it, not left without it.
    let subscription = store.subscribe(Signal::Logs, "slow", SubscribeFrom::Beginning).unwrap();
    assert_eq!(read_on(&store).1.len(), 1);
    assert_eq!(names(dir.path(), "quarantine"), [] as [&str; 0]);
    drop(subscription);
    assert_eq!(read_on(&store).1.len(), 1);
    assert_eq!(ids(&store), [1, 2]);
    assert_eq!(names(dir.path(), "quarantine").len(), 2);
}

#[test]
fn what_somebody_put_where_a_sealed_file_will_be_does_not_cost_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Heard::default();
    let store = open_on(&config(dir.path()), Arc::new(OsStorage), &heard);
    put(&store, 0..5).unwrap();
    let taken = log_files(dir.path(), "arrows").remove(0).with_extension("arrow");
    std::fs::write(&taken, "somebody else's").unwrap();
    store.close(soon());
    assert_eq!(heard.names(), [EventName::FileQuarantined], "{:?}", heard.names());
    let kept = names(dir.path(), "quarantine").into_iter().find(|name| name.ends_with(".arrow")).unwrap();
    assert_eq!(std::fs::read(dir.path().join("quarantine").join(kept)).unwrap(), b"somebody else's");
    assert_eq!((log_files(dir.path(), "arrows").len(), names(dir.path(), "tmp").len()), (0, 0));

    // What cannot be moved out of the way stays, and so does the stream.
    let store = open(&config(dir.path()));
    put(&store, 5..9).unwrap();
    let live = log_files(dir.path(), "arrows").remove(0);
    std::fs::create_dir(live.with_extension("arrow")).unwrap();
    store.close(std::time::Instant::now() + std::time::Duration::from_millis(200));
    assert!(live.exists());
    assert_eq!(names(dir.path(), "tmp"), [] as [&str; 0]);
    let store = open(&config(dir.path()));
    assert_eq!(ids(&store), (0..9).collect::<Vec<_>>());
    std::fs::remove_dir(live.with_extension("arrow")).unwrap();
    store.maintain();
    assert!(!live.exists());
    assert_eq!(ids(&store), (0..9).collect::<Vec<_>>());
}

#[test]
fn neither_a_disk_that_does_not_answer_nor_a_newer_version_sets_a_file_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    put(&store, 0..9).unwrap();
    store.close(soon());
    let file = log_files(dir.path(), "arrow").remove(0);
    let whole = std::fs::read(&file).unwrap();
    let (disk, heard) = (Faulty::default(), Heard::default());
    let store = open_on(&config(dir.path()), Arc::new(disk.clone()), &heard);
    disk.fail(Op::Read, usize::MAX, std::io::ErrorKind::Other);
    let (found, errors) = read_on(&store);
    assert_eq!((found.len(), errors.len()), (0, 1), "{errors:?}");
    disk.heal();
    assert_eq!(ids(&store), (0..9).collect::<Vec<_>>());

    // What is looked at once more cannot be read: nothing is known of it.
    let mut bytes = whole.clone();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    disk.fail(Op::Lock, 1, std::io::ErrorKind::Other);
    let (_, errors) = read_on(&store);
    assert!(errors.len() == 1 && errors[0].contains("move it"), "{errors:?}");

    make_newer(&mut bytes);
    std::fs::write(&file, &bytes).unwrap();
    let (_, errors) = read_on(&store);
    assert!(errors.len() == 1 && errors[0].contains("move it"), "{errors:?}");
    assert!(file.exists() && names(dir.path(), "quarantine").is_empty() && heard.names().is_empty());
}
