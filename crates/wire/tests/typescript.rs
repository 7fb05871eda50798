//! What TypeScript has of this crate is the same.
#![allow(clippy::unwrap_used, reason = "tests")]

use otlp_arrow_testkit::fresh::{fresh, repository};
use otlp_arrow_wire::{Signal, otlp, steps};

#[test]
fn the_numbers_of_the_steps_are_fresh() {
    fresh("ts/src/encoder/steps.ts", &steps::typescript());
}

/// The bridge into a grpc-js server has its own table, as it must not need the addon to name its services.
#[test]
fn the_services_of_the_grpc_bridge_have_these_paths() {
    let source = std::fs::read_to_string(repository("ts/src/grpc.ts")).unwrap();
    for signal in Signal::ALL {
        let row = format!("  {signal}: '{}',", otlp::grpc_path(signal));
        assert_eq!(source.matches(&row).count(), 1, "ts/src/grpc.ts: {row}");
    }
    assert_eq!(source.matches("opentelemetry.proto").count(), Signal::ALL.len());
}
