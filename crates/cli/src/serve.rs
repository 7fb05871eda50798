//! `serve`: the standalone service.

#[cfg(test)]
use std::future::Future;

use otlp_arrow::internal::config::Loaded;
use otlp_arrow::internal::destinations::Target;
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_api::{HttpApi, ROOT};
use otlp_arrow_dashboard::Dashboard;
#[cfg(feature = "flight")]
use otlp_arrow_flight::ArrowFlight;
use otlp_arrow_mcp::{Mcp, PATH};
use otlp_arrow_query::Indexed;

use crate::args::ServeArgs;
use crate::io::{Failure, Io, Outcome};
use crate::signals::StopRequests;
use crate::text::{count, list, path};
use crate::{config, log, memory};

pub(crate) fn run(args: &ServeArgs, io: &mut Io<'_>) -> Outcome {
    let loaded = config::load(&args.settings)?;
    log::init(&loaded.config.log);
    memory::share();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    runtime.block_on(async {
        // From here on a signal is a request, also while the directory is opened.
        let mut requests = StopRequests::new().map_err(Failure::failed)?;
        let library = open(loaded, io)?;
        let why = tokio::select! {
            why = requests.next() => why,
            () = memory::give_back_when_idle() => return Ok(()),
        };
        io.note(format_args!("{why}: writing what was accepted; once more to leave at once"));
        tokio::select! {
            outcome = close(&library, io) => outcome,
            _ = requests.next() => {
                io.note("left at once: what was acknowledged is kept, the next start seals the files");
                let _ = io.out.flush();
                std::process::exit(1)
            }
        }
    })
}

/// Serves until `stop` resolves: [`run`] without signals.
#[cfg(test)]
pub(crate) fn run_until(args: &ServeArgs, io: &mut Io<'_>, stop: impl Future<Output = ()>) -> Outcome {
    let library = open(config::load(&args.settings)?, io)?;
    futures::executor::block_on(stop);
    futures::executor::block_on(close(&library, io))
}

/// Opens the library, and says where it listens and where the files go.
fn open(loaded: Loaded, io: &mut Io<'_>) -> Outcome<OtlpLibrary> {
    let quiet = takes_stdout(&loaded.config);
    let config = &loaded.config;
    let builder = OtlpLibrary::builder(config.clone()).ignored(&loaded).indexed();
    let builder = builder.http_api().dashboard().mcp();
    #[cfg(feature = "flight")]
    let builder = builder.arrow_flight();
    let library = builder.open()?;
    let addresses = library.addresses();
    #[cfg_attr(not(feature = "flight"), allow(unused_mut, reason = "nothing more is answered"))]
    let mut answers: Vec<&str> = otlp_arrow::internal::answered(config).collect();
    #[cfg(feature = "flight")]
    answers.extend(otlp_arrow_flight::DOOR.telemetry.filter(|_| (otlp_arrow_flight::DOOR.on)(config)));
    let out = io.words(quiet);
    writeln!(out, "otlp-arrow {} records to {}", env!("CARGO_PKG_VERSION"), path(&config.output_dir))?;
    if let Some(file) = &loaded.file {
        writeln!(out, "configuration: {}", path(file))?;
    }
    let mut bound: Vec<_> = [addresses.grpc, addresses.http].into_iter().flatten().collect();
    bound.dedup();
    for address in bound {
        writeln!(out, "listening on http://{address} ({})", list(&answers))?;
    }
    if let Some(address) = addresses.http.or(addresses.grpc).filter(|_| config.protocols.api) {
        writeln!(out, "questions are answered to this machine at http://{address}{ROOT}/")?;
        if config.dashboard {
            writeln!(out, "look at it in a browser: http://{address}/")?;
        }
    }
    if let Some(address) = addresses.http.filter(|_| config.mcp) {
        writeln!(out, "tools for coding agents (MCP) are at http://{address}{PATH}")?;
    }
    if addresses.grpc.is_none() && addresses.http.is_none() {
        writeln!(out, "listening on nothing: both addresses are off")?;
    }
    out.flush()?;
    Ok(library)
}

/// Drains, and says what was kept.
async fn close(library: &OtlpLibrary, io: &mut Io<'_>) -> Outcome {
    let closed = library.shutdown(None).await;
    let quiet = takes_stdout(library.config());
    writeln!(io.words(quiet), "kept {}", kept(library))?;
    closed?;
    Ok(())
}

/// Whether standard output belongs to forwarded data: then our own words go to standard error.
fn takes_stdout(config: &Config) -> bool {
    config.forward.iter().any(|destination| destination.protocol.spec().target == Target::StandardOutput)
}

/// `12 spans, 3 data points and 5 log records`.
fn kept(library: &OtlpLibrary) -> String {
    let counters = library.stats().counters;
    let counts = Signal::ALL.map(|signal| {
        count(counters.total("otlp_arrow_committed_records_total", &[("signal", signal.as_str())]), signal)
    });
    list(&counts.each_ref().map(String::as_str))
}
