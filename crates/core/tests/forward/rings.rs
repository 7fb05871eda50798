//! Recorders that forward to each other, or to themselves: every record is kept once by each, and everybody is told.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use otlp_arrow::config::{DestinationConfig, Kind};
use otlp_arrow::{Config, EventName, HealthStatus, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_testkit::backend::Backend;
use otlp_arrow_testkit::http;

use crate::support::{LONG, all_of, config, destination, event, events_of, export, logs, numbers, wait_for};

const BOTH: [Kind; 2] = [Kind::OTLP_GRPC, Kind::OTLP_HTTP];

/// An address that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Passes bytes on to `to`, so that nobody can see where a destination leads.
fn relay(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(near), Ok(far)) = (stream, TcpStream::connect(to)) else { continue };
            for (mut from, mut into) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                std::thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut into);
                    let _ = into.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    address
}

/// A recorder that listens at `own` and forwards to `next`.
fn recorder(dir: &Path, own: SocketAddr, next: SocketAddr, protocol: Kind) -> Config {
    let destination = DestinationConfig { protocol, ..destination("next", &format!("http://{next}")) };
    let mut config = config(dir, [destination]);
    config.listen.http = Some(own);
    config
}

fn rows(library: &OtlpLibrary) -> usize {
    library.read(Signal::Logs, &ReadOptions::default()).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

fn lag(library: &OtlpLibrary) -> u64 {
    library.forwarders()[0].info().lag_records
}

fn rejected(library: &OtlpLibrary) -> u64 {
    library.stats().counters.total("otlp_arrow_rejected_records_total", &[("destination", "next")])
}

#[test]
fn a_recorder_that_forwards_to_itself_is_told_and_keeps_everything_once() {
    for protocol in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let own = free();
        let library = OtlpLibrary::open(recorder(dir.path(), own, relay(own), protocol)).unwrap();
        let events = events_of(&library);
        export(&library, 0, 5);
        let told = event(&events, EventName::ForwardBlocked);
        assert!(told.message.contains("loop: this is the recorder that forwards it"), "{}", told.message);
        // Asked again and again, it takes nothing.
        let asked = || library.stats().counters.total("otlp_arrow_forward_failed_records_total", &[]);
        wait_for("three attempts", || asked() >= 15);
        assert_eq!((rows(&library), lag(&library), rejected(&library)), (5, 5, 0), "{protocol:?}");
        let health = library.health();
        assert_eq!(health.status, HealthStatus::Degraded);
        assert!(health.problems[0].message.contains("loop"), "{}", health.problems[0].message);
        assert!(!dir.path().join("rejected").exists());
        let _ = library.shutdown_blocking(None);
    }
}

/// Rings of two and of three, with records of each; both protocols.
#[test]
fn in_a_ring_everybody_has_everything_once() {
    for (size, protocol) in [(2, Kind::OTLP_GRPC), (2, Kind::OTLP_HTTP), (3, Kind::OTLP_GRPC), (3, Kind::OTLP_HTTP)] {
        let dirs: Vec<_> = (0..size).map(|_| tempfile::tempdir().unwrap()).collect();
        let addresses: Vec<_> = (0..size).map(|_| free()).collect();
        let open = |at: usize| {
            let next = addresses[(at + 1) % size];
            OtlpLibrary::open(recorder(dirs[at].path(), addresses[at], next, protocol)).unwrap()
        };
        let libraries: Vec<_> = (0..size).map(open).collect();
        let events: Vec<_> = libraries.iter().map(events_of).collect();
        for (at, library) in libraries.iter().enumerate() {
            for part in 0..4 {
                let from = at as u64 * 100 + part * 5;
                export(library, from, from + 5);
            }
        }
        let all = 20 * size;
        wait_for("everything everywhere", || libraries.iter().all(|library| rows(library) >= all && lag(library) == 0));
        for (library, events) in libraries.iter().zip(&events) {
            assert_eq!((rows(library), rejected(library)), (all, 20), "each record once, and its own refused once");
            let told = event(events, EventName::ForwardLooped);
            assert!(told.message.contains("came from here: take one of the recorders out"), "{}", told.message);
            assert_eq!(library.health().status, HealthStatus::Degraded);
        }
        for (library, dir) in libraries.iter().zip(&dirs) {
            assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0);
            assert!(!dir.path().join("rejected").exists());
        }
    }
}

