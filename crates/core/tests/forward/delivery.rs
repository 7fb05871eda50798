//! Forwarding end to end: a real library, a scripted remote.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use otlp_arrow::config::Kind;
use otlp_arrow::config::{BreakerConfig, DestinationConfig};
use otlp_arrow::{EventName, OtlpLibrary, Signal};
use otlp_arrow_testkit::backend::{Backend, Reply};
use otlp_arrow_testkit::payload;
use prost::Message;

use crate::support::{
    LONG, all_of, config, destination, event, events_of, export, logs, numbers, numbers_of, wait_for,
};

#[test]
fn fresh_data_arrives_as_it_came_by_both_protocols() {
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        let destination = DestinationConfig { protocol, ..destination("one", &backend.url()) };
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        export(&library, 0, 10);
        let first = backend.wait_until(LONG, all_of(0..10));
        assert_eq!(first[0].payload, logs(0..10), "the very bytes");
        for number in 10..300 {
            export(&library, number, number + 1);
        }
        let received = backend.wait_until(LONG, all_of(0..300));
        assert!(numbers(&received).values().all(|times| *times == 1), "nothing twice");
        let report = library.shutdown_blocking(None).unwrap();
        assert_eq!(report.undelivered_records, 0);
        assert_eq!(std::fs::read_dir(dir.path().join("cursors/forward/one")).unwrap().count(), 0, "no cursor is left");
        assert_eq!(std::fs::read_dir(dir.path().join("writers")).unwrap().count(), 0, "no lock is left");
    }
}

#[test]
fn a_remote_that_is_away_gets_everything_later_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    let (url, address) = (backend.url(), backend.address());
    drop(backend);
    let mut destination = destination("away", &url);
    destination.max_in_flight = 1;
    destination.memory = 0;
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    for number in 0..200 {
        export(&library, number * 50, number * 50 + 50);
    }
    assert_eq!(event(&events, EventName::BreakerOpened).destination.as_deref(), Some("away"));
    assert_eq!(library.health().status, otlp_arrow::HealthStatus::Degraded);
    wait_for("the whole lag", || library.forwarders()[0].info().lag_records == 10_000);
    assert!(library.forwarders()[0].info().last_error.is_some());

    let backend = Backend::start_at(address, None);
    let received = backend.wait_until(LONG, all_of(0..10_000));
    event(&events, EventName::BreakerClosed);
    let order: Vec<u64> = received.iter().flat_map(|request| numbers_of(&request.payload)).collect();
    assert_eq!(order, (0..10_000).collect::<Vec<_>>(), "in order, each once");
    wait_for("an empty backlog", || library.forwarders()[0].info().lag_records == 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn undelivered_data_of_an_ended_process_is_sent_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    let (url, address) = (backend.url(), backend.address());
    drop(backend);
    for round in 0..3 {
        let library = OtlpLibrary::open(config(dir.path(), [destination("next", &url)])).unwrap();
        export(&library, round * 100, round * 100 + 100);
        if round == 1 {
            drop(library); // Without a shutdown.
        } else {
            assert!(library.shutdown_blocking(None).unwrap().undelivered_records > 0);
        }
    }
    let backend = Backend::start_at(address, None);
    let library = OtlpLibrary::open(config(dir.path(), [destination("next", &url)])).unwrap();
    let received = backend.wait_until(LONG, all_of(0..300));
    assert!(numbers(&received).values().all(|times| *times == 1), "nothing twice");
    wait_for("the cursors of the dead to go", || {
        std::fs::read_dir(dir.path().join("cursors/forward/next")).unwrap().count() == 3
    });
    library.shutdown_blocking(None).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("writers")).unwrap().count(), 0, "no lock is left");
}

