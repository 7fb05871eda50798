//! Exceptions of spans and log records, grouped and one by one.

use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_arrow::{OtlpLibrary, Signal};
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{ErrorsQuestion, ExceptionsQuestion};
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Answer as _, Telemetry};
use prost::Message;

use crate::metrics_sample::text;
use crate::sample::{self, SECOND, START};

const JAVA: &str = "java.lang.IllegalStateException: gone\n\tat com.shop.Cart.add(Cart.java:LINE)\n\tat com.shop.Main.main(Main.java:7)";

fn event(at: u64, kind: &str, message: &str, stack: Option<&str>) -> Event {
    let mut attributes = vec![text("exception.type", kind), text("exception.message", message)];
    attributes.extend(stack.map(|stack| text("exception.stacktrace", stack)));
    Event { time_unix_nano: START + at * SECOND, name: "exception".into(), attributes, ..Default::default() }
}

fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() })
}

/// One span of these events.
fn span(library: &OtlpLibrary, service: &str, number: u64, events: Vec<Event>) {
    let span = Span {
        trace_id: u128::from(number + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: format!("span {number}"),
        start_time_unix_nano: START + number * SECOND,
        end_time_unix_nano: START + number * SECOND + 1,
        events,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }];
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    block_on(library.export_otlp(Signal::Traces, request.into())).unwrap();
}

fn log(library: &OtlpLibrary, service: &str, at: u64, pairs: &[(&str, &str)]) {
    let record = LogRecord {
        time_unix_nano: START + at * SECOND,
        severity_number: 17,
        attributes: pairs.iter().map(|(key, value)| text(key, value)).collect(),
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }];
    let request = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    block_on(library.export_otlp(Signal::Logs, request.into())).unwrap();
}

/// Sealed spans of one writer, live ones of another, and log records.
fn sent(directory: &std::path::Path) -> OtlpLibrary {
    let mut library = sample::recorder(directory);
    for number in 0..30 {
        if number == 15 {
            library.shutdown_blocking(None).unwrap();
            library = sample::recorder(directory);
        }
        let other =
            Event { name: "retry".into(), attributes: vec![text("exception.type", "no")], ..Default::default() };
        let mut events = vec![other];
        if number % 3 == 0 {
            let stack = JAVA.replace("LINE", &number.to_string());
            events.push(event(number, "IllegalStateException", &format!("cart {number} is gone"), Some(&stack)));
        }
        if number % 10 == 0 {
            events.push(event(number, "Timeout", "no answer in 250ms", None));
        }
        span(&library, if number % 2 == 0 { "cart" } else { "checkout" }, number, events);
    }
    log(&library, "mail", 40, &[("exception.type", "Timeout"), ("exception.message", "no answer in 1250ms")]);
    log(&library, "mail", 41, &[("exception.message", "something")]);
    log(&library, "mail", 42, &[("user", "bob")]);
    library
}

fn filter(pairs: &[(&str, &str)]) -> Filter {
    Filter::parse(pairs.iter().copied(), START + 600 * SECOND).unwrap()
}