/// What waits for a recorder that is away knows where it came from after a restart as well, whether from memory, from
/// live files or from sealed ones.
#[test]
fn a_restart_does_not_forget_where_records_came_from() {
    for protocol in BOTH {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (a, b, elsewhere) = (free(), free(), free());
        // B forwards to an address where A will be later.
        let second = OtlpLibrary::open(recorder(theirs.path(), b, elsewhere, protocol)).unwrap();
        let first = OtlpLibrary::open(recorder(ours.path(), a, b, protocol)).unwrap();
        export(&first, 0, 10);
        wait_for("the first records at the second", || rows(&second) == 10);
        export(&second, 100, 110);
        export(&first, 10, 20);
        wait_for("all records at the second", || rows(&second) == 30);
        assert_eq!(first.shutdown_blocking(None).unwrap().undelivered_records, 0);
        assert_eq!(second.shutdown_blocking(None).unwrap().undelivered_records, 30);

        let first = OtlpLibrary::open(recorder(ours.path(), elsewhere, b, protocol)).unwrap();
        let second = OtlpLibrary::open(recorder(theirs.path(), b, elsewhere, protocol)).unwrap();
        wait_for("the ring to be at rest", || rows(&first) >= 30 && lag(&second) == 0 && lag(&first) == 0);
        assert_eq!((rows(&first), rows(&second)), (30, 30), "each record once at each");
        assert_eq!((rejected(&second), rejected(&first)), (20, 10));
        for library in [first, second] {
            library.shutdown_blocking(None).unwrap();
        }
    }
}

/// A sender that is not ours may set the header, and a destination that is not ours gets it.
#[test]
fn the_header_tells_the_way_and_nonsense_is_not_believed() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let mut config = config(dir.path(), [destination("next", &backend.url())]);
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(config).unwrap();
    let address = library.addresses().http.unwrap();
    let send = |from: u64, via: &str| {
        let headers = [("content-type", "application/x-protobuf"), ("otlp-arrow-via", via)];
        http::send(address, "POST", "/v1/logs", &headers, &logs(from..from + 1))
    };
    export(&library, 0, 1);
    assert_eq!(send(1, "00000000000000aa,00000000000000bb").status, 200);
    assert_eq!(send(2, "nonsense, 12, ÿ").status, 200);
    assert_eq!(send(3, "").status, 200);
    let received = backend.wait_until(LONG, all_of(0..4));
    let own = std::fs::read_to_string(dir.path().join("recorder")).unwrap().trim().to_owned();
    for request in received {
        let via = request.headers.iter().find(|(name, _)| name == "otlp-arrow-via").unwrap().1.clone();
        let passed_on = numbers(std::slice::from_ref(&request)).contains_key(&1);
        assert_eq!(via, if passed_on { format!("00000000000000aa,00000000000000bb,{own}") } else { own.clone() });
    }
    for (via, says) in [
        (own.clone(), "this is the recorder that forwards it"),
        (format!("{own},00000000000000aa"), "came from here"),
        (vec!["00000000000000aa"; 17].join(","), "more than 16"),
    ] {
        let refused = send(9, &via);
        assert_eq!(refused.status, 508, "{via}");
        assert!(refused.header("otlp-arrow-loop").contains(says) && refused.status_body().1.contains(says));
    }
    assert_eq!(rows(&library), 4);
    library.shutdown_blocking(None).unwrap();
}
