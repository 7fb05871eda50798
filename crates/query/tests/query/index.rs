//! Indexes: an answer with them is the answer without, whatever becomes of their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use otlp_arrow::Signal;
use otlp_arrow::config::Query;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_query::filter::Term;
use otlp_arrow_query::index::Indexes;
use otlp_arrow_query::questions::Kind;
use otlp_arrow_query::scan::{AskOptions, Asking, NoPruner, Pruned, Pruner};
use otlp_arrow_query::snapshot::{Cache, File, Source};
use otlp_arrow_query::{Indexed, Telemetry};
use otlp_arrow_store::Log;
use otlp_arrow_testkit::rng::Rng;
use otlp_arrow_testkit::watch::names;

use crate::sample::{self, SECOND, START};

/// What is asked, with an index or without.
struct Asker {
    telemetry: Telemetry,
}

fn asker(dir: &Path, indexed: bool) -> Asker {
    let source = Arc::new(Log::read_only(dir));
    let pruner: Arc<dyn Pruner> = if indexed { Arc::new(Indexes::default()) } else { Arc::new(NoPruner) };
    Asker { telemetry: Telemetry::pruned(source, Query::default(), Clock::system(), pruner) }
}

impl Asker {
    fn ask(&self, question: &str, words: &[(String, String)]) -> String {
        let now = START + 600 * SECOND;
        let question = Kind::named(question).unwrap().parse(words.iter().cloned(), now).unwrap();
        let options = AskOptions::default();
        let asking = Asking::begin(self.telemetry.engine(), &options).unwrap();
        question.ask_any(&asking).unwrap().to_json().unwrap()
    }

    /// Waits for the indexes of what was asked until now.
    fn settle(&self) {
        let clock = Clock::system();
        let until = clock.now() + Duration::from_secs(60);
        assert!(self.telemetry.settle(until), "indexes take more than a minute");
    }
}