#[test]
fn a_wrong_token_keeps_everything_and_rejects_nothing() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Grpc { status: 16, retry_after: None });
    let library = OtlpLibrary::open(config(dir.path(), [destination("token", &backend.url())])).unwrap();
    let events = events_of(&library);
    for number in 0..50 {
        export(&library, number, number + 1);
    }
    event(&events, EventName::ForwardBlocked);
    backend.reply(Reply::Accept);
    let received = backend.wait_until(LONG, all_of(0..50));
    assert!(numbers(&received).values().all(|times| *times == 1));
    event(&events, EventName::ForwardRecovered);
    assert!(!dir.path().join("rejected").exists(), "nothing was set aside");
    library.shutdown_blocking(None).unwrap();
}

/// A container that starts before its collector, a token that is rotated a moment late, a route that is not there yet: with the
/// default waits it is delivered soon after it is right, and nothing is set aside.
#[test]
fn what_is_wrong_at_the_start_is_no_verdict() {
    let loopback = || SocketAddr::from(([127, 0, 0, 1], 0));
    let grpc = |status| (Kind::OTLP_GRPC, Some(Reply::Grpc { status, retry_after: None }));
    let http = |protocol, status| (protocol, Some(Reply::Http { status, retry_after: None }));
    let cases = [
        grpc(16), // UNAUTHENTICATED
        grpc(7),  // PERMISSION_DENIED
        grpc(12), // UNIMPLEMENTED: another server, or one without this service
        http(Kind::OTLP_GRPC, 404),
        http(Kind::OTLP_HTTP, 401),
        http(Kind::OTLP_HTTP, 403),
        http(Kind::OTLP_HTTP, 404),
        http(Kind::OTLP_HTTP, 405),
        (Kind::OTLP_GRPC, None), // refused
        (Kind::OTLP_HTTP, None),
    ];
    std::thread::scope(|scope| {
        for (protocol, reply) in cases {
            scope.spawn(move || {
                let what = format!("{protocol:?} {reply:?}");
                let dir = tempfile::tempdir().unwrap();
                let address = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
                let wrong = reply.map(|reply| {
                    let backend = Backend::start_at(address, None);
                    backend.reply(reply);
                    backend
                });
                let url = format!("http://{address}");
                let late = DestinationConfig { protocol, ..DestinationConfig::new("late", url.as_str()) };
                let library = OtlpLibrary::open(config(dir.path(), [late])).unwrap();
                export(&library, 0, 5);
                wait_for("a trouble", || library.forwarders()[0].info().last_error.is_some());
                let right = wrong.unwrap_or_else(|| Backend::start_at(address, None));
                right.reply(Reply::Accept);
                let since = Instant::now();
                right.wait_until(LONG, all_of(0..5));
                // The longest wait is 30 s; a verdict would be five minutes.
                assert!(since.elapsed() < Duration::from_secs(60), "{what}: {:?}", since.elapsed());
                assert!(!dir.path().join("rejected").exists(), "{what}: nothing was set aside");
                library.shutdown_blocking(None).unwrap();
            });
        }
    });
}