#[test]
fn alike_are_those_of_one_type_one_message_and_one_frame() {
    let dir = tempfile::tempdir().unwrap();
    let library = sent(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let found = telemetry.ask(&ErrorsQuestion::default()).unwrap();
    let told: Vec<_> = found
        .groups
        .iter()
        .map(|group| (group.exception_type.as_str(), group.message.as_str(), group.frame.as_deref(), group.count))
        .collect();
    assert_eq!(
        told,
        [
            ("IllegalStateException", "cart <n> is gone", Some("com.shop.Cart.add (Cart.java)"), 10),
            ("Timeout", "no answer in <n>ms", None, 4),
            ("", "something", None, 1),
        ]
    );
    let first = &found.groups[0];
    assert_eq!((found.total, first.first_seen, first.last_seen), (15, START, START + 27 * SECOND));
    let trend: Vec<_> = first.trend.iter().map(|bucket| ((bucket.time - START) / SECOND, bucket.count)).collect();
    assert_eq!((found.step, trend), (SECOND, (0..10).map(|at| (3 * at, 1)).collect::<Vec<_>>()));
    let timeouts: Vec<_> = found.groups[1].trend.iter().map(|bucket| (bucket.time - START) / SECOND).collect();
    assert_eq!(timeouts, [0, 10, 20, 40], "of spans and of a log record");
    assert_eq!(first.services, [("cart".to_owned(), 5), ("checkout".to_owned(), 5)]);
    assert_eq!(
        (first.example.message.as_str(), first.example.span_name.as_deref()),
        ("cart 27 is gone", Some("span 27"))
    );
    assert_eq!(first.example.trace_id.as_deref(), Some("0000000000000000000000000000001c"));
    assert_eq!(found.groups[1].services, [("cart".to_owned(), 3), ("mail".to_owned(), 1)]);
    assert_eq!(found.table().unwrap().num_rows(), 3);
    let json = found.to_json().unwrap();
    assert!(json.contains("\"type\":\"Timeout\"") && json.contains("\"step\":1000000000"), "{json}");

    let counts = |signal, pairs: &[(&str, &str)]| {
        let found = telemetry.ask(&ErrorsQuestion { signal, filter: filter(pairs) }).unwrap();
        found.groups.iter().map(|group| group.count).collect::<Vec<_>>()
    };
    assert_eq!(counts(Some(Signal::Logs), &[]), [1, 1]);
    assert_eq!(counts(None, &[("severity", ">=error")]), [1, 1], "only log records have a severity");
    assert_eq!(counts(None, &[("kind", "internal"), ("service", "cart")]), Vec::<u64>::new());
    assert_eq!(counts(None, &[("service", "checkout")]), [5]);
    assert_eq!(counts(None, &[("from", "-591s"), ("to", "-570s")]), [7, 2]);
    let most = telemetry.ask(&ErrorsQuestion { signal: None, filter: filter(&[("limit", "1")]) }).unwrap();
    assert_eq!((most.groups.len(), most.total, most.searched.complete), (1, 15, false));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn one_by_one_in_order_and_of_one_group() {
    let dir = tempfile::tempdir().unwrap();
    let library = sent(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let ask = |group: Option<u64>, pairs: &[(&str, &str)]| {
        telemetry.ask(&ExceptionsQuestion { signal: None, group, filter: filter(pairs) }).unwrap()
    };
    let times = |answer: &otlp_arrow_query::questions::Exceptions| {
        answer.exceptions.iter().map(|told| (told.time - START) / SECOND).collect::<Vec<_>>()
    };
    let all = ask(None, &[]);
    assert_eq!(times(&all), [41, 40, 27, 24, 21, 20, 18, 15, 12, 10, 9, 6, 3, 0, 0]);
    assert!(
        all.searched.complete
            && all.exceptions[2].stacktrace.as_deref().is_some_and(|stack| stack.contains("Cart.java:27"))
    );
    assert_eq!(times(&ask(None, &[("limit", "2")])), [41, 40]);
    assert_eq!(times(&ask(None, &[("order", "oldest"), ("limit", "3")])), [0, 0, 3]);
    let group = &telemetry.ask(&ErrorsQuestion::default()).unwrap().groups[1].group;
    assert_eq!(times(&ask(u64::from_str_radix(group, 16).ok(), &[])), [40, 20, 10, 0]);
    let named = telemetry.ask_named("exceptions", [("group", group.as_str())], &AskOptions::default()).unwrap();
    assert_eq!((named.rows(), named.table().unwrap().num_rows()), (4, 4));
    for (pairs, problem) in [
        ([("group", "12")], "16 hexadecimal digits"),
        ([("signal", "metrics")], "traces, logs"),
        ([("grup", "x")], "did you mean group?"),
    ] {
        let error = telemetry.ask_named("exceptions", pairs, &AskOptions::default()).err().unwrap();
        assert!(error.message().contains(problem), "{}", error.message());
    }
    let neither = ask_error(&telemetry);
    assert!(neither.contains("severity") || neither.contains("status"), "{neither}");
    library.shutdown_blocking(None).unwrap();
}

/// Words of which neither signal knows both.
fn ask_error(telemetry: &Telemetry) -> String {
    let question = ErrorsQuestion { signal: None, filter: filter(&[("severity", "error"), ("status", "error")]) };
    telemetry.ask(&question).unwrap_err().message().to_owned()
}
