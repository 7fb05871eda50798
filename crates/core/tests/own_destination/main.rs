//! A program brings a kind of destination of its own: one file (`lines.rs`) and one line (in `kinds`) give it keys,
//! documentation, retries, splitting, a breaker, a cursor, refused records set aside, and counters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "tests")]

mod lines;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_arrow::config::{DestinationConfig, Kind};
use otlp_arrow::internal::config::{self, Sources};
use otlp_arrow::internal::destinations::{
    Answer, Content, Destination, DestinationKind, Kinds, Request, Sending, Spec, Takes, Target,
};
use otlp_arrow::{Config, EventName, OtlpLibrary, Result, Signal};
use prost::Message;
use serde_json::{Value, json};

fn kinds() -> Kinds {
    Kinds::default().with(lines::KIND)
}

fn load(arguments: Value) -> Result<config::Loaded> {
    Config::load(&Sources { arguments, kinds: kinds(), ..Sources::default() })
}

fn refusal(destination: Value) -> String {
    load(json!({"forward": destination})).unwrap_err().message().to_owned()
}

/// A library that forwards to lines in `path`, with waits short enough for tests.
fn open(dir: &Path, path: &Path, more: Value) -> OtlpLibrary {
    let mut keys = json!({"path": path});
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let destination = json!({
        "name": "toy", "protocol": "lines", "lines": keys,
        "retry": {"initial": "10ms", "max": "50ms"}, "breaker": {"failures": 2, "open": "20ms", "max_open": "100ms"},
    });
    let arguments = json!({"output_dir": dir, "storage": {"min_free_bytes": "0B"}, "forward": destination});
    OtlpLibrary::open(load(arguments).unwrap().config).unwrap()
}

