//! What may happen to files and to a question on its way: whatever it is, the answer says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use otlp_arrow::config::{Durability, Query};
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};
use otlp_arrow_base::clock::ManualClock;
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{
    FacetsQuestion, LogsQuestion, SearchQuestion, ServicesQuestion, Spans, SpansQuestion,
};
use otlp_arrow_query::scan::{AskOptions, Asking, Cancel, NoPruner, Stop};
use otlp_arrow_query::{Answer, Ask, Question, Telemetry};
use otlp_arrow_store::Log;
use otlp_arrow_testkit::watch::names;

use crate::sample;

fn all() -> SpansQuestion {
    SpansQuestion { filter: Filter { limit: Some(100_000), ..Filter::default() } }
}

fn numbers(answer: &Spans) -> Vec<i64> {
    answer.iter().map(|span| span.attributes.text("number").unwrap().parse().unwrap()).collect()
}

/// Files of spans.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let folder = dir.join("otlp/traces");
    let has = |name: &String| name.ends_with(&format!(".{extension}"));
    names(dir, "otlp/traces").into_iter().filter(has).map(|name| folder.join(name)).collect()
}

fn ask_after<Q: Question>(telemetry: &Telemetry, question: &Q, between: impl FnOnce()) -> Q::Answer {
    let options = AskOptions::default();
    let asking = Asking::begin(telemetry.engine(), &options).unwrap();
    for signal in [Signal::Traces, Signal::Logs] {
        asking.files().of(signal).unwrap();
    }
    between();
    question.ask(&asking).unwrap()
}

#[test]
fn a_file_that_is_sealed_meanwhile_is_read_in_its_new_form() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    for telemetry in [Telemetry::open(dir.path()), library.telemetry()] {
        // What is kept of the live file does not stand in the way either.
        assert_eq!(telemetry.ask(&all()).unwrap().batch.num_rows(), 6_000);
    }
    let (reader, own) = (Telemetry::open(dir.path()), library.telemetry());
    assert_eq!(own.ask(&all()).unwrap().batch.num_rows(), 6_000);
    let answer = ask_after(&own, &all(), || {
        library.shutdown_blocking(None).unwrap();
    });
    assert_eq!((answer.batch.num_rows(), answer.searched.complete), (6_000, true));
    assert!(files(dir.path(), "arrows").is_empty());
    assert_eq!(reader.ask(&all()).unwrap().batch.num_rows(), 6_000);
}

#[test]
fn rows_that_come_after_the_question_are_not_in_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = library.telemetry();
    let answer = ask_after(&telemetry, &all(), || sample::send(&library, 6_000..6_500, 100));
    assert_eq!(answer.batch.num_rows(), 6_000);
    // Not even where they are in the same file, which is sealed by then.
    let answer = ask_after(&telemetry, &all(), || {
        sample::send(&library, 6_500..7_000, 100);
        library.shutdown_blocking(None).unwrap();
    });
    assert_eq!(answer.batch.num_rows(), 6_500);
    assert_eq!(telemetry.ask(&all()).unwrap().batch.num_rows(), 7_000);
}

#[test]
fn files_that_are_deleted_or_damaged_are_told_and_the_others_answer() {
    let dir = tempfile::tempdir().unwrap();
    sample::mixed(dir.path()).shutdown_blocking(None).unwrap();
    let sealed = files(dir.path(), "arrow");
    assert_eq!(sealed.len(), 3);
    let telemetry = Telemetry::open(dir.path());
    let answer = ask_after(&telemetry, &all(), || std::fs::remove_file(&sealed[0]).unwrap());
    assert_eq!((answer.batch.num_rows(), answer.searched.complete), (4_000, false));
    assert_eq!(answer.searched.skipped.len(), 1);
    assert!(answer.searched.skipped[0].why.contains("deleted while"), "{:?}", answer.searched);
    // The next question does not miss it.
    let answer = telemetry.ask(&all()).unwrap();
    assert_eq!((answer.batch.num_rows(), answer.searched.complete, answer.searched.files), (4_000, true, 2));

    let bytes = std::fs::read(&sealed[1]).unwrap();
    for (at, change) in [(bytes.len() / 2, 0x10), (bytes.len() - 8, 0xff), (3, 0x01)] {
        let mut damaged = bytes.clone();
        damaged[at] ^= change;
        std::fs::write(&sealed[1], &damaged).unwrap();
        let telemetry = Telemetry::open(dir.path());
        let answer = telemetry.ask(&all()).unwrap();
        assert_eq!((answer.batch.num_rows(), answer.searched.complete), (2_000, false), "byte {at}");
        assert!(!answer.searched.skipped[0].why.is_empty());
        let services = telemetry.ask(&ServicesQuestion::default()).unwrap();
        assert_eq!(
            (services.services.iter().map(|service| service.spans).sum::<u64>(), services.searched.skipped.len()),
            (2_000, 1)
        );
    }
    std::fs::write(&sealed[1], &bytes[..bytes.len() / 3]).unwrap();
    assert_eq!(Telemetry::open(dir.path()).ask(&all()).unwrap().batch.num_rows(), 2_000);
}

