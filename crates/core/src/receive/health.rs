//! Health: `/healthz`, `/readyz` and `/metrics` for probes, `grpc.health.v1.Health` for gRPC clients.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::request::Parts;
use http_body::Frame;
use otlp_arrow_columns::Signal;
use tokio::sync::mpsc;

use super::answer::{self, Answer};
use super::body::Source;
use super::fault::Fault;
use super::grpc;
use super::router::Shared;
use super::wire;
use crate::store::budget::Budget;

pub(super) const CHECK: &str = "/grpc.health.v1.Health/Check";
pub(super) const WATCH: &str = "/grpc.health.v1.Health/Watch";

const SERVING: u64 = 1;
const NOT_SERVING: u64 = 2;
const SERVICE_UNKNOWN: u64 = 3;

/// How often a watched status is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many may watch at a time.
pub(super) const WATCHERS: usize = 1024;
/// Bytes of a health request: a service name.
const MAX_REQUEST: usize = 1024;

const NAMES: [&str; 4] = [
    "",
    "opentelemetry.proto.collector.trace.v1.TraceService",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "opentelemetry.proto.collector.logs.v1.LogsService",
];

/// A page for a probe: `/healthz`, `/readyz` or `/metrics`.
pub(super) fn page(shared: &Shared, path: &str) -> Response<Answer> {
    const TEXT: &str = "text/plain; charset=utf-8";
    match path {
        "/metrics" => answer::plain(200, "text/plain; version=0.0.4; charset=utf-8", shared.ingest.metrics()),
        "/healthz" => answer::plain(200, TEXT, "ok\n"),
        _ => match ready(shared) {
            Ok(()) => answer::plain(200, TEXT, "ready\n"),
            Err(reason) => answer::plain(503, TEXT, format!("not ready: {reason}\n")),
        },
    }
}

fn ready(shared: &Shared) -> Result<(), String> {
    if *shared.stopped.borrow() {
        return Err("shutting down".into());
    }
    shared.ingest.ready().map_err(|error| error.to_string())
}

fn status(shared: &Shared) -> u64 {
    if ready(shared).is_ok() { SERVING } else { NOT_SERVING }
}

/// Whether the service that is asked for is one of ours.
async fn service(parts: &Parts, source: &mut Source) -> Result<Option<String>, Fault> {
    // Not from the budget of the data: a full buffer must not look like a dead process.
    let reservation = Arc::new(Budget::new(MAX_REQUEST * 4)).reserve(Signal::Logs, 0)?;
    let (request, _) = grpc::message(parts, source, MAX_REQUEST, reservation).await?;
    let name = wire::health_service(&request).ok_or_else(|| Fault::invalid("not a HealthCheckRequest"))?;
    Ok(NAMES.contains(&name.as_str()).then_some(name))
}

/// `Check`: the status now.
pub(super) async fn check(shared: &Shared, parts: &Parts, source: &mut Source) -> Result<Response<Answer>, Fault> {
    match service(parts, source).await? {
        Some(_) => Ok(answer::grpc(&wire::health(status(shared)))),
        None => Ok(answer::grpc_status(5, "unknown service: ask for \"\" or one of the three OTLP services")),
    }
}

/// `Watch`: the status now and whenever it changes, until the doors close.
pub(super) async fn watch(shared: &Arc<Shared>, parts: &Parts, source: &mut Source) -> Result<Response<Answer>, Fault> {
    let known = service(parts, source).await?.is_some();
    let Ok(place) = Arc::clone(&shared.watchers).try_acquire_owned() else {
        return Ok(answer::grpc_status(8, "too many watch already: ask with Check"));
    };
    let (frames, answers) = mpsc::channel(1);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _held = place;
        let mut stopped = shared.stopped.clone();
        let mut last = 0;
        loop {
            let now = if known { status(&shared) } else { SERVICE_UNKNOWN };
            if now != last && frames.send(Frame::data(answer::grpc_frame(&wire::health(now)))).await.is_err() {
                return;
            }
            last = now;
            if *stopped.borrow() {
                let _ = frames.send(Frame::trailers(answer::grpc_trailers(14, "shutting down"))).await;
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopped.changed() => {}
                () = frames.closed() => return,
            }
        }
    });
    Ok(answer::grpc_stream(answers))
}