fn indexes(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = ["traces", "logs"]
        .iter()
        .flat_map(|signal| std::fs::read_dir(dir.join("index").join(signal)).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .collect();
    all.sort();
    all
}

fn pair(key: &str, value: impl ToString) -> (String, String) {
    (key.to_owned(), value.to_string())
}

/// A random filter of what the sample has, and of some things that it lacks.
fn filter(rng: &mut Rng, signal: Signal, numbers: u64) -> Vec<(String, String)> {
    let mut words = Vec::new();
    let made = &sample::spans(0..numbers)[..];
    let span = |rng: &mut Rng| rng.pick(made).clone();
    if rng.one_in(2) {
        let from = rng.below(numbers / 10 + 40);
        words.push(pair("from", (START + from * SECOND).saturating_sub(20 * SECOND)));
        if rng.one_in(2) {
            words.push(pair("to", START + (from + 1 + rng.below(numbers / 20 + 1)) * SECOND));
        }
    }
    if rng.one_in(3) {
        words.push(pair("service", rng.pick(&["checkout", "!payment", "~^pay", "nobody", "\"\""])));
    }
    if rng.one_in(4) {
        let id = otlp_arrow_query::record::hex(&span(rng).trace);
        let id = if rng.one_in(5) { "00112233445566778899aabbccddeeff".to_owned() } else { id };
        words.push(pair("trace", &id[..*rng.pick(&[32, 32, 20, 9, 8, 7, 6, 4])]));
    }
    if rng.one_in(4) {
        let route =
            ["http.route=/route/3", "http.route", "!http.route", "number>700", "gone", "!gone", "gone!=1", "gone~x"];
        words.push(pair("attr", rng.pick(&route)));
    }
    if rng.one_in(6) {
        words.push(pair("resource", rng.pick(&["host.cores>7", "host.cores=8", "!host.cores", "rack", "!rack"])));
    }
    match signal {
        Signal::Traces => {
            if rng.one_in(3) {
                words.push(pair("name", rng.pick(&["charge", "!charge", "~cart|orders", "nothing"])));
            }
            if rng.one_in(4) {
                words.push(pair("status", rng.pick(&["error", "unset", "ok", "!error"])));
            }
            if rng.one_in(4) {
                words.push(pair("kind", rng.pick(&["server", "client", "producer"])));
            }
            if rng.one_in(3) {
                let least = rng.below(2_100);
                words.push(pair("min_duration", format!("{least}ms")));
                if rng.one_in(2) {
                    words.push(pair("max_duration", format!("{}ms", least + rng.below(50))));
                }
            }
            if rng.one_in(8) {
                words.push(pair("span", otlp_arrow_query::record::hex(&span(rng).id)));
            }
        }
        _ => {
            if rng.one_in(2) {
                words.push(pair("severity", rng.pick(&[">=error", "info", "<=4", "24", "0", ">24", "fatal"])));
            }
            if rng.one_in(5) {
                words.push(pair("text", rng.pick(&["declined", "MISS", "took 9", "nothing"])));
            }
        }
    }
    words
}

/// A question, and its words.
fn question(rng: &mut Rng, numbers: u64) -> (&'static str, Vec<(String, String)>) {
    let (name, signal) = *rng.pick(&[
        ("spans", Signal::Traces),
        ("traces", Signal::Traces),
        ("logs", Signal::Logs),
        ("counts", Signal::Traces),
        ("counts", Signal::Logs),
        ("services", Signal::Traces),
        ("attributes", Signal::Traces),
        ("attributes", Signal::Logs),
        ("facets", Signal::Traces),
        ("trace", Signal::Traces),
    ]);
    if name == "trace" {
        let made = sample::spans(0..numbers);
        let id = otlp_arrow_query::record::hex(&rng.pick(&made).trace);
        return (name, vec![pair("trace", &id[..*rng.pick(&[32, 24, 12])])]);
    }
    let mut words = filter(rng, signal, numbers);
    match name {
        "spans" | "logs" | "traces" => {
            words.push(pair("limit", rng.pick(&[1, 7, 500, 100_000])));
            words.push(pair("order", rng.pick(&["newest", "oldest"])));
        }
        "counts" | "attributes" | "facets" => words.push(pair("signal", signal)),
        _ => {}
    }
    (name, words)
}

/// An answer without how many rows were searched for it, where that ended early: threads are not always equally far.
fn comparable(answer: &str) -> serde_json::Value {
    let mut answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let searched = answer["searched"].as_object_mut().unwrap();
    if searched.contains_key("why") {
        searched.retain(|key, _| key == "why");
    }
    answer
}

/// Does something to one index that must not change any answer.
fn mangle(rng: &mut Rng, dir: &Path, log: &mut Vec<String>) {
    let all = indexes(dir);
    if all.is_empty() {
        return;
    }
    let path = rng.pick(&all);
    let bytes = std::fs::read(path).unwrap();
    let mut changed = bytes.clone();
    let what = match rng.below(8) {
        0 => {
            std::fs::remove_file(path).unwrap();
            log.push(format!("deleted {path:?}"));
            return;
        }
        1 => {
            changed.truncate(rng.index(bytes.len()));
            "torn"
        }
        2 | 3 => {
            let at = rng.index(bytes.len());
            changed[at] ^= 1 << rng.below(8);
            "one bit"
        }
        4 => {
            let at = rng.index(bytes.len());
            let end = (at + 1 + rng.index(64)).min(bytes.len());
            changed[at..end].fill(0);
            "zeros"
        }
        5 => {
            changed = std::fs::read(rng.pick(&all)).unwrap();
            "another file's"
        }
        6 => {
            changed[8..10].copy_from_slice(&2u16.to_le_bytes());
            "a newer version"
        }
        _ => {
            changed.extend_from_slice(&bytes);
            "too long"
        }
    };
    std::fs::write(path, changed).unwrap();
    log.push(format!("{what}: {path:?}"));
}

fn seed() -> u64 {
    let given = std::env::var("OTLP_ARROW_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        Clock::system().wall().elapsed().map_or(1, |since| since.as_nanos() as u64) ^ std::process::id() as u64
    })
}

/// A directory of several writers with files of several blocks, one of them still written.
fn directory(dir: &Path, numbers: u64) -> otlp_arrow::OtlpLibrary {
    let parts = [0..numbers / 2, numbers / 2..numbers / 2 + numbers / 8, numbers / 2 + numbers / 8..numbers * 7 / 8];
    for part in parts {
        let library = sample::recorder(dir);
        sample::send(&library, part, 200);
        library.shutdown_blocking(None).unwrap();
    }
    let library = sample::recorder(dir);
    sample::send(&library, numbers * 7 / 8..numbers, 125);
    library
}

