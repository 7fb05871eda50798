#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::disk::names::Layout;
use crate::disk::storage_os::OsStorage;
use crate::file::CommitEncoder;
use crate::file::compact::compact;
use crate::file::options::ReadOptions;

fn stem(second: u64, writer: u64, seq: u32) -> Stem {
    Stem::new(UNIX_EPOCH + Duration::from_secs(second), WriterId(writer), seq)
}

/// Writes a live file of these commits and returns its path.
fn live(dir: &Path, stem: &Stem, commits: &[u64]) -> PathBuf {
    let path = Log::read_only(dir).path(Signal::Logs, stem, Form::LIVE);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = CommitEncoder::new(stem.writer.to_string());
    let (mut bytes, mut row) = (Vec::new(), 0);
    for rows in commits {
        let batch = crate::file::sample::batch(stem.writer.0 * 1000 + row, *rows);
        bytes.extend_from_slice(encoder.encode(&batch, row).unwrap());
        row += *rows;
    }
    std::fs::write(&path, bytes).unwrap();
    path
}

fn rows(dir: &Path, limit: Option<usize>) -> usize {
    let options = ReadOptions { limit, ..ReadOptions::default() };
    Log::read_only(dir).read(Signal::Logs, &options).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

#[test]
fn writers_come_by_their_first_file_and_files_by_sequence() {
    let dir = tempfile::tempdir().unwrap();
    let stems = [stem(10, 7, 1), stem(5, 7, 2), stem(7, 3, 1), stem(12, 3, 2)];
    for stem in &stems {
        live(dir.path(), stem, &[1]);
    }
    std::fs::write(Layout::new(dir.path()).signal_dir(Signal::Logs).join("notes.txt"), "x").unwrap();
    let listed = Log::read_only(dir.path()).entries(Signal::Logs).unwrap();
    let order: Vec<(u64, u32)> = listed.iter().map(|file| (file.stem.writer.0, file.stem.seq)).collect();
    assert_eq!(order, [(7, 1), (7, 2), (3, 1), (3, 2)]);
    assert!(Log::read_only(dir.path()).entries(Signal::Traces).unwrap().is_empty());
}

#[test]
fn live_and_sealed_files_are_read_alike_and_the_sealed_one_counts_where_both_are() {
    let dir = tempfile::tempdir().unwrap();
    let first = live(dir.path(), &stem(1, 1, 1), &[3, 4]);
    live(dir.path(), &stem(2, 1, 2), &[5]);
    assert_eq!(rows(dir.path(), None), 12);
    let end = std::fs::metadata(&first).unwrap().len();
    compact(&OsStorage, &first, end, &first.with_extension("arrow"), Some(1), &mut || true).unwrap().unwrap();
    assert_eq!(rows(dir.path(), None), 12);
    assert_eq!(rows(dir.path(), Some(8)), 8);

    // Sealed after it was listed: it is found under its new name.
    let listed = Log::read_only(dir.path()).read(Signal::Logs, &ReadOptions::default()).unwrap();
    std::fs::remove_file(&first).unwrap();
    assert_eq!(listed.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 12);
    let listed = Log::read_only(dir.path()).entries(Signal::Logs).unwrap();
    std::fs::remove_file(&listed[0].path).unwrap();
    let wanted = Wanted::new(Signal::Logs, &ReadOptions::default()).unwrap();
    let log = Log::read_only(dir.path());
    assert!(log.open(&listed[0], 0, &wanted).unwrap_err().is_gone());
    assert!(log.committed(&listed[0]).unwrap_err().is_gone());
}

#[test]
fn a_torn_tail_ends_a_file_and_not_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let torn = live(dir.path(), &stem(1, 1, 1), &[3, 4]);
    live(dir.path(), &stem(2, 1, 2), &[5]);
    let bytes = std::fs::read(&torn).unwrap();
    std::fs::write(&torn, &bytes[..bytes.len() - 9]).unwrap();
    assert_eq!(rows(dir.path(), None), 8);
}

#[test]
fn no_listing_misses_a_file_that_changes_its_form() {
    // So many that the system tells of them in several pieces.
    const FILES: u64 = 4000;
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let stems: Vec<Stem> = (0..FILES).map(|number| stem(number, 1, number as u32)).collect();
    std::fs::create_dir_all(log.layout().signal_dir(Signal::Logs)).unwrap();
    for stem in &stems {
        std::fs::write(log.path(Signal::Logs, stem, Form::LIVE), "only the name counts").unwrap();
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stem in &stems {
                let live = log.path(Signal::Logs, stem, Form::LIVE);
                std::fs::rename(&live, live.with_extension("arrow")).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            let listed = log.entries(Signal::Logs).unwrap();
            assert_eq!(listed.len() as u64, FILES);
            assert!(listed.iter().all(|entry| entry.len > 0));
        }
    });
    assert!(log.entries(Signal::Logs).unwrap().iter().all(|entry| entry.form == Form::SEALED));
}
