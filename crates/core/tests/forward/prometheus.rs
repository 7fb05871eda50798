//! A server that stores as Prometheus does: one transaction a request, and words that tell what is wrong with one point of it.

use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point::Value,
};
use otlp_arrow::config::{DestinationConfig, Kind};
use otlp_arrow::{EventName, OtlpLibrary, Signal};
use otlp_arrow_testkit::backend::{Backend, Judge, Received, Reply};
use prost::Message;

use crate::support::{LONG, config, destination, event, events_of, wait_for};

/// One gauge a point, by the number that is its time and its value.
fn metrics(numbers: impl IntoIterator<Item = u64>) -> bytes::Bytes {
    let metric = |number: u64| {
        let value = Some(Value::AsInt(number as i64));
        let data_points = vec![NumberDataPoint { time_unix_nano: number + 1, value, ..Default::default() }];
        Metric { name: format!("m{number}"), data: Some(Data::Gauge(Gauge { data_points })), ..Default::default() }
    };
    let scope_metrics = vec![ScopeMetrics { metrics: numbers.into_iter().map(metric).collect(), ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
        .encode_to_vec()
        .into()
}

fn numbers_of(payload: &[u8]) -> Vec<i64> {
    let request = ExportMetricsServiceRequest::decode(payload).unwrap();
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let points = scopes.flat_map(|scope| &scope.metrics).flat_map(|metric| match &metric.data {
        Some(Data::Gauge(gauge)) => &gauge.data_points[..],
        _ => &[],
    });
    points.map(|point| if let Some(Value::AsInt(number)) = point.value { number } else { -1 }).collect()
}

fn kept(received: &[Received]) -> Vec<i64> {
    let kept = received.iter().filter(|request| request.kept);
    let mut numbers: Vec<i64> = kept.flat_map(|request| numbers_of(&request.payload)).collect();
    numbers.sort_unstable();
    numbers
}

const fn is_late(number: i64) -> bool {
    number % 100 == 7
}

fn late(payload: &[u8]) -> Option<(u16, &'static str)> {
    numbers_of(payload).into_iter().any(is_late).then_some((400, "out of order sample\n"))
}

fn untranslated(payload: &[u8]) -> Option<(u16, &'static str)> {
    let words = "invalid temporality and type combination for metric \"m7\"\n";
    numbers_of(payload).into_iter().any(is_late).then_some((500, words))
}

fn door(backend: &Backend) -> DestinationConfig {
    let url = format!("{}/api/v1/otlp", backend.url());
    DestinationConfig { protocol: Kind::OTLP_HTTP, max_in_flight: 1, ..destination("prometheus", &url) }
}

/// Eight requests, each with one late point: the others arrive, and nothing is blocked.
#[test]
fn late_points_do_not_hold_up_the_others() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Judge(Judge(late)));
    let library = OtlpLibrary::open(config(dir.path(), [door(&backend)])).unwrap();
    let events = events_of(&library);
    for request in 0..8 {
        block_on(library.export_otlp(Signal::Metrics, metrics(request * 100..request * 100 + 100))).unwrap();
    }
    let all: Vec<i64> = (0..800).filter(|number| !is_late(*number)).collect();
    backend.wait_until(LONG, |received| kept(received).len() >= all.len());
    wait_for("the end of the backlog", || library.forwarders()[0].info().lag_records == 0);
    assert_eq!(kept(&backend.received()), all, "each of the others, once");
    let told = event(&events, EventName::RecordsRejected);
    assert!(told.message.contains("out of order sample") && told.count.is_some_and(|count| count >= 1), "{told:?}");
    let total = |name| library.stats().counters.total(name, &[("destination", "prometheus")]);
    assert_eq!(total("otlp_arrow_rejected_records_total"), 8);
    assert_eq!(total("otlp_arrow_forwarded_records_total"), 792);
    let info = library.forwarders()[0].info();
    assert_eq!((info.rejected_requests, info.state), (0, otlp_arrow::BreakerState::Closed));
    library.shutdown_blocking(None).unwrap();
    assert!(!events.try_iter().any(|event| matches!(event.name, EventName::ForwardBlocked | EventName::BreakerOpened)));
}

/// What cannot be translated is set aside by itself, however much of it there is.
#[test]
fn what_cannot_be_translated_is_set_aside_alone() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Judge(Judge(untranslated)));
    let library = OtlpLibrary::open(config(dir.path(), [door(&backend)])).unwrap();
    let events = events_of(&library);
    for request in 0..8 {
        block_on(library.export_otlp(Signal::Metrics, metrics(request * 100..request * 100 + 20))).unwrap();
    }
    backend.wait_until(LONG, |received| kept(received).len() >= 8 * 19);
    wait_for("the end of the backlog", || library.forwarders()[0].info().lag_records == 0);
    assert_eq!(kept(&backend.received()).len(), 8 * 19);
    assert_eq!(library.forwarders()[0].info().rejected_requests, 8, "to be looked at by a person");
    library.shutdown_blocking(None).unwrap();
    assert!(!events.try_iter().any(|event| event.name == EventName::ForwardBlocked));
}

/// A server in trouble answers the same status: nothing is set aside.
#[test]
fn a_server_in_trouble_gets_everything_later() {
    let (dir, backend) = (tempfile::tempdir().unwrap(), Backend::start());
    backend.reply(Reply::Judge(Judge(|_| Some((500, "write to WAL: no space left on device\n")))));
    let library = OtlpLibrary::open(config(dir.path(), [door(&backend)])).unwrap();
    let events = events_of(&library);
    block_on(library.export_otlp(Signal::Metrics, metrics(0..50))).unwrap();
    event(&events, EventName::BreakerOpened);
    backend.reply(Reply::Accept);
    backend.wait_until(LONG, |received| kept(received).len() >= 50);
    assert_eq!((kept(&backend.received()).len(), library.forwarders()[0].info().rejected_requests), (50, 0));
    library.shutdown_blocking(None).unwrap();
}