#[test]
fn answers_are_the_same_with_and_without_whatever_becomes_of_the_files() {
    let (seed, numbers) = (seed(), 8_000);
    let rounds: usize = std::env::var("OTLP_ARROW_QUESTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(150);
    let mut rng = Rng::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let library = directory(dir.path(), numbers);
    let plain = asker(dir.path(), false);
    let mut kept = asker(dir.path(), true);
    kept.ask("services", &[]);
    kept.ask("logs", &[]);
    kept.settle();
    assert_eq!(indexes(dir.path()).len(), 6, "one for each sealed file");
    let mut log = Vec::new();
    for round in 0..rounds {
        match rng.below(6) {
            0 => mangle(&mut rng, dir.path(), &mut log),
            1 => kept.settle(),
            2 => kept = asker(dir.path(), true),
            _ => {}
        }
        let (name, words) = question(&mut rng, numbers);
        let said = || format!("OTLP_ARROW_SEED={seed}, round {round}: {name} {words:?} after {log:?}");
        let (with, without) = (kept.ask(name, &words), plain.ask(name, &words));
        assert_eq!(comparable(&with), comparable(&without), "{}", said());
    }
    library.shutdown_blocking(None).unwrap();
}

/// Counts what an index leaves.
#[derive(Debug, Default)]
struct Counting {
    indexes: Indexes,
    left: AtomicU64,
    unknown: AtomicU64,
}

impl Counting {
    fn count(&self, pruned: Option<&Pruned>) {
        match pruned {
            Some(pruned) => self.left.fetch_add(pruned.blocks.len() as u64, Ordering::Relaxed),
            None => self.unknown.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// Blocks that were left, and files that nothing was known of, since the last call.
    fn take(&self) -> (u64, u64) {
        (self.left.swap(0, Ordering::Relaxed), self.unknown.swap(0, Ordering::Relaxed))
    }
}

impl Pruner for Counting {
    fn prune(&self, log: &Log, cache: &Cache, file: &File, terms: &[Term]) -> Option<Pruned> {
        let pruned = self.indexes.prune(log, cache, file, terms);
        self.count(pruned.as_ref());
        pruned
    }

    fn opened(&self, log: &Log, cache: &Arc<Cache>, file: &Arc<File>) {
        self.indexes.opened(log, cache, file);
    }

    fn settle(&self, clock: &Clock, deadline: Instant) -> bool {
        self.indexes.settle(clock, deadline)
    }
}

fn counting(source: Arc<dyn Source>) -> (Asker, Arc<Counting>) {
    let counting = Arc::new(Counting::default());
    let telemetry = Telemetry::pruned(source, Query::default(), Clock::system(), Arc::clone(&counting) as _);
    (Asker { telemetry }, counting)
}

#[test]
fn an_index_leaves_only_what_may_match() {
    let dir = tempfile::tempdir().unwrap();
    directory(dir.path(), 8_000).shutdown_blocking(None).unwrap();
    let (first, counted) = counting(Arc::new(Log::read_only(dir.path())));
    first.ask("spans", &[]);
    first.ask("logs", &[]);
    let (left, unknown) = counted.take();
    assert_eq!((left, unknown), (0, 8), "nothing was known of four files of each");
    first.settle();
    assert_eq!(indexes(dir.path()).len(), 8);
    // A process that comes later finds them.
    let (asker, counted) = counting(Arc::new(Log::read_only(dir.path())));
    asker.ask("services", &[]);
    let (all, unknown) = counted.take();
    assert_eq!(unknown, 0);
    assert!(all >= 4, "{all}");
    let made = sample::spans(0..8_000);
    let hex = otlp_arrow_query::record::hex;
    for (question, words, most) in [
        ("spans", vec![pair("from", START + 790 * SECOND)], 1),
        ("spans", vec![pair("to", START + 10 * SECOND)], 1),
        ("spans", vec![pair("from", START + 900 * SECOND)], 0),
        ("spans", vec![pair("trace", hex(&made[4_321].trace))], 2),
        ("spans", vec![pair("trace", &hex(&made[4_321].trace)[..12])], 2),
        ("spans", vec![pair("trace", "00112233445566778899aabbccddeeff")], 0),
        ("spans", vec![pair("service", "nobody")], 0),
        ("spans", vec![pair("name", "nothing")], 0),
        ("spans", vec![pair("status", "ok")], 0),
        ("spans", vec![pair("kind", "producer")], 0),
        ("spans", vec![pair("min_duration", "2s")], 0),
        ("spans", vec![pair("attr", "gone=1")], 0),
        ("spans", vec![pair("resource", "host.cores>9")], 0),
        ("logs", vec![pair("severity", ">24")], 0),
        ("logs", vec![pair("trace", hex(&made[4_321].trace))], 2),
    ] {
        asker.ask(question, &words);
        let (left, unknown) = counted.take();
        // Where nothing is found it is looked for what may have been meant, without any filter.
        let hints = if matches!(words[0].0.as_str(), "service" | "name" | "attr" | "resource") { all } else { 0 };
        assert!(left <= most + hints && unknown == 0, "{question} {words:?}: {left} of {all} blocks, {unknown} files");
    }
}

#[test]
fn what_is_sealed_has_its_index_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = otlp_arrow::Config { output_dir: dir.path().to_owned(), ..otlp_arrow::Config::default() };
    config.storage.min_free_bytes = 0;
    config.rotation.max_bytes = 64 << 10;
    let library = otlp_arrow::OtlpLibrary::builder(config).indexed().open().unwrap();
    sample::send(&library, 0..3_000, 100);
    library.shutdown_blocking(None).unwrap();
    let sealed = ["traces", "logs"].iter().flat_map(|signal| names(dir.path(), &format!("otlp/{signal}"))).count();
    assert!(sealed > 4, "{sealed}");
    assert_eq!(indexes(dir.path()).len(), sealed);
    let (asker, counted) = counting(Arc::new(Log::read_only(dir.path())));
    let answer = asker.ask("spans", &[pair("limit", 10_000)]);
    assert_eq!(comparable(&answer)["spans"].as_array().unwrap().len(), 3_000);
    assert_eq!(counted.take().1, 0, "no file without an index");
}

#[test]
fn a_file_that_takes_the_place_of_another_has_no_index() {
    let dir = tempfile::tempdir().unwrap();
    directory(dir.path(), 4_000).shutdown_blocking(None).unwrap();
    let first = asker(dir.path(), true);
    first.ask("spans", &[]);
    first.settle();
    let folder = dir.path().join("otlp/traces");
    let files: Vec<PathBuf> = names(dir.path(), "otlp/traces").into_iter().map(|name| folder.join(name)).collect();
    let aside = dir.path().join("aside");
    // Names change places, so that each index is of the rows of another file.
    for [from, to] in [[&files[0], &aside], [&files[1], &files[0]], [&aside, &files[1]]] {
        std::fs::rename(from, to).unwrap();
    }
    let (plain, fresh) = (asker(dir.path(), false), asker(dir.path(), true));
    for from in (0..400).step_by(40) {
        let words = [pair("from", START + from * SECOND), pair("to", START + (from + 40) * SECOND)];
        for asker in [&first, &fresh] {
            assert_eq!(comparable(&asker.ask("spans", &words)), comparable(&plain.ask("spans", &words)));
        }
    }
}

#[test]
#[cfg(unix)]
fn a_directory_that_cannot_be_written_is_asked_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    directory(dir.path(), 4_000).shutdown_blocking(None).unwrap();
    // Root may write everywhere: there a file is in the place of the folder.
    std::fs::write(dir.path().join("index"), "no folder").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let (asker, counted) = counting(Arc::new(Log::read_only(dir.path())));
    let words = [pair("from", START + 390 * SECOND)];
    let plain = self::asker(dir.path(), false).ask("spans", &words);
    for _ in 0..3 {
        assert_eq!(comparable(&asker.ask("spans", &words)), comparable(&plain));
        asker.settle();
    }
    // In memory there is one by now.
    counted.take();
    asker.ask("spans", &words);
    assert_eq!(counted.take(), (1, 0));
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn many_make_the_same_index_at_once() {
    let dir = tempfile::tempdir().unwrap();
    directory(dir.path(), 4_000).shutdown_blocking(None).unwrap();
    let plain = asker(dir.path(), false).ask("services", &[]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let asker = asker(dir.path(), true);
                for _ in 0..3 {
                    assert_eq!(comparable(&asker.ask("services", &[])), comparable(&plain));
                    asker.settle();
                }
            });
        }
    });
    let left: Vec<PathBuf> = indexes(dir.path());
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left.iter().all(|path| path.extension().is_some_and(|extension| extension == "idx")), "{left:?}");
}

#[test]
fn nothing_is_written_once_nobody_asks_any_more() {
    let dir = tempfile::tempdir().unwrap();
    directory(dir.path(), 4_000).shutdown_blocking(None).unwrap();
    for closed in [false, true] {
        let copy = tempfile::tempdir().unwrap();
        for signal in ["traces", "logs"] {
            let folder = copy.path().join("otlp").join(signal);
            std::fs::create_dir_all(&folder).unwrap();
            for name in names(dir.path(), &format!("otlp/{signal}")) {
                std::fs::copy(dir.path().join("otlp").join(signal).join(&name), folder.join(&name)).unwrap();
            }
        }
        let asker = asker(copy.path(), true);
        asker.ask("services", &[]);
        if closed {
            asker.telemetry.close();
        } else {
            drop(asker);
        }
        let kept = indexes(copy.path());
        assert!(kept.iter().all(|path| path.extension().is_some_and(|extension| extension == "idx")), "{kept:?}");
        std::fs::remove_dir_all(copy.path()).unwrap();
        assert!(!copy.path().exists());
    }
}
