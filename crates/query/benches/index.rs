//! What indexes cost: processor time beside that of sealing, bytes beside those of the files, and the time that a trace by its id
//! takes with them and without.
//!
//!     cargo bench -p otlp-arrow-query --bench index -- DIR SPANS
//!
//! DIR is made where it is not there, and kept.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::join_all;
use otlp_arrow::config::Query;
use otlp_arrow::{Config, OtlpLibrary, PerSignal, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_query::index::{IndexWhenSealed, Indexes};
use otlp_arrow_query::questions::TraceQuestion;
use otlp_arrow_query::scan::{NoPruner, Pruner};
use otlp_arrow_query::{Telemetry, filter::IdPrefix};
use otlp_arrow_store::hooks::SealHook;
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::{Log, ReadOptions};
use otlp_arrow_testkit::rng::Rng;
use otlp_arrow_testkit::traffic::Traffic;

/// Processor time of the thread that seals, between the files and for their indexes.
#[derive(Debug, Default)]
struct Times(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Duration,
    sealing: PerSignal<Duration>,
    indexing: PerSignal<Duration>,
    files: PerSignal<u32>,
}

struct Timed(Arc<Times>);

impl SealHook for Timed {
    fn sealed(&self, log: &Log, signal: Signal, stem: &Stem) -> u64 {
        let state = &mut *self.0.0.lock().unwrap();
        let began = of_this_thread();
        state.sealing[signal] += began - state.last;
        let bytes = IndexWhenSealed.sealed(log, signal, stem);
        state.last = of_this_thread();
        state.indexing[signal] += state.last - began;
        state.files[signal] += 1;
        bytes
    }
}

/// Processor time of the calling thread.
#[cfg(target_os = "linux")]
fn of_this_thread() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in the place that it is given.
    #[allow(unsafe_code, reason = "the system asks for it")]
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
    }
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Elsewhere the clock has to do.
#[cfg(not(target_os = "linux"))]
fn of_this_thread() -> Duration {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

fn make(dir: &Path, spans: u64) -> Arc<Times> {
    let times = Arc::new(Times::default());
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.retention.max_bytes = 1 << 50;
    config.retention.max_age = PerSignal::from_fn(|_| Duration::from_secs(36_500 * 86_400));
    let library = OtlpLibrary::builder(config).on_seal(Timed(Arc::clone(&times))).open().unwrap();
    for wave in Traffic::new(7, spans, 86_400) {
        let of = |signal: Signal, requests: Vec<Vec<u8>>| {
            let library = &library;
            requests.into_iter().map(move |request| library.export_otlp(signal, request.into()))
        };
        let all = of(Signal::Traces, wave.traces).chain(of(Signal::Logs, wave.logs));
        block_on(join_all(all)).into_iter().for_each(|outcome| assert_eq!(outcome.unwrap().rejected, 0));
    }
    library.shutdown_blocking(Some(Duration::from_secs(600))).unwrap();
    times
}

fn bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir).map_or(0, |dir| dir.map(|entry| entry.unwrap().metadata().unwrap().len()).sum())
}

/// Ids of traces all over the directory.
fn ids(dir: &Path, count: usize) -> Vec<[u8; 16]> {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    let columns = Some(vec!["trace_id".to_owned()]);
    let batches = Log::read_only(dir).read(Signal::Traces, &ReadOptions { columns, ..ReadOptions::default() }).unwrap();
    let mut rng = Rng::new(1);
    let mut some: Vec<[u8; 16]> = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let ids = batch.column(0).as_fixed_size_binary();
        some.extend((0..8).map(|_| <[u8; 16]>::try_from(ids.value(rng.index(ids.len()))).unwrap()));
    }
    (0..count).map(|_| *rng.pick(&some)).collect()
}

fn ask(telemetry: &Telemetry, ids: impl Iterator<Item = IdPrefix>, logs: bool) -> String {
    let mut times: Vec<f64> = ids
        .map(|id| {
            let began = Instant::now();
            let answer = telemetry.ask(&TraceQuestion { id, logs }).unwrap();
            assert!(answer.spans.num_rows() > 0);
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    format!("p50 {:.2} ms, p99 {:.2} ms", times[times.len() / 2], times[times.len() * 99 / 100])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [dir, spans] = arguments.as_slice() else { return println!("index DIR SPANS") };
    let (dir, spans) = (Path::new(dir), spans.parse().unwrap());
    if !dir.exists() {
        let times = make(dir, spans);
        let state = times.0.lock().unwrap();
        for signal in [Signal::Traces, Signal::Logs] {
            let (sealing, indexing) = (state.sealing[signal].as_secs_f64(), state.indexing[signal].as_secs_f64());
            println!(
                "{signal}: {} files sealed in {sealing:.2} s, indexed in {indexing:.3} s: {:.1} %",
                state.files[signal],
                100.0 * indexing / sealing
            );
        }
    }
    for signal in [Signal::Traces, Signal::Logs] {
        let (files, indexes) =
            (bytes(&dir.join("otlp").join(signal.as_str())), bytes(&dir.join("index").join(signal.as_str())));
        println!("{signal}: {files} bytes, index {indexes}: {:.2} %", 100.0 * indexes as f64 / files as f64);
    }
    let ids = ids(dir, 400);
    let asked = |pruner: Arc<dyn Pruner>| {
        Telemetry::pruned(Arc::new(Log::read_only(dir)), Query::default(), Clock::system(), pruner)
    };
    let whole = |count: usize| ids[..count].iter().filter_map(|id| IdPrefix::whole(id));
    let prefix = |count: usize| {
        let hex = |id: &[u8; 16]| id.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>();
        ids[..count].iter().map(|id| IdPrefix::parse(&hex(id), 16).unwrap()).collect::<Vec<_>>().into_iter()
    };
    let indexed = asked(Arc::new(Indexes::default()));
    println!("first question of a process: {}", ask(&indexed, whole(1), true));
    for (what, telemetry, count) in [("index", &indexed, 400), ("none", &asked(Arc::new(NoPruner)), 20)] {
        println!("{what}: trace by id, {}", ask(telemetry, whole(count), true));
        println!("{what}: again, {}", ask(telemetry, whole(count), true));
        println!("{what}: spans only, {}", ask(telemetry, whole(count), false));
        println!("{what}: by 12 digits, {}", ask(telemetry, prefix(count), true));
    }
}
