//! Two sides beside each other, and what some records have in common.

use opentelemetry_proto::tonic::trace::v1::span::Event;
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{Change, Compare, CompareQuestion, Overrepresented, OverrepresentedQuestion, Side};
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Answer as _, Telemetry};

use crate::calls::{SERVER, send, span};
use crate::metrics_sample::text;
use crate::sample::{self, SECOND, START};

const NOW: u64 = START + 600 * SECOND;

fn compare(telemetry: &Telemetry, a: &str, b: &str, pairs: &[(&str, &str)]) -> Compare {
    let side = |name, text| Side::parse(name, text, NOW).unwrap();
    let filter = Filter::parse(pairs.iter().copied(), NOW).unwrap();
    telemetry.ask(&CompareQuestion { a: side("a", a), b: side("b", b), filter }).unwrap()
}

fn changes(answer: &Compare) -> Vec<(&str, Change, i64)> {
    answer
        .operations
        .iter()
        .map(|change| (change.name.as_str(), change.change, (change.impact / 1e6).round() as i64))
        .collect()
}

/// Two runs of 20 requests each, 100 s apart: in the second one `query` takes longer, `render` less, `old` is gone, `new` is there
/// and `charge` fails.
fn runs(directory: &std::path::Path) -> otlp_arrow::OtlpLibrary {
    let mut library = sample::recorder(directory);
    for (run, first) in [("1", 0u64), ("2", 100)] {
        for trace in first..first + 20 {
            let is_second = run == "2";
            let gone = |line: u64| Event {
                time_unix_nano: START + trace * SECOND,
                name: "exception".into(),
                attributes: vec![
                    text("exception.type", "Gone"),
                    text("exception.message", &format!("order {line} is gone")),
                ],
                ..Default::default()
            };
            let charge = span(trace, 4, 1, "shop", "charge");
            let mut spans = vec![
                span(trace, 1, 0, "shop", "GET /")
                    .kind(SERVER)
                    .took(200)
                    .with("user", if trace % 2 == 0 { "bob" } else { "eve" }),
                span(trace, 2, 1, "shop", "query").took(if is_second { 50 } else { 20 }),
                span(trace, 3, 1, "shop", "render").took(if is_second { 20 } else { 40 }),
                if is_second && trace % 2 == 0 { charge.failed().event(gone(trace)) } else { charge },
                span(trace, 5, 1, "shop", if is_second { "new" } else { "old" }).took(5),
            ];
            spans.iter_mut().for_each(|made| *made = made.clone().of("ci.run.id", run).of("host.name", "h1"));
            send(&library, spans);
        }
        if run == "1" {
            library.shutdown_blocking(None).unwrap();
            library = sample::recorder(directory);
        }
    }
    library
}

