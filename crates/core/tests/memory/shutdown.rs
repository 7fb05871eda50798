//! A disk that stands still, and a program that shuts down: it ends at its deadline, and says what it leaves.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::executor::block_on;
use otlp_arrow::config::DestinationConfig;
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};
use otlp_arrow_store::failpoint::VARIABLE;
use otlp_arrow_testkit::harness::{Process, again};
use otlp_arrow_testkit::payload;
use prost::Message;

/// The process that shuts down; its job is its directory.
pub(crate) const ENDING: Process = ("OTLP_ARROW_TEST_ENDING", ending_process);
const DEADLINE: Duration = Duration::from_secs(2);
/// For a thread to be scheduled on a busy machine. Half a minute more would be a shutdown that hangs.
const LATE: Duration = Duration::from_secs(20);

/// Forwards, so that the shutdown waits for a commit first; the second commit never ends.
fn ending_process(dir: &str) {
    std::thread::spawn(|| {
        std::thread::sleep(DEADLINE + LATE);
        println!("hangs");
        std::process::exit(1);
    });
    let config = Config {
        output_dir: dir.into(),
        forward: vec![DestinationConfig::new("nowhere", "http://127.0.0.1:1")],
        ..Config::default()
    };
    let library = OtlpLibrary::open(config).unwrap();
    let request = || payload::logs(10, 100, 1).encode_to_vec().into();
    block_on(library.export_otlp(Signal::Logs, request())).unwrap();
    assert!(pin!(library.export_otlp(Signal::Logs, request())).now_or_never().is_none(), "is the disk stalled?");
    let began = Instant::now();
    let error = library.shutdown_blocking(Some(DEADLINE)).unwrap_err();
    println!("{} after {} ms: {}", error.code(), began.elapsed().as_millis(), error.message());
}

pub(crate) fn a_shutdown_ends_at_its_deadline_while_the_disk_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    let output = again(ENDING, dir.path().to_str().unwrap()).env(VARIABLE, "write.before:2:stall").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let waited = said.strip_prefix(&format!("{} after ", Code::Timeout)).and_then(|rest| rest.split(' ').next());
    let waited = Duration::from_millis(waited.unwrap_or_else(|| panic!("{said}")).parse().unwrap());
    assert!(waited >= DEADLINE && waited < DEADLINE + LATE, "{said}");
    // What was not acknowledged is its sender's.
    assert!(
        said.contains("shut down before everything was done: 1 file(s) are left for the next open to seal"),
        "{said}"
    );
}
