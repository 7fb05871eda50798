#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{SystemTime, UNIX_EPOCH};

use otlp_arrow_base::clock::ManualClock;

use super::*;
use crate::disk::storage_os::OsStorage;
use crate::settings::Settings;
use crate::write::wakeup::Wakeup;

/// What sweeps `dir`, without any thread.
fn sweeper(dir: &Path) -> Sweeper {
    sweeper_of(Settings::sample(dir))
}

fn sweeper_of(settings: Settings) -> Sweeper {
    let clock = ManualClock::new().clock();
    let ctx = Context::new(settings, Arc::new(OsStorage), Arc::new(|_| {}), Arc::default(), clock.clone());
    let ctx = Arc::new(ctx);
    let admission = Arc::new(Admission::new(Arc::clone(&ctx), Arc::new(Wakeup::new(clock))));
    let seals = Arc::new(SealQueue::new(Arc::clone(&ctx), Arc::clone(&admission)));
    Sweeper::new(ctx, admission, seals)
}

/// Puts a sealed file there that was created at `created`; what is in it does not matter here.
fn add(ctx: &Context, created: SystemTime, writer: WriterId, seq: u32) {
    let path = ctx.log.path(Signal::Logs, &Stem::new(created, writer, seq), Form::SEALED);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "x").unwrap();
}

#[test]
fn a_clock_gone_wrong_has_time_to_be_set_right() {
    let dir = tempfile::tempdir().unwrap();
    let sweeper = sweeper(dir.path());
    let ctx = &*sweeper.ctx;
    let writer = WriterId::random();
    for seq in 0..25 {
        add(ctx, UNIX_EPOCH + Duration::from_secs(u64::from(seq)), writer, seq);
    }
    // Not soon again: of a day, a hundredth is longer than it takes until the next regular sweep.
    for _ in 0..2 {
        let swept = sweeper.sweep();
        assert_eq!((swept.deleted, swept.again), (3, false));
        assert_eq!(swept.more_after, Some(Duration::from_secs(24 * 36)));
    }
    assert_eq!(ctx.storage.list(&ctx.layout.signal_dir(Signal::Logs)).unwrap().len(), 19);
}

#[test]
fn what_was_written_before_the_clock_was_set_is_not_older_than_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let sweeper = sweeper(dir.path());
    let ctx = &*sweeper.ctx;
    // As on a machine that starts in 1970 and learns the time a moment later.
    for seq in 1..5 {
        add(ctx, UNIX_EPOCH + Duration::from_secs(100), ctx.writer, seq);
    }
    assert_eq!(sweeper.sweep(), Swept::default());
    add(ctx, UNIX_EPOCH + Duration::from_secs(100), WriterId::random(), 1);
    assert_eq!(sweeper.sweep().deleted, 1, "of somebody else the name is all that is known");
}

/// Puts an index of so many bytes there, changed so long ago.
fn add_index(ctx: &Context, name: &str, bytes: usize, age: Duration) {
    let dir = ctx.layout.index_dir(Signal::Logs);
    std::fs::create_dir_all(&dir).unwrap();
    let file = std::fs::File::create(dir.join(name)).unwrap();
    std::io::Write::write_all(&mut &file, &vec![0; bytes]).unwrap();
    file.set_modified(ctx.clock.wall() - age).unwrap();
}

fn indexes(ctx: &Context) -> Vec<String> {
    let listed = ctx.storage.list(&ctx.layout.index_dir(Signal::Logs)).unwrap();
    let mut names: Vec<String> = listed.into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

#[test]
fn an_index_counts_with_its_file_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let sweeper = sweeper(dir.path());
    let (now, writer, none) = (SystemTime::now(), WriterId::random(), Duration::ZERO);
    for seq in 1..=3 {
        add(&sweeper.ctx, now + Duration::from_secs(u64::from(seq)), writer, seq);
    }
    let stem = |seq: u32| Stem::new(now + Duration::from_secs(u64::from(seq)), writer, seq);
    for seq in 1..=3 {
        add_index(&sweeper.ctx, &format!("{}.idx", stem(seq)), 999, none);
    }
    // Of a file that is gone, and one of which nobody knows what it is.
    add_index(&sweeper.ctx, &format!("{}.idx", stem(4)), 10, none);
    add_index(&sweeper.ctx, "notes", 5, none);
    assert_eq!(sweeper.sweep(), Swept::default());
    assert_eq!(sweeper.ctx.stats.disk_bytes()[Signal::Logs], 3_000);
    assert_eq!(
        indexes(&sweeper.ctx),
        [1, 2, 3].map(|seq| format!("{}.idx", stem(seq))).into_iter().chain(["notes".into()]).collect::<Vec<_>>()
    );
    // Together they are too much: the oldest goes, with its index, and with it goes enough.
    let mut settings = Settings::sample(dir.path());
    settings.retention.max_bytes = 2_500;
    let sweeper = sweeper_of(settings);
    assert_eq!(sweeper.sweep().deleted, 1);
    assert_eq!(indexes(&sweeper.ctx).len(), 3);
    assert!(!indexes(&sweeper.ctx).contains(&format!("{}.idx", stem(1))));
}

#[test]
fn what_was_not_finished_in_an_hour_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let sweeper = sweeper(dir.path());
    let (old, new) = (Duration::from_secs(3_700), Duration::from_secs(3_500));
    add_index(&sweeper.ctx, "a.1.tmp", 10, old);
    add_index(&sweeper.ctx, "a.2.tmp", 10, new);
    sweeper.sweep();
    assert_eq!(indexes(&sweeper.ctx), ["a.2.tmp"]);
}
