//! Memory of a service that has nothing to do: after its start, and again after a load whose files are sealed.

use std::time::{Duration, Instant};

use crate::Options;
use crate::accounting::memory_kib;
use crate::load::{self, Load};
use crate::server::{Receiver, Server};

/// Resident KiB that issue 5 allows.
const LIMIT: u64 = 12 << 10;
/// Seconds of load for each kind, at full scale.
const SECONDS: f64 = 20.0;
/// How long memory may take to be given back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints both, and fails where one is above the limit.
pub(crate) fn run(options: &Options) {
    let server = options.start(Receiver::Serve("written"));
    std::thread::sleep(Duration::from_secs(1));
    let fresh = memory_kib(&server.child, "VmRSS");
    println!("resident after the start: {fresh} KiB, limit {LIMIT}");
    for kind in ["spans", "logs", "numbers", "histograms"] {
        let mut senders = Load::start(server.address, kind, 1000, 4);
        senders.run(SECONDS * options.scale, None);
        crate::settle(&server, load::signal(load::kind(kind)));
    }
    let rested = rest(&server);
    println!("resident after a load: {rested} KiB, at most {} KiB, limit {LIMIT}", memory_kib(&server.child, "VmHWM"));
    assert!(fresh <= LIMIT && rested <= LIMIT, "an idle service takes {fresh} and {rested} KiB: {LIMIT} are allowed");
}

/// The memory once it does not shrink any more.
fn rest(server: &Server) -> u64 {
    let (mut least, late) = (u64::MAX, Instant::now() + PATIENCE);
    while Instant::now() < late && least > LIMIT {
        std::thread::sleep(Duration::from_millis(250));
        least = least.min(memory_kib(&server.child, "VmRSS"));
    }
    memory_kib(&server.child, "VmRSS")
}
