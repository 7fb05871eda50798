//! What a commit costs beside arrow's own stream writer, what it costs from OTLP and from a batch, and what sealing costs
//! per record at each level of zstd.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::io::{Seek, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check_batches};
use otlp_arrow_store::file::CommitEncoder;
use otlp_arrow_store::file::compact::compact;
use otlp_arrow_store::storage_os::OsStorage;
use otlp_arrow_testkit::payload::Kind;
use plain::plain;

#[path = "../../columns/benches/support/plain.rs"]
mod plain;

fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn batch(kind: Kind, rows: usize, seed: u64) -> RecordBatch {
    let bytes = kind.encoded(rows, seed);
    let checked = otlp_arrow_columns::check(signal(kind), &bytes, &Limits::default()).unwrap();
    let mut builder = BatchBuilder::new(signal(kind));
    builder.append(&bytes, &checked);
    builder.finish()
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    for kind in [Kind::Spans { attributes: 10 }, Kind::Numbers] {
        for rows in [1, 100, 1000] {
            // Two batches by turns: their dictionaries differ, as those of commits do.
            let batches = [batch(kind, rows, 1), batch(kind, rows, 2)];
            let mut encoder = CommitEncoder::new("00000000000000aa");
            let len = encoder.encode(&batches[0], 1).unwrap().len();
            group.throughput(Throughput::Elements(rows as u64));
            let name = format!("{}/{rows}", kind.name());
            let mut turn = 0;
            group.bench_function(BenchmarkId::new("ours", &name), |b| {
                b.iter(|| {
                    turn ^= 1;
                    black_box(encoder.encode(&batches[turn], 1).unwrap().len())
                });
            });
            let mut writer = StreamWriter::try_new(Vec::new(), batches[0].schema_ref()).unwrap();
            writer.get_mut().clear();
            writer.write(&batches[0]).unwrap();
            eprintln!("{name}: {len} bytes, {} by arrow's StreamWriter", writer.get_ref().len());
            group.bench_function(BenchmarkId::new("arrow", &name), |b| {
                b.iter(|| {
                    turn ^= 1;
                    writer.get_mut().clear();
                    writer.write(&batches[turn]).unwrap();
                    black_box(writer.get_ref().len())
                });
            });
        }
    }
    group.finish();
}

/// From what a caller hands over to the bytes of a commit: the same records as one OTLP request, as a batch, and as a batch
/// without dictionaries, which `read` gives.
fn payloads(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("payload");
    for kind in Kind::COMPARED {
        let signal = signal(kind);
        for rows in [100, 10_000] {
            let (bytes, batch) = (kind.encoded(rows, 1), batch(kind, rows, 1));
            let plain = plain(&batch);
            let mut builder = BatchBuilder::new(signal);
            let mut encoder = CommitEncoder::new("00000000000000aa");
            group.throughput(Throughput::Elements(rows as u64));
            let name = format!("{}/{rows}", kind.name());
            group.bench_function(BenchmarkId::new("otlp", &name), |b| {
                b.iter(|| {
                    let checked = otlp_arrow_columns::check(signal, black_box(&bytes), &limits).unwrap();
                    builder.append(&bytes, &checked);
                    black_box(encoder.encode_parts(&builder.finish(), 1).unwrap().bytes())
                });
            });
            for (way, given) in [("batch", &batch), ("plain", &plain)] {
                group.bench_function(BenchmarkId::new(way, &name), |b| {
                    b.iter(|| {
                        let checked = check_batches(signal, [black_box(given).clone()], &limits).unwrap();
                        let stored = builder.store(&checked);
                        black_box(encoder.encode_parts(stored.batch(), 1).unwrap().bytes())
                    });
                });
            }
        }
    }
    group.finish();
}

/// What the commit thread does with ten requests of one record each, one such commit right after the other.
fn small(c: &mut Criterion) {
    const REQUESTS: usize = 10;
    let dir = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("small");
    for kind in [Kind::Spans { attributes: 10 }, Kind::Logs { body: 205 }, Kind::Numbers] {
        let requests: Vec<_> = (0..1000)
            .map(|seed| {
                let bytes = kind.encoded(1, seed);
                let checked = otlp_arrow_columns::check(signal(kind), &bytes, &Limits::default()).unwrap();
                (bytes, checked)
            })
            .collect();
        let mut commits = requests.chunks(REQUESTS).cycle();
        let (mut builder, mut encoder) = (BatchBuilder::new(signal(kind)), CommitEncoder::new("00000000000000aa"));
        let mut encode = || {
            let commit = commits.next().unwrap();
            builder.expect(commit.iter().map(|(_, checked)| checked));
            commit.iter().for_each(|(bytes, checked)| builder.append(bytes, checked));
            encoder.encode_rows(&mut builder, 1).unwrap().parts().concat()
        };
        group.throughput(Throughput::Elements(REQUESTS as u64));
        group.bench_function(BenchmarkId::new("encode", kind.name()), |b| b.iter(|| black_box(encode().len())));
        let path = dir.path().join(kind.name());
        let mut file = std::fs::File::create(&path).unwrap();
        group.bench_function(BenchmarkId::new("append", kind.name()), |b| {
            b.iter(|| {
                // A file of the size at which live ones rotate, written again and again.
                if file.stream_position().unwrap() > 64 << 20 {
                    file = std::fs::File::create(&path).unwrap();
                }
                file.write_all(&encode()).unwrap();
            });
        });
    }
    group.finish();
}

/// A live file of `commits` commits of `rows` rows.
fn stream(kind: Kind, commits: usize, rows: usize) -> Vec<u8> {
    let mut encoder = CommitEncoder::new("00000000000000aa");
    let mut file = Vec::new();
    for commit in 0..commits {
        file.extend_from_slice(encoder.encode(&batch(kind, rows, commit as u64), (commit * rows) as u64).unwrap());
    }
    file
}

fn seals(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("a.arrows"), dir.path().join("a.arrow"));
    let mut group = c.benchmark_group("seal");
    group.sample_size(10);
    let (spans, logs) = (Kind::Spans { attributes: 10 }, Kind::Logs { body: 205 });
    let (large, small) = ((64, 1000), (4000, 9));
    for (kind, (commits, rows)) in
        [(spans, large), (spans, small), (logs, large), (logs, small), (Kind::Numbers, large), (Kind::Numbers, small)]
    {
        let live = stream(kind, commits, rows);
        std::fs::write(&source, &live).unwrap();
        group.throughput(Throughput::Elements((commits * rows) as u64));
        for level in [None, Some(-1), Some(1), Some(2), Some(3), Some(6)] {
            let run = |target: &Path| {
                let _ = std::fs::remove_file(target);
                compact(&OsStorage, &source, live.len() as u64, target, level, &mut || true).unwrap().unwrap()
            };
            let name = format!("{}/{commits}x{rows}/{}", kind.name(), level.map_or("none".into(), |l| l.to_string()));
            eprintln!(
                "{name}: {} -> {} bytes a record",
                live.len() / (commits * rows),
                run(&target).bytes / (commits * rows) as u64
            );
            group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| run(&target)));
        }
    }
    group.finish();
}

criterion_group!(benches, commits, payloads, small, seals);
criterion_main!(benches);
