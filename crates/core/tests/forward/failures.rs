//! Every way in which delivering can fail, as a user gets to know of it: the event, the counters, health, and what
//! happens once it is over.

use std::time::Duration;

use otlp_arrow::HealthStatus;
use otlp_arrow::config::Kind;
use otlp_arrow::config::{BreakerConfig, DestinationConfig};
use otlp_arrow::{EventName, OtlpLibrary};
use otlp_arrow_testkit::backend::{Backend, Reply};

use crate::support::{
    Certificate, LONG, all_of, certificate, config, destination, event, events_of, export, numbers, wait_for,
};

const NAME: &str = "failing";
/// Failures in a row that open the breaker here.
const FAILURES: u32 = 2;
/// Records that are exported.
const RECORDS: u64 = 5;

/// One failure, and what tells of it.
struct Case {
    what: &'static str,
    protocol: Kind,
    trouble: Trouble,
    event: EventName,
    /// Part of the event's message, of the forwarder's last error, and of health.
    says: &'static str,
}

enum Trouble {
    /// The remote answers so.
    Answers(Reply),
    /// Nothing listens.
    Refused,
    /// The destination's name does not exist.
    NoName,
    /// The certificate is for this name and expires in this year.
    Certificate(&'static str, i32),
}

fn cases() -> Vec<Case> {
    use EventName::{BreakerOpened, ForwardBlocked};
    let grpc = |status, after: Option<u64>| {
        Trouble::Answers(Reply::Grpc { status, retry_after: after.map(Duration::from_millis) })
    };
    let http =
        |status, after: Option<&str>| Trouble::Answers(Reply::Http { status, retry_after: after.map(str::to_owned) });
    let case = |what, protocol, trouble, event, says| Case { what, protocol, trouble, event, says };
    let mut cases = vec![
        case("throttled", Kind::OTLP_GRPC, grpc(14, None), BreakerOpened, "gRPC 14"),
        case("throttled with RetryInfo", Kind::OTLP_GRPC, grpc(8, Some(300)), BreakerOpened, "gRPC 8"),
        case("429", Kind::OTLP_HTTP, http(429, None), BreakerOpened, "HTTP 429"),
        case("429 with Retry-After", Kind::OTLP_HTTP, http(429, Some("1")), BreakerOpened, "HTTP 429"),
        case("429 by a proxy", Kind::OTLP_GRPC, http(429, None), BreakerOpened, "HTTP 429"),
        case("503", Kind::OTLP_HTTP, http(503, None), BreakerOpened, "HTTP 503"),
        case("503 by a proxy", Kind::OTLP_GRPC, http(503, None), BreakerOpened, "HTTP 503"),
        case("401", Kind::OTLP_HTTP, http(401, None), ForwardBlocked, "HTTP 401"),
        case("401 by a proxy", Kind::OTLP_GRPC, http(401, None), ForwardBlocked, "HTTP 401"),
        case("unauthenticated", Kind::OTLP_GRPC, grpc(16, None), ForwardBlocked, "gRPC 16"),
    ];
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        cases.extend([
            case("refused", protocol, Trouble::Refused, BreakerOpened, "cannot be reached"),
            case("reset", protocol, Trouble::Answers(Reply::Reset), BreakerOpened, "error"),
            case("hang", protocol, Trouble::Answers(Reply::Hang), BreakerOpened, "no answer within 500ms"),
            case("half-written", protocol, Trouble::Answers(Reply::HalfWritten), BreakerOpened, "broke off"),
            case("no such name", protocol, Trouble::NoName, ForwardBlocked, "does-not-exist.invalid"),
            case("expired", protocol, Trouble::Certificate("localhost", 2021), ForwardBlocked, "xpired"),
            case("wrong host", protocol, Trouble::Certificate("elsewhere.example", 2100), ForwardBlocked, "localhost"),
        ]);
    }
    cases
}

/// A remote in trouble, and the same without it.
struct Remote {
    url: String,
    backend: Option<Backend>,
    certificate: Option<Certificate>,
}

impl Trouble {
    fn begin(&self) -> Remote {
        let loopback = ([127, 0, 0, 1], 0).into();
        match self {
            Trouble::Answers(reply) => {
                let backend = Backend::start();
                backend.reply(reply.clone());
                Remote { url: backend.url(), backend: Some(backend), certificate: None }
            }
            Trouble::Refused => Remote { url: Backend::start().url(), backend: None, certificate: None },
            Trouble::NoName => {
                Remote { url: "http://does-not-exist.invalid:4317".into(), backend: None, certificate: None }
            }
            Trouble::Certificate(name, until) => {
                let wrong = certificate(name, *until);
                let backend = Backend::start_at(loopback, Some(wrong.server.clone()));
                Remote { url: backend.url(), backend: Some(backend), certificate: Some(wrong) }
            }
        }
    }

    /// The remote gets well where it is; `None` where only another configuration helps.
    fn mend(&self, remote: &mut Remote) -> Option<Backend> {
        match self {
            Trouble::Answers(_) => {
                let backend = remote.backend.take()?;
                backend.reply(Reply::Accept);
                Some(backend)
            }
            Trouble::Refused => {
                let address = remote.url.strip_prefix("http://")?.parse().ok()?;
                Some(Backend::start_at(address, None))
            }
            Trouble::NoName | Trouble::Certificate(..) => None,
        }
    }
}