#[test]
fn of_a_live_file_that_nobody_writes_any_more_the_whole_commits_count() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    sample::send(&library, 0..1_000, 100);
    let live = files(dir.path(), "arrows").remove(0);
    let whole = std::fs::read(&live).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("otlp/traces").join(live.file_name().unwrap());
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let telemetry = Telemetry::open(copy.path());
    let mut before = 0;
    for len in [0, 7, whole.len() / 3, whole.len() / 2, whole.len() - 1, whole.len()] {
        std::fs::write(&to, &whole[..len]).unwrap();
        let answer = telemetry.ask(&all()).unwrap();
        let rows = answer.batch.num_rows();
        assert!(
            rows.is_multiple_of(100) && rows >= before && answer.searched.complete,
            "{rows} of {len}: {:?}",
            answer.searched
        );
        before = rows;
    }
    assert_eq!(before, 1_000);
    std::fs::write(&to, [whole.as_slice(), &[0xff; 100]].concat()).unwrap();
    assert_eq!(telemetry.ask(&all()).unwrap().batch.num_rows(), 1_000);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn nothing_at_all_and_foreign_files_are_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = Telemetry::open(dir.path().join("not/there"));
    let answer = telemetry.ask(&all()).unwrap();
    assert_eq!((answer.rows(), answer.searched.complete, answer.searched.files), (0, true, 0));
    let traces = dir.path().join("otlp/traces");
    std::fs::create_dir_all(traces.join("20261121T074135.042Z-00000000000000ab-00000007.arrow")).unwrap();
    std::fs::write(traces.join("notes.txt"), "x").unwrap();
    std::fs::write(traces.join("other.arrow"), "x").unwrap();
    let answer = Telemetry::open(dir.path()).ask(&all()).unwrap();
    assert_eq!(answer.rows(), 0);
}

/// A directory of 6,000 spans, asked within these limits.
fn limited(dir: &Path, limits: Query) -> Telemetry {
    sample::mixed(dir).shutdown_blocking(None).unwrap();
    Telemetry::with(dir, limits)
}

#[test]
fn time_rows_and_memory_end_a_question_with_what_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = limited(dir.path(), Query { max_rows: 500, ..Query::default() });
    let answer = telemetry.ask(&all()).unwrap();
    assert_eq!((answer.rows(), answer.searched.why), (500, Some(Stop::MaxRows)));
    let rest = SpansQuestion { filter: Filter { cursor: answer.cursor, ..all().filter } };
    assert_eq!(numbers(&telemetry.ask(&rest).unwrap())[..2], [5_499, 5_498]);

    let telemetry = Telemetry::with(dir.path(), Query { max_memory: 100_000, ..Query::default() });
    let answer = telemetry.ask(&all()).unwrap();
    assert_eq!((answer.searched.why, answer.searched.complete), (Some(Stop::Memory), false));
    let facets = FacetsQuestion { signal: Signal::Traces, by: Vec::new(), filter: Filter::default() };
    assert_eq!(telemetry.ask(&facets).unwrap().searched.why, Some(Stop::Memory));
    assert_eq!(telemetry.engine().memory().0, 0, "everything was given back");

    // A clock that passes the deadline with the first block that was searched.
    let manual = ManualClock::new();
    let clock = manual.clock();
    let source = Arc::new(Log::read_only(dir.path()));
    let telemetry = Telemetry::pruned(source, Query::default(), clock, Arc::new(NoPruner));
    let options = AskOptions {
        progress: Some(Arc::new(move |_| manual.advance(Duration::from_secs(40)))),
        ..AskOptions::default()
    };
    let answer = telemetry.ask_with(&all(), &options).unwrap();
    assert_eq!((answer.searched.why, answer.searched.complete), (Some(Stop::Timeout), false));
    let found = numbers(&answer);
    assert!(!found.is_empty() && found.len() < 6_000);
    // What it says it has searched has all of its rows.
    let from = answer.searched.from.unwrap();
    let made = sample::spans(0..6_000);
    let wanted: Vec<i64> = made.iter().rev().filter(|made| made.start >= from).map(|made| made.number).collect();
    assert_eq!(found[..wanted.len()], wanted);
}

#[test]
fn a_question_that_nobody_wants_answered_any_more_ends() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = limited(dir.path(), Query::default());
    let cancel = Cancel::default();
    cancel.cancel();
    let options = AskOptions { cancel, ..AskOptions::default() };
    let answer = telemetry.ask_with(&SearchQuestion::default(), &options).unwrap();
    assert_eq!((answer.rows(), answer.searched.why, answer.searched.complete), (0, Some(Stop::Cancelled), false));
}

