//! What `npm run test:long -- waits` measures of the Rust SDK: `waits DIRECTORY PROCESSOR SECONDS`.

#![allow(clippy::print_stdout, reason = "an example")]

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_sdk::OtlpLibraryExt as _;

/// Bytes that are resident, where the system tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0u64) * 4096
}

#[expect(clippy::disallowed_methods, reason = "a program that times itself")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, directory, processor, seconds] = &arguments[..] else { return Err("DIRECTORY PROCESSOR SECONDS".into()) };
    let mut config = Config { output_dir: directory.into(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(config)?;
    let (tracers, loggers) = (SdkTracerProvider::builder(), SdkLoggerProvider::builder());
    let (tracers, loggers) = if processor.starts_with("simple") {
        (
            tracers.with_simple_exporter(library.span_exporter()).build(),
            loggers.with_simple_exporter(library.log_exporter()).build(),
        )
    } else {
        (
            tracers.with_batch_exporter(library.span_exporter()).build(),
            loggers.with_batch_exporter(library.log_exporter()).build(),
        )
    };
    let reader = PeriodicReader::builder(library.metric_exporter()).with_interval(Duration::from_millis(100)).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    let (tracer, logger, counter) =
        (tracers.tracer("t"), loggers.logger("t"), meters.meter("m").u64_counter("c").build());
    let of = |signal| processor.ends_with(signal) || processor.ends_with("of all");
    let record = || {
        if of("metrics") {
            counter.add(1, &[]);
        }
        if of("logs") {
            let mut record = logger.create_log_record();
            record.set_body("a".repeat(1000).into());
            logger.emit(record);
        }
        if of("spans") {
            drop(tracer.start("s"));
        }
    };
    let (began, whole) = (Instant::now(), Duration::from_secs_f64(seconds.parse()?));
    let (mut held, mut before) = (Duration::ZERO, 0);
    while began.elapsed() < whole {
        let request = Instant::now();
        for _ in 0..100 {
            record();
        }
        held = held.max(request.elapsed());
        std::thread::sleep(Duration::from_millis(20));
        if began.elapsed() < whole / 2 {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    let done = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    println!(r#"{{"held": {}, "grown": {grown}, "done": {done}}}"#, held.as_secs_f64() * 1000.0);
    // What a program does at its end; the SDK waits for each of them for five seconds at most.
    let _ = (tracers.shutdown(), loggers.shutdown(), meters.shutdown());
    let _ = library.shutdown_blocking(Some(Duration::from_secs(5)));
    Ok(())
}