#[test]
fn what_changed_between_two_runs_by_what_it_does_to_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let library = runs(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let wanted = [
        ("query", Change::Slower, 30),
        ("render", Change::Faster, -20),
        ("new", Change::New, 5),
        ("old", Change::Gone, -5),
        ("charge", Change::Failing, 0),
        ("GET /", Change::Same, 0),
    ];
    // As runs, as ranges, and as a mixture of both.
    for (a, b) in [
        ("resource=ci.run.id=1", "resource=ci.run.id=2"),
        ("-600s..-550s", "-550s..-450s"),
        ("resource=ci.run.id=1 service=shop", "from=-500s"),
    ] {
        let found = compare(&telemetry, a, b, &[]);
        assert_eq!(changes(&found), wanted, "{a} and {b}");
        assert_eq!((found.a.is.as_str(), found.a.spans, found.a.requests, found.b.errors), (a, 100, 20, 10));
        let query = &found.operations[0];
        let [before, after] = [query.a.as_ref().unwrap(), query.b.as_ref().unwrap()];
        assert_eq!((before.count, before.p50, after.p95, after.total), (20, 20_000_000, 50_000_000, 1_000_000_000));
        let told: Vec<_> = found
            .errors
            .iter()
            .map(|error| (error.exception_type.as_str(), error.message.as_str(), error.a, error.b))
            .collect();
        assert_eq!(told, [("Gone", "order <n> is gone", 0, 10)]);
    }
    let back = compare(&telemetry, "resource=ci.run.id=2", "resource=ci.run.id=1", &[("name", "charge")]);
    assert_eq!(changes(&back), [("charge", Change::Recovered, 0)]);
    assert_eq!((back.errors[0].a, back.errors[0].b), (10, 0));
    let most = compare(&telemetry, "resource=ci.run.id=1", "resource=ci.run.id=2", &[("limit", "2")]);
    assert_eq!((most.operations.len(), most.searched.complete), (2, false));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn two_traces_by_their_ids_or_the_beginning_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let library = runs(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let id = |trace: u64| otlp_arrow_query::record::hex(&crate::calls::trace_id(trace));
    let found = compare(&telemetry, &id(1), &id(100)[..16], &[]);
    let kinds: Vec<_> = changes(&found).into_iter().map(|(name, change, _)| (name, change)).collect();
    assert!(
        kinds.contains(&("query", Change::Slower))
            && kinds.contains(&("charge", Change::Failing))
            && kinds.contains(&("new", Change::New)),
        "{kinds:?}"
    );
    assert_eq!((found.a.spans, found.b.is.as_str(), found.a.requests), (5, id(100).as_str(), 1));
    assert!(
        found.to_json().unwrap().contains("\"change\":\"slower\"") && found.table().unwrap().num_rows() == found.rows()
    );
    let gone = compare(&telemetry, &id(1), &id(999), &[]);
    assert_eq!(gone.operations.iter().filter(|change| change.change == Change::Gone).count(), 5);
    assert!(gone.searched.hints[0].starts_with("b: no span is of"), "{:?}", gone.searched.hints);
    for (pairs, problem) in [
        (vec![("b", "-1h..")], "a = \"\" is missing"),
        (vec![("a", "-1h..")], "b = \"\" is missing"),
        (vec![("a", "000000"), ("b", "-1h..")], "several traces"),
        (vec![("a", "xyz"), ("b", "-1h..")], "service=shop"),
        (vec![("a", "service=shop"), ("b", "servce=shop")], "did you mean service?"),
    ] {
        let error = telemetry.ask_named("compare", pairs.clone(), &AskOptions::default()).err();
        let error = error.unwrap_or_else(|| panic!("{pairs:?} is taken"));
        assert!(error.message().contains(problem), "{pairs:?}: {}", error.message());
    }
    library.shutdown_blocking(None).unwrap();
}

fn overrepresented(telemetry: &Telemetry, against: Option<&str>, pairs: &[(&str, &str)]) -> Overrepresented {
    let against = against.map(|text| Side::parse("against", text, NOW).unwrap());
    let filter = Filter::parse(pairs.iter().copied(), NOW).unwrap();
    telemetry.ask(&OverrepresentedQuestion { signal: otlp_arrow::Signal::Traces, against, filter }).unwrap()
}

#[test]
fn what_records_have_in_common_and_others_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let library = runs(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let told = |found: &Overrepresented| {
        found
            .values
            .iter()
            .map(|value| (value.by.clone(), value.value.clone(), value.count, value.others))
            .collect::<Vec<_>>()
    };
    let row = |by: &str, value: &str, count, others| (by.to_owned(), value.to_owned(), count, others);
    let failing = overrepresented(&telemetry, None, &[("status", "error")]);
    assert_eq!((failing.selected, failing.others), (10, 190));
    assert_eq!(
        told(&failing),
        [row("status", "error", 10, 0), row("name", "charge", 10, 30), row("resource:ci.run.id", "2", 10, 90)]
    );
    let share = &failing.values[2];
    assert!((share.share - 1.0).abs() < 1e-9 && (share.others_share - 90.0 / 190.0).abs() < 1e-9 && share.score > 3.0);
    // Against something else: the first run has none of what is new.
    let second = overrepresented(&telemetry, Some("resource=ci.run.id=1"), &[("resource", "ci.run.id=2")]);
    assert_eq!((second.selected, second.others), (100, 100));
    assert_eq!(told(&second)[..2], [row("resource:ci.run.id", "2", 100, 0), row("name", "new", 20, 0)]);
    // What is as frequent here and there is not told, however frequent it is.
    assert!(failing.values.iter().all(|value| value.by != "resource:host.name" && value.by != "service"));
    let requests = overrepresented(&telemetry, None, &[("kind", "server")]);
    assert!(told(&requests).contains(&row("attr:user", "bob", 20, 0)));
    let one = overrepresented(&telemetry, None, &[("kind", "server"), ("limit", "1")]);
    assert_eq!((one.values.len(), one.searched.complete, one.table().unwrap().num_rows()), (1, false, 1));
    assert!(one.to_json().unwrap().contains("\"selected\":40"));
    for (pairs, problem) in [
        (vec![("service", "shop")], "no others to compare with"),
        (vec![("status", "error"), ("against", "4bf92f3577b34da6")], "is a trace"),
        (vec![("status", "error"), ("against", "servce=x")], "did you mean service?"),
    ] {
        let error = telemetry.ask_named("overrepresented", pairs.clone(), &AskOptions::default()).err();
        let error = error.unwrap_or_else(|| panic!("{pairs:?} is taken"));
        assert!(error.message().contains(problem), "{pairs:?}: {}", error.message());
    }
    let nothing = overrepresented(&telemetry, None, &[("service", "shp"), ("status", "error")]);
    assert!(nothing.searched.hints[0].contains("\"shop\""), "{:?}", nothing.searched.hints);
    library.shutdown_blocking(None).unwrap();
}
