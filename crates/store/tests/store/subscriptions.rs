//! Durable named cursors over what is committed.

use std::path::Path;
use std::time::Duration;

use otlp_arrow_base::Code;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::Store;
use otlp_arrow_store::subscription::{SubscribeFrom, Subscription};

use crate::support::*;

fn follow(store: &Store, name: &str) -> Subscription {
    store.subscribe(Signal::Logs, name, SubscribeFrom::Beginning).unwrap()
}

/// The next `count` records; batches must end there.
fn take(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(numbers(&subscription.next_blocking().expect("not the end").unwrap()));
    }
    assert_eq!(found.len(), count, "{found:?}");
    found
}

fn rest(subscription: &mut Subscription) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(batch) = subscription.next_blocking() {
        found.extend(numbers(&batch.unwrap()));
    }
    found
}

fn cursor_file(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("cursors/subscription").join(name).join("logs")).unwrap_or_default()
}

#[test]
fn what_is_committed_comes_in_order_while_it_is_rotated_and_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 20_000;
    let store = open(&config);
    let mut subscription = follow(&store, "tail");
    let found = std::thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            for request in 0..100 {
                put(store, request * 10..(request + 1) * 10).unwrap();
            }
            store.close(soon());
        });
        rest(&mut subscription)
    });
    assert_eq!(found, (0..1000).collect::<Vec<_>>());
    assert!(log_files(dir.path(), "arrow").len() > 3);
}

#[test]
fn a_damaged_file_is_told_once_and_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 1;
    let store = open(&config);
    for id in 0..4 {
        put(&store, [id]).unwrap();
    }
    store.close(soon());
    let files = log_files(dir.path(), "arrow");
    let whole = std::fs::read(&files[1]).unwrap();
    std::fs::write(&files[1], &whole[..whole.len() / 2]).unwrap();
    let store = open(&config);
    let mut subscription = follow(&store, "tail");
    let mut found = Vec::new();
    let mut errors = 0;
    while found.len() < 3 {
        match subscription.next_blocking().unwrap() {
            Ok(batch) => found.extend(numbers(&batch)),
            Err(error) => {
                assert!(error.message().contains(files[1].to_str().unwrap()), "{error}");
                errors += 1;
            }
        }
    }
    assert_eq!((found, errors), (vec![0, 2, 3], 1));
}

#[test]
fn a_new_record_arrives_without_delay() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    let mut subscription = follow(&store, "tail");
    let began = std::time::Instant::now();
    for id in 0..20 {
        put(&store, [id]).unwrap();
        assert_eq!(take(&mut subscription, 1), [id]);
    }
    // The clock alone wakes once a second.
    assert!(began.elapsed() < Duration::from_secs(10), "woken by the commits");
}

#[test]
fn what_was_not_acknowledged_comes_again_for_the_same_name_only() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(&config(dir.path()));
        put(&store, 0..10).unwrap();
        let mut subscription = follow(&store, "alerts");
        assert_eq!(take(&mut subscription, 10), (0..10).collect::<Vec<_>>());
        subscription.ack();
        put(&store, 10..20).unwrap();
        assert_eq!(take(&mut subscription, 10), (10..20).collect::<Vec<_>>());
        drop(subscription);
        let mut again = follow(&store, "alerts");
        assert_eq!(take(&mut again, 10), (10..20).collect::<Vec<_>>(), "in the same process");
        store.close(soon());
    }
    let store = open(&config(dir.path()));
    put(&store, 20..30).unwrap();
    let mut subscription = follow(&store, "alerts");
    assert_eq!(take(&mut subscription, 20), (10..30).collect::<Vec<_>>(), "in the next process, then its own");
    subscription.ack();
    let mut other = follow(&store, "other");
    assert_eq!(take(&mut other, 30), (0..30).collect::<Vec<_>>());
}

#[test]
fn a_cursor_in_the_middle_of_a_file_stays_valid_when_the_file_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    let mut subscription = follow(&store, "tail");
    put(&store, 0..7).unwrap();
    take(&mut subscription, 7);
    subscription.ack();
    put(&store, 7..20).unwrap();
    drop(subscription);
    store.close(soon());
    assert!(log_files(dir.path(), "arrows").is_empty());
    let store = open(&config(dir.path()));
    assert_eq!(take(&mut follow(&store, "tail"), 13), (7..20).collect::<Vec<_>>());
}

#[test]
fn now_skips_what_is_there_and_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    put(&store, 0..10).unwrap();
    drop(store.subscribe(Signal::Logs, "tail", SubscribeFrom::Now).unwrap());
    put(&store, 10..15).unwrap();
    let mut subscription = store.subscribe(Signal::Logs, "tail", SubscribeFrom::Now).unwrap();
    assert_eq!(take(&mut subscription, 5), (10..15).collect::<Vec<_>>());
}

