//! A program that is instrumented with `tracing`, its spans kept as Arrow files.
//!
//! `cargo run -p otlp-arrow-sdk --example tracing`, then open `./output_dir/otlp/traces/*.arrow` with any Arrow tool.

use std::error::Error;
use std::path::Path;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_sdk::OtlpLibraryExt;
use tracing_subscriber::layer::SubscriberExt;

fn main() -> Result<(), Box<dyn Error>> {
    record(Path::new("./output_dir"))
}

/// Records one order into `output_dir`.
pub fn record(output_dir: &Path) -> Result<(), Box<dyn Error>> {
    let library = OtlpLibrary::open(Config { output_dir: output_dir.to_owned(), ..Config::default() })?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("shop").build())
        .with_batch_exporter(library.span_exporter())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || order("teapot"));
    provider.shutdown()?;
    library.shutdown_blocking(None)?;
    Ok(())
}

#[tracing::instrument]
fn order(item: &str) {
    payment(1999);
}

#[tracing::instrument]
fn payment(cents: u64) {
    tracing::info!(cents, "paid");
}
