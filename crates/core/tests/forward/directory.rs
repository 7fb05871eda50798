//! docs/operations.md lists every file of an output directory: compared with one that was used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use otlp_arrow::SubscribeFrom;
use otlp_arrow::{EventName, OtlpLibrary, Signal};
use otlp_arrow_store::names::{Stem, WriterId};
use otlp_arrow_testkit::backend::{Backend, Reply};
use otlp_arrow_testkit::http;

use crate::support::{LONG, config, destination, event, events_of, export, wait_for};

const DOC: &str = include_str!("../../../../docs/operations.md");

/// The paths of the list, with whether the file is there for a moment only.
fn documented() -> BTreeMap<&'static str, bool> {
    let section = DOC.split("## What is on disk").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let list: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            // Who asks makes an index: that is a crate above this one.
            let path = cells[0].trim_matches('`');
            (path, cells[1].contains("for a moment") || path.starts_with("index/"))
        })
        .collect();
    assert!(list.len() > 10, "{list:?}");
    list
}

/// What stands for the place `name` in a documented path.
fn is(name: &str, text: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match name {
        "signal" => text.parse::<Signal>().is_ok(),
        "stem" => text.parse::<Stem>().is_ok(),
        "writer" | "unique" => text.parse::<WriterId>().is_ok(),
        "destination" | "name" | "cursor" => !text.is_empty() && plain(text),
        "kind" => matches!(text, "forward" | "subscription"),
        "millis" | "number" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        other => panic!("the test does not know <{other}>"),
    }
}

/// Whether `path` is one of those that `pattern` describes.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else { return pattern == path };
    let (name, after) = rest.split_once('>').unwrap();
    let Some(path) = path.strip_prefix(before) else { return false };
    (1..=path.len()).any(|end| {
        path.is_char_boundary(end)
            && !path[..end].contains('/')
            && is(name, &path[..end])
            && matches(after, &path[end..])
    })
}

/// Every file below `dir`, by its path from there.
fn files(dir: &Path, from: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, from, found);
        } else {
            let path = entry.strip_prefix(from).unwrap().to_str().unwrap();
            found.insert(path.replace('\\', "/"));
        }
    }
}

#[test]
fn every_file_of_a_used_directory_is_in_the_list_and_every_line_of_the_list_in_the_directory() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let logs = dir.path().join("otlp/logs");
    // What three writers that were killed have left: a stream with garbage behind it, one that is none, a damaged sealed file.
    {
        let library = OtlpLibrary::open(config(dir.path(), [])).unwrap();
        export(&library, 0, 10);
        library.shutdown_blocking(None).unwrap();
    }
    let sealed = std::fs::read_dir(&logs).unwrap().next().unwrap().unwrap().path();
    let other = tempfile::tempdir().unwrap();
    let library = OtlpLibrary::open(config(other.path(), [])).unwrap();
    export(&library, 10, 20);
    let live = std::fs::read_dir(other.path().join("otlp/logs")).unwrap().next().unwrap().unwrap().path();
    let mut torn = std::fs::read(&live).unwrap();
    torn.extend_from_slice(&[7; 100]);
    library.shutdown_blocking(None).unwrap();
    std::fs::write(logs.join("20261121T074135.042Z-00000000000000ab-00000001.arrows"), torn).unwrap();
    std::fs::write(logs.join("20261121T074135.042Z-00000000000000ac-00000001.arrows"), b"no stream of ours").unwrap();
    std::fs::write(&sealed, b"ARROW1\0\0 damaged").unwrap();
    std::fs::write(dir.path().join("writers").join("00000000000000ad.lock"), "").unwrap();
    let name = sealed.file_name().unwrap().to_str().unwrap();
    let damaged = format!("{}-00000000000000ad-00000001.arrow", name.split('-').next().unwrap());
    std::fs::rename(&sealed, logs.join(damaged)).unwrap();

    let mut config = config(dir.path(), [destination("one", &backend.url())]);
    config.rotation.max_bytes = 1;
    let library = OtlpLibrary::open(config.clone()).unwrap();
    let events = events_of(&library);
    backend.script([Reply::Grpc { status: 3, retry_after: None }]);
    export(&library, 20, 30);
    event(&events, EventName::RecordsRejected);
    let mut subscription = library.subscribe(Signal::Logs, "mine", SubscribeFrom::Beginning).unwrap();
    while subscription.next_blocking().unwrap().unwrap().num_rows() < 10 {}
    subscription.ack();
    wait_for("a sealed file", || {
        std::fs::read_dir(&logs).unwrap().any(|file| file.unwrap().path().extension().is_some_and(|e| e == "arrow"))
    });
    // Of the next process, whose files do not rotate, one is live; what it cannot forward keeps a cursor.
    backend.reply(Reply::Grpc { status: 14, retry_after: None });
    config.rotation.max_bytes = 1 << 30;
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    let second = OtlpLibrary::open(config).unwrap();
    export(&second, 30, 40);
    // It also waits for what came through another recorder.
    let headers = [("content-type", "application/x-protobuf"), ("otlp-arrow-via", "00000000000000af")];
    let address = second.addresses().http.unwrap();
    assert_eq!(http::send(address, "POST", "/v1/logs", &headers, &crate::support::logs(40..50)).status, 200);
    let cursors = dir.path().join("cursors/forward/one");
    wait_for("a note of the way it came", || {
        std::fs::read_dir(&cursors).unwrap().any(|file| file.unwrap().path().extension().is_some_and(|e| e == "via"))
    });
    drop(subscription);

    let mut found = BTreeSet::new();
    files(dir.path(), dir.path(), &mut found);
    let list = documented();
    for path in &found {
        assert!(list.keys().any(|pattern| matches(pattern, path)), "{path} is not in docs/operations.md");
    }
    for pattern in list.iter().filter(|(_, brief)| !**brief).map(|(pattern, _)| pattern) {
        assert!(found.iter().any(|path| matches(pattern, path)), "{pattern} is not in the directory: {found:#?}");
    }
    assert!(matches("cursors/<kind>/<name>/<cursor>.new", "cursors/forward/a/00000000000000ab-logs.new"));
    assert!(!matches("tmp/<stem>", "tmp/x") && !matches("maintenance.lock", "maintenance.lock.old"));
    let _ = (second.shutdown_blocking(Some(LONG)), library.shutdown_blocking(Some(LONG)));
}