#[test]
fn an_acknowledgement_is_on_disk_within_a_second_or_so_and_at_drop() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    put(&store, 0..10).unwrap();
    let mut subscription = follow(&store, "tail");
    take(&mut subscription, 10);
    subscription.ack();
    until("the cursor is written", || cursor_file(dir.path(), "tail").contains(" 10 "));
    put(&store, 10..12).unwrap();
    take(&mut subscription, 2);
    subscription.ack();
    drop(subscription);
    assert!(cursor_file(dir.path(), "tail").contains(" 12 "));
}

#[test]
fn a_damaged_cursor_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&config(dir.path()));
    put(&store, 0..10).unwrap();
    let mut subscription = follow(&store, "tail");
    take(&mut subscription, 10);
    subscription.ack();
    drop(subscription);
    let path = dir.path().join("cursors/subscription/tail/logs");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(" 10 ", " 99 ")).unwrap();
    assert_eq!(take(&mut follow(&store, "tail"), 10), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_name_has_one_subscriber_and_must_be_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&config(dir.path())), open(&config(dir.path())));
    let subscription = follow(&first, "tail");
    assert_eq!(second.subscribe(Signal::Logs, "tail", SubscribeFrom::Now).unwrap_err().code(), Code::Unavailable);
    drop(subscription);
    drop(follow(&second, "tail"));
    assert_eq!(first.subscribe(Signal::Logs, "../up", SubscribeFrom::Now).unwrap_err().code(), Code::InvalidConfig);
}

#[test]
fn what_other_writers_of_the_directory_commit_comes_too() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&config(dir.path())), open(&config(dir.path())));
    put(&second, 0..5).unwrap();
    let mut subscription = follow(&first, "tail");
    assert_eq!(take(&mut subscription, 5), (0..5).collect::<Vec<_>>());
    put(&second, 5..9).unwrap();
    assert_eq!(take(&mut subscription, 4), (5..9).collect::<Vec<_>>());
    second.close(soon());
    put(&first, 9..12).unwrap();
    assert_eq!(take(&mut subscription, 3), (9..12).collect::<Vec<_>>());
}

#[test]
fn what_a_subscriber_did_not_get_before_retention_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.rotation.max_bytes = 1;
    config.retention.max_bytes = 40_000;
    let store = open(&config);
    put(&store, 0..10).unwrap();
    let mut subscription = follow(&store, "tail");
    take(&mut subscription, 10);
    // Not acknowledged: the first file is needed, what follows as well.
    let mut next = 10;
    until("older files went", || {
        until("there is room", || put(&store, next..next + 10).is_ok());
        next += 10;
        let left = ids(&store);
        (left.len() as u64) < next
    });
    let evicted = || store.stats().snapshot().total("otlp_arrow_dropped_records_total", &[("reason", "evicted")]);
    until("the loss is counted", || evicted() > 0);
    assert_eq!(evicted() % 10, 0);
}

#[test]
fn a_subscription_of_an_earlier_version_goes_on_where_it_was() {
    for name in ["alerts", "forward", "subscription"] {
        let dir = tempfile::tempdir().unwrap();
        {
            let store = open(&config(dir.path()));
            put(&store, 0..10).unwrap();
            let mut subscription = follow(&store, name);
            take(&mut subscription, 10);
            subscription.ack();
            put(&store, 10..20).unwrap();
            take(&mut subscription, 10);
            drop(subscription);
            store.close(soon());
        }
        // Where it was before there were kinds, with the lock beside it.
        let (now, before) = (dir.path().join("cursors/subscription").join(name), dir.path().join("cursors").join(name));
        std::fs::create_dir_all(&before).unwrap();
        std::fs::rename(now.join("logs"), before.join("logs")).unwrap();
        std::fs::rename(now.join("logs.lock"), before.join("logs.lock")).unwrap();
        std::fs::remove_dir(&now).unwrap();
        let store = open(&config(dir.path()));
        put(&store, 20..30).unwrap();
        // Its folder is where the cursor of the other one was.
        let mut other = follow(&store, "logs");
        assert_eq!(take(&mut other, 30), (0..30).collect::<Vec<_>>());
        let mut subscription = follow(&store, name);
        assert_eq!(take(&mut subscription, 20), (10..30).collect::<Vec<_>>(), "{name}: nothing again, nothing lost");
        subscription.ack();
        drop(subscription);
        let text = cursor_file(dir.path(), name);
        assert!(text.contains(" 20 ") && text.contains(" 10 "), "{text}");
        assert!(!before.join("logs").is_file() && !before.join("logs.lock").is_file(), "{name}: it was moved");
    }
}
