//! `mcp`: tools for a coding agent, over standard input and output.

use crate::args::McpArgs;
use crate::config;
use crate::io::{Failure, Outcome};

/// Answers until standard input ends. Nothing but the protocol goes to standard output.
pub(crate) fn run(args: McpArgs) -> Outcome {
    let McpArgs { directory, mut source } = args;
    source.output_dir = directory.or(source.output_dir);
    let directory = config::named(&source)?;
    let telemetry = config::telemetry_of(directory.clone(), &source, None);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(Failure::failed)?;
    let served = runtime.block_on(otlp_arrow_mcp::serve(&directory, telemetry));
    // A read of standard input cannot be called off: nobody waits for it.
    runtime.shutdown_background();
    served.map_err(Failure::failed)
}
