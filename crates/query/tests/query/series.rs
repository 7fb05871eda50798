//! Metrics: which there are, and one of them over time, in live and sealed files.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, ExponentialHistogramDataPoint, SummaryDataPoint, exemplar};
use otlp_arrow_query::questions::{MetricsQuestion, Series, SeriesQuestion};
use otlp_arrow_query::scan::AskOptions;
use otlp_arrow_query::{Answer as _, Telemetry};

use crate::metrics_sample::{CUMULATIVE, DELTA, exponential, gauge, histogram, number, send, sum, summary, values};
use crate::sample::{self, SECOND};

/// A full minute.
const START: u64 = sample::START + 40 * SECOND;

const SHOP: &[(&str, &str)] = &[("service.name", "shop")];

fn ask(telemetry: &Telemetry, pairs: &[(&str, &str)]) -> Series {
    let now = START + 600 * SECOND;
    telemetry.ask(&SeriesQuestion::parse(pairs.iter().copied(), now).unwrap()).unwrap()
}

/// Label values and points of each line, in seconds since the start.
type Shown = Vec<(Vec<String>, Vec<(u64, f64)>)>;

fn shown(series: &Series) -> Shown {
    let point =
        |point: &otlp_arrow_query::questions::Value| ((point.time - START) / SECOND, (point.value * 1e6).round() / 1e6);
    let mut lines: Shown = series
        .lines
        .iter()
        .map(|line| {
            let mut labels: Vec<String> = line.labels.iter().map(|(_, value)| value.clone()).collect();
            labels.extend(line.quantile.map(|q| q.to_string()));
            (labels, line.points.iter().map(point).collect())
        })
        .collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines
}

fn line(labels: &[&str], points: &[(u64, f64)]) -> (Vec<String>, Vec<(u64, f64)>) {
    let rounded = |(time, value): &(u64, f64)| (*time, (value * 1e6).round() / 1e6);
    (labels.iter().map(|label| (*label).to_owned()).collect(), points.iter().map(rounded).collect())
}

const MINUTES: [(&str, &str); 3] = [("step", "60s"), ("from", "-600s"), ("to", "-300s")];

/// One counter of two instances of two routes, 1 and 2 a point, every 15 s for five minutes; the second instance starts anew
/// after 150 s, and comes to more than before. Half of it is sealed, half of it live.
fn counters(directory: &std::path::Path, temporality: i32) -> otlp_arrow::OtlpLibrary {
    let mut library = sample::recorder(directory);
    for at in 1..=20u64 {
        if at == 11 {
            library.shutdown_blocking(None).unwrap();
            library = sample::recorder(directory);
        }
        let time = START + at * 15 * SECOND;
        for (instance, each) in [("a", 1i64), ("b", 2)] {
            let anew = instance == "b" && at > 10;
            let start = if anew { START + 150 * SECOND + 1 } else { START };
            let count = if anew { at - 10 } else { at } as i64;
            let point = |route: &str, factor: i64| match temporality {
                DELTA => number(time - 15 * SECOND, time, each * factor, &[("http.route", route)]),
                _ => number(start, time, count * each * factor, &[("http.route", route)]),
            };
            let resource = [("service.name", "shop"), ("service.instance.id", instance)];
            send(
                &library,
                &resource,
                "requests",
                "{request}",
                sum(temporality, true, vec![point("/", 1), point("/cart", 10)]),
            );
        }
    }
    library
}

