//! What TypeScript has of this crate is the same.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use otlp_arrow_wire::{Signal, otlp, steps};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_numbers_of_the_steps_are_generated() {
    let path = root().join("ts/src/encoder/steps.generated.ts");
    let fresh = steps::typescript();
    if std::env::var_os("OTLP_ARROW_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        there == fresh,
        "ts/src/encoder/steps.generated.ts is stale: OTLP_ARROW_BLESS=1 cargo test -p otlp-arrow-wire --test typescript"
    );
}

/// The bridge into a grpc-js server has its own table, as it must not need the addon to name its services.
#[test]
fn the_services_of_the_grpc_bridge_have_these_paths() {
    let source = std::fs::read_to_string(root().join("ts/src/grpc.ts")).unwrap();
    for signal in Signal::ALL {
        let row = format!("  {signal}: '{}',", otlp::grpc_path(signal));
        assert_eq!(source.matches(&row).count(), 1, "ts/src/grpc.ts: {row}");
    }
    assert_eq!(source.matches("opentelemetry.proto").count(), Signal::ALL.len());
}
