//! What every door that takes OTLP shares: handing a request over, and the words of its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_base::log_limit::Repeated;
use otlp_arrow_columns::{Format, Limits, Signal};
use otlp_arrow_net::server::{Refusal, WORTH_A_THREAD, apart};
use otlp_arrow_wire::grpc::shortened;
use otlp_arrow_wire::otlp::{ExportResponse, rejected_name};
use serde_json::json;

use super::door::Inside;
use crate::error::{Code, OtlpError};
use crate::ingest::Ingest;
use crate::outcome::ExportOutcome;
use crate::stats::Protocol;
use crate::store::budget::Reservation;

const VIA: HeaderName = HeaderName::from_static(Hops::HEADER);

/// Hands over what one door takes in.
pub(super) struct Intake {
    pub(super) ingest: Arc<dyn Ingest>,
    protocol: Protocol,
    clock: Clock,
    /// Requests of which not everything was kept.
    told: PerSignal<Repeated>,
}

impl Intake {
    /// Of the door of that name.
    pub(super) fn new(name: &'static str, inside: &Inside) -> Self {
        let protocol = inside.ingest.stats().protocol(name);
        Self { ingest: Arc::clone(&inside.ingest), protocol, clock: inside.clock.clone(), told: Default::default() }
    }

    /// The name that is counted.
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The recorders that a request came through. It is refused where this one is among them, before any of it is read.
    pub(super) fn hops(&self, headers: &HeaderMap) -> Result<Hops, Refusal> {
        hops(&self.ingest, headers)
    }

    /// Hands a request over and waits until it is kept.
    pub(super) async fn keep(
        &self,
        signal: Signal,
        bytes: Bytes,
        reservation: Reservation,
        hops: Hops,
    ) -> Result<ExportOutcome, Refusal> {
        let outcome = keep(&self.ingest, signal, self.protocol, bytes, reservation, hops).await?;
        // Its sender may not look at what it is told.
        if !outcome.message.is_empty()
            && let Some(more) = self.told[signal].more(self.clock.now())
        {
            let (protocol, message) = (self.protocol.as_str(), &outcome.message);
            tracing::warn!(%signal, protocol, "not all of a request was kept: {message}{more}");
        }
        Ok(outcome)
    }
}

/// The limits of what is read outside of the library's own way in.
pub(super) fn columns_limits(inside: &Inside) -> Limits {
    let limits = &inside.limits;
    Limits { nesting: limits.nesting, max_request_memory: limits.max_request_memory }
}

fn hops(ingest: &Arc<dyn Ingest>, headers: &HeaderMap) -> Result<Hops, Refusal> {
    let Some(value) = headers.get(VIA) else { return Ok(Hops::default()) };
    let hops = Hops::parse(value.to_str().unwrap_or_default());
    match hops.refused_by(ingest.number()) {
        Some(reason) => Err(Refusal::comes_back(reason)),
        None => Ok(hops),
    }
}

async fn keep(
    ingest: &Arc<dyn Ingest>,
    signal: Signal,
    protocol: Protocol,
    bytes: Bytes,
    reservation: Reservation,
    hops: Hops,
) -> Result<ExportOutcome, Refusal> {
    let accept = || {
        let long = bytes.len() > WORTH_A_THREAD;
        apart(long, || ingest.accept(signal, protocol, bytes, reservation, hops))
    };
    // A defect in reading one request must not look to its sender like a network failure, to be sent again forever.
    let (outcome, kept) = catch_unwind(AssertUnwindSafe(accept)).unwrap_or_else(|_| {
        Err(OtlpError::new(Code::Internal, "reading this request failed: please report it to the project"))
    })?;
    kept.await?;
    Ok(outcome)
}

/// `Export*ServiceResponse`: empty, or with `partial_success`.
pub(super) fn response(signal: Signal, outcome: &ExportOutcome, format: Format) -> Vec<u8> {
    let message = shortened(&outcome.message);
    match format {
        Format::Protobuf => ExportResponse::to_protobuf(outcome.rejected, message),
        Format::Json if outcome.rejected == 0 && message.is_empty() => b"{}".to_vec(),
        Format::Json => {
            let inner = json!({ rejected_name(signal): outcome.rejected.to_string(), "errorMessage": message });
            json!({ "partialSuccess": inner }).to_string().into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_nothing_where_nothing_was_refused() {
        let outcome = ExportOutcome { accepted: 1, rejected: 300, message: "300 record(s) refused".into() };
        let json = response(Signal::Logs, &outcome, Format::Json);
        let wanted = r#"{"partialSuccess":{"errorMessage":"300 record(s) refused","rejectedLogRecords":"300"}}"#;
        assert_eq!(String::from_utf8_lossy(&json), wanted);
        let warned = ExportOutcome { message: "of another signal".into(), ..Default::default() };
        let json = response(Signal::Logs, &warned, Format::Json);
        let wanted = r#"{"partialSuccess":{"errorMessage":"of another signal","rejectedLogRecords":"0"}}"#;
        assert_eq!(String::from_utf8_lossy(&json), wanted, "a warning, as OTLP has it");
        assert_eq!(response(Signal::Logs, &warned, Format::Protobuf), b"\x0a\x13\x12\x11of another signal");
        assert_eq!(response(Signal::Logs, &ExportOutcome::default(), Format::Protobuf), b"");
        assert_eq!(response(Signal::Logs, &ExportOutcome::default(), Format::Json), b"{}");
    }
}
