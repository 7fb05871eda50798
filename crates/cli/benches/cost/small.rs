//! Small requests: 1,000 a second of one record each, default configuration.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use otlp_arrow::Signal;
use otlp_arrow_store::file::compact;
use otlp_arrow_store::file::scan::{self, Check};
use otlp_arrow_store::storage::Storage;
use otlp_arrow_store::storage_os::OsStorage;

use crate::Options;
use crate::accounting::{self, Used};
use crate::load::{self, Load};
use crate::server::{Receiver, Server};

/// Requests a second, in all.
const RATE: f64 = 1000.0;
/// Seconds at full scale.
const SECONDS: f64 = 600.0;
/// Senders, each with one request on its way: enough that the rate is kept while each waits for its commit.
const CONNECTIONS: usize = 32;

/// What issue 5 asks for: bytes a record live and sealed, commits a second, microseconds of CPU a record, seconds.
const LIVE_BYTES: f64 = 1500.0;
const SEALED_BYTES: f64 = 150.0;
const COMMITS: f64 = 110.0;
const MICROSECONDS: f64 = 5.0;
const P99: f64 = 0.025;

/// What a thread does that commits every 10 ms and nothing else: it wakes up, and appends as many bytes as a commit has.
const PACE: Duration = Duration::from_millis(10);
const APPENDED: usize = 10 << 10;

/// Prints each figure beside its limit, and fails where one is missed.
pub(crate) fn run(options: &Options) {
    let mut missed = Vec::new();
    println!("{RATE} requests a second of one record, {:.0} s each", SECONDS * options.scale);
    println!("| records | figure | measured | limit |\n|---|---|---|---|");
    let is_meant = |kind: &&str| options.only.as_deref().is_none_or(|only| only == *kind);
    for kind in ["spans", "logs", "numbers"].into_iter().filter(is_meant) {
        missed.extend(of(options, kind));
    }
    assert!(missed.is_empty(), "missed: {missed:?}");
}

/// What files hold.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    bytes: f64,
    rows: f64,
    commits: f64,
}

/// What lies in live files now.
fn live(server: &Server, signal: Signal) -> Held {
    let mut held = Held::default();
    for path in server.files(signal).1 {
        let Ok(file) = OsStorage.open(&path) else { continue };
        let found = scan::stream(&*file, Check::Heads).unwrap();
        held.bytes += found.valid_len() as f64;
        held.rows += found.rows() as f64;
        held.commits += found.commits.len() as f64;
    }
    held
}

fn sealed(server: &Server, signal: Signal) -> Held {
    let mut held = Held::default();
    for path in server.files(signal).0 {
        let found = compact::check(&*OsStorage.open(&path).unwrap()).unwrap().unwrap();
        held.bytes += found.bytes as f64;
        held.rows += found.rows as f64;
    }
    held
}

/// CPU microseconds a record of a thread that only wakes up and appends, asleep as a commit thread is, beside the same
/// load on doors that drop it: what the system takes before a line of ours runs.
fn least(options: &Options, kind: &str) -> [f64; 2] {
    let server = options.start(Receiver::Drop);
    let mut senders = Load::start(server.address, kind, 1, CONNECTIONS);
    let stop = AtomicBool::new(false);
    let paced = |mut turn: Box<dyn FnMut() + Send>| {
        let mut next = Instant::now() + PACE;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next += PACE;
            turn();
        }
        accounting::threads("/proc/self", |name| Some(name) == std::thread::current().name())
    };
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bytes = vec![0x5a; APPENDED];
    std::thread::scope(|scope| {
        let thread = |name: &str, turn: Box<dyn FnMut() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn_scoped(scope, || paced(turn)).unwrap()
        };
        let wakes = thread("wakes", Box::new(|| {}));
        let appends = thread("appends", Box::new(move || file.write_all(&bytes).unwrap()));
        let sent = senders.run(SECONDS * options.scale / 4.0, Some(RATE));
        stop.store(true, Ordering::Relaxed);
        [wakes, appends].map(|thread| thread.join().unwrap() / sent.requests * 1e6)
    })
}

fn of(options: &Options, kind: &str) -> Vec<String> {
    let mut server = options.start(Receiver::Serve("written"));
    let signal = load::signal(load::kind(kind));
    let mut senders = Load::start(server.address, kind, 1, CONNECTIONS);
    let before = Used::by(&server.child);
    let sent = senders.run(SECONDS * options.scale, Some(RATE));
    drop(senders);
    let used = Used::by(&server.child).since(before);
    let committing =
        accounting::threads(&format!("/proc/{}", server.child.id()), |name| name == format!("otlp-{signal}"));
    let live = live(&server, signal);
    // What is not sealed yet is sealed at the end; all that the process does then is that.
    let rest = server.end();
    let sealed = sealed(&server, signal);
    assert_eq!(sealed.rows, sent.requests, "every record is in a sealed file");
    let mut missed = Vec::new();
    let mut row = |figure: &str, value: f64, limit: Option<f64>| {
        let shown = limit.map_or(String::new(), |limit| limit.to_string());
        println!("| {kind} | {figure} | {value:.3} | {shown} |");
        if limit.is_some_and(|limit| value > limit) {
            missed.push(format!("{kind}: {figure} {value:.3}"));
        }
    };
    let microseconds = |seconds: f64| seconds / sent.requests * 1e6;
    row("live, bytes a record", live.bytes / live.rows, Some(LIVE_BYTES));
    row("sealed, bytes a record", sealed.bytes / sealed.rows, Some(SEALED_BYTES));
    row("commits a second", live.commits / live.rows * sent.requests / sent.seconds, Some(COMMITS));
    row("commit and sealing, \u{b5}s a record", microseconds(committing + used.sealing + rest), Some(MICROSECONDS));
    row("of that commit, \u{b5}s a record", microseconds(committing), None);
    let [wakes, appends] = least(options, kind);
    row("a thread that wakes every 10 ms, \u{b5}s a record", wakes, None);
    row("one that also appends 10 KiB, \u{b5}s a record", appends, None);
    row("whole process, \u{b5}s a record", microseconds(used.total + rest), None);
    row("acknowledgement p99, s", sent.p99, Some(P99));
    row("requests a second", sent.requests / sent.seconds, None);
    missed
}
