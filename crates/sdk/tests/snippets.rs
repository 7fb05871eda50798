//! The Rust snippets of docs/integrations.md and of the README, compiled and run: what stands there stands here too.
//!
//! A test binary of its own: the snippets record into the working directory and set the global subscriber.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use arrow_array::RecordBatch;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_arrow::ReadOptions;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use tracing_subscriber::layer::SubscriberExt;

const THIS: &str = include_str!("snippets.rs");
const INTEGRATIONS: &str = include_str!("../../../docs/integrations.md");
const README: &str = include_str!("../../../README.md");

/// Code blocks of Rust in a document, without indentation.
fn blocks(document: &str) -> Vec<String> {
    document.split("```rust\n").skip(1).map(|rest| stripped(rest.split("```").next().unwrap_or_default())).collect()
}

fn stripped(code: &str) -> String {
    code.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[test]
fn every_snippet_stands_here() {
    let here = stripped(THIS);
    for document in [INTEGRATIONS, README] {
        let blocks = blocks(&document.replace("\r\n", "\n"));
        assert!(!blocks.is_empty());
        for block in blocks {
            assert!(here.contains(&block), "not compiled:\n{block}");
        }
    }
}

type Tried = Result<(), Box<dyn std::error::Error>>;

async fn snippets() -> Tried {
    let library = OtlpLibrary::new(Config { output_dir: "./telemetry".into(), ..Config::default() }).await?;

    use otlp_arrow_sdk::OtlpLibraryExt;

    let tracers = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(library.metric_exporter()).build();
    let loggers = SdkLoggerProvider::builder().with_batch_exporter(library.log_exporter()).build();

    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("shop"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    tracing::info_span!("order", item = "teapot").in_scope(|| ());
    meters.meter("shop").u64_counter("orders").build().add(1, &[]);
    let logger = loggers.logger("shop");
    let mut record = logger.create_log_record();
    record.set_body(AnyValue::from("ordered"));
    logger.emit(record);
    tracers.shutdown()?;
    meters.shutdown()?;
    loggers.shutdown()?;
    library.shutdown(None).await?;
    Ok(())
}

async fn readme() -> Tried {
    use otlp_arrow::{Config, OtlpLibrary};
    use otlp_arrow_sdk::OtlpLibraryExt; // span_exporter() and its siblings

    let library = OtlpLibrary::new(Config { output_dir: "./telemetry".into(), ..Config::default() }).await?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();

    provider.tracer("shop").start("first screen");
    provider.shutdown()?;
    library.shutdown(None).await?;
    Ok(())
}

async fn append(other: OtlpLibrary, library: OtlpLibrary) -> Tried {
    for batch in other.read(Signal::Traces, &ReadOptions::default())? {
        library.append(Signal::Traces, batch?).await?;
    }
    library.shutdown(None).await?;
    Ok(())
}

/// Sends the two spans that were recorded, and ends with the library.
fn subscribe(library: OtlpLibrary) -> Result<usize, Box<dyn std::error::Error>> {
    let mut sent = 0;
    let closing = library.clone();
    let mut send = |batch: RecordBatch| -> Tried {
        sent += batch.num_rows();
        let closing = closing.clone();
        if sent == 2 {
            std::thread::spawn(move || closing.shutdown_blocking(None));
        }
        Ok(())
    };
    let mut batches = library.subscribe(Signal::Traces, "my-exporter", SubscribeFrom::Beginning)?;
    while let Some(batch) = batches.next_blocking() {
        send(batch?).map(|()| batches.ack())?;
    }
    Ok(sent)
}

#[test]
fn what_the_snippets_record_is_kept() {
    let home = tempfile::tempdir().unwrap();
    std::env::set_current_dir(home.path()).unwrap();
    futures::executor::block_on(async {
        snippets().await.unwrap();
        readme().await.unwrap();
    });
    let library =
        OtlpLibrary::open(Config { output_dir: Path::new("./telemetry").to_owned(), ..Config::default() }).unwrap();
    for (signal, records) in [(Signal::Traces, 2), (Signal::Metrics, 1), (Signal::Logs, 1)] {
        let batches = library.read(signal, &ReadOptions::default()).unwrap();
        assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), records, "{signal:?}");
    }
    let copy =
        || OtlpLibrary::open(Config { output_dir: Path::new("./copy").to_owned(), ..Config::default() }).unwrap();
    futures::executor::block_on(append(library.clone(), copy())).unwrap();
    let copied = copy().read(Signal::Traces, &ReadOptions::default()).unwrap();
    assert_eq!(copied.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    assert_eq!(subscribe(library).unwrap(), 2);
    std::env::set_current_dir(std::env::temp_dir()).unwrap();
}
