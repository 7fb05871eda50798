//! Rows to OTAP, read back by readers that nobody of the encoder wrote: arrow's own of IPC, and the rules of Go and Rust.
//!
//! A seeded share runs always; `OTLP_ARROW_CASES=1000000 cargo test --release --test otap_out` sends as many requests of each
//! signal, and `OTLP_ARROW_SEED` begins elsewhere. A failure names its seed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod ours;
mod streams;

use otlp_arrow_columns::otap::encode::{Encoder, Loss, Options};
use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check};
use otlp_arrow_testkit::generate::Generator;
use otlp_arrow_testkit::otap::{Batch, Normal, Reader, otlp, points};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// One stream of many requests, as a long connection has them; a new one begins now and then.
fn round_trip<M: Normal>(signal: Signal, make: fn(&mut Generator) -> M, back: fn(&Batch) -> M) {
    let options = Options { metric_metadata: true, ..Options::default() };
    let (mut encoder, mut reader) = (Encoder::new(signal, &options), Reader::default());
    let (mut rows, mut batch_id) = (0, 0);
    let first = number("OTLP_ARROW_SEED", 0);
    let mut builder = BatchBuilder::new(signal);
    for seed in first..first + number("OTLP_ARROW_CASES", 700) {
        let request = make(&mut Generator::new(seed));
        let bytes = request.encode_to_vec();
        let checked = check(signal, &bytes, &Limits::default()).unwrap();
        builder.append(&bytes, &checked);
        let batch = builder.finish();
        if batch.num_rows() == 0 {
            continue;
        }
        match seed % 97 {
            0 => (encoder, reader, batch_id) = (Encoder::new(signal, &options), Reader::default(), 0),
            // A message that was too large is not sent.
            1 => {
                encoder.encode(&batch, batch_id).unwrap();
                encoder.restart();
            }
            _ => {}
        }
        let encoded = encoder.encode(&batch, batch_id).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let loose = encoded.lost.of(Loss::Doubles) > 0;
        let found =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| back(&reader.read(&encoded.message, batch_id))));
        let found = found.unwrap_or_else(|_| panic!("seed {seed}: see above"));
        if let Some(difference) = request.normal(loose).content().difference(&found.normal(loose).content()) {
            panic!("seed {seed}: {difference}");
        }
        rows += batch.num_rows();
        batch_id += 1;
    }
    assert!(rows > 500, "only {rows} rows");
}

#[test]
fn logs_arrive_as_they_were() {
    round_trip(Signal::Logs, Generator::logs, otlp::logs);
}

#[test]
fn traces_arrive_as_they_were() {
    round_trip(Signal::Traces, Generator::traces, otlp::traces);
}

#[test]
fn metrics_arrive_as_they_were() {
    round_trip(Signal::Metrics, Generator::metrics, points::metrics);
}
