//! The service map: calls between services, what they call that sends nothing, links.

use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{EdgeKind, MapQuestion, NodeKind, ServiceMap};
use otlp_arrow_query::{Answer as _, Telemetry};

use crate::calls::{CLIENT, CONSUMER, MS, PRODUCER, SERVER, send, span};
use crate::sample::{self, SECOND, START};

fn ask(telemetry: &Telemetry, pairs: &[(&str, &str)]) -> ServiceMap {
    let filter = Filter::parse(pairs.iter().copied(), START + 600 * SECOND).unwrap();
    telemetry.ask(&MapQuestion { filter }).unwrap()
}

/// From, to, how many, errors.
fn edges(map: &ServiceMap) -> Vec<(&str, &str, u64, u64)> {
    map.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.requests, edge.errors)).collect()
}

/// Ten traces of a shop, those of even numbers sealed: front → cart → a database and a queue; mail takes from the queue.
fn shop(directory: &std::path::Path) -> otlp_arrow::OtlpLibrary {
    let make = |trace: u64| {
        let failed = |made: crate::calls::Made| if trace == 3 { made.failed() } else { made };
        vec![
            span(trace, 1, 0, "front", "GET /").kind(SERVER).took(100),
            span(trace, 2, 1, "front", "GET cart").kind(CLIENT).with("server.address", "cart.local"),
            failed(span(trace, 3, 2, "cart", "GET /cart").kind(SERVER).took(20 + trace)),
            span(trace, 4, 3, "cart", "work"),
            span(trace, 5, 4, "cart", "SELECT")
                .kind(CLIENT)
                .with("server.address", "db.local")
                .with("db.system.name", "postgresql")
                .took(7),
            span(trace, 6, 3, "cart", "send").kind(PRODUCER).with("messaging.destination.name", "orders"),
            span(trace, 7, 3, "cart", "GET mail").kind(CLIENT).with("peer.service", "mail"),
            span(trace, 8, 3, "cart", "unnamed").kind(CLIENT),
            span(trace + 100, 1, 0, "mail", "take").kind(CONSUMER).linked(trace, 6).linked(trace, 99),
        ]
    };
    let library = sample::recorder(directory);
    // Children before their parents, and one span twice.
    (0..10).step_by(2).for_each(|trace| send(&library, make(trace).into_iter().rev()));
    library.shutdown_blocking(None).unwrap();
    let library = sample::recorder(directory);
    (1..10).step_by(2).for_each(|trace| send(&library, make(trace)));
    send(&library, make(4).into_iter().skip(2).take(1));
    library
}

#[test]
fn edges_lead_from_who_calls_to_who_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let library = shop(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let map = ask(&telemetry, &[]);
    assert_eq!(
        edges(&map),
        [
            ("cart", "db.local", 10, 0),
            ("cart", "mail", 10, 0),
            ("cart", "mail", 10, 0),
            ("cart", "orders", 10, 0),
            ("front", "cart", 10, 1),
        ]
    );
    let kinds: Vec<_> = map.edges.iter().map(|edge| (edge.to_kind, edge.kind)).collect();
    use {EdgeKind::*, NodeKind::*};
    // The call that names mail, and the link from what mail took to what cart had sent.
    assert_eq!(kinds, [(Database, Call), (Service, Call), (Service, Link), (Messaging, Call), (Service, Call)]);
    let nodes: Vec<_> = map.nodes.iter().map(|node| (node.name.as_str(), node.kind, node.spans, node.errors)).collect();
    assert_eq!(
        nodes,
        [
            ("cart", Service, 60, 1),
            ("front", Service, 20, 0),
            ("mail", Service, 10, 0),
            ("db.local", Database, 0, 0),
            ("orders", Messaging, 0, 0),
        ]
    );
    let called = map.edges.last().unwrap();
    assert_eq!(
        (called.p50, called.p99),
        (Some((24 * MS) as i64), Some((29 * MS) as i64)),
        "durations of the side that is called"
    );
    assert!((called.error_share - 0.1).abs() < 1e-9 && called.rate > 0.0);
    assert_eq!((map.table().unwrap().num_rows(), map.searched.complete), (5, true));
    assert!(map.to_json().unwrap().contains("\"kind\":\"link\""));
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn words_are_about_the_side_that_is_called_and_service_about_either() {
    let dir = tempfile::tempdir().unwrap();
    let library = shop(dir.path());
    let telemetry = Telemetry::open(dir.path());
    assert_eq!(edges(&ask(&telemetry, &[("status", "error")])), [("front", "cart", 1, 1)]);
    assert_eq!(edges(&ask(&telemetry, &[("min_duration", "27ms"), ("kind", "server")])), [("front", "cart", 3, 0)]);
    assert_eq!(edges(&ask(&telemetry, &[("service", "front")])), [("front", "cart", 10, 1)]);
    let of_mail = ask(&telemetry, &[("service", "mail")]);
    assert_eq!(edges(&of_mail), [("cart", "mail", 10, 0), ("cart", "mail", 10, 0)]);
    assert_eq!(of_mail.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["cart", "mail"]);
    // A call counts where it is, also if its parent began before.
    let from = otlp_arrow_query::filter::show_time(START + 4 * SECOND + 3 * MS);
    let to = otlp_arrow_query::filter::show_time(START + 5 * SECOND);
    let part = ask(&telemetry, &[("from", &from), ("to", &to)]);
    assert_eq!(edges(&part)[3..], [("front", "cart", 1, 0)]);
    assert_eq!(edges(&ask(&telemetry, &[("limit", "2")])).len(), 2);
    let nothing = ask(&telemetry, &[("name", "GET /card")]);
    assert!(nothing.edges.is_empty() && nothing.nodes.is_empty());
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn calls_that_sampling_left_out_count_in_the_rate() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::recorder(dir.path());
    for trace in 0..4 {
        send(
            &library,
            [
                span(trace, 1, 0, "front", "GET /").kind(SERVER).sampled("ot=th:c"),
                span(trace, 2, 1, "cart", "GET /").kind(SERVER).sampled("ot=th:c"),
            ],
        );
    }
    let telemetry = Telemetry::open(dir.path());
    let map = ask(&telemetry, &[]);
    assert_eq!((map.edges[0].requests, map.edges[0].weighted_requests), (4, 16.0));
    library.shutdown_blocking(None).unwrap();
}
