//! `export_metrics_ref` against the way over owned structs, counted by the allocator, through a real reader.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use otlp_arrow::ReadOptions;
use otlp_arrow::{Config, ExportOutcome, Format, OtlpLibrary, Signal};
use otlp_arrow_sdk::OtlpLibraryExt as _;
use prost::Message;

/// Counts what each thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|sum| sum.set(sum.get() + bytes as u64));
}

// SAFETY: every call goes to the system allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and bytes of this thread during `work`.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64, u64) {
    let before = (COUNT.get(), BYTES.get());
    let done = work();
    (done, COUNT.get() - before.0, BYTES.get() - before.1)
}

/// One look at what a reader collected.
#[derive(Debug)]
struct Seen {
    owned: (u64, u64),
    by_reference: (u64, u64),
    outcome: ExportOutcome,
    request: ExportMetricsServiceRequest,
}

struct Compare {
    library: OtlpLibrary,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl PushMetricExporter for Compare {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let (request, count, bytes) = counted(|| {
            let request = ExportMetricsServiceRequest::from(metrics);
            std::hint::black_box(request.encode_to_vec());
            request
        });
        let owned = (count, bytes);
        // The reader's thread is within an executor already.
        let (outcome, count, bytes) = {
            let before = (COUNT.get(), BYTES.get());
            let outcome = self.library.export_metrics_ref(metrics).await.unwrap();
            (outcome, COUNT.get() - before.0, BYTES.get() - before.1)
        };
        self.seen.lock().unwrap().push(Seen { owned, by_reference: (count, bytes), outcome, request });
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

#[test]
fn by_reference_takes_at_most_half_the_allocations_and_half_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    let library = OtlpLibrary::open(config).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let exporter = Compare { library: library.clone(), seen: Arc::clone(&seen) };
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("test");
    for instrument in 0..5 {
        let counter = meter.u64_counter(format!("counter_{instrument}")).build();
        let histogram = meter.f64_histogram(format!("histogram_{instrument}")).build();
        for route in 0..10 {
            let pairs = [KeyValue::new("http.route", format!("/items/{route}")), KeyValue::new("status", 200)];
            counter.add(3, &pairs);
            histogram.record(0.1, &pairs);
        }
    }
    for _ in 0..3 {
        provider.force_flush().unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len(), 3);
    for one in &seen {
        let ((owned, owned_bytes), (ours, our_bytes)) = (one.owned, one.by_reference);
        assert!(2 * ours <= owned, "{ours} allocations against {owned}");
        assert!(2 * our_bytes <= owned_bytes, "{our_bytes} bytes against {owned_bytes}");
        assert_eq!((one.outcome.accepted, one.outcome.rejected), (100, 0));
    }

    // And what is kept is what the structs say, point for point.
    let batches: Vec<_> = library.read(Signal::Metrics, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    let bytes = otlp_arrow_columns::encode(Signal::Metrics, &batches, Format::Protobuf).unwrap();
    let kept = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    assert_eq!(points(&kept), seen.iter().flat_map(|one| points(&one.request)).collect::<Vec<_>>());
    provider.shutdown().unwrap();
    block_on(library.shutdown(None)).unwrap();
}

/// Each metric with one point, in order.
fn points(request: &ExportMetricsServiceRequest) -> Vec<String> {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    let metrics = request.resource_metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
    metrics
        .flat_map(|metric| -> Vec<String> {
            let name = &metric.name;
            match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => sum.data_points.iter().map(|point| format!("{name} {point:?}")).collect(),
                Data::Histogram(of) => of.data_points.iter().map(|point| format!("{name} {point:?}")).collect(),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}
