//! A service with a scripted inside, and clients.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_arrow::internal::{Doors, Hops, Ingest, Kept, Sent};
use otlp_arrow::internal::{Protocol, Stats};
use otlp_arrow::{Code, Config, ExportOutcome, OtlpError, Result, Signal};
use otlp_arrow_columns::{Refused, StoredBatch};
use otlp_arrow_store::budget::{Budget, Reservation};
pub(crate) use otlp_arrow_testkit::http::*;
use prost::Message;

pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// What the inside does with the next requests.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    Keep,
    Partial(u64, &'static str),
    Fail(Code),
    FailLater(Code),
    Hang,
    Panic,
    /// Each waits for the last of these, and takes it.
    Wait(Arc<Mutex<Vec<tokio::sync::oneshot::Receiver<()>>>>),
}

/// Takes requests instead of a library.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) budget: Arc<Budget>,
    pub(crate) stats: Arc<Stats>,
    script: Mutex<Script>,
    pub(crate) seen: Mutex<Vec<(Signal, Protocol, Bytes)>>,
    /// Rows that came without being OTLP.
    pub(crate) stored: Mutex<Vec<(Signal, StoredBatch)>>,
}

impl Inside {
    /// What becomes of rows, as the script says.
    fn outcome_of(&self, reservation: Reservation) -> Result<Kept> {
        let script = self.script.lock().unwrap().clone();
        match script {
            Script::Keep | Script::Partial(..) => Ok(Box::pin(std::future::ready(Ok(())))),
            Script::Fail(code) => Err(OtlpError::new(code, "as scripted")),
            Script::FailLater(code) => Ok(Box::pin(std::future::ready(Err(OtlpError::new(code, "as scripted"))))),
            Script::Hang => Ok(Box::pin(async move {
                let _held = reservation;
                std::future::pending().await
            })),
            Script::Panic => std::panic::resume_unwind(Box::new("as scripted")),
            Script::Wait(waits) => {
                let wait = waits.lock().unwrap().pop().unwrap();
                Ok(Box::pin(async move {
                    wait.await.unwrap();
                    drop(reservation);
                    Ok(())
                }))
            }
        }
    }
}

impl Ingest for Inside {
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
        _: Hops,
    ) -> Result<(ExportOutcome, Kept)> {
        assert!(reservation.bytes() >= bytes.len(), "{} reserved for {}", reservation.bytes(), bytes.len());
        self.seen.lock().unwrap().push((signal, protocol, bytes));
        let mut outcome = ExportOutcome { accepted: 1, ..Default::default() };
        let script = self.script.lock().unwrap().clone();
        let kept: Kept = match script {
            Script::Keep => Box::pin(std::future::ready(Ok(()))),
            Script::Partial(rejected, message) => {
                (outcome.rejected, outcome.message) = (rejected, message.into());
                Box::pin(std::future::ready(Ok(())))
            }
            Script::Fail(code) => return Err(OtlpError::new(code, "as scripted")),
            Script::FailLater(code) => Box::pin(std::future::ready(Err(OtlpError::new(code, "as scripted")))),
            Script::Hang => Box::pin(async move {
                let _held = reservation;
                std::future::pending().await
            }),
            Script::Panic => std::panic::resume_unwind(Box::new("as scripted")),
            Script::Wait(_) => unreachable!("for rows only"),
        };
        self.stats.received(signal, protocol, outcome.accepted, &Refused::default());
        Ok((outcome, kept))
    }

    fn append(
        &self,
        _: Signal,
        _: Protocol,
        _: Vec<RecordBatch>,
        _: Reservation,
        _: Sent,
    ) -> Result<(ExportOutcome, Kept)> {
        unreachable!("these doors hand over OTLP")
    }

    fn store(
        &self,
        protocol: Protocol,
        rows: StoredBatch,
        reservation: Reservation,
        _: Hops,
    ) -> Result<(ExportOutcome, Kept)> {
        assert!(reservation.bytes() >= rows.arrow_bytes(), "{} for {}", reservation.bytes(), rows.arrow_bytes());
        let signal = rows.signal();
        let outcome = ExportOutcome { accepted: rows.batch().num_rows() as u64, ..Default::default() };
        self.stored.lock().unwrap().push((signal, rows));
        let kept = self.outcome_of(reservation)?;
        self.stats.received(signal, protocol, outcome.accepted, &Refused::default());
        Ok((outcome, kept))
    }

    fn ready(&self) -> Result<()> {
        match *self.script.lock().unwrap() {
            Script::Fail(code) => Err(OtlpError::new(code, "as scripted")),
            _ => Ok(()),
        }
    }
}

/// Doors on free ports of loopback.
pub(crate) struct Service {
    pub(crate) doors: Doors,
    pub(crate) inside: Arc<Inside>,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

pub(crate) fn start() -> Service {
    start_with(|_| {})
}

pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Service {
    let mut config = Config::default();
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    change(&mut config);
    let inside = Arc::new(Inside {
        budget: Arc::new(Budget::new(config.buffer.max_bytes)),
        stats: Arc::default(),
        script: Mutex::new(Script::Keep),
        seen: Mutex::default(),
        stored: Mutex::default(),
    });
    let doors = Doors::open(&config, Arc::clone(&inside) as _).unwrap();
    let addresses = doors.addresses();
    Service { doors, inside, grpc: addresses.grpc.unwrap(), http: addresses.http.unwrap() }
}

impl Service {
    pub(crate) fn script(&self, script: Script) {
        *self.inside.script.lock().unwrap() = script;
    }

    pub(crate) fn seen(&self) -> Vec<(Signal, Protocol, Bytes)> {
        self.inside.seen.lock().unwrap().clone()
    }

    pub(crate) fn used(&self) -> usize {
        self.inside.budget.used()
    }

    /// Waits until nothing is reserved any more.
    pub(crate) async fn released(&self) {
        until(|| self.used() == 0).await;
    }
}

/// A traces request with one span of this name.
pub(crate) fn traces(name: &str) -> Vec<u8> {
    let span = Span { trace_id: vec![7; 16], span_id: vec![9; 8], name: name.into(), ..Default::default() };
    let scope = ScopeSpans { spans: vec![span], ..Default::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

/// One POST in protobuf.
pub(crate) fn post(service: &Service, path: &str, body: &[u8]) -> Reply {
    send(service.http, "POST", path, &[("content-type", "application/x-protobuf")], body)
}
