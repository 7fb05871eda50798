//! The end of a program on a disk that stands still, is full or slow: providers are shut down one after the other, then the
//! library, and all of that together has one time. What is left is counted and told.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, reason = "tests")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_arrow::{Config, EventName, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_sdk::OtlpLibraryExt as _;
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::tests;

/// The process that ends; its job is a directory, and how it ends.
const ENDS: Process = ("OTLP_ARROW_TEST_ENDS", a_program_that_ends);

fn main() -> ExitCode {
    main_of(
        &[ENDS],
        &tests![
            batches_on_a_disk_that_stands_still,
            batches_on_a_disk_that_has_stood_still_for_long,
            one_at_a_time_on_a_disk_that_stands_still,
            several_exporters_of_a_signal_on_a_disk_that_stands_still,
            providers_that_are_dropped_on_a_disk_that_stands_still,
            a_library_that_is_dropped_on_a_disk_that_stands_still,
            batches_on_a_disk_that_is_full,
            several_exporters_of_a_signal_on_a_disk_that_is_full,
            a_library_that_is_dropped_on_a_disk_that_is_full,
            a_slow_disk_keeps_everything,
            a_disk_that_works_keeps_everything,
        ],
    )
}

fn open(dir: &Path) -> OtlpLibrary {
    open_leaving(dir, 0)
}

fn open_leaving(dir: &Path, min_free_bytes: u64) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = min_free_bytes;
    OtlpLibrary::open(config).unwrap()
}

/// No disk has so much: one of which so much must stay free is full, and may have room again at any time.
const MORE_THAN_THERE_IS: u64 = 1 << 60;

/// Spans, and log records; of data points there is one.
const RECORDS: u64 = 3;

fn lost(library: &OtlpLibrary) -> u64 {
    library.stats().counters.total("otlp_arrow_refused_records_total", &[])
}

fn a_program_that_ends(job: &str) {
    let (how, dir) = job.split_once('|').unwrap();
    let is = |word| how.split(' ').any(|known| known == word);
    let library = open_leaving(Path::new(dir), if is("full") { MORE_THAN_THERE_IS } else { 0 });
    let mut events = library.events();
    let pairs = if is("several") { 3 } else { 1 };
    let (mut tracers, mut loggers) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let (spans, logs) = (library.span_exporter(), library.log_exporter());
        let (tracer, logger) = (SdkTracerProvider::builder(), SdkLoggerProvider::builder());
        if is("simple") {
            tracers.push(tracer.with_simple_exporter(spans).build());
            loggers.push(logger.with_simple_exporter(logs).build());
        } else {
            tracers.push(tracer.with_batch_exporter(spans).build());
            loggers.push(logger.with_batch_exporter(logs).build());
        }
    }
    let reader = PeriodicReader::builder(library.metric_exporter()).with_interval(Duration::from_secs(3600)).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).build();
    meters.meter("m").u64_counter("c").build().add(1, &[]);
    for number in 0..RECORDS {
        for provider in &tracers {
            provider.tracer("t").start(format!("span {number}"));
        }
        for provider in &loggers {
            let logger = provider.logger("l");
            let mut record = logger.create_log_record();
            record.set_body("log".into());
            logger.emit(record);
        }
    }
    if is("long") {
        // A flush that the disk does not answer: exports are told so, and it has stood still for a while.
        assert!(tracers[0].force_flush().is_err());
    }
    let began = Instant::now();
    if !is("dropped") {
        tracers.iter().for_each(|provider| drop(provider.shutdown()));
        loggers.iter().for_each(|provider| drop(provider.shutdown()));
        drop(meters.shutdown());
    }
    drop((tracers, loggers, meters));
    let (report, counted) = if is("let-go") {
        drop(library);
        ("dropped".to_owned(), None)
    } else {
        let report = library.shutdown_blocking(None);
        (report.map_or_else(|error| error.to_string(), |_| "everything".to_owned()), Some(lost(&library)))
    };
    let took = began.elapsed();
    let mut told = 0;
    while let Some(event) = events.recv() {
        if event.name == EventName::RecordsDropped {
            told += event.count.unwrap();
        }
    }
    let lost = counted.unwrap_or(told);
    println!("ends: {}|{lost}|{told}|{report}", took.as_millis());
}

