//! A door in one file: lines of syslog over HTTP, each of them a log record. The line in the registry is
//! `.door(SYSLOG)`, in `further.rs`.

use std::sync::Arc;

use http::Response;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use otlp_arrow::Signal;
use otlp_arrow::internal::Protocol;
use otlp_arrow::internal::{Door, Ingest, Inside};
use otlp_arrow_net::identity::{Identity, Peer};
use otlp_arrow_net::server::{Answer, Answering, Refusal, Request, Route, Service, answer};
use prost::Message;

pub(crate) const SYSLOG: Door =
    Door { name: "syslog", telemetry: Some("syslog"), on: |_| true, open: |inside| Arc::new(Syslog::new(inside)) };

struct Syslog {
    ingest: Arc<dyn Ingest>,
    protocol: Protocol,
    max_body: usize,
}

impl Syslog {
    fn new(inside: &Inside) -> Self {
        let protocol = inside.ingest.stats().protocol(SYSLOG.name);
        Self { ingest: Arc::clone(&inside.ingest), protocol, max_body: inside.limits.max_body }
    }

    async fn take(&self, request: &mut Request, identity: &Identity) -> Result<Response<Answer>, Refusal> {
        let mut reservation = self.ingest.budget().reserve(Signal::Logs, request.weight())?;
        let body = request.body.complete(self.max_body, &mut reservation).await?;
        let text = std::str::from_utf8(&body).map_err(|error| Refusal::invalid(format!("not text: {error}")))?;
        let Peer::Address(peer) = identity.peer() else { return Err(Refusal::invalid("no address")) };
        let log_records = text.lines().map(|line| record(line, &peer.ip().to_string())).collect();
        let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
        let bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let mut covered = reservation.sibling();
        covered.grow(bytes.len())?;
        let (outcome, kept) =
            self.ingest.accept(Signal::Logs, self.protocol, bytes.into(), covered, Default::default())?;
        kept.await?;
        Ok(answer::plain(200, "text/plain", format!("{} kept\n", outcome.accepted)))
    }
}

/// `<priority>message`: severity is the lowest three bits, 0 the worst.
fn record(line: &str, peer: &str) -> LogRecord {
    let (priority, message) = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .and_then(|(priority, message)| Some((priority.parse::<i32>().ok()?, message)))
        .unwrap_or((6, line));
    let text = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.into())) });
    LogRecord {
        severity_number: [24, 21, 18, 17, 13, 10, 9, 5][(priority & 7) as usize],
        severity_text: peer.into(),
        body: text(message),
        ..Default::default()
    }
}

impl Service for Syslog {
    fn name(&self) -> &'static str {
        SYSLOG.name
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::post("/syslog").of(Signal::Logs)]
    }

    fn usage(&self) -> Option<&'static str> {
        Some("POST lines to /syslog")
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        Box::pin(self.take(request, identity))
    }
}
