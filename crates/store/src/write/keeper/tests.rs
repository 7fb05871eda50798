#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::disk::storage_os::OsStorage;
use crate::settings::Settings;

/// A store's context over `dir`, without its threads.
fn context(dir: &Path) -> Context {
    Context::new(Settings::sample(dir), Arc::new(OsStorage), Arc::new(|_| {}), Arc::default(), Arc::default())
}

/// Puts a sealed file there that was created at `created`; what is in it does not matter here.
fn add(ctx: &Context, created: SystemTime, writer: WriterId, seq: u32) {
    let path = ctx.layout.data(Signal::Logs, &Stem::new(created, writer, seq), Form::Sealed);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "x").unwrap();
}

#[test]
fn a_clock_gone_wrong_has_time_to_be_set_right() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let writer = WriterId::random();
    for seq in 0..25 {
        add(&ctx, UNIX_EPOCH + Duration::from_secs(u64::from(seq)), writer, seq);
    }
    // Not soon again: of a day, a hundredth is longer than it takes until the next regular sweep.
    for _ in 0..2 {
        let swept = sweep(&ctx);
        assert_eq!((swept.deleted, swept.again), (3, false));
        assert_eq!(swept.more_after, Some(Duration::from_secs(24 * 36)));
    }
    assert_eq!(ctx.storage.list(&ctx.layout.signal_dir(Signal::Logs)).unwrap().len(), 19);
}

#[test]
fn what_was_written_before_the_clock_was_set_is_not_older_than_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    // As on a machine that starts in 1970 and learns the time a moment later.
    for seq in 1..5 {
        add(&ctx, UNIX_EPOCH + Duration::from_secs(100), ctx.writer, seq);
    }
    assert_eq!(sweep(&ctx), Swept::default());
    add(&ctx, UNIX_EPOCH + Duration::from_secs(100), WriterId::random(), 1);
    assert_eq!(sweep(&ctx).deleted, 1, "of somebody else the name is all that is known");
}