struct Ended {
    took: Duration,
    lost: u64,
    told: u64,
    report: String,
    kept: u64,
}

fn end(how: &str, fault: Option<&str>) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let mut program = again(ENDS, &format!("{how}|{}", dir.path().display()));
    match fault {
        Some(fault) => program.env("OTLP_ARROW_FAILPOINT", format!("write.before:1:{fault}")),
        None => program.env_remove("OTLP_ARROW_FAILPOINT"),
    };
    let output = program.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("ends: "));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    let mut parts = line.splitn(4, '|');
    let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
    let (took, lost, told) = (Duration::from_millis(number()), number(), number());
    let report = parts.next().unwrap().to_owned();
    let library = open(dir.path());
    let rows = |signal| -> u64 {
        library.read(signal, &ReadOptions::default()).unwrap().map(|batch| batch.unwrap().num_rows() as u64).sum()
    };
    let kept = Signal::ALL.into_iter().map(rows).sum();
    Ended { took, lost, told, report, kept }
}

/// The rule is five seconds; without it each of them took so long, on any machine.
const LOADED_MACHINE: Duration = Duration::from_secs(9);

fn nothing_is_kept_and_the_end_is_soon(how: &str, records: u64) {
    let ended = end(how, if how.contains("full") { None } else { Some("stall") });
    println!("{how}: {:?}", ended.took);
    assert!(ended.took < LOADED_MACHINE, "{how}: {:?}", ended.took);
    assert_eq!((ended.kept, ended.lost, ended.told), (0, records, records), "{how}: {}", ended.report);
    let report =
        format!("TIMEOUT: shut down before everything was done: {records} record(s) could not be written and are lost");
    assert_eq!(ended.report, if how.contains("let-go") { "dropped".to_owned() } else { report }, "{how}");
}

fn batches_on_a_disk_that_stands_still() {
    nothing_is_kept_and_the_end_is_soon("batch", 2 * RECORDS + 1);
}

fn batches_on_a_disk_that_has_stood_still_for_long() {
    nothing_is_kept_and_the_end_is_soon("long", 2 * RECORDS + 1);
}

fn one_at_a_time_on_a_disk_that_stands_still() {
    nothing_is_kept_and_the_end_is_soon("simple", 2 * RECORDS + 1);
}

fn several_exporters_of_a_signal_on_a_disk_that_stands_still() {
    nothing_is_kept_and_the_end_is_soon("several", 6 * RECORDS + 1);
}

fn providers_that_are_dropped_on_a_disk_that_stands_still() {
    nothing_is_kept_and_the_end_is_soon("dropped", 2 * RECORDS + 1);
}

fn a_library_that_is_dropped_on_a_disk_that_stands_still() {
    for how in ["batch let-go", "simple let-go", "dropped let-go"] {
        nothing_is_kept_and_the_end_is_soon(how, 2 * RECORDS + 1);
    }
}

fn batches_on_a_disk_that_is_full() {
    for how in ["batch full", "dropped full", "long full"] {
        nothing_is_kept_and_the_end_is_soon(how, 2 * RECORDS + 1);
    }
}

fn several_exporters_of_a_signal_on_a_disk_that_is_full() {
    nothing_is_kept_and_the_end_is_soon("several full", 6 * RECORDS + 1);
}

fn a_library_that_is_dropped_on_a_disk_that_is_full() {
    for how in ["batch let-go full", "dropped let-go full"] {
        nothing_is_kept_and_the_end_is_soon(how, 2 * RECORDS + 1);
    }
}

fn a_slow_disk_keeps_everything() {
    for how in ["batch", "simple", "several", "dropped"] {
        let records = if how == "several" { 6 * RECORDS + 1 } else { 2 * RECORDS + 1 };
        let ended = end(how, Some("300ms"));
        assert_eq!((&*ended.report, ended.kept, ended.lost, ended.told), ("everything", records, 0, 0), "{how}");
    }
}

fn a_disk_that_works_keeps_everything() {
    for how in ["batch", "simple", "dropped"] {
        let ended = end(how, None);
        assert_eq!((ended.kept, ended.lost, ended.told), (2 * RECORDS + 1, 0, 0), "{how}: {}", ended.report);
    }
}
