//! What an earlier version left of its cursors is taken over: nothing is delivered again, nothing is lost.

use std::path::{Path, PathBuf};

use otlp_arrow::OtlpLibrary;
use otlp_arrow_testkit::backend::{Backend, Reply};

use crate::support::{LONG, all_of, config, destination, export, numbers, wait_for};

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Puts the cursors of a destination back to where they were before there were kinds: one line each.
fn as_before(dir: &Path, destination: &str) -> usize {
    let (now, before) = (dir.join("cursors/forward").join(destination), dir.join("cursors").join(destination));
    std::fs::create_dir_all(&before).unwrap();
    let cursors = files(&now);
    for cursor in &cursors {
        let text = std::fs::read_to_string(cursor).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "otlp-arrow cursor 1"), "{text}");
        assert!(lines[1].starts_with("v1 "), "{text}");
        std::fs::write(before.join(cursor.file_name().unwrap()), format!("{}\n", lines[1])).unwrap();
    }
    std::fs::remove_dir_all(now).unwrap();
    cursors.len()
}

#[test]
fn cursors_of_an_earlier_version_say_what_still_has_to_go() {
    // A name like those of the kinds' own folders is no worse than others.
    for name in ["next", "forward", "subscription"] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        let open = || OtlpLibrary::open(config(dir.path(), [destination(name, &backend.url())])).unwrap();
        let library = open();
        export(&library, 0, 100);
        backend.wait_until(LONG, all_of(0..100));
        wait_for("an empty backlog", || library.forwarders()[0].info().lag_records == 0);
        backend.reply(Reply::Grpc { status: 14, retry_after: None });
        for from in [100, 200] {
            let library = if from == 100 { library.clone() } else { open() };
            export(&library, from, from + 100);
            assert!(library.shutdown_blocking(None).unwrap().undelivered_records >= 100);
        }
        let cursors = as_before(dir.path(), name);
        assert_eq!(cursors, 2, "one a writer that has something left");

        backend.reply(Reply::Accept);
        let library = open();
        let received = backend.wait_until(LONG, all_of(0..300));
        assert!(numbers(&received).values().all(|times| *times == 1), "{name}: nothing twice");
        let before = dir.path().join("cursors").join(name);
        wait_for("the cursors of the dead to go", || files(&before).is_empty());
        library.shutdown_blocking(None).unwrap();
        assert_eq!(files(&dir.path().join("cursors/forward").join(name)), [] as [PathBuf; 0], "no cursor is left");
        assert_eq!(files(&dir.path().join("writers")), [] as [PathBuf; 0], "no lock is left");
    }
}
