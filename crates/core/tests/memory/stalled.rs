//! A disk that stands still, and a program that never stops recording: memory stays within the budget and a little more.
//! The doors of the service are tried alike in `crates/cli/tests/stalled.rs`.

use std::io::{BufRead, BufReader, Write};
use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};
use otlp_arrow_store::failpoint::VARIABLE;
use otlp_arrow_testkit::harness::{Process, again};
use otlp_arrow_testkit::payload;
use otlp_arrow_testkit::process::{Running, memory};
use prost::Message;

/// The process whose disk stands still; its job is its directory.
pub(crate) const STALLED: Process = ("OTLP_ARROW_TEST_STALLED", stalled_process);
/// What issue 5 allows beyond the budget.
const BEYOND: u64 = 64 << 20;
/// So often the program is to be refused before memory is looked at.
const REFUSALS: u64 = 300;
/// Nothing is waited for longer.
const LATE: Duration = Duration::from_secs(60);

/// Requests of every size that senders may have: the largest would fill most of the budget by itself.
fn requests() -> Vec<(Signal, Bytes)> {
    vec![
        (Signal::Traces, payload::spans(1000, 10, 1).encode_to_vec().into()),
        (Signal::Logs, payload::logs(5000, 200, 2).encode_to_vec().into()),
        (Signal::Metrics, payload::numbers(3000, 3).encode_to_vec().into()),
        (Signal::Logs, payload::logs(20, 1 << 20, 4).encode_to_vec().into()),
        (Signal::Traces, payload::spans(1, 10, 5).encode_to_vec().into()),
    ]
}

/// Keeps asking for room through the calls of the host program, and says how often there was none.
fn stalled_process(dir: &str) {
    let library = OtlpLibrary::open(Config { output_dir: dir.into(), ..Config::default() }).unwrap();
    let requests = requests();
    let mut refused = 0;
    let end = Instant::now() + LATE;
    for turn in (0..).take_while(|_| Instant::now() < end) {
        let (signal, bytes) = &requests[turn % requests.len()];
        // What is taken stays, whether or not its caller waits.
        let sent = pin!(library.export_otlp(*signal, Bytes::copy_from_slice(bytes))).now_or_never();
        if let Some(done) = sent {
            assert_eq!(done.unwrap_err().code(), Code::BufferFull);
            refused += 1;
            if refused == REFUSALS {
                println!("refused");
                std::io::stdout().flush().unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(crate) fn memory_stays_within_the_budget_while_the_disk_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    let child = again(STALLED, dir.path().to_str().unwrap())
        .env(VARIABLE, "write.before:2:stall")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "refused"), "nothing was refused: is the disk stalled?");
    let (peak, budget) = (memory(&child.0, "VmHWM"), Config::default().buffer.max_bytes as u64);
    assert!(peak > budget / 2, "{peak} bytes: the budget was never used");
    assert!(peak <= budget + BEYOND, "{} MiB at peak, {} MiB of budget", peak >> 20, budget >> 20);
    println!("{} MiB at peak with a budget of {} MiB", peak >> 20, budget >> 20);
}