#[test]
fn more_questions_than_may_be_asked_at_once_wait_for_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = limited(dir.path(), Query { max_concurrent: 1, ..Query::default() });
    let options = AskOptions::default();
    let first = Asking::begin(telemetry.engine(), &options).unwrap();
    let hurried = AskOptions { timeout: Some(Duration::from_millis(20)), ..AskOptions::default() };
    let error = telemetry.ask_with(&all(), &hurried).unwrap_err();
    assert!(error.code() == Code::Unavailable && error.retryable(), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| telemetry.ask(&all()).unwrap().rows());
        drop(first);
        assert_eq!(waiting.join().unwrap(), 6_000);
    });
}

#[test]
fn what_is_acknowledged_in_memory_only_is_written_for_a_question() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.durability = Durability::Buffered { write_interval: Duration::from_secs(3_600) };
    config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(config).unwrap();
    let telemetry = library.telemetry();
    for round in 1..4u64 {
        sample::send(&library, (round - 1) * 50..round * 50, 50);
        assert_eq!(telemetry.ask(&all()).unwrap().rows() as u64, 50 * round);
    }
    assert_eq!(telemetry.ask(&LogsQuestion::default()).unwrap().rows(), 100);
    library.shutdown_blocking(None).unwrap();
}

/// Files are rotated, sealed and deleted all the time: every answer has what was there, in order, without a gap that is not
/// told.
#[test]
fn questions_go_on_during_rotation_sealing_and_retention() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.rotation.max_bytes = 64 << 10;
    config.retention.max_bytes = 2 << 20;
    let library = OtlpLibrary::open(config).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..60u64 {
                let made = sample::spans(round * 200..(round + 1) * 200);
                block_on(library.export_otlp(Signal::Traces, sample::request(&made))).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let ask = |telemetry: Telemetry| {
            let newest_first = SpansQuestion { filter: Filter { limit: Some(1_500), ..Filter::default() } };
            let mut newest = -1;
            loop {
                let last = done.load(Ordering::SeqCst);
                let answer = telemetry.ask(&newest_first).unwrap();
                let found = numbers(&answer);
                assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "in order, none twice");
                if answer.searched.skipped.is_empty() {
                    let gap = found.windows(2).find(|pair| pair[0] != pair[1] + 1);
                    assert_eq!(gap, None, "{:?}", answer.searched);
                }
                let first = found.first().copied().unwrap_or(-1);
                assert!(first >= newest, "what was there once is there");
                newest = first;
                if last {
                    break;
                }
            }
            newest
        };
        let (own, other) = (library.telemetry(), Telemetry::open(dir.path()));
        let (own, other) = (scope.spawn(move || ask(own)), scope.spawn(move || ask(other)));
        writer.join().unwrap();
        assert_eq!((own.join().unwrap(), other.join().unwrap()), (11_999, 11_999));
    });
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn hostile_content_is_only_content() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    let value = |text: &str| serde_json::json!({"stringValue": text});
    let body = "x".repeat(10 << 20);
    let groups: Vec<_> = (0..5_000)
        .map(|number| {
            let name = format!("<script>{number}</script>\u{1b}[2J");
            serde_json::json!({"resource": {"attributes": [{"key": "service.name", "value": value(&name)}]},
                "scopeLogs": [{"logRecords": [{"body": value(if number == 17 { &body } else { "small" })}]}]})
        })
        .collect();
    let request = serde_json::json!({"resourceLogs": groups}).to_string();
    let request = otlp_arrow_columns::json::to_protobuf(Signal::Logs, request.as_bytes(), &Default::default()).unwrap();
    block_on(library.export_otlp(Signal::Logs, request.into())).unwrap();
    let telemetry = library.telemetry();
    let filter = |pairs: &[(&str, &str)]| Filter::parse(pairs.iter().copied(), telemetry.now()).unwrap();
    let big = telemetry.ask(&LogsQuestion { filter: filter(&[("text", "xxxxxxxxxxxxxxxxxxxxx")]) }).unwrap();
    assert_eq!(big.iter().next().unwrap().body.unwrap().len(), 10 << 20);
    let named = filter(&[("service", "<script>4999</script>\u{1b}[2J")]);
    assert_eq!(telemetry.ask(&LogsQuestion { filter: named }).unwrap().rows(), 1);
    let facets = FacetsQuestion { signal: Signal::Logs, by: Vec::new(), filter: Filter::default() };
    let facets = telemetry.ask(&facets).unwrap();
    assert_eq!((facets.facets[0].distinct, facets.total), (5_000, 5_000));
    // A century, a regular expression that explodes elsewhere, and a great many conditions.
    let century = filter(&[("from", "1970-01-01"), ("to", "2070-01-01"), ("regex", "(x+x+)+y")]);
    assert_eq!(telemetry.ask(&LogsQuestion { filter: century }).unwrap().rows(), 0);
    let many: Vec<(&str, &str)> = (0..5_000).map(|_| ("attr", "!nobody")).collect();
    assert_eq!(telemetry.ask(&LogsQuestion { filter: filter(&many) }).unwrap().rows(), 100);
    library.shutdown_blocking(None).unwrap();
}