fn total(library: &OtlpLibrary, name: &str) -> u64 {
    library.stats().counters.total(name, &[("destination", NAME)])
}

fn check(case: &Case) {
    let what = format!("{} by {:?}", case.what, case.protocol);
    let dir = tempfile::tempdir().unwrap();
    let mut remote = case.trouble.begin();
    let mut destination = DestinationConfig { protocol: case.protocol, ..destination(NAME, &remote.url) };
    destination.timeout = Duration::from_millis(500);
    destination.breaker.strategy = BreakerConfig::ConsecutiveFailures { failures: FAILURES };
    destination.tls.ca_file = remote.certificate.as_ref().map(|certificate| certificate.ca.path().to_owned());
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    export(&library, 0, RECORDS);

    let told = event(&events, case.event);
    assert_eq!(told.destination.as_deref(), Some(NAME), "{what}");
    assert!(told.message.contains(NAME) && told.message.contains(case.says), "{what}: {}", told.message);
    let counted = library.stats().counters.total("otlp_arrow_events_total", &[("event", case.event.as_str())]);
    // A breaker may have opened again meanwhile; what is blocked is told again after ten minutes only.
    assert!(counted == 1 || counted > 1 && case.event != EventName::ForwardBlocked, "{what}: counted {counted} times");
    let failed = total(&library, "otlp_arrow_forward_failed_records_total");
    let least = if case.event == EventName::ForwardBlocked { RECORDS } else { RECORDS * u64::from(FAILURES) };
    assert!(failed >= least, "{what}: {failed} records counted as failed");
    assert_eq!(total(&library, "otlp_arrow_forwarded_records_total"), 0, "{what}");
    assert_eq!(total(&library, "otlp_arrow_rejected_records_total"), 0, "{what}");
    let info = library.forwarders()[0].info();
    assert_eq!((info.lag_records, info.rejected_requests), (RECORDS, 0), "{what}");
    assert!(info.last_error.as_ref().is_some_and(|error| error.contains(case.says)), "{what}: {:?}", info.last_error);
    let health = library.health();
    assert_eq!((health.status, health.accepting), (HealthStatus::Degraded, true), "{what}");
    assert!(health.problems[0].message.contains(case.says), "{what}: {}", health.problems[0].message);

    match case.trouble.mend(&mut remote) {
        Some(backend) => {
            let received = backend.wait_until(LONG, all_of(0..RECORDS));
            assert!(numbers(&received).values().all(|times| *times == 1), "{what}: something came twice");
            event(&events, EventName::BreakerClosed);
            if case.event == EventName::ForwardBlocked {
                event(&events, EventName::ForwardRecovered);
            }
            wait_for("health", || library.health().status == HealthStatus::Ok);
            wait_for("the counter", || total(&library, "otlp_arrow_forwarded_records_total") == RECORDS);
            assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0, "{what}");
        }
        None => {
            assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, RECORDS, "{what}");
            if let Some(backend) = &remote.backend {
                assert!(backend.received().is_empty(), "{what}: something was sent to a stranger");
            }
            // What was kept meanwhile goes to where the next configuration says.
            let right = Backend::start();
            let destination =
                DestinationConfig { protocol: case.protocol, ..crate::support::destination(NAME, &right.url()) };
            let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
            right.wait_until(LONG, all_of(0..RECORDS));
            assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0, "{what}");
        }
    }
    assert!(!dir.path().join("rejected").exists(), "{what}: something was set aside");
}

#[test]
fn every_failure_is_announced_and_counted_and_loses_nothing() {
    std::thread::scope(|scope| {
        let running: Vec<_> = cases().into_iter().map(|case| scope.spawn(move || check(&case))).collect();
        let failed = running.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err).count();
        assert_eq!(failed, 0, "cases that failed");
    });
}

#[test]
fn a_breaker_that_opens_at_once_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    backend.reply(Reply::Http { status: 503, retry_after: None });
    let mut destination = DestinationConfig { protocol: Kind::OTLP_HTTP, ..destination(NAME, &backend.url()) };
    destination.breaker.strategy = BreakerConfig::ConsecutiveFailures { failures: 1 };
    let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 1);
    let told = event(&events, EventName::BreakerOpened);
    assert!(told.message.contains("HTTP 503: refused"), "{}", told.message);
}

#[test]
fn partial_success_is_announced_and_counted_by_both_protocols() {
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
        backend.reply(Reply::Partial { rejected: 2, message: "two are too old".into() });
        let destination = DestinationConfig { protocol, ..destination(NAME, &backend.url()) };
        let library = OtlpLibrary::open(config(dir.path(), [destination])).unwrap();
        let events = events_of(&library);
        export(&library, 0, RECORDS);
        let told = event(&events, EventName::RecordsRejected);
        assert_eq!((told.count, told.destination.as_deref()), (Some(2), Some(NAME)));
        assert!(told.message.contains("two are too old"), "{}", told.message);
        wait_for("the counters", || total(&library, "otlp_arrow_forwarded_records_total") == RECORDS - 2);
        assert_eq!(total(&library, "otlp_arrow_rejected_records_total"), 2);
        assert_eq!(total(&library, "otlp_arrow_forward_failed_records_total"), 0);
        assert_eq!(library.forwarders()[0].info().state, otlp_arrow::BreakerState::Closed);
        assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0);
        assert_eq!(backend.received().len(), 1, "partial success is not sent again");
    }
}
