#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::disk::names::Stem;
use crate::disk::storage_os::OsStorage;

fn at(writer: u64, seq: u32, row: u64) -> Position {
    Position { stem: Stem { created_ms: 7, writer: WriterId(writer), seq }, row }
}

fn positions(of: impl IntoIterator<Item = Position>) -> Positions {
    of.into_iter().map(|position| (position.stem.writer, position)).collect()
}

#[test]
fn a_cursor_survives_its_text_and_no_damage() {
    let known = positions([at(1, 4, 17), at(2, 9, u64::MAX)]);
    assert_eq!(parse(&text(&known)), Some(known.clone()));
    assert_eq!(parse(&text(&Positions::new())), Some(Positions::new()));
    let whole = text(&known);
    for at in 0..whole.len() {
        let mut damaged = whole.clone().into_bytes();
        damaged[at] ^= 1;
        assert_eq!(parse(&String::from_utf8(damaged).unwrap()), None, "byte {at}");
        assert_eq!(parse(&whole[..at]), None, "cut at {at}");
    }
}

#[test]
fn a_destination_and_a_subscription_of_one_name_do_not_meet() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let forward = log.cursor(Consumer::Forward { destination: "a", writer: WriterId(1), signal: Signal::Logs });
    let subscription = log.cursor(Consumer::Subscription { name: "a", signal: Signal::Logs });
    forward.write(&OsStorage, &positions([at(1, 2, 3)])).unwrap();
    assert_eq!(subscription.read(&OsStorage).unwrap(), Saved::Nothing);
    subscription.write(&OsStorage, &positions([at(4, 5, 6)])).unwrap();
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 2, 3)])));
    assert_eq!(subscription.read(&OsStorage).unwrap(), Saved::At(positions([at(4, 5, 6)])));
    assert_eq!(log.writers_with_cursors("a"), [WriterId(1)]);
    assert!(dir.path().join("cursors/forward/a/0000000000000001-logs").is_file());
    assert!(dir.path().join("cursors/subscription/a/logs").is_file());
    forward.remove(&OsStorage);
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::Nothing);
}

#[test]
fn a_cursor_of_an_earlier_version_is_moved_and_the_further_one_counts() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::read_only(dir.path());
    let old_dir = dir.path().join("cursors/a");
    std::fs::create_dir_all(&old_dir).unwrap();
    let forward = log.cursor(Consumer::Forward { destination: "a", writer: WriterId(1), signal: Signal::Logs });
    let old = old_dir.join("0000000000000001-logs");
    // One line, as it was then.
    std::fs::write(&old, format!("{}\n", at(1, 2, 30))).unwrap();
    assert_eq!(log.writers_with_cursors("a"), [WriterId(1)]);
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 2, 30)])));
    assert!(!old.exists() && forward.path().is_file());
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 2, 30)])), "moved, not lost");

    // Both are there where a process ended between the two steps, or where both versions run side by side.
    for (new, before) in [(at(1, 3, 1), at(1, 2, 99)), (at(1, 2, 99), at(1, 3, 1))] {
        forward.write(&OsStorage, &positions([new])).unwrap();
        std::fs::write(&old, format!("{before}\n")).unwrap();
        assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 3, 1)])));
        assert!(!old.exists());
    }
    std::fs::write(&old, "v1 torn").unwrap();
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 3, 1)])));
    std::fs::write(forward.path(), "torn").unwrap();
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::Damaged);
    std::fs::write(&old, format!("{}\n", at(1, 2, 3))).unwrap();
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::At(positions([at(1, 2, 3)])));
    forward.write(&OsStorage, &positions([at(1, 9, 9)])).unwrap();
    std::fs::write(&old, format!("{}\n", at(1, 2, 3))).unwrap();
    forward.remove(&OsStorage);
    assert_eq!(forward.read(&OsStorage).unwrap(), Saved::Nothing, "what is done does not come back");
}
