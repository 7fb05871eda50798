//! A token that is wrong for an hour of load: nothing is thrown away, and once it is right everything arrives.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::config::Kind;
use otlp_arrow::config::{Auth, DestinationConfig};
use otlp_arrow::{Config, EventName, OtlpLibrary, Signal};
use otlp_arrow_testkit::backend::{Backend, Reply};

use crate::numbered::{Tally, request, setting};

/// Records of one request, and how far apart requests are: 500 records a second.
const RECORDS: u64 = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// Whose fault it is: the remote, which is told of the token, or the program, which is started again with the right one.
const WAYS: [(&str, Kind, &str); 2] = [("remote", Kind::OTLP_GRPC, "good"), ("program", Kind::OTLP_HTTP, "stale")];

fn open(dir: &Path, urls: [String; 2], tokens: [&str; 2], longest: Duration) -> OtlpLibrary {
    let destinations = WAYS.iter().zip(urls.iter().zip(tokens)).map(|((name, protocol, _), (url, token))| {
        let mut destination = DestinationConfig { protocol: *protocol, ..DestinationConfig::new(*name, url) };
        destination.auth = Auth::Bearer(token.to_owned().into());
        destination.max_in_flight = 1;
        destination.breaker.max_open = longest;
        destination.breaker.open = destination.breaker.open.min(longest);
        destination
    });
    let mut config = Config { output_dir: dir.to_owned(), forward: destinations.collect(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    OtlpLibrary::open(config).unwrap()
}

pub(crate) fn a_token_that_is_wrong_for_long_loses_nothing_and_sets_nothing_aside() {
    let load = Duration::from_secs(setting("OTLP_ARROW_TOKEN_SECONDS", 2));
    // In an hour's run as it is by default, 5 minutes.
    let longest = (load / 12).clamp(Duration::from_millis(100), Duration::from_secs(300));
    let requests = load.as_millis() as u64 / PAUSE.as_millis() as u64;
    let dir = tempfile::tempdir().unwrap();
    let backends = [Backend::start(), Backend::start()];
    let tallies: [Arc<Tally>; 2] = std::array::from_fn(|_| Arc::new(Tally::new(requests * RECORDS, 1)));
    for (backend, tally) in backends.iter().zip(&tallies) {
        let tally = Arc::clone(tally);
        backend.sink(Arc::new(move |received| tally.add(&received.payload)));
    }
    backends[0].reply(Reply::Token("Bearer not yet known".into()));
    backends[1].reply(Reply::Token("Bearer good".into()));
    let urls = || [backends[0].url(), backends[1].url()];

    let library = open(dir.path(), urls(), WAYS.map(|(.., token)| token), longest);
    let blocked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&blocked);
    library.on_event(move |event| {
        counted.fetch_add(u64::from(event.name == EventName::ForwardBlocked), Ordering::Relaxed);
    });
    let started = Instant::now();
    for number in 0..requests {
        let bytes = request(number * RECORDS..(number + 1) * RECORDS);
        assert_eq!(block_on(library.export_otlp(Signal::Logs, bytes)).unwrap().accepted, RECORDS);
        std::thread::sleep((started + PAUSE * (number as u32 + 1)).saturating_duration_since(Instant::now()));
    }
    let asked = backends.each_ref().map(|backend| backend.received().len());
    let waiting = library.forwarders().iter().map(|forwarder| forwarder.info()).collect::<Vec<_>>();
    for (info, tally) in waiting.iter().zip(&tallies) {
        assert_eq!((info.lag_records, info.rejected_requests), (requests * RECORDS, 0), "{}", info.name);
        assert!(info.last_error.as_ref().is_some_and(|error| error.contains("16") || error.contains("401")));
        assert_eq!(tally.arrivals(), 0, "{}: something was taken with a wrong token", info.name);
    }
    assert!(blocked.load(Ordering::Relaxed) >= 2, "it was announced for each");

    // The remote learns of the token, and the breaker finds out by itself.
    let mended = Instant::now();
    backends[0].reply(Reply::Token("Bearer good".into()));
    let limit = longest * 2 + Duration::from_secs(60);
    wait_for(&tallies[0], limit);
    let found = mended.elapsed();
    // The program is started again with the right one.
    assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, requests * RECORDS);
    let library = open(dir.path(), urls(), ["good", "good"], longest);
    wait_for(&tallies[1], limit);
    let end = library.shutdown_blocking(None).unwrap();
    assert_eq!(end.undelivered_records, 0);
    for ((name, ..), tally) in WAYS.iter().zip(&tallies) {
        assert_eq!(
            (tally.missing(), tally.repeated(), tally.disordered()),
            (0, 0, 0),
            "{name}: missing, repeated, out of order"
        );
    }
    let rejected = dir.path().join("rejected");
    assert!(!rejected.exists(), "something was set aside in {}", rejected.display());
    println!(
        "{} records in {load:?} with a wrong token, asked {asked:?} times; mended at the remote all had arrived after {found:?}; \
         0 missing, 0 repeated, rejected/ does not exist",
        requests * RECORDS
    );
}

fn wait_for(tally: &Tally, limit: Duration) {
    let end = Instant::now() + limit;
    while tally.missing() > 0 {
        assert!(Instant::now() < end, "{} record(s) have not come after {limit:?}", tally.missing());
        std::thread::sleep(Duration::from_millis(20));
    }
}
