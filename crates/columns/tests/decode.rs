//! The way in, against a plain reading of the same bytes with prost.
#![allow(clippy::unwrap_used, reason = "tests")]

use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check};
use otlp_arrow_testkit::payload::Kind;

#[test]
fn realistic_requests_become_rows() {
    for (kind, signal) in [
        (Kind::Spans { attributes: 10 }, Signal::Traces),
        (Kind::Logs { body: 205 }, Signal::Logs),
        (Kind::Numbers, Signal::Metrics),
        (Kind::Histograms, Signal::Metrics),
    ] {
        let bytes = kind.encoded(100, 1);
        let checked = check(signal, &bytes, &Limits::default()).unwrap();
        let mut builder = BatchBuilder::new(signal);
        builder.append(&bytes, &checked);
        let batch = builder.finish();
        assert_eq!(batch.num_rows(), 100);
        assert_eq!(batch.schema(), otlp_arrow_columns::schema(signal));
    }
}