#[test]
fn increases_and_rates_are_those_of_each_series_before_they_are_added() {
    for temporality in [CUMULATIVE, DELTA] {
        let dir = tempfile::tempdir().unwrap();
        let library = counters(dir.path(), temporality);
        let telemetry = Telemetry::open(dir.path());
        let ask = |more: &[(&'static str, &'static str)]| {
            let pairs = [&[("metric", "requests")], &MINUTES[..], more].concat();
            ask(&telemetry, &pairs)
        };
        // Four points a minute, 3 and 30 each.
        let minutes = |value: f64| [60, 120, 180, 240, 300].map(|end| (end, value));
        let by_route = ask(&[("show", "increase"), ("by", "http.route")]);
        assert_eq!(shown(&by_route), [line(&["/"], &minutes(12.0)), line(&["/cart"], &minutes(120.0))]);
        assert_eq!(by_route.lines.iter().map(|line| line.series).collect::<Vec<_>>(), [2, 2]);
        let rates = ask(&[("by", "service")]);
        assert_eq!(shown(&rates), [line(&["shop"], &minutes(132.0 / 60.0))]);
        assert_eq!(
            (rates.lines[0].show, rates.lines[0].unit.as_str(), rates.lines[0].series),
            ("rate", "{request}", 4)
        );
        let greatest = ask(&[("agg", "max")]);
        assert_eq!(shown(&greatest), [line(&[], &minutes(80.0 / 60.0))]);
        // Each by itself: what tells them apart is told.
        let apart = ask(&[("show", "increase")]);
        let wanted = [("/", "a", 4.0), ("/", "b", 8.0), ("/cart", "a", 40.0), ("/cart", "b", 80.0)];
        assert_eq!(
            shown(&apart),
            wanted.map(|(route, instance, value)| line(&["shop", route, instance], &minutes(value)))
        );
        let top = ask(&[("show", "increase"), ("top", "1")]);
        assert_eq!((shown(&top), top.left_out), (vec![line(&["shop", "/cart", "b"], &minutes(80.0))], 3));
        assert!(!top.searched.complete && top.to_json().is_ok());
        let filtered = ask(&[
            ("show", "increase"),
            ("attr", "http.route=/"),
            ("resource", "service.instance.id=b"),
            ("agg", "sum"),
        ]);
        assert_eq!(shown(&filtered), [line(&[], &minutes(8.0))]);
        // The range cuts a step; without one it begins with the start of the first point.
        let part = self::ask(
            &telemetry,
            &[
                ("metric", "requests"),
                ("show", "increase"),
                ("by", "name"),
                ("step", "60s"),
                ("from", "-510s"),
                ("to", "-450s"),
            ],
        );
        assert_eq!(shown(&part), [line(&["requests"], &[(120, 66.0), (150, 66.0)])]);
        let all =
            self::ask(&telemetry, &[("metric", "requests"), ("show", "increase"), ("by", "name"), ("step", "1h")]);
        assert_eq!(all.lines[0].points.iter().map(|point| point.value).sum::<f64>(), 660.0);
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn gauges_are_the_latest_value_and_end_where_nothing_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    let mut ended = number(0, START + 130 * SECOND, 0, &[("pool", "b")]);
    (ended.flags, ended.value) = (1, None);
    let points = vec![
        number(0, START + 30 * SECOND, 4, &[("pool", "a")]),
        number(0, START + 70 * SECOND, 6, &[("pool", "a")]),
        number(0, START + 50 * SECOND, 10, &[("pool", "b")]),
        ended,
    ];
    send(&library, SHOP, "connections", "{connection}", gauge(points));
    // The same time again: the last one counts.
    send(
        &library,
        SHOP,
        "connections",
        "{connection}",
        gauge(vec![number(0, START + 70 * SECOND, 8, &[("pool", "a")])]),
    );
    let telemetry = Telemetry::open(dir.path());
    let ask = |more: &[(&'static str, &'static str)]| {
        ask(&telemetry, &[&[("metric", "connections")], &MINUTES[..], more].concat())
    };
    let a = [(60, 4.0), (120, 8.0), (180, 8.0), (240, 8.0), (300, 8.0)];
    assert_eq!(shown(&ask(&[])), [line(&["shop", "a"], &a), line(&["shop", "b"], &[(60, 10.0), (120, 10.0)])]);
    assert_eq!(
        shown(&ask(&[("agg", "sum")])),
        [line(&[], &[(60, 14.0), (120, 18.0), (180, 8.0), (240, 8.0), (300, 8.0)])]
    );
    assert_eq!(
        shown(&ask(&[("by", "service")])),
        [line(&["shop"], &[(60, 7.0), (120, 9.0), (180, 8.0), (240, 8.0), (300, 8.0)])]
    );
    assert_eq!(shown(&ask(&[("agg", "count")]))[0].1[..3], [(60, 2.0), (120, 2.0), (180, 1.0)]);

    // What also falls is a gauge; of delta points it is their running sum, and that is said.
    let up_and_down = |temporality, name: &str, numbers: [i64; 3]| {
        let point = |(at, value): (u64, i64)| number(START, START + at * 60 * SECOND, value, &[]);
        send(&library, SHOP, name, "", sum(temporality, false, (1..).zip(numbers).map(point).collect()));
    };
    up_and_down(CUMULATIVE, "queue", [5, 3, 9]);
    up_and_down(DELTA, "queue.delta", [5, -2, 6]);
    for (metric, warns) in [("queue", false), ("queue.delta", true)] {
        let found = self::ask(&telemetry, &[&[("metric", metric)], &MINUTES[..]].concat());
        assert_eq!(shown(&found)[0].1, [(60, 5.0), (120, 3.0), (180, 9.0), (240, 9.0), (300, 9.0)], "{metric}");
        assert_eq!(found.warnings.iter().any(|warning| warning.contains("from the first point known")), warns);
    }
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn histograms_are_put_together_where_their_bounds_are_the_same() {
    let bounds = [1.0, 2.0, 4.0];
    for temporality in [CUMULATIVE, DELTA] {
        let dir = tempfile::tempdir().unwrap();
        let library = sample::recorder(dir.path());
        for (instance, of) in [("a", vec![1.5; 4]), ("b", vec![3.0; 4])] {
            let mut so_far = Vec::new();
            for at in 1..=2u64 {
                so_far.extend(of.clone());
                let (start, kept) = match temporality {
                    DELTA => (START + (at - 1) * 60 * SECOND, of.clone()),
                    _ => (START, so_far.clone()),
                };
                let point = values(start, START + at * 60 * SECOND, &bounds, &kept);
                let resource = [("service.name", "shop"), ("service.instance.id", instance)];
                send(&library, &resource, "took", "s", histogram(temporality, vec![point]));
            }
        }
        let other = values(START, START + 60 * SECOND, &[10.0, 20.0], &[15.0]);
        send(&library, &[("service.name", "bank")], "took", "s", histogram(temporality, vec![other]));
        let telemetry = Telemetry::open(dir.path());
        let ask = |more: &[(&'static str, &'static str)]| {
            ask(&telemetry, &[&[("metric", "took"), ("step", "60s")], more].concat())
        };
        // Eight values a minute: four from 1 to 2, four from 2 to 4.
        let shop = [("service", "shop"), ("by", "service")];
        let wanted = |value| [(60, value), (120, value)];
        let found = ask(&[&shop[..], &[("quantile", "0.5"), ("quantile", "0.75"), ("quantile", "1")]].concat());
        assert_eq!(
            shown(&found),
            [
                line(&["shop", "0.5"], &wanted(2.0)),
                line(&["shop", "0.75"], &wanted(3.0)),
                line(&["shop", "1"], &wanted(4.0))
            ]
        );
        assert_eq!(found.warnings, Vec::<String>::new());
        assert_eq!(shown(&ask(&[&shop[..], &[("show", "mean")]].concat())), [line(&["shop"], &wanted(2.25))]);
        assert_eq!(shown(&ask(&[&shop[..], &[("show", "increase")]].concat())), [line(&["shop"], &wanted(8.0))]);
        assert_eq!(shown(&ask(&[&shop[..], &[("show", "sum")]].concat())), [line(&["shop"], &wanted(18.0))]);
        assert_eq!(shown(&ask(&[&shop[..], &[("show", "rate")]].concat())), [line(&["shop"], &wanted(8.0 / 60.0))]);
        // How many of the values of a minute are in each bucket: those that have some, the least values first.
        let buckets = ask(&[&shop[..], &[("show", "buckets")]].concat());
        let told: Vec<_> = buckets.lines.iter().map(|line| (line.above, line.up_to, line.show, line.series)).collect();
        assert_eq!(told, [(Some(1.0), Some(2.0), "buckets", 2), (Some(2.0), Some(4.0), "buckets", 2)]);
        assert_eq!(shown(&buckets), [line(&["shop"], &wanted(4.0)), line(&["shop"], &wanted(4.0))]);
        assert!(buckets.to_json().unwrap().contains(r#""show":"buckets","above":1.0,"up_to":2.0,"series":2"#));
        let other = ask(&[("service", "bank"), ("by", "service"), ("show", "buckets"), ("top", "1")]);
        assert_eq!((other.lines.len(), other.lines[0].above, other.lines[0].up_to), (1, Some(10.0), Some(20.0)));
        let all = ask(&[("by", "name"), ("show", "buckets")]);
        assert_eq!((all.lines.len(), all.left_out), (3, 0), "a line for each set of bounds and each bucket");
        assert!(all.warnings[0].contains("different bounds"), "{:?}", all.warnings);
        // Three quantiles of each service where nobody asks.
        let all = ask(&[("by", "service")]);
        assert_eq!((all.lines.len(), all.table().unwrap().num_rows()), (6, all.rows()));
        let both = ask(&[("by", "name"), ("quantile", "0.5")]);
        assert_eq!(both.lines.len(), 2, "{both:?}");
        assert!(both.warnings[0].contains("different bounds"), "{:?}", both.warnings);
        library.shutdown_blocking(None).unwrap();
    }
}

#[test]
fn exponential_histograms_and_summaries() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    let point = |at: u64, scale: i32, offset: i32, counts: &[u64]| ExponentialHistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + at * 60 * SECOND,
        count: counts.iter().sum(),
        sum: Some(10.0),
        scale,
        positive: Some(Buckets { offset, bucket_counts: counts.to_vec() }),
        ..Default::default()
    };
    // Eight values from 1 to 2, then eight more from 4 to 8, by which time the scale is lower.
    let points = vec![point(1, 1, 0, &[4, 4]), point(2, 0, 0, &[8, 0, 8])];
    send(&library, SHOP, "took", "s", exponential(CUMULATIVE, points));
    let quantiles = |values: &[(f64, f64)]| {
        values.iter().map(|(quantile, value)| ValueAtQuantile { quantile: *quantile, value: *value }).collect()
    };
    let of = |at: u64, count: u64, sum: f64, values: &[(f64, f64)]| SummaryDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: START + at * 60 * SECOND,
        count,
        sum,
        quantile_values: quantiles(values),
        ..Default::default()
    };
    send(
        &library,
        SHOP,
        "gc",
        "s",
        summary(vec![of(1, 2, 1.0, &[(0.5, 0.4), (1.0, 0.6)]), of(2, 4, 5.0, &[(0.5, 0.5), (1.0, 3.0)])]),
    );
    let telemetry = Telemetry::open(dir.path());
    let took = ask(&telemetry, &[("metric", "took"), ("step", "60s"), ("by", "service"), ("quantile", "0.5")]);
    assert_eq!(shown(&took), [line(&["shop", "0.5"], &[(60, 0.5f64.exp2()), (120, 2.5f64.exp2())])]);
    // Both minutes have the buckets of the coarser scale.
    let took = ask(&telemetry, &[("metric", "took"), ("step", "60s"), ("by", "service"), ("show", "buckets")]);
    let told: Vec<_> = took.lines.iter().map(|line| (line.above, line.up_to, line.points.len())).collect();
    assert_eq!(told, [(Some(1.0), Some(2.0), 1), (Some(4.0), Some(8.0), 1)]);
    assert_eq!(shown(&took), [line(&["shop"], &[(60, 8.0)]), line(&["shop"], &[(120, 8.0)])]);
    let gc = |more: &[(&'static str, &'static str)]| {
        ask(&telemetry, &[&[("metric", "gc"), ("step", "60s"), ("by", "service")], more].concat())
    };
    assert_eq!(
        shown(&gc(&[])),
        [line(&["shop", "0.5"], &[(60, 0.4), (120, 0.5)]), line(&["shop", "1"], &[(60, 0.6), (120, 3.0)])]
    );
    assert_eq!(shown(&gc(&[("show", "mean")])), [line(&["shop"], &[(60, 0.5), (120, 2.0)])]);
    assert_eq!(shown(&gc(&[("show", "increase")])), [line(&["shop"], &[(60, 2.0), (120, 2.0)])]);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn exemplars_lead_to_traces_that_are_kept_first() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    sample::send(&library, 0..100, 50);
    let kept = sample::spans(0..100)[0].clone();
    let exemplar = |at: u64, trace: &[u8]| Exemplar {
        time_unix_nano: START + at * SECOND,
        trace_id: trace.to_vec(),
        span_id: vec![7; 8],
        value: Some(exemplar::Value::AsDouble(at as f64)),
        ..Default::default()
    };
    let mut point = values(START, START + 60 * SECOND, &[1.0], &[0.5, 3.0]);
    point.exemplars = vec![exemplar(10, &kept.trace), exemplar(50, &[9; 16]), exemplar(40, &[])];
    send(&library, SHOP, "took", "s", histogram(CUMULATIVE, vec![point]));
    let telemetry = Telemetry::open(dir.path());
    let found = ask(&telemetry, &[("metric", "took"), ("show", "rate")]);
    let told: Vec<(f64, bool)> =
        found.lines[0].exemplars.iter().map(|exemplar| (exemplar.value, exemplar.kept)).collect();
    assert_eq!(told, [(10.0, true), (50.0, false), (40.0, false)]);
    let trace = otlp_arrow_query::record::hex(&kept.trace);
    assert_eq!(found.lines[0].exemplars[0].trace_id.as_deref(), Some(trace.as_str()));
    assert!(found.to_json().unwrap().contains(&trace));
    assert_eq!(ask(&telemetry, &[("metric", "took"), ("exemplars", "1")]).lines[0].exemplars.len(), 1);
    assert!(
        ask(&telemetry, &[("metric", "took"), ("exemplars", "0")]).lines.iter().all(|line| line.exemplars.is_empty())
    );
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn metrics_with_what_they_are_and_their_latest_value() {
    let dir = tempfile::tempdir().unwrap();
    let library = counters(dir.path(), CUMULATIVE);
    send(
        &library,
        &[("service.name", "bank")],
        "requests",
        "{request}",
        sum(CUMULATIVE, true, vec![number(START, START + SECOND, 1, &[])]),
    );
    send(&library, SHOP, "requests", "{request}", sum(DELTA, true, vec![number(START, START + SECOND, 1, &[])]));
    send(&library, SHOP, "took", "s", histogram(DELTA, vec![values(START, START + 60 * SECOND, &[1.0], &[0.5, 3.0])]));
    let telemetry = Telemetry::open(dir.path());
    let found = telemetry.ask(&MetricsQuestion::default()).unwrap();
    let told: Vec<_> = found
        .metrics
        .iter()
        .map(|metric| {
            (metric.name.as_str(), metric.temporality.as_deref(), metric.series, metric.points, metric.last_value)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("requests", Some("cumulative"), 5, 81, Some(200.0)),
            ("requests", Some("delta"), 1, 1, Some(1.0)),
            ("took", Some("delta"), 1, 1, Some(2.0)),
        ]
    );
    let requests = &found.metrics[0];
    assert_eq!(
        (requests.services.join(" "), requests.metric_type.as_str(), requests.unit.as_str()),
        ("bank shop".into(), "sum", "{request}")
    );
    assert_eq!((requests.monotonic, requests.description.as_str()), (Some(true), "what requests measures"));
    assert_eq!((requests.first_seen, requests.last_seen), (START + SECOND, START + 300 * SECOND));
    assert_eq!(found.table().unwrap().num_rows(), 3);
    assert!(found.searched.complete);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_cannot_be_is_refused_and_what_is_not_there_is_hinted_at() {
    let dir = tempfile::tempdir().unwrap();
    let library = counters(dir.path(), CUMULATIVE);
    send(&library, SHOP, "temperature", "Cel", gauge(vec![number(0, START + SECOND, 1, &[])]));
    let telemetry = Telemetry::open(dir.path());
    for (pairs, problem) in [
        (vec![], "metric"),
        (vec![("metric", "requests"), ("quantile", "1.5")], "from 0 to 1"),
        (vec![("metric", "requests"), ("show", "bucket")], "quantile, buckets, mean"),
        (vec![("metric", "requests"), ("show", "buckets"), ("quantile", "0.5")], "leave out one"),
        (vec![("metric", "requests"), ("quantile", "-0.1")], "from 0 to 1"),
        (vec![("metric", "requests"), ("quantile", "NaN")], "from 0 to 1"),
        (vec![("metric", "requests"), ("show", "rates")], "rate, increase"),
        (vec![("metric", "requests"), ("show", "rate"), ("quantile", "0.5")], "leave out one"),
        (vec![("metric", "requests"), ("show", "mean")], "cannot be had of a sum"),
        (vec![("metric", "temperature"), ("show", "rate")], "there is value"),
        (vec![("metric", "requests"), ("by", "status")], "not of metrics"),
        (vec![("metric", "requests"), ("agg", "median")], "sum, avg"),
        (vec![("metric", "requests"), ("step", "0")], "not a length"),
        (vec![("metric", "requests"), ("step", "1ms")], "write"),
        (vec![("metric", "requests"), ("top", "0")], "1 or more"),
        (vec![("metric", "requests"), ("stp", "1m")], "did you mean step?"),
    ] {
        let error = telemetry.ask_named("series", pairs.clone(), &AskOptions::default()).err();
        let error = error.unwrap_or_else(|| panic!("{pairs:?} is taken"));
        assert_eq!(error.code(), otlp_arrow::Code::InvalidConfig);
        assert!(error.message().contains(problem), "{pairs:?}: {}", error.message());
    }
    let found = ask(&telemetry, &[("metric", "request")]);
    assert_eq!((found.lines.len(), found.searched.hints.len()), (0, 1));
    assert!(found.searched.hints[0].contains("\"requests\""), "{:?}", found.searched.hints);
    let nothing: Data = gauge(vec![number(0, 0, 1, &[]), number(0, START, 1, &[])]);
    send(&library, SHOP, "timeless", "", nothing);
    let found = ask(&telemetry, &[("metric", "timeless")]);
    assert!(found.warnings[0].contains("1 points without a time"), "{:?}", found.warnings);
    library.shutdown_blocking(None).unwrap();
}
