//! Batches that are sent again under the key they have: acknowledged, and not stored again.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use otlp_arrow_base::Result;
use otlp_arrow_store::settings::Durability;
use otlp_arrow_store::{BatchKey, Store};

use crate::faulty::{Faulty, Op};
use crate::support::*;

/// Whether it was known, once it is kept.
fn put_once(store: &Store, key: &[u8], ids: impl IntoIterator<Item = u64>) -> Result<bool> {
    let request = request(store, logs(ids))?.with_key(Some(BatchKey::new(key)?));
    let (known, kept) = store.append_once(request);
    block_on(kept).map(|()| known)
}

/// What a process that was killed leaves: its files as they are at this moment, and nobody who holds their lock.
fn as_killed(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            as_killed(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn count(store: &Store) -> BTreeMap<u64, usize> {
    ids(store).into_iter().fold(BTreeMap::new(), |mut counts, id| {
        *counts.entry(id).or_default() += 1;
        counts
    })
}

#[test]
fn a_batch_whose_key_is_known_is_kept_once_in_every_form_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(&dir.path().join("first")));
    let keys: [&[u8]; 4] = [b"a", b"\x00\xff,;", &[b'k'; 128], b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"];
    for (id, key) in (0..).zip(keys) {
        assert!(!put_once(&store, key, [id]).unwrap());
        assert!(put_once(&store, key, [id]).unwrap());
        put(&store, [100 + id]).unwrap();
    }
    // Of large batches the columns are not copied.
    assert!(!put_once(&store, b"large", 1_000..9_000).unwrap());
    assert!(put_once(&store, b"large", [5]).unwrap(), "the key decides, not what is in it");
    let kept = count(&store);
    assert_eq!(kept.len(), 8 + 8_000);
    assert!(kept.values().all(|count| *count == 1));
    as_killed(&dir.path().join("first"), &dir.path().join("killed"));
    assert_eq!(store.close(soon()), Default::default());
    for (round, left) in ["killed", "first"].into_iter().enumerate() {
        // Adopted from a live file, from a sealed one, and from that again.
        for again in 0..2 {
            let next = open(&config(&dir.path().join(left)));
            for key in keys.into_iter().chain([&b"large"[..]]) {
                assert!(put_once(&next, key, [5_000_000]).unwrap(), "{left} {again} {key:?}");
            }
            let new = format!("new {round} {again}");
            assert!(!put_once(&next, new.as_bytes(), [2_000_000 + again]).unwrap());
            assert!(put_once(&next, new.as_bytes(), [2_000_000 + again]).unwrap());
            next.close(soon());
        }
        let last = open(&config(&dir.path().join(left)));
        let mut wanted = kept.clone();
        wanted.extend([(2_000_000, 1), (2_000_001, 1)]);
        assert_eq!(count(&last), wanted, "{left}");
        assert_eq!(names(&dir.path().join(left), "quarantine"), [] as [&str; 0]);
    }
    for file in log_files(&dir.path().join("first"), "arrow") {
        let file = arrow_ipc::reader::FileReader::try_new(std::fs::File::open(file).unwrap(), None).unwrap();
        assert!(file.custom_metadata().contains_key("otlp_arrow.keys"));
        assert!(file.map(|batch| batch.unwrap().num_rows()).sum::<usize>() > 0, "others read it as before");
    }
}

#[test]
fn a_key_counts_exactly_when_its_rows_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(&dir.path().join("whole")));
    for id in 0..20 {
        put_once(&store, format!("key {id}").as_bytes(), [id]).unwrap();
    }
    let live = log_files(&dir.path().join("whole"), "arrows").pop().unwrap();
    let len = std::fs::metadata(&live).unwrap().len();
    // Wherever the file ends, as a process or a machine may leave it.
    for cut in (1..).step_by(2_477).take_while(|cut| *cut < len).chain([len - 1, len]) {
        let to = dir.path().join(format!("cut-{cut}"));
        as_killed(&dir.path().join("whole"), &to);
        let live = log_files(&to, "arrows").pop().unwrap();
        std::fs::OpenOptions::new().write(true).open(live).unwrap().set_len(cut).unwrap();
        let next = open(&config(&to));
        let there = ids(&next);
        for id in 0..20 {
            let known = put_once(&next, format!("key {id}").as_bytes(), [id]).unwrap();
            assert_eq!(known, there.contains(&id), "{id} of a file that ends at {cut}");
        }
        assert_eq!(count(&next), (0..20).map(|id| (id, 1)).collect(), "{cut}");
        next.close(soon());
    }
}

#[test]
fn of_many_who_send_a_batch_at_once_one_is_stored_and_all_are_told_when_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.commit_interval = Duration::from_millis(50);
    let store = open(&config);
    for round in 0..10u64 {
        let known: Vec<bool> = std::thread::scope(|scope| {
            let send = |_| scope.spawn(|| put_once(&store, &round.to_be_bytes(), [round]).unwrap());
            let senders: Vec<_> = (0..8).map(send).collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        });
        assert_eq!(known.iter().filter(|known| !**known).count(), 1, "{known:?}");
        assert_eq!(ids(&store).last(), Some(&round));
    }
    assert_eq!(count(&store), (0..10).map(|id| (id, 1)).collect());
}

#[test]
fn a_batch_that_could_not_be_stored_may_be_sent_again() {
    for op in [Op::Append, Op::ShortAppend, Op::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.durability = Durability::Synced;
        let (disk, heard) = (Faulty::default(), Heard::default());
        let store = open_on(&config, Arc::new(disk.clone()), &heard);
        put_once(&store, b"before", [0]).unwrap();
        disk.fail(op, 2, ErrorKind::Other);
        let first = put_once(&store, b"key", [1]);
        disk.heal();
        assert!(first.is_err_and(|error| error.retryable()), "{op:?}");
        until("it is stored", || put_once(&store, b"key", [1]).is_ok_and(|known| !known));
        assert!(put_once(&store, b"key", [1]).unwrap());
        assert_eq!(ids(&store), [0, 1], "{op:?}");
        store.close(soon());
        let next = open(&config);
        assert!(put_once(&next, b"key", [1]).unwrap() && put_once(&next, b"before", [1]).unwrap());
        assert_eq!(ids(&next), [0, 1], "{op:?}");
    }
}

#[test]
fn what_is_buffered_is_acknowledged_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(3600) };
    let store = open(&config);
    assert!(!put_once(&store, b"key", [1]).unwrap());
    assert!(put_once(&store, b"key", [1]).unwrap(), "while it is in memory");
    block_on(store.flush()).unwrap();
    assert!(put_once(&store, b"key", [1]).unwrap());
    assert_eq!(ids(&store), [1]);
}
