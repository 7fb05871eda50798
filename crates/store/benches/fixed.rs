//! A fixed amount of the store's work, so that two builds can be compared by the CPU time of whole processes
//! (`bench/pairs.py`).
//!
//! `cargo bench -p otlp-arrow-store --bench fixed --no-run`, then `fixed WAY KIND RECORDS ROUNDS`: `commit` decodes and
//! encodes a request of so many records as a commit, `small` ten requests of one record each, `seal` seals a file of 64
//! commits.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use otlp_arrow_columns::{BatchBuilder, Checked, Limits, Signal};
use otlp_arrow_store::file::CommitEncoder;
use otlp_arrow_store::file::compact::compact;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_testkit::payload::Kind;

const WRITER: &str = "00000000000000aa";

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn checked(kind: Kind, bytes: &[u8]) -> Checked {
    otlp_arrow_columns::check(signal(kind), bytes, &Limits::default()).unwrap()
}

/// Commits of `requests` requests each, as the commit thread makes them.
fn commits(kind: Kind, records: usize, requests: usize, rounds: usize) {
    let made: Vec<_> = (0..64).map(|seed| kind.encoded(records, seed)).collect();
    let (mut builder, mut encoder) = (BatchBuilder::new(signal(kind)), CommitEncoder::new(WRITER));
    for round in 0..rounds {
        let commit: Vec<_> = (0..requests)
            .map(|request| {
                let bytes = &made[(round * requests + request) % made.len()];
                (bytes, checked(kind, bytes))
            })
            .collect();
        builder.expect(commit.iter().map(|(_, checked)| checked));
        commit.iter().for_each(|(bytes, checked)| builder.append(bytes, checked));
        black_box(encoder.encode_rows(&mut builder, 1).unwrap().parts().concat().len());
    }
}

fn seals(kind: Kind, records: usize, rounds: usize) {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("a.arrows"), dir.path().join("a.arrow"));
    let (mut builder, mut encoder) = (BatchBuilder::new(signal(kind)), CommitEncoder::new(WRITER));
    let mut live = Vec::new();
    for commit in 0..64 {
        let bytes = kind.encoded(records, commit);
        let checked = checked(kind, &bytes);
        builder.append(&bytes, &checked);
        live.extend_from_slice(encoder.encode(&builder.finish(), commit * records as u64).unwrap());
    }
    std::fs::write(&source, &live).unwrap();
    for _ in 0..rounds {
        let _ = std::fs::remove_file(&target);
        compact(&OsStorage, &source, live.len() as u64, &target, Some(1), &mut || true).unwrap().unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [way, kind, records, rounds] = &arguments[..] else {
        // `cargo bench` runs it without arguments.
        println!("usage: fixed commit|small|seal spans|logs|numbers|histograms RECORDS ROUNDS");
        return;
    };
    let kind = match kind.as_str() {
        "spans" => Kind::Spans { attributes: 10 },
        "logs" => Kind::Logs { body: 205 },
        "numbers" => Kind::Numbers,
        "histograms" => Kind::Histograms,
        other => panic!("{other} is not a kind of record"),
    };
    let (records, rounds) = (records.parse().unwrap(), rounds.parse().unwrap());
    match way.as_str() {
        "commit" => commits(kind, records, 1, rounds),
        "small" => commits(kind, records, 10, rounds),
        "seal" => seals(kind, records, rounds),
        other => panic!("{other} is not a way"),
    }
}
