#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{SystemTime, UNIX_EPOCH};

use otlp_arrow_base::clock::ManualClock;

use super::*;
use crate::disk::storage_os::OsStorage;
use crate::settings::Settings;
use crate::write::wakeup::Wakeup;

/// What sweeps `dir`, without any thread.
fn sweeper(dir: &Path) -> Sweeper {
    let clock = ManualClock::new().clock();
    let settings = Settings::sample(dir);
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
