//! Metrics, the service map, comparisons and errors on the command line.

use arrow_ipc::reader::StreamReader;

use super::*;

fn ask(dir: &Path, arguments: &[&str]) -> Done {
    cli(&[arguments, &["--dir", text(dir)]].concat())
}

/// Two runs of three requests of a shop, the second one slower and failing; a counter and a histogram.
fn runs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut spans = Vec::new();
    for (run, took) in [("1", 20), ("2", 50)] {
        for number in 0..3u64 {
            let start =
                1_795_246_895_000_000_000 + number * 1_000_000_000 + if run == "2" { 3_600_000_000_000 } else { 0 };
            let trace = format!("{run}{number:031x}");
            let mut span = |service: &str, id: u64, parent: u64, name: &str, kind: u64, millis: u64, more: Value| {
                let mut span = json!({
                    "traceId": trace, "spanId": format!("{id:016x}"), "name": name, "kind": kind,
                    "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + millis * 1_000_000).to_string(),
                });
                if parent > 0 {
                    span["parentSpanId"] = json!(format!("{parent:016x}"));
                }
                more.as_object().unwrap().iter().for_each(|(key, value)| span[key] = value.clone());
                spans.push(json!({
                    "resource": { "attributes": [
                        { "key": "service.name", "value": { "stringValue": service } },
                        { "key": "ci.run.id", "value": { "stringValue": run } },
                    ] },
                    "scopeSpans": [{ "spans": [span] }],
                }));
            };
            span("web", 1, 0, "GET /", 2, 100, json!({}));
            let message = json!({ "key": "exception.message", "value": { "stringValue": format!("card {number} \u{1b}[31mdeclined") } });
            let kind = json!({ "key": "exception.type", "value": { "stringValue": "Declined" } });
            let event =
                json!({ "timeUnixNano": start.to_string(), "name": "exception", "attributes": [kind, message] });
            let failed = if run == "2" { json!({ "status": { "code": 2 }, "events": [event] }) } else { json!({}) };
            span("pay", 2, 1, "charge", 2, took, failed);
            let db = json!({ "attributes": [{ "key": "db.system.name", "value": { "stringValue": "postgresql" } }] });
            span("pay", 3, 2, "SELECT", 3, 5, db);
        }
    }
    let point = |minute: u64, value: u64| json!({ "startTimeUnixNano": "1795246800000000000", "timeUnixNano": (1_795_246_800_000_000_000 + minute * 60_000_000_000).to_string(), "asInt": value.to_string() });
    let sum = json!({ "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [point(1, 60), point(2, 180), point(3, 420)] });
    let metrics = json!({ "resourceMetrics": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "web" } }] },
        "scopeMetrics": [{ "metrics": [{ "name": "requests", "unit": "{request}", "sum": sum }] }],
    }] });
    let library = open(dir.path());
    export(&library, Signal::Traces, &json!({ "resourceSpans": spans }));
    export(&library, Signal::Metrics, &metrics);
    library.shutdown_blocking(None).unwrap();
    dir
}

