//! What forwarding costs beside keeping, and that a stuck destination costs the others nothing.
//!
//! The runs that are compared take turns, and each figure is the median of its rounds. `npm test` proves that the
//! measurement works; the bounds are for `npm run test:long` on a quiet machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use otlp_arrow::config::ForwardCompression;
use otlp_arrow_testkit::backend::{Backend, Reply};
use otlp_arrow_testkit::payload;
use prost::Message;

use crate::numbered::setting;
use crate::served::{Served, Target};

/// Spans of one request.
const SPANS: usize = 512;
const LONG: Duration = Duration::from_secs(120);

/// A remote that counts the bytes it takes, of requests of one size.
struct Sink {
    backend: Backend,
    bytes: Arc<AtomicU64>,
}

impl Sink {
    fn start() -> Self {
        let (backend, bytes) = (Backend::start(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&bytes);
        backend.sink(Arc::new(move |received| {
            counted.fetch_add(received.payload.len() as u64, Ordering::Relaxed);
        }));
        Self { backend, bytes }
    }

    fn target(&self, compression: ForwardCompression) -> Target {
        Target { url: self.backend.url(), compression }
    }

    /// Waits until all of it came, joined or not; says how long that took.
    fn wait(&self, bytes: usize) -> Duration {
        let bytes = bytes as u64;
        let started = Instant::now();
        while self.bytes.load(Ordering::Relaxed) < bytes {
            assert!(started.elapsed() < LONG, "{} of {bytes} bytes came", self.bytes.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(1));
        }
        started.elapsed()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// CPU of the service, in seconds a span, all delivered.
    cpu: f64,
    /// Spans acknowledged a second.
    rate: f64,
    /// From the last acknowledgement to the last arrival, in seconds.
    lag: f64,
}

/// One run: warm up, load, wait until `sink` has everything.
fn measure(messages: &[Vec<u8>], requests: usize, sink: Option<&Sink>, targets: &[Target]) -> Measured {
    let service = Served::start(targets);
    let warm = requests.div_ceil(10).next_multiple_of(2);
    let bytes = |requests: usize| messages.iter().cycle().take(requests).map(Vec::len).sum::<usize>();
    let arrived = |bytes: usize| sink.map_or(Duration::ZERO, |sink| sink.wait(bytes));
    if let Some(sink) = sink {
        sink.bytes.store(0, Ordering::Relaxed);
    }
    service.load(messages, warm);
    arrived(bytes(warm));
    let before = service.cpu();
    let took = service.load(messages, requests);
    let lag = arrived(bytes(warm) + bytes(requests));
    let spans = (requests * SPANS) as f64;
    Measured { cpu: (service.cpu() - before) / spans, rate: spans / took.as_secs_f64(), lag: lag.as_secs_f64() }
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Each kind of run in turn, round after round; medians by kind.
fn compare(rounds: u64, runs: &[&dyn Fn() -> Measured]) -> Vec<Measured> {
    let mut found = vec![Vec::new(); runs.len()];
    for _ in 0..rounds {
        for (found, run) in found.iter_mut().zip(runs) {
            found.push(run());
        }
    }
    let of = |found: &Vec<Measured>| Measured {
        cpu: median(found.iter().map(|measured| measured.cpu)),
        rate: median(found.iter().map(|measured| measured.rate)),
        lag: median(found.iter().map(|measured| measured.lag)),
    };
    found.iter().map(of).collect()
}

/// Different ones, or compression would find each in the one before.
fn messages() -> Vec<Vec<u8>> {
    (0..16).map(|seed| payload::spans(SPANS, 10, seed).encode_to_vec()).collect()
}

fn sizes() -> (u64, usize) {
    (setting("OTLP_ARROW_COST_ROUNDS", 1), setting("OTLP_ARROW_COST_REQUESTS", 20) as usize)
}

pub(crate) fn keeping_and_forwarding_costs_at_most_twice_keeping() {
    use ForwardCompression::{Gzip, None, Zstd};
    let (rounds, requests) = sizes();
    let messages = messages();
    let sink = Sink::start();
    let alone = || measure(&messages, requests, Option::None, &[]);
    let with = |compression| measure(&messages, requests, Some(&sink), &[sink.target(compression)]);
    let found = compare(rounds, &[&alone, &|| with(None), &|| with(Zstd), &|| with(Gzip)]);
    println!(
        "{SPANS} spans of 10 attributes a request, {} B each, {requests} requests, {rounds} rounds",
        messages[0].len() / SPANS
    );
    println!("keep: {:.2} µs a span, {:.0} spans/s", found[0].cpu * 1e6, found[0].rate);
    for (name, with) in ["none (default)", "zstd", "gzip"].iter().zip(&found[1..]) {
        println!(
            "keep and forward, {name}: {:.2} µs a span, ratio {:.2}; {:.0} spans/s; all delivered {:.3} s after the last acknowledgement",
            with.cpu * 1e6,
            with.cpu / found[0].cpu,
            with.rate,
            with.lag
        );
    }
    if std::env::var_os("OTLP_ARROW_COST_REQUESTS").is_some() {
        assert!(found[1].cpu <= 2.0 * found[0].cpu, "more than twice keeping alone");
        assert!(found[1].lag < 1.0, "a lag of a second or more");
    }
}

pub(crate) fn a_stuck_destination_slows_neither_ingest_nor_another_destination() {
    let (rounds, requests) = sizes();
    let messages = messages();
    let (sink, stuck) = (Sink::start(), Backend::start());
    stuck.reply(Reply::Hang);
    let good = || sink.target(ForwardCompression::None);
    let held = || Target { url: stuck.url(), compression: ForwardCompression::None };
    let without = || measure(&messages, requests, Some(&sink), &[good()]);
    let with = || measure(&messages, requests, Some(&sink), &[held(), good()]);
    let found = compare(rounds, &[&without, &with]);
    let (ingest, delivery) = (found[1].rate / found[0].rate, {
        let delivered = |of: &Measured| 1.0 / ((requests * SPANS) as f64 / of.rate + of.lag);
        delivered(&found[1]) / delivered(&found[0])
    });
    println!(
        "with a stuck destination beside: ingest {ingest:.2} of the throughput without it, the other destination {delivery:.2}"
    );
    assert!(!stuck.received().is_empty(), "the stuck destination was never asked");
    if std::env::var_os("OTLP_ARROW_COST_REQUESTS").is_some() {
        assert!(ingest > 0.9 && delivery > 0.9, "slower by more than a tenth");
    }
}
