//! One trace by its id.

use otlp_arrow_query::filter::IdPrefix;
use otlp_arrow_query::questions::TraceQuestion;
use otlp_arrow_query::record::hex;
use otlp_arrow_query::{Answer, Telemetry};

use crate::sample;

#[test]
fn a_trace_is_found_by_its_id_or_its_beginning_with_its_log_records() {
    let dir = tempfile::tempdir().unwrap();
    let library = sample::mixed(dir.path());
    let telemetry = Telemetry::open(dir.path());
    let made = sample::spans(0..6_000);
    for trace in [0, 199, 200, 399, 400, 599] {
        let of = &made[trace * 10..trace * 10 + 10];
        let id = hex(&of[0].trace);
        for asked in [id.as_str(), &id[..13], &id[..6]] {
            let question = TraceQuestion { id: IdPrefix::parse(asked, 16).unwrap(), logs: true };
            let answer = telemetry.ask(&question).unwrap();
            assert_eq!((answer.id.as_str(), answer.spans.num_rows(), answer.logs.num_rows()), (id.as_str(), 10, 10));
            let spans: Vec<_> = answer.iter().collect();
            assert_eq!(
                spans.iter().map(|span| span.span_id.clone()).collect::<Vec<_>>(),
                of.iter().map(|made| hex(&made.id)).collect::<Vec<_>>()
            );
            assert_eq!((answer.tree.nodes[0].depth, answer.tree.nodes.len(), answer.duplicates), (0, 10, 0));
            assert!(answer.to_json().unwrap().contains(&id));
        }
    }
    let nobody = TraceQuestion { id: IdPrefix::parse("ffffffffffffffffffffffffffffffff", 16).unwrap(), logs: true };
    let answer = telemetry.ask(&nobody).unwrap();
    assert_eq!((answer.rows(), answer.searched.rows, answer.searched.complete), (0, 12_000, true));
    library.shutdown_blocking(None).unwrap();
}