#[test]
fn metrics_map_compare_and_errors_are_tables_for_people() {
    let dir = runs();
    let of = |arguments: &[&str]| {
        let done = ask(dir.path(), arguments);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{arguments:?}: {}", done.out);
        done.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let metrics = of(&["metrics"]);
    assert!(
        metrics[1].starts_with("requests  sum cumulative  {request}       1     420  2026-11-21T07:43:00.000Z"),
        "{metrics:?}"
    );
    let series = of(&["metrics", "requests", "--show", "increase", "--step", "1m", "--by", "service"]);
    assert!(series[0].ends_with("2026-11-21T07:41:00.000Z to 2026-11-21T07:43:00.000Z"), "{series:?}");
    assert_eq!(series[1].split_whitespace().collect::<Vec<_>>(), ["web", "increase", "{request}", "240", "240", "▂▄█"]);
    let map = of(&["map"]);
    assert_eq!(
        map[1].split_whitespace().take(9).collect::<Vec<_>>(),
        ["pay", "→", "postgresql", "(database)", "6", "0.00", "0", "5ms", "5ms"]
    );
    assert_eq!(map[2].split_whitespace().take(7).collect::<Vec<_>>(), ["web", "→", "pay", "6", "0.00", "3", "(50.0"]);
    for sides in
        [["resource=ci.run.id=1", "resource=ci.run.id=2"], ["..2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z.."]]
    {
        let compare = of(&["compare", sides[0], sides[1]]);
        assert_eq!(compare[0], format!("a  {}  3 requests, 9 spans, 0 errors", sides[0]));
        let found: Vec<&str> = compare[3].split_whitespace().collect();
        assert_eq!(
            found[..13],
            ["failing", "pay", "charge", "3", "0", "→", "3", "20ms", "→", "50ms", "20ms", "→", "50ms"],
            "{compare:?}"
        );
        assert_eq!(found[13..], ["+30ms", "████████████"]);
        assert_eq!(compare.last().unwrap(), "new error  0 → 3  Declined: card <n> \\u{1b}[<n>mdeclined");
    }
    let common = of(&["overrepresented", "--status", "error"]);
    assert_eq!(common[0], "3 records beside 15 others");
    let found: Vec<&str> = common[2].split_whitespace().collect();
    assert_eq!(found, ["status", "error", "3", "100%", "0%", "████████████████████"], "{common:?}");
    let errors = of(&["errors"]);
    let row: Vec<&str> = errors[1].split_whitespace().collect();
    assert_eq!((&row[..4], row[5].len()), (&["3", "████████", "Declined", "pay"][..], 16), "{errors:?}");
    assert_eq!(of(&["errors", "--group", row[5]]).len(), 4);
    let each = of(&["errors", "--each", "--limit", "1"]);
    assert!(each[1].contains("Declined") && each[1].ends_with("card 2 \\u{1b}[31mdeclined"), "{each:?}");
}

#[test]
fn what_cannot_be_asked_of_metrics_and_sides_is_wrong_usage_and_nothing_found_a_failure() {
    let dir = runs();
    for (arguments, code, problem) in [
        (&["metrics", "request"][..], 1, "did you mean \"requests\"?"),
        (&["metrics", "requests", "--show", "mean"], 2, "cannot be had of a sum"),
        (&["metrics", "requests", "--step", "1"], 2, "step = \"1\""),
        (&["metrics", "--show", "rate"], 2, "NAME"),
        (&["map", "--service", "wbe"], 1, "did you mean \"web\"?"),
        (&["compare", "-1h..", "nonsense"], 2, "service=shop"),
        (&["compare", "-1h.."], 2, "<B>"),
        (&["overrepresented"], 2, "against = \"\" is missing"),
        (&["overrepresented", "--status", "error", "--against", "5b8efff7"], 2, "is a trace"),
        (&["overrepresented", "--service", "wbe", "--status", "error"], 1, "did you mean \"web\"?"),
        (&["errors", "--service", "wbe"], 1, "did you mean \"web\"?"),
        (&["errors", "--signal", "metrics"], 2, "traces, logs"),
        (&["errors", "--group", "12"], 2, "16 hexadecimal digits"),
    ] {
        let done = ask(dir.path(), arguments);
        assert_eq!(done.code, code, "{arguments:?}: {}", done.err);
        assert!(done.err.contains(problem), "{arguments:?}: {}", done.err);
    }
    for (command, list) in [
        (&["metrics"][..], "metrics"),
        (&["metrics", "requests"], "lines"),
        (&["map"], "edges"),
        (&["compare", "resource=ci.run.id=1", "resource=ci.run.id=2"], "operations"),
        (&["errors"], "errors"),
        (&["errors", "--each"], "exceptions"),
    ] {
        let done = ask(dir.path(), &[command, &["--json"]].concat());
        let [answer]: [Value; 1] = json_of(&done.out).try_into().unwrap();
        assert!(
            !answer[list].as_array().unwrap().is_empty() && answer["searched"]["complete"] == json!(true),
            "{answer}"
        );
        let mut out = Vec::new();
        let arguments = [command, &["--arrow", "--dir", text(dir.path())]].concat();
        let mut io = Io { out: &mut out, err: &mut io::sink(), terminal: Terminal::default() };
        assert_eq!(run_with(arguments.iter().map(Into::into).collect(), &mut io), 0);
        assert!(
            StreamReader::try_new(out.as_slice(), None).unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>()
                > 0
        );
    }
}
