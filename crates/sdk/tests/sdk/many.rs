//! Sixteen threads, two processors and two readers on one library: each numbered record is stored exactly once.

use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogConfig, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};

use super::*;

/// Numbered records in all; a million in `npm run test:long -- producers`.
const RECORDS: usize = 49_200;
/// Points of each of four threads: an instrument of the SDK takes 2000 attribute sets.
const POINTS: usize = 300;
/// Records a thread makes before it has them exported: fewer than the processors' queues hold for all threads.
const AT_ONCE: usize = 4000;

#[test]
fn every_numbered_record_is_stored_once() {
    let records = std::env::var("PRODUCED_RECORDS").map_or(RECORDS, |records| records.parse().unwrap());
    // Six threads make spans, six log records.
    let each = records.saturating_sub(4 * POINTS).div_ceil(12).max(1);
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let config = BatchConfigBuilder::default().with_max_queue_size(1 << 17).build();
    let traces = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(library.span_exporter()).with_batch_config(config).build())
        .build();
    let config = LogConfig::default().with_max_queue_size(1 << 17).build();
    let logs = SdkLoggerProvider::builder()
        .with_log_processor(BatchLogProcessor::builder(library.log_exporter()).with_batch_config(config).build())
        .build();
    let meters: Vec<SdkMeterProvider> = (0..2)
        .map(|_| {
            let exporter = library.metric_exporter().with_temporality(Temporality::Delta);
            let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_millis(50)).build();
            SdkMeterProvider::builder().with_reader(reader).build()
        })
        .collect();

    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (traces, logs) = (&traces, &logs);
            scope.spawn(move || {
                let tracer = traces.tracer("many");
                for number in 0..each {
                    tracer.start(format!("{thread}/{number}"));
                    if number % AT_ONCE == AT_ONCE - 1 {
                        traces.force_flush().unwrap();
                    }
                }
            });
            scope.spawn(move || {
                let logger = logs.logger("many");
                for number in 0..each {
                    let mut record = logger.create_log_record();
                    record.set_body(AnyValue::from(format!("{thread}/{number}")));
                    logger.emit(record);
                    if number % AT_ONCE == AT_ONCE - 1 {
                        logs.force_flush().unwrap();
                    }
                }
            });
        }
        for thread in 0..4 {
            let meter = meters[thread % 2].meter("many");
            scope.spawn(move || {
                let counter = meter.u64_counter(format!("counter_{thread}")).build();
                for number in 0..POINTS {
                    counter.add(1, &[KeyValue::new("n", (thread * POINTS + number) as i64)]);
                }
            });
        }
    });
    traces.force_flush().unwrap();
    logs.force_flush().unwrap();
    for meter in &meters {
        meter.force_flush().unwrap();
    }

    let names =
        |count: usize| (0..6).flat_map(move |thread| (0..count).map(move |number| format!("{thread}/{number}")));
    assert!(spans(&library) == once(names(each)), "spans");
    assert!(bodies(&library) == once(names(each)), "logs");
    let found = points(&library);
    let wrong: Vec<_> = (0..4 * POINTS as i64)
        .filter(|number| found.get(number) != Some(&1))
        .take(5)
        .map(|number| (number, found.get(&number)))
        .collect();
    assert!(wrong.is_empty(), "points: {wrong:?}");
    let counters = library.stats().counters;
    for (signal, count) in [("traces", 6 * each), ("logs", 6 * each), ("metrics", 4 * POINTS)] {
        for name in ["otlp_arrow_received_records_total", "otlp_arrow_committed_records_total"] {
            assert_eq!(counters.total(name, &[("signal", signal)]), count as u64, "{signal} {name}");
        }
    }
    traces.shutdown().unwrap();
    logs.shutdown().unwrap();
    for meter in &meters {
        meter.shutdown().unwrap();
    }
}
