//! The protocol over standard input and output, for clients that start this program themselves.

use std::io;
use std::path::Path;

use otlp_arrow_query::Telemetry;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;

use crate::hand::Hand;
use crate::server::Agent;
use crate::tools::Place;

/// Answers on standard output what is asked on standard input, until that ends. `telemetry` is of `output_dir`, which need not be there
/// yet; nothing is written to it.
pub async fn serve(output_dir: &Path, telemetry: Telemetry) -> io::Result<()> {
    let place = Place { output_dir: output_dir.to_owned(), recorder: None, telemetry };
    let agent = Agent { place, hand: Hand::default() };
    // A client that ends before it has said what it is has nothing to be told.
    let Ok(running) = agent.serve(stdio()).await else { return Ok(()) };
    running.waiting().await.map(drop).map_err(io::Error::other)
}