#[test]
fn refused_data_is_set_aside_and_can_be_sent_again() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let library = OtlpLibrary::open(config(dir.path(), [destination("picky", &backend.url())])).unwrap();
    let events = events_of(&library);
    backend.script([Reply::Grpc { status: 3, retry_after: None }]);
    export(&library, 0, 5);
    let rejected = event(&events, EventName::RecordsRejected);
    assert_eq!((rejected.count, rejected.signal), (Some(5), Some(Signal::Logs)));
    export(&library, 5, 10);
    let received = backend.wait_until(LONG, all_of(5..10));
    assert!(!numbers(&received).contains_key(&0), "not tried again by itself");
    let forwarder = &library.forwarders()[0];
    assert_eq!(forwarder.info().rejected_requests, 1);
    assert_eq!(forwarder.info().state, otlp_arrow::BreakerState::Closed, "refused data opens no breaker");
    let retried = forwarder.retry_rejected(LONG).unwrap();
    assert_eq!((retried.delivered, retried.left), (1, 0));
    assert!(numbers(&backend.received()).contains_key(&4));
    assert_eq!(std::fs::read_dir(dir.path().join("rejected/picky")).unwrap().count(), 0);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_destination_that_refuses_everything_as_bad_data_is_itself_suspected() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Grpc { status: 3, retry_after: None });
    let mut destination = destination("broken", &backend.url());
    destination.memory = 0;
    destination.max_in_flight = 1;
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    for number in 0..20 {
        export(&library, number, number + 1);
        wait_for("a request", || backend.received().len() as u64 > number.min(4));
    }
    event(&events, EventName::ForwardBlocked);
    assert!(library.forwarders()[0].info().rejected_requests <= 4);
    backend.reply(Reply::Accept);
    let set_aside = library.forwarders()[0].info().rejected_requests as u64;
    backend.wait_until(LONG, |received| numbers(received).len() as u64 == 20 - set_aside);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn requests_that_are_too_large_are_split_down_to_one_record() {
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        backend.reply(Reply::Limit(120));
        let mut destination = DestinationConfig { protocol, ..destination("small", &backend.url()) };
        destination.max_in_flight = 1;
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        export(&library, 0, 37);
        let received = backend.wait_until(LONG, all_of(0..37));
        let kept = received.iter().filter(|request| request.kept);
        let order: Vec<u64> = kept.flat_map(|request| numbers_of(&request.payload)).collect();
        assert_eq!(order, (0..37).collect::<Vec<_>>(), "in order, each once");
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn partial_success_is_counted_and_not_sent_again() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let library = OtlpLibrary::open(config(dir.path(), [destination("part", &backend.url())])).unwrap();
    let events = events_of(&library);
    backend.script([Reply::Partial { rejected: 2, message: "two are too old".into() }]);
    export(&library, 0, 5);
    let rejected = event(&events, EventName::RecordsRejected);
    assert_eq!(rejected.count, Some(2));
    assert!(rejected.message.contains("two are too old"), "{}", rejected.message);
    export(&library, 5, 6);
    let received = backend.wait_until(LONG, all_of(0..6));
    assert_eq!(received.len(), 2);
    let total = |name: &str| library.stats().counters.total(name, &[("destination", "part")]);
    wait_for("the counters", || total("otlp_arrow_forwarded_records_total") == 4);
    assert_eq!(total("otlp_arrow_rejected_records_total"), 2);
    // The same by the names of the semantic conventions.
    let counters = library.stats().counters;
    let exporter = ("otel_component_name", "otlp_grpc_log_exporter/part");
    assert_eq!(counters.total("otel_sdk_exporter_log_exported_total", &[exporter]), 6);
    assert_eq!(counters.total("otel_sdk_exporter_log_exported_total", &[exporter, ("error_type", "rejected")]), 2);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn throttling_is_honoured() {
    for (protocol, reply) in [
        (Kind::OTLP_GRPC, Reply::Grpc { status: 14, retry_after: Some(Duration::from_millis(700)) }),
        (Kind::OTLP_GRPC, Reply::Grpc { status: 8, retry_after: Some(Duration::from_millis(700)) }),
        (Kind::OTLP_HTTP, Reply::Http { status: 429, retry_after: Some("1".into()) }),
    ] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        let destination = DestinationConfig { protocol, ..destination("slow", &backend.url()) };
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        backend.script([reply]);
        export(&library, 0, 3);
        let received = backend.wait_until(LONG, all_of(0..3));
        let waited = received[1].at - received[0].at;
        assert!(waited >= Duration::from_millis(690), "{waited:?}");
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn a_stuck_destination_does_not_hold_up_another() {
    let (dir, stuck, good) = (tempfile::tempdir().unwrap(), Backend::start(), Backend::start());
    stuck.reply(Reply::Hang);
    let destinations = [destination("stuck", &stuck.url()), destination("good", &good.url())];
    let library = OtlpLibrary::open(config(dir.path(), destinations)).unwrap();
    for number in 0..100 {
        export(&library, number, number + 1);
    }
    good.wait_until(LONG, all_of(0..100));
    assert!(stuck.most_in_flight() <= 4);
    library.shutdown_blocking(Some(Duration::from_secs(5))).unwrap();
}

#[test]
fn paused_destinations_wait_until_they_are_resumed() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    let library = OtlpLibrary::open(config(dir.path(), [destination("hand", &backend.url())])).unwrap();
    let forwarder = library.forwarders().remove(0);
    forwarder.pause();
    export(&library, 0, 10);
    wait_for("the lag", || forwarder.info().lag_records == 10);
    assert!(backend.received().is_empty());
    forwarder.resume();
    backend.wait_until(LONG, all_of(0..10));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn a_failure_rate_opens_the_breaker_and_reset_asks_again_at_once() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Http { status: 503, retry_after: None });
    let mut destination = destination("rate", &backend.url());
    destination.protocol = Kind::OTLP_HTTP;
    destination.breaker.strategy = BreakerConfig::FailureRate { rate: 0.5, minimum: 3, window: LONG };
    destination.breaker.open = Duration::from_secs(60);
    destination.breaker.max_open = Duration::from_secs(60);
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 4);
    event(&events, EventName::BreakerOpened);
    let asked = backend.received().len();
    assert_eq!(asked, 3);
    backend.reply(Reply::Accept);
    library.forwarders()[0].reset();
    backend.wait_until(LONG, all_of(0..4));
    event(&events, EventName::BreakerClosed);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn requests_of_all_signals_that_fail_together_all_arrive() {
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        backend.reply(Reply::Http { status: 503, retry_after: None });
        let mut destination = DestinationConfig { protocol, ..destination("three", &backend.url()) };
        // So many fail that some of each signal are on their way at once, each lane's first.
        destination.breaker.strategy = BreakerConfig::ConsecutiveFailures { failures: 100 };
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        library.forwarders()[0].pause();
        for signal in Signal::ALL {
            let request = match signal {
                Signal::Traces => payload::spans(1, 1, 1).encode_to_vec(),
                Signal::Metrics => payload::numbers(1, 1).encode_to_vec(),
                Signal::Logs => payload::logs(1, 1, 1).encode_to_vec(),
            };
            block_on(library.export_otlp(signal, request.into())).unwrap();
        }
        library.forwarders()[0].resume();
        backend.wait_until(LONG, |received| received.len() >= 6);
        backend.reply(Reply::Accept);
        wait_for("all signals", || library.forwarders()[0].info().lag_records == 0);
        let kept: std::collections::BTreeSet<_> =
            backend.received().iter().filter(|request| request.kept).map(|request| request.signal).collect();
        assert_eq!(kept.len(), 3, "{kept:?}");
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn what_retention_takes_from_a_destination_is_announced_once() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    let url = backend.url();
    drop(backend);
    let mut config = config(dir.path(), [DestinationConfig { memory: 0, ..destination("away", &url) }]);
    config.rotation.max_bytes = 10_000;
    config.retention.max_bytes = 100_000;
    let library = OtlpLibrary::open(config).unwrap();
    let events = events_of(&library);
    let evicted = || library.stats().counters.total("otlp_arrow_dropped_records_total", &[("reason", "evicted")]);
    for number in 0..4000 {
        // While room is made, new data is refused for a moment.
        wait_for("room", || block_on(library.export_otlp(Signal::Logs, logs(number * 20..number * 20 + 20))).is_ok());
        if evicted() > 500 {
            break;
        }
    }
    let lost = evicted();
    assert!(lost > 500, "{lost}");
    library.shutdown_blocking(None).unwrap();
    let announced: Vec<_> = events.try_iter().filter(|event| event.name == EventName::RecordsEvicted).collect();
    assert!(announced.iter().all(|event| event.destination.as_deref() == Some("away")), "{announced:?}");
    assert!(announced.iter().filter_map(|event| event.count).sum::<u64>() >= lost, "{announced:?}");
    let mut files: Vec<_> = announced.iter().map(|event| event.message.clone()).collect();
    files.dedup();
    assert_eq!(files.len(), announced.len(), "each file once");
}
