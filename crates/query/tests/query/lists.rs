//! Lists of spans and log records: what matches, in order, page by page.

use otlp_arrow_query::filter::{Filter, Order};
use otlp_arrow_query::questions::{CountsQuestion, LogsQuestion, SearchQuestion, ServicesQuestion, SpansQuestion};
use otlp_arrow_query::scan::Stop;
use otlp_arrow_query::{Ask, Telemetry};

use crate::sample::{self, Made, SECOND, START};

fn filter(pairs: &[(&str, &str)]) -> Filter {
    Filter::parse(pairs.iter().copied(), START + 600 * SECOND).unwrap()
}

/// Numbers of the spans that match, newest first, as the sample has it.
fn wanted(matches: impl Fn(&Made) -> bool) -> Vec<i64> {
    let made = sample::spans(0..6_000);
    made.iter().rev().filter(|made| matches(made)).map(|made| made.number).collect()
}

fn found(telemetry: &Telemetry, filter: Filter) -> Vec<i64> {
    let answer = telemetry.ask(&SpansQuestion { filter }).unwrap();
    answer.iter().map(|span| span.attributes.text("number").unwrap().parse().unwrap()).collect()
}

#[test]
fn each_word_finds_what_it_says_in_live_and_sealed_files() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let all = "6000";
    type Case<'a> = (&'a [(&'a str, &'a str)], Box<dyn Fn(&Made) -> bool>);
    let cases: Vec<Case<'_>> = vec![
        (&[], Box::new(|_| true)),
        (&[("service", "checkout")], Box::new(|made| made.service == "checkout")),
        (&[("service", "!checkout")], Box::new(|made| made.service != "checkout")),
        (&[("service", "checkout"), ("service", "payment")], Box::new(|made| made.service != "frontend")),
        (&[("name", "~^(GET|POST)")], Box::new(|made| made.name.contains('/'))),
        (&[("kind", "server")], Box::new(|made| made.server)),
        (&[("status", "error")], Box::new(|made| made.error)),
        (&[("status", "unset")], Box::new(|made| !made.error)),
        (
            &[("min_duration", "1s"), ("max_duration", "1.5s")],
            Box::new(|made| (1_000_000_000..=1_500_000_000).contains(&made.duration)),
        ),
        (&[("attr", "http.route=/route/3")], Box::new(|made| made.route.as_deref() == Some("/route/3"))),
        (&[("attr", "http.route!=/route/3")], Box::new(|made| made.route.as_deref() != Some("/route/3"))),
        (&[("attr", "!http.route")], Box::new(|made| made.route.is_none())),
        (
            &[("attr", "number>5000"), ("attr", "number<=5100")],
            Box::new(|made| made.number > 5000 && made.number <= 5100),
        ),
        (
            &[("attr", "http.route~/1[0-3]$")],
            Box::new(|made| matches!(made.number % 17, 10..=13) && made.route.is_some()),
        ),
        (&[("resource", "host.cores>7")], Box::new(|made| made.service.len() > 7)),
        (&[("text", "route/16")], Box::new(|made| made.route.as_deref() == Some("/route/16"))),
        (&[("text", "failed at 22")], Box::new(|made| made.error && made.number.to_string().starts_with("22"))),
        (&[("text", "CHARGE"), ("ignore_case", "true")], Box::new(|made| made.name == "charge")),
        (&[("regex", "^SELECT [a-z]+$")], Box::new(|made| made.name == "SELECT orders")),
        (&[("from", "-500s"), ("to", "-400s")], Box::new(|made| (1_000..2_000).contains(&made.number))),
    ];
    // A reader of its own, and the one of the recorder.
    for telemetry in [Telemetry::open(dir.path()), library.telemetry()] {
        for (pairs, matches) in &cases {
            let mut words = pairs.to_vec();
            words.push(("limit", all));
            let wanted = wanted(matches);
            assert!(!wanted.is_empty(), "{pairs:?} asks for nothing");
            assert_eq!(found(&telemetry, filter(&words)), wanted, "{pairs:?}");
            words.push(("order", "oldest"));
            let oldest: Vec<i64> = wanted.iter().rev().copied().collect();
            assert_eq!(found(&telemetry, filter(&words)), oldest, "{pairs:?}");
        }
    }
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn pages_follow_each_other_while_files_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let mut library = Some(sample::mixed(dir.path()));
    let telemetry = Telemetry::open(dir.path());
    for order in [Order::Newest, Order::Oldest] {
        let mut filter = Filter { order, limit: Some(700), ..filter(&[("status", "error")]) };
        let (mut pages, mut numbers) = (0, Vec::new());
        loop {
            let answer = telemetry.ask(&SpansQuestion { filter: filter.clone() }).unwrap();
            numbers.extend(answer.iter().map(|span| span.attributes.text("number").unwrap().parse::<i64>().unwrap()));
            pages += 1;
            if pages == 1 {
                assert_eq!((answer.searched.why, answer.searched.complete), (None, true));
            }
            filter.limit = Some(100);
            if answer.cursor.is_none() {
                break;
            }
            filter.cursor = answer.cursor;
        }
        assert_eq!(pages, 1, "all of them fit");
        let mut wanted = wanted(|made| made.error);
        if order == Order::Oldest {
            wanted.reverse();
        }
        assert_eq!(numbers, wanted);

        let mut filter = Filter { limit: Some(100), cursor: None, ..filter };
        let mut numbers = Vec::new();
        loop {
            let answer = telemetry.ask(&SpansQuestion { filter: filter.clone() }).unwrap();
            numbers.extend(answer.iter().map(|span| span.attributes.text("number").unwrap().parse::<i64>().unwrap()));
            let Some(cursor) = answer.cursor else { break };
            assert_eq!((answer.searched.why, answer.searched.complete), (Some(Stop::Limit), false));
            // The cursor is a text for others, and the files that it points to are sealed meanwhile.
            filter.cursor = Some(otlp_arrow_query::filter::Cursor::parse(&cursor.to_string()).unwrap());
            if let Some(library) = library.take() {
                library.shutdown_blocking(None).unwrap();
            }
        }
        assert_eq!(numbers, wanted);
    }
}

