//! Forwarding by OTAP against a server that does with each batch what a test tells it: every record arrives once, but for what a
//! stream took along that ended before it had answered.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use futures::executor::block_on;
use otlp_arrow::config::{DestinationConfig, ForwardCompression, Kind};
use otlp_arrow::internal::destinations::OptionValue;
use otlp_arrow::{EventName, Format, HealthStatus, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::otap::{Act, Arrived, ArrowServer, Normal, PassedOn};
use otlp_arrow_testkit::payload;
use prost::Message;

use crate::support::{LONG, config, destination, event, events_of, export, numbers_of, wait_for};

fn otap(server: &ArrowServer) -> DestinationConfig {
    DestinationConfig { protocol: Kind::OTAP, ..destination("arrow", &server.url()) }
}

/// How often each record was kept.
fn kept(arrived: &[Arrived]) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for batch in arrived.iter().filter(|batch| batch.kept) {
        for number in numbers_of(&batch.request.encode_to_vec()) {
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

fn has_all(to: u64) -> impl Fn(&[Arrived], &[Vec<u8>]) -> bool {
    move |arrived, _| {
        let kept = kept(arrived);
        (0..to).all(|number| kept.contains_key(&number))
    }
}

fn counted(library: &OtlpLibrary, name: &str) -> u64 {
    library.stats().counters.total(name, &[("destination", "arrow")])
}

fn delivered(library: &OtlpLibrary, records: u64) {
    wait_for("the cursor's way to the end", || {
        counted(library, "otlp_arrow_forwarded_records_total") == records
            && library.forwarders()[0].info().lag_records == 0
    });
}

#[test]
fn records_arrive_once_over_one_stream_in_every_compression() {
    for (compression, payload) in [
        (ForwardCompression::None, "zstd"),
        (ForwardCompression::None, "none"),
        (ForwardCompression::Gzip, "zstd"),
        (ForwardCompression::Zstd, "none"),
    ] {
        let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
        let mut destination = DestinationConfig { compression, ..otap(&server) };
        destination.options.set("payload_compression", OptionValue::Text(payload.into()));
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        for number in 0..200 {
            export(&library, number * 5, number * 5 + 5);
        }
        assert!(server.wait_until(LONG, has_all(1000)), "{compression:?} {payload}");
        delivered(&library, 1000);
        assert!(kept(&server.arrived()).values().all(|times| *times == 1), "nothing twice");
        assert_eq!(server.streams().len(), 1);
        assert!(server.streams()[0].contains_key("otlp-arrow-via"));
        assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0);
        assert!(server.otlp().is_empty());
    }
}

#[test]
fn every_signal_has_a_stream_of_its_own() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
    for signal in Signal::ALL {
        let payload = match signal {
            Signal::Traces => payload::spans(20, 5, 1).encode_to_vec(),
            Signal::Metrics => payload::histograms(20, 1).encode_to_vec(),
            Signal::Logs => payload::logs(20, 100, 1).encode_to_vec(),
        };
        block_on(library.export_otlp(signal, payload.into())).unwrap();
    }
    wait_for("three streams", || server.streams().len() == 3 && server.arrived().len() >= 3);
    wait_for("an empty backlog", || library.forwarders()[0].info().lag_records == 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn several_batches_are_on_their_way_and_answers_come_in_any_order() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    server.script([Act::KeepAfterNext, Act::KeepAfterNext, Act::KeepAfterNext]);
    let mut destination = otap(&server);
    // So that a batch is what one export was.
    destination.options.set("max_message", OptionValue::Count(64 << 10));
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    for number in 0..4 {
        export(&library, number * 10, number * 10 + 10);
        wait_for("the batch", || server.arrived().len() > number as usize);
    }
    assert!(server.wait_until(LONG, has_all(40)));
    delivered(&library, 40);
    assert_eq!(server.most_in_flight(), 4);
    assert!(kept(&server.arrived()).values().all(|times| *times == 1));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn statuses_mean_what_they_mean_for_otlp() {
    // What is refused for good is set aside, and everything else is sent again, alone or in halves.
    for (code, set_aside) in
        [(14, false), (3, true), (8, true), (16, false), (10, false), (4, false), (7, false), (13, true)]
    {
        let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
        let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
        let events = events_of(&library);
        export(&library, 0, 1);
        assert!(server.wait_until(LONG, has_all(1)));
        server.script([Act::Answer(code)]);
        export(&library, 1, 2);
        if set_aside {
            let rejected = event(&events, EventName::RecordsRejected);
            assert!(rejected.message.contains("scripted"), "{code}: {}", rejected.message);
            wait_for("the count", || counted(&library, "otlp_arrow_rejected_records_total") == 1);
        } else {
            assert!(server.wait_until(LONG, has_all(2)), "{code}");
            delivered(&library, 2);
        }
        // The streams of 0, 3, 8 and 14 go on; after others the server may end its own, so the client does.
        let streams = if matches!(code, 14 | 3 | 8) { 1 } else { 2 };
        export(&library, 2, 3);
        assert!(server.wait_until(LONG, |arrived, _| kept(arrived).contains_key(&2)), "{code}");
        assert_eq!(server.streams().len(), streams, "{code}");
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn a_batch_that_is_refused_as_too_large_is_split() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    server.script([Act::Answer(8), Act::Keep, Act::Answer(8)]);
    let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
    export(&library, 0, 64);
    assert!(server.wait_until(LONG, has_all(64)));
    delivered(&library, 64);
    assert_eq!(counted(&library, "otlp_arrow_rejected_records_total"), 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn messages_stay_below_what_the_server_takes() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    let mut destination = otap(&server);
    destination.options.set("max_message", OptionValue::Count(64 << 10));
    destination.options.set("payload_compression", OptionValue::Text("none".into()));
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    for number in 0..4 {
        export(&library, number * 4000, number * 4000 + 4000);
    }
    assert!(server.wait_until(LONG, has_all(16_000)));
    delivered(&library, 16_000);
    let largest = server.arrived().iter().map(|batch| batch.bytes).max().unwrap();
    assert!(largest <= 64 << 10, "{largest}");
    assert!(server.arrived().len() > 4, "{} messages", server.arrived().len());
    assert!(kept(&server.arrived()).values().all(|times| *times == 1));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn streams_end_in_order_when_their_time_is_over() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    let mut destination = otap(&server);
    destination.options.set("stream_lifetime", OptionValue::Duration(Duration::from_secs(1)));
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let mut number = 0;
    while server.streams().len() < 4 {
        export(&library, number * 3, number * 3 + 3);
        number += 1;
        assert!(number < 100_000);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(server.wait_until(LONG, has_all(number * 3)));
    delivered(&library, number * 3);
    let kept = kept(&server.arrived());
    assert!(kept.values().all(|times| *times == 1), "a stream that ends in order loses no answer");
    wait_for("their ends", || server.ended() >= 3);
    assert_eq!(counted(&library, "otlp_arrow_forward_failed_records_total"), 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_stream_without_data_ends_as_well() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    let mut destination = otap(&server);
    destination.options.set("stream_lifetime", OptionValue::Duration(Duration::from_secs(1)));
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    export(&library, 0, 10);
    assert!(server.wait_until(LONG, has_all(10)));
    wait_for("its end, with nothing more to send", || server.ended() == 1);
    assert_eq!(server.streams().len(), 1);
    export(&library, 10, 20);
    assert!(server.wait_until(LONG, has_all(20)));
    assert_eq!(server.streams().len(), 2);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_a_stream_took_along_is_sent_again() {
    for act in [Act::End(14), Act::End(0), Act::Reset, Act::Stray, Act::KeepAndEnd, Act::End(4), Act::End(13)] {
        let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
        let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
        export(&library, 0, 10);
        assert!(server.wait_until(LONG, has_all(10)));
        // Two are on their way when it ends.
        server.script([Act::KeepAfterNext, act]);
        export(&library, 10, 20);
        assert!(server.wait_until(LONG, has_all(20)), "{act:?}");
        for number in 2..20 {
            export(&library, number * 10, number * 10 + 10);
        }
        assert!(server.wait_until(LONG, has_all(200)), "{act:?}");
        delivered(&library, 200);
        // What was kept and not answered comes twice, and nothing more often.
        let kept = kept(&server.arrived());
        assert!(kept.values().all(|times| *times <= 2), "{act:?}: {kept:?}");
        assert!(server.streams().len() >= 2, "{act:?}");
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn a_batch_that_ends_the_stream_is_found_and_set_aside() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 1);
    assert!(server.wait_until(LONG, has_all(1)));
    delivered(&library, 1);
    // Alone on its stream, it is what the stream was ended for.
    server.script([Act::End(13)]);
    export(&library, 1, 2);
    assert!(event(&events, EventName::RecordsRejected).message.contains("gRPC 13"));
    export(&library, 2, 3);
    assert!(server.wait_until(LONG, |arrived, _| kept(arrived).contains_key(&2)));
    assert_eq!(counted(&library, "otlp_arrow_rejected_records_total"), 1);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_server_that_never_answers_holds_nothing_up_for_longer_than_the_timeout() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    server.script([Act::Hang]);
    let mut destination = otap(&server);
    destination.timeout = Duration::from_millis(300);
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    export(&library, 0, 10);
    assert!(server.wait_until(LONG, has_all(10)));
    delivered(&library, 10);
    assert_eq!(server.streams().len(), 2, "the stream that said nothing is given up");
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_server_without_otap_gets_otlp_and_everybody_is_told() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    server.refuse(Some(12));
    let library = OtlpLibrary::open(config(dir.path(), [otap(&server)])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 10);
    let told = event(&events, EventName::ForwardDowngraded);
    assert_eq!((told.destination.as_deref(), told.signal), (Some("arrow"), Some(Signal::Logs)));
    assert!(told.message.contains("OTLP/gRPC"), "{}", told.message);
    for number in 1..10 {
        export(&library, number * 10, number * 10 + 10);
    }
    delivered(&library, 100);
    let arrived: usize = server.otlp().iter().map(|payload| numbers_of(payload).len()).sum();
    assert_eq!(arrived, 100);
    let changed = library
        .stats()
        .counters
        .total("otlp_arrow_forward_changed_records_total", &[("destination", "arrow"), ("reason", "sent_as_otlp")]);
    assert_eq!(changed, 100);
    assert_eq!(server.streams().len(), 1, "it is not asked again");
    assert_eq!(library.health().status, HealthStatus::Ok);
    library.shutdown_blocking(None).unwrap();
    assert!(!events.try_iter().any(|event| event.name == EventName::ForwardDowngraded), "told once");
}

#[test]
fn without_the_fallback_a_server_without_otap_blocks_the_destination() {
    let (dir, server) = (tempfile::tempdir().unwrap(), ArrowServer::start());
    server.refuse(Some(12));
    let mut destination = otap(&server);
    destination.options.set("fallback", OptionValue::Flag(false));
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 10);
    let blocked = event(&events, EventName::ForwardBlocked);
    assert!(blocked.message.contains("no OTAP"), "{}", blocked.message);
    assert!(server.otlp().is_empty());
    assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 10);
}

#[test]
fn a_destination_that_is_away_gets_everything_later_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = ArrowServer::start();
    let (address, away) = (server.address(), otap(&server));
    drop(server);
    for round in 0..3 {
        let library = OtlpLibrary::open(config(dir.path(), [away.clone()])).unwrap();
        export(&library, round * 100, round * 100 + 100);
        match round {
            1 => drop(library),
            _ => assert!(library.shutdown_blocking(None).unwrap().undelivered_records > 0),
        }
    }
    let server = ArrowServer::start_at(address);
    let library = OtlpLibrary::open(config(dir.path(), [away])).unwrap();
    assert!(server.wait_until(LONG, has_all(300)));
    library.shutdown_blocking(None).unwrap();
    assert!(kept(&server.arrived()).values().all(|times| *times == 1));
}

/// Everything that a recorder has of a signal, as a request.
fn all<M: Normal>(library: &OtlpLibrary, signal: Signal) -> M {
    let batches: Vec<_> = library.read(signal, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    M::decode(&*otlp_arrow::encode(signal, &batches, Format::Protobuf).unwrap()).unwrap()
}

/// A Collector that takes OTAP at one address and sends OTLP to another.
struct Collector(Child, SocketAddr);

impl Collector {
    fn start(program: &str, dir: &Path, to: SocketAddr) -> Self {
        // Free now, and nobody else is given it soon.
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let signals = ["traces", "metrics", "logs"].map(|signal| {
            let pipeline = serde_json::json!({"receivers": ["otelarrow"], "exporters": ["otlp"]});
            (signal.to_owned(), pipeline)
        });
        let config = serde_json::json!({
            "receivers": {"otelarrow": {"protocols": {"grpc": {"endpoint": at.to_string()}}}},
            "exporters": {"otlp": {"endpoint": to.to_string(), "tls": {"insecure": true}}},
            "service": {
                "pipelines": serde_json::Map::from_iter(signals),
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            },
        });
        let path = dir.join("collector.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let child = Command::new(program).arg("--config").arg(format!("file:{}", path.display())).spawn().unwrap();
        Self(child, at)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn generated<M: Normal + PassedOn>(signal: Signal, make: fn(&mut Generator) -> M) {
    let (near_dir, far_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut listening = config(far_dir.path(), []);
    listening.listen.grpc = Some("127.0.0.1:0".parse().unwrap());
    let far = OtlpLibrary::open(listening).unwrap();
    let address = far.addresses().grpc.unwrap();
    let collector = std::env::var("OTLP_ARROW_COLLECTOR").ok();
    let collector = collector.map(|program| Collector::start(&program, near_dir.path(), address));
    let endpoint = collector.as_ref().map_or(address, |Collector(_, at)| *at);
    let mut to = DestinationConfig { protocol: Kind::OTAP, ..destination("arrow", &format!("http://{endpoint}")) };
    to.options.set("metric_metadata", OptionValue::Flag(collector.is_none()));
    to.options.set("fallback", OptionValue::Flag(false));
    let near = OtlpLibrary::open(config(near_dir.path(), [to])).unwrap();
    let mut records = 0;
    for seed in 0..150 {
        let request = make(&mut Generator::new(seed));
        let request = if collector.is_some() { request.passed_on() } else { request };
        records += block_on(near.export_otlp(signal, request.encode_to_vec().into())).unwrap().accepted;
    }
    assert!(records > 100, "{records} {signal}");
    delivered(&near, records);
    let committed = || far.stats().counters.total("otlp_arrow_committed_records_total", &[("signal", signal.as_str())]);
    wait_for("the other end's commits", || committed() >= records);
    let of = |reason| counted_for(&near, reason) > 0;
    assert!(!of("sent_as_otlp"));
    let loose = of("double_bits");
    let (mut was, mut is): (M, M) = (all(&near, signal), all(&far, signal));
    if collector.is_some() {
        (was, is) = (was.passed_on(), is.passed_on());
    }
    assert_eq!(was.normal(loose).content().difference(&is.normal(loose).content()), None, "{signal}");
    near.shutdown_blocking(None).unwrap();
    far.shutdown_blocking(None).unwrap();
}

fn counted_for(library: &OtlpLibrary, reason: &str) -> u64 {
    let labels = [("destination", "arrow"), ("reason", reason)];
    library.stats().counters.total("otlp_arrow_forward_changed_records_total", &labels)
}

/// With a Collector between them where OTLP_ARROW_COLLECTOR names the program, as `npm run test:long -- otap-out` does.
#[test]
fn another_recorder_has_what_this_one_has() {
    generated(Signal::Logs, Generator::logs);
    generated(Signal::Traces, Generator::traces);
    generated(Signal::Metrics, Generator::metrics);
}
