//! OTLP/JSON on standard output, one request a line.

use std::io::{self, Write};
use std::sync::Arc;

use otlp_arrow_columns::Signal;

use super::answer::Answer;
use super::destination::{Destination, Sending};
use super::kind::{DestinationKind, Kind, Spec, Target};
use super::request::{Request, Takes};
use super::settings::DestinationConfig;
use crate::error::Result;

/// The kind.
pub(super) const KIND: Kind = Kind::new(&StdoutKind);

static SPEC: Spec = Spec::new("stdout", "OTLP/JSON lines on standard output", Takes::Otlp, Target::StandardOutput);

#[derive(Debug)]
struct StdoutKind;

impl DestinationKind for StdoutKind {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn open(&self, _: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(Stdout))
    }
}

#[derive(Debug)]
struct Stdout;

impl Destination for Stdout {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                let payload = request.content.otlp(request.signal).map_err(io::Error::other)?;
                print_line(request.signal, &payload)
            });
            match written.await {
                Ok(Ok(())) => Answer::delivered(),
                Ok(Err(error)) => Answer::passing(format!("standard output: {error}")),
                Err(error) => Answer::passing(error.to_string()),
            }
        })
    }
}

fn print_line(signal: Signal, payload: &[u8]) -> io::Result<()> {
    let mut line = otlp_arrow_columns::json::from_protobuf(signal, payload).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
