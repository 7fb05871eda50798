//! `demo`: a made-up shop, recorded in this process without a network.

mod shop;

use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::internal::Clock;
use otlp_arrow::{Config, OtlpLibrary, PerSignal, Signal};
use otlp_arrow_columns::{Limits, json};
use otlp_arrow_query::filter::{Filter, IdPrefix};
use otlp_arrow_query::questions::{SearchQuestion, TraceQuestion, TraceSummary};
use otlp_arrow_query::{Indexed, Telemetry};

use crate::args::DemoArgs;
use crate::ask::trace::print;
use crate::io::{Failure, Io, Outcome};
use crate::text::{count, list, path};
use shop::Shop;

/// Purchases that are recorded, over the last so many seconds.
const PURCHASES: usize = 60;
const SECONDS: u64 = 60;
/// Slow traces that are shown, besides one that failed.
const SHOWN: usize = 2;

pub(crate) fn run(args: &DemoArgs, io: &mut Io<'_>) -> Outcome {
    let directory = &args.output_dir;
    let now = Clock::system().wall().duration_since(UNIX_EPOCH).map_err(Failure::failed)?.as_nanos();
    let now = u64::try_from(now).map_err(Failure::failed)?;
    let mut shop = Shop::new(now, SECONDS);
    let library =
        OtlpLibrary::builder(Config { output_dir: directory.clone(), ..Config::default() }).indexed().open()?;
    let mut counts = PerSignal::<u64>::default();
    for _ in 0..PURCHASES {
        for (signal, request) in shop.purchase() {
            counts[signal] += export(&library, signal, &request)?;
        }
    }
    counts[Signal::Metrics] += export(&library, Signal::Metrics, &shop.metrics())?;
    block_on(library.shutdown(None))?;
    drop(library);

    let recorded: Vec<String> = counts.into_iter().map(|(signal, records)| count(records, signal)).collect();
    let recorded = list(&recorded.iter().map(String::as_str).collect::<Vec<_>>());
    writeln!(io.out, "recorded {recorded} of a made-up shop in {}", path(directory))?;
    let ids = shop.traces();
    let telemetry = Telemetry::open(directory);
    let filter = Filter { limit: Some(10_000), ..Filter::default() };
    let mut traces: Vec<TraceSummary> = telemetry.ask(&SearchQuestion { filter })?.traces;
    traces.retain(|trace| ids.contains(&trace.trace_id));
    traces.sort_by_key(|trace| std::cmp::Reverse(trace.duration));
    let failed = traces.iter().skip(SHOWN).find(|trace| trace.errors > 0);
    let slowest = traces.iter().take(SHOWN);
    writeln!(io.out, "\nthe slowest purchases{}:\n", if failed.is_some() { ", and one that failed" } else { "" })?;
    for trace in slowest.chain(failed) {
        let id = IdPrefix::parse(&trace.trace_id, 16).map_err(Failure::failed)?;
        print(&telemetry.ask(&TraceQuestion { id, logs: false })?, io)?;
        writeln!(io.out)?;
    }
    epilogue(directory, io)
}

fn export(library: &OtlpLibrary, signal: Signal, request: &serde_json::Value) -> Outcome<u64> {
    let text = serde_json::to_vec(request).map_err(Failure::failed)?;
    let bytes = json::to_protobuf(signal, &text, &Limits::default()).map_err(Failure::failed)?;
    let outcome = block_on(library.export_otlp(signal, Bytes::from(bytes)))?;
    if outcome.rejected > 0 {
        return Err(Failure::Failed(format!("the demo's own records were refused: {}", outcome.message)));
    }
    Ok(outcome.accepted)
}

fn epilogue(directory: &Path, io: &mut Io<'_>) -> Outcome {
    let files = directory.join("otlp").join("traces");
    let (shown, quoted) = (path(directory), path(&files).replace('\\', "/"));
    writeln!(
        io.out,
        "\
open them in Python:
  import polars as pl
  spans = pl.scan_ipc('{quoted}/*.arrow').collect()
  print(spans.group_by('service_name', 'name').agg(pl.col('duration').mean()))

or in TypeScript:
  import {{ OtlpLibrary }} from 'otlp-arrow'
  const library = await OtlpLibrary.open({{ output_dir: '{}' }})
  console.table((await library.read('traces')).toArray().slice(0, 5))

or here:
  otlp-arrow tail logs --output-dir {shown}
  otlp-arrow inspect {shown}

your own: `otlp-arrow serve`, then run any program whose OpenTelemetry SDK sends OTLP to its default address",
        shown.replace('\\', "/")
    )?;
    Ok(())
}