fn spans(names: &[&str]) -> Bytes {
    let span = |(number, name): (usize, &&str)| Span {
        trace_id: vec![1; 16],
        span_id: (number as u64 + 1).to_be_bytes().to_vec(),
        name: (*name).to_owned(),
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: names.iter().enumerate().map(span).collect(), ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn export(library: &OtlpLibrary, names: &[&str]) {
    let outcome = block_on(library.export_otlp(Signal::Traces, spans(names))).unwrap();
    assert_eq!(outcome.accepted, names.len() as u64);
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The size of the request that brought it, place and name of each line.
fn read(path: &Path) -> Vec<(u64, String, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let [records, file, row, name]: [&str; 4] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        (records.parse().unwrap(), format!("{file} {row}"), name.to_owned())
    };
    text.lines().map(line).collect()
}

fn names(path: &Path) -> Vec<String> {
    read(path).into_iter().map(|(_, _, name)| name).collect()
}

fn counted(library: &OtlpLibrary, what: &str) -> u64 {
    let name = format!("otlp_arrow_{what}_records_total");
    library.stats().counters.total(&name, &[("destination", "toy"), ("signal", "traces")])
}

#[test]
fn its_keys_are_parsed_printed_documented_and_checked_like_any_other() {
    let loaded =
        load(json!({"forward": {"protocol": "lines", "lines": {"path": "/tmp/l", "max_records": 7}}})).unwrap();
    let destination = &loaded.config.forward[0];
    assert_eq!(destination.protocol, lines::KIND);
    assert_eq!((destination.options.count("max_records"), destination.options.text("refuse")), (Some(7), None));
    assert_eq!(destination.max_in_flight, 1, "the default of its kind");
    assert!(destination.signals.traces && !destination.signals.logs, "the signals of its kind");
    let printed = config::print(&loaded);
    for line in ["protocol: lines", "path: /tmp/l", "max_records: 7", "max_in_flight: 1", "signals: [traces]"] {
        assert!(printed.contains(line), "{line} is missing in\n{printed}");
    }

    let by_default = load(json!({"forward": {"protocol": "lines", "lines": {"path": "/tmp/l"}}})).unwrap();
    assert_eq!(by_default.config.forward[0].options.count("max_records"), Some(100));
    let mut by_hand = DestinationConfig::of(lines::KIND, "default", "");
    assert_eq!(by_hand.options.count("max_records"), Some(100));
    assert!(by_hand.protocol.open(&by_hand).unwrap_err().message().contains("lines.path is missing"));
    by_hand.options.set("path", otlp_arrow::internal::destinations::OptionValue::Path("/tmp/l".into()));
    by_hand.protocol.open(&by_hand).unwrap();

    let schema = config::json_schema(&kinds());
    let destination = &schema["$defs"]["destination"]["properties"];
    assert_eq!(destination["protocol"]["enum"].as_array().unwrap().last().unwrap(), "lines");
    assert_eq!(destination["lines"]["properties"]["max_records"]["maximum"], 1000);
    assert_eq!(destination["lines"]["description"], "a line for each span, in a file");
    assert!(
        config::markdown_table(&kinds()).contains(
            "| `forward[].lines.max_records` | a whole number from 1 to 1000 | `100` | spans in one request |"
        )
    );
    assert!(config::commented_file(&kinds()).contains("max_records: 100"));

    for (wrong, says) in [
        (json!({"protocol": "line"}), "did you mean lines?"),
        (json!({"protocol": "lines", "lines": {"max_record": 1}}), "did you mean forward[].lines.max_records?"),
        (json!({"protocol": "lines", "lines": {"max_records": 0}}), "use a whole number from 1 to 1000"),
        (json!({"protocol": "lines", "signals": ["traces", "logs"]}), "has logs, which lines does not take"),
        (json!({"endpoint": "http://c", "lines": {"path": "x"}}), "has no meaning with protocol: otlp_grpc"),
    ] {
        let refused = refusal(wrong);
        assert!(refused.contains(says), "{refused}");
    }
    let env = BTreeMap::from([
        ("OTLP_ARROW_FORWARD__PROTOCOL".to_owned(), "lines".to_owned()),
        ("OTLP_ARROW_FORWARD__LINES__PATH".to_owned(), "/tmp/variable".to_owned()),
    ]);
    let loaded = Config::load(&Sources { env, kinds: kinds(), ..Sources::default() }).unwrap();
    assert_eq!(loaded.config.forward[0].options.path("path"), Some(Path::new("/tmp/variable")));
    let unknown = Config::load(&Sources { arguments: json!({"forward": {"protocol": "lines"}}), ..Sources::default() });
    assert!(unknown.unwrap_err().message().contains("is not allowed"), "who does not bring the kind cannot name it");
}

#[test]
fn it_says_of_each_record_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let library = open(&dir.path().join("out"), &path, json!({"refuse": "bad"}));
    export(&library, &["a", "bad", "b", "bad", "c"]);
    wait_for("an answer", || counted(&library, "forwarded") + counted(&library, "rejected") == 5);
    assert_eq!(names(&path), ["a", "b", "c"]);
    assert_eq!((counted(&library, "forwarded"), counted(&library, "rejected")), (3, 2));
    let rows: Vec<String> = read(&path).into_iter().map(|(_, place, _)| place).collect();
    assert!(rows[0].ends_with(" 0") && rows[1].ends_with(" 2") && rows[2].ends_with(" 4"), "{rows:?}");

    let [forwarder] = library.forwarders().try_into().unwrap();
    let info = forwarder.info();
    assert_eq!((info.rejected_requests, info.lag_records), (1, 0));
    assert!(info.last_error.unwrap().contains("bad is refused"));
    let retried = forwarder.retry_rejected(Duration::from_secs(20)).unwrap();
    assert_eq!((retried.delivered, retried.left), (0, 1), "it is refused again");
    let dir_of_refused = dir.path().join("out/rejected/toy");
    let refused = std::fs::read_dir(dir_of_refused).unwrap().map(|entry| entry.unwrap().path());
    let [data] = refused.filter(|path| path.extension().unwrap() == "pb").collect::<Vec<_>>().try_into().unwrap();
    let request = ExportTraceServiceRequest::decode(&*std::fs::read(data).unwrap()).unwrap();
    let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
    assert_eq!(spans.map(|span| span.name.as_str()).collect::<Vec<_>>(), ["bad", "bad"], "and nothing else");
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn it_is_tried_again_split_and_paused_by_its_breaker() {
    let dir = tempfile::tempdir().unwrap();
    let later = dir.path().join("later");
    let path = later.join("lines");
    let library = open(&dir.path().join("out"), &path, json!({"max_records": 3}));
    let (sender, events) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    library.on_event(move |event| drop(sender.lock().unwrap().send(event.clone())));
    let all: Vec<String> = (0..10).map(|number| format!("span{number}")).collect();
    export(&library, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let end = Instant::now() + Duration::from_secs(20);
    let opened = loop {
        let event = events.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap();
        if event.name == EventName::BreakerOpened {
            break event;
        }
    };
    assert_eq!(opened.destination.as_deref(), Some("toy"));
    assert!(opened.message.contains("lines"), "{}", opened.message);
    assert!(counted(&library, "forward_failed") > 0 && counted(&library, "forwarded") == 0);
    assert!(library.health().problems.iter().any(|problem| problem.destination.as_deref() == Some("toy")));

    std::fs::create_dir(&later).unwrap();
    wait_for("everything", || counted(&library, "forwarded") == 10);
    let lines = read(&path);
    assert!(lines.iter().all(|(records, ..)| *records <= 3), "{lines:?}");
    assert_eq!(names(&path), all, "one request at a time keeps the order");
    let info = library.forwarders()[0].info();
    assert_eq!((info.state.as_str(), info.lag_records), ("closed", 0));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_it_did_not_get_is_sent_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let (out, later) = (dir.path().join("out"), dir.path().join("later"));
    let path = later.join("lines");
    let library = open(&out, &path, json!({}));
    export(&library, &["a", "b"]);
    let report = library.shutdown_blocking(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(report.undelivered_records, 2);
    std::fs::create_dir(&later).unwrap();
    let library = open(&out, &path, json!({}));
    export(&library, &["c"]);
    wait_for("all three", || names(&path).len() == 3);
    assert_eq!(names(&path), ["a", "b", "c"], "what waits longest goes first");
    library.shutdown_blocking(None).unwrap();
    let again = open(&out, &path, json!({}));
    export(&again, &["d"]);
    wait_for("the fourth", || names(&path).len() == 4);
    again.shutdown_blocking(None).unwrap();
    assert_eq!(names(&path), ["a", "b", "c", "d"], "nothing twice");
}

/// Panics over the first requests; then counts the bytes it is handed.
#[derive(Debug)]
struct Panicking(AtomicUsize);

static PANICKING: Spec = Spec::new("panicking", "for a test", Takes::Otlp, Target::OwnKeys);

impl DestinationKind for Panicking {
    fn spec(&self) -> &Spec {
        &PANICKING
    }

    fn open(&self, _: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(Panicking(AtomicUsize::new(0))))
    }
}

impl Destination for Panicking {
    fn send(&self, request: Request) -> Sending<'_> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "not yet awake");
        Box::pin(async move {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) > 2, "half awake");
            let Content::Otlp(bytes) = request.content else { return Answer::passing("not as it came") };
            if bytes == spans(&["a"]) { Answer::delivered() } else { Answer::passing("not as it came") }
        })
    }
}

#[test]
fn one_that_panics_costs_an_attempt_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    static KIND: Panicking = Panicking(AtomicUsize::new(0));
    let mut destination = DestinationConfig::of(Kind::new(&KIND), "toy", "");
    destination.retry.initial = Duration::from_millis(300);
    let mut config = Config { output_dir: dir.path().to_owned(), forward: vec![destination], ..Config::default() };
    config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(config).unwrap();
    export(&library, &["a"]);
    for says in ["ended by a defect: not yet awake", "ended by a defect: half awake"] {
        let said = || library.forwarders()[0].info().last_error.is_some_and(|error| error.contains(says));
        wait_for(says, said);
    }
    wait_for("delivery", || counted(&library, "forwarded") == 1);
    assert_eq!(counted(&library, "forward_failed"), 2);
    library.shutdown_blocking(None).unwrap();
}