#[test]
fn bodies_and_severities_of_log_records() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = library.telemetry();
    let ask = |pairs: &[(&str, &str)]| {
        let mut words = pairs.to_vec();
        words.push(("limit", "6000"));
        let answer = telemetry.ask(&LogsQuestion { filter: filter(&words) }).unwrap();
        answer.iter().map(|record| record.body.unwrap()).collect::<Vec<_>>()
    };
    let wanted = |matches: &dyn Fn(u64) -> bool| {
        (0..6_000).rev().filter(|number| matches(*number)).map(sample::body).collect::<Vec<_>>()
    };
    assert_eq!(ask(&[("text", "card expired")]), wanted(&|number| number % 5 == 0));
    assert_eq!(ask(&[("text", "cache miss")]), Vec::<String>::new());
    assert_eq!(ask(&[("text", "cache miss"), ("ignore_case", "true")]), wanted(&|number| number % 5 == 1));
    assert_eq!(ask(&[("regex", "took 9[0-6] ms$")]), wanted(&|number| number % 5 > 1 && number % 97 >= 90));
    assert_eq!(
        ask(&[("severity", ">=error"), ("text", "card")]),
        wanted(&|number| number % 5 == 0 && number % 24 >= 16)
    );
    // Whose own time is unknown was seen a nanosecond after the others.
    assert_eq!(ask(&[("from", "-500s"), ("to", "-499s")]).len(), 10);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn traces_counts_and_services_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = library.telemetry();
    let found = telemetry.ask(&SearchQuestion { filter: filter(&[("status", "error"), ("limit", "1000")]) }).unwrap();
    let made = sample::spans(0..6_000);
    let mut traces: Vec<[u8; 16]> = made.iter().rev().filter(|made| made.error).map(|made| made.trace).collect();
    traces.dedup();
    assert_eq!(found.traces.len(), traces.len());
    for (summary, trace) in found.traces.iter().zip(&traces) {
        let of: Vec<&Made> = made.iter().filter(|made| made.trace == *trace).collect();
        let end = of.iter().map(|made| made.start + made.duration).max().unwrap();
        assert_eq!(summary.trace_id, otlp_arrow_query::record::hex(trace));
        assert_eq!((summary.root_service.as_str(), summary.root_name.as_str()), (of[0].service, of[0].name));
        assert_eq!((summary.start_time, summary.duration), (of[0].start, end - of[0].start));
        let errors = of.iter().filter(|made| made.error).count() as u64;
        assert_eq!((summary.spans, summary.errors, summary.matched), (10, errors, errors));
    }
    // Page by page they are the same.
    let mut filter_of_page = filter(&[("status", "error"), ("limit", "77")]);
    let mut paged = Vec::new();
    loop {
        let answer = telemetry.ask(&SearchQuestion { filter: filter_of_page.clone() }).unwrap();
        paged.extend(answer.traces);
        filter_of_page.cursor = answer.cursor;
        if answer.cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, found.traces);

    let counts = |by: Option<&str>| CountsQuestion {
        signal: otlp_arrow::Signal::Traces,
        step: Some(60 * SECOND),
        by: by.map(|by| otlp_arrow_query::questions::By::parse(by).unwrap()),
        filter: filter(&[("kind", "server")]),
    };
    let all = telemetry.ask(&counts(None)).unwrap();
    assert_eq!(all.total, made.iter().filter(|made| made.server).count() as u64);
    for bucket in &all.buckets {
        let within = |made: &&Made| made.server && made.start / (60 * SECOND) * (60 * SECOND) == bucket.time;
        assert_eq!(bucket.count, made.iter().filter(within).count() as u64);
    }
    let by_service = telemetry.ask(&counts(Some("service"))).unwrap();
    assert_eq!(by_service.total, all.total);
    assert_eq!(by_service.buckets.len(), 3 * all.buckets.len());

    let services = telemetry.ask(&ServicesQuestion { filter: filter(&[]) }).unwrap().services;
    assert_eq!(
        services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(),
        ["checkout", "frontend", "payment"]
    );
    for service in &services {
        let mut of: Vec<&Made> = made.iter().filter(|made| made.service == service.name && made.server).collect();
        of.sort_by_key(|made| made.duration);
        assert_eq!(service.requests, of.len() as u64);
        assert_eq!(service.errors, of.iter().filter(|made| made.error).count() as u64);
        assert_eq!(service.p95, Some(of[(of.len() * 95).div_ceil(100) - 1].duration as i64));
    }
    library.shutdown_blocking(None).unwrap();
}
