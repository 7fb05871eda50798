//! Batches that another producer wrote, beside the OTLP it wrote them from: test/fixtures/otap.

use std::path::PathBuf;

use otlp_arrow_columns::otap::Stream;
use otlp_arrow_columns::{Format, Signal, decode};
use otlp_arrow_wire::otap::{BatchArrowRecords, PayloadType};

use super::rows::canonical;
use super::{read, read_bytes, stream};

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/fixtures/otap").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn wanted(signal: Signal, name: &str) -> Vec<String> {
    canonical(&decode(signal, &file(name), Format::Protobuf).unwrap().batch)
}

/// A stream that has read the first batch of a signal.
fn begun(signal: Signal) -> Stream {
    let mut stream = stream(signal);
    read_bytes(&mut stream, &file(&format!("{signal}-initial.bar"))).unwrap();
    stream
}

#[test]
fn batches_are_the_rows_of_the_otlp_beside_them() {
    for signal in Signal::ALL {
        let mut stream = stream(signal);
        for step in ["initial", "reuse"] {
            let rows = read_bytes(&mut stream, &file(&format!("{signal}-{step}.bar"))).unwrap();
            assert_eq!(canonical(rows.batch()), wanted(signal, &format!("{signal}-{step}.otlp")), "{signal} {step}");
        }
    }
}

#[test]
fn bodies_may_be_compressed() {
    let rows = read_bytes(&mut stream(Signal::Logs), &file("logs-zstd.bar")).unwrap();
    assert_eq!(canonical(rows.batch()), wanted(Signal::Logs, "logs-initial.otlp"));
}

/// Trap 12: any order; without the root table there is nothing, which is no error.
#[test]
fn tables_come_in_any_order_and_the_root_may_be_missing() {
    for signal in Signal::ALL {
        let (first, second) = (file(&format!("{signal}-initial.bar")), file(&format!("{signal}-reuse.bar")));
        let whole = BatchArrowRecords::read(&first).unwrap();
        let count = whole.payloads.len();
        for shift in 0..count {
            for reverse in [false, true] {
                let mut stream = stream(signal);
                for (bytes, name) in [(&first, "initial"), (&second, "reuse")] {
                    let mut batch = BatchArrowRecords::read(bytes).unwrap();
                    let shift = shift % batch.payloads.len();
                    batch.payloads.rotate_left(shift);
                    if reverse {
                        batch.payloads.reverse();
                    }
                    let rows = read(&mut stream, &batch).unwrap();
                    assert_eq!(
                        canonical(rows.batch()),
                        wanted(signal, &format!("{signal}-{name}.otlp")),
                        "{signal} {shift}"
                    );
                }
            }
        }
        let mut rootless = whole.clone();
        rootless.payloads.retain(|payload| payload.kind != PayloadType::root(signal) as u64);
        assert!(rootless.payloads.len() < count);
        let mut stream = stream(signal);
        assert_eq!(read(&mut stream, &rootless).unwrap().batch().num_rows(), 0);
        rootless.payloads.clear();
        assert_eq!(read(&mut stream, &rootless).unwrap().batch().num_rows(), 0, "nothing at all");
        // The others were kept for what comes next.
        let mut root = whole;
        root.payloads.retain(|payload| payload.kind == PayloadType::root(signal) as u64);
        let rows = read(&mut stream, &root).unwrap().batch().num_rows();
        // A metric without points leaves no row.
        assert_eq!(rows > 0, signal != Signal::Metrics);
    }
}

/// Trap 12: a type that nobody knows is refused for its batch alone, and so is one of another signal.
#[test]
fn unknown_tables_refuse_their_batch_and_not_the_stream() {
    for (signal, other) in [(Signal::Logs, 40), (Signal::Traces, 30), (Signal::Metrics, 45)] {
        for number in [0, 25, 99, other] {
            let (first, second) = (file(&format!("{signal}-initial.bar")), file(&format!("{signal}-reuse.bar")));
            let mut stream = stream(signal);
            let mut batch = BatchArrowRecords::read(&first).unwrap();
            let mut odd = batch.payloads[0];
            odd.kind = number;
            batch.payloads.push(odd);
            let fault = read(&mut stream, &batch).unwrap_err();
            assert!(!fault.ends_stream(), "{number}: {fault}");
            let rows = read_bytes(&mut stream, &second).unwrap();
            assert_eq!(canonical(rows.batch()), wanted(signal, &format!("{signal}-reuse.otlp")));
        }
    }
}

/// A batch cut off or with bytes changed at any place is refused or read, and never more.
#[test]
fn damaged_batches_end_without_a_panic() {
    let mut state = 5_u64;
    for signal in Signal::ALL {
        for name in ["initial", "reuse"] {
            let bytes = file(&format!("{signal}-{name}.bar"));
            for _ in 0..400 {
                let mut damaged = bytes.clone();
                for _ in 0..=state % 4 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let at = (state >> 33) as usize % damaged.len();
                    damaged[at] = (state >> 20) as u8;
                }
                let mut stream = begun(signal);
                if let Ok(batch) = BatchArrowRecords::read(&damaged) {
                    let _ = read(&mut stream, &batch);
                }
            }
        }
    }
}
