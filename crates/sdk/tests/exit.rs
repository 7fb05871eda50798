//! A process that just exits, with providers and a library still open: what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use arrow_array::cast::AsArray;
use futures::executor::block_on;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanEvents, SpanLinks};
use otlp_arrow::{Config, OtlpLibrary, ReadOptions, Signal};
use otlp_arrow_sdk::OtlpLibraryExt as _;
use otlp_arrow_testkit::harness::{Process, again, main as main_of};
use otlp_arrow_testkit::tests;

/// The process that exits; its job is the directory.
const EXITS: Process = ("OTLP_ARROW_TEST_EXITS_IN", the_process_that_just_exits);

fn main() -> ExitCode {
    main_of(&[EXITS], &tests![a_process_that_just_exits_keeps_what_was_acknowledged])
}

fn open(dir: &Path) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    OtlpLibrary::open(config).unwrap()
}

fn the_process_that_just_exits(dir: &str) {
    let library = open(Path::new(dir));
    let provider = SdkTracerProvider::builder().with_simple_exporter(library.span_exporter()).build();
    for number in 0..100 {
        provider.tracer("test").start(format!("span {number}"));
    }
    block_on(library.export_traces(vec![direct()])).unwrap();
    std::process::exit(3);
}

fn direct() -> SpanData {
    let (trace, span, state) = (TraceId::from(1), SpanId::from(2), TraceState::default());
    SpanData {
        span_context: SpanContext::new(trace, span, TraceFlags::SAMPLED, false, state),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "direct".into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: Default::default(),
    }
}

fn a_process_that_just_exits_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let child = again(EXITS, dir.path().to_str().unwrap()).output().unwrap();
    assert_eq!(child.status.code(), Some(3), "{}", String::from_utf8_lossy(&child.stderr));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for batch in open(dir.path()).read(Signal::Traces, &ReadOptions::default()).unwrap() {
        for name in batch.unwrap().column_by_name("name").unwrap().as_string::<i32>() {
            *found.entry(name.unwrap().to_owned()).or_default() += 1;
        }
    }
    let wanted = (0..100).map(|number| format!("span {number}")).chain(["direct".into()]);
    assert_eq!(found, wanted.map(|name| (name, 1)).collect());
}
