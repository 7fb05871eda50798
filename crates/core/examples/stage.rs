//! A stage that drops every second log record before it is kept.
//!
//! `cargo run --example stage`
#![allow(clippy::print_stdout, reason = "an example")]

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use futures::executor::block_on;
use otlp_arrow::{Config, OtlpLibrary, Result, Signal, Stage, Staged};

struct EverySecond;

impl Stage for EverySecond {
    fn name(&self) -> &str {
        "every_second"
    }

    fn apply(&self, signal: Signal, batch: &RecordBatch) -> Result<Staged> {
        if signal != Signal::Logs {
            return Ok(Staged::Unchanged);
        }
        let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(row % 2 == 0)).collect();
        // It fails only for a mask of another length.
        Ok(filter_record_batch(batch, &keep).map_or(Staged::Unchanged, Staged::Changed))
    }
}

fn main() -> Result<()> {
    let config = Config { output_dir: std::env::temp_dir().join("otlp-arrow-stage"), ..Config::default() };
    let library = OtlpLibrary::builder(config).stage(EverySecond).open()?;
    // Ten log records without anything in them, as one OTLP request.
    let request = [&[0x0a, 22, 0x12, 20][..], &[0x12, 0].repeat(10)].concat();
    let outcome = block_on(library.export_otlp(Signal::Logs, request.into()))?;
    println!("{} accepted, {} kept", outcome.accepted, library.stats().committed_records.logs);
    library.shutdown_blocking(None).map(drop)
}
