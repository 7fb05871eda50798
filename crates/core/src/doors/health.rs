//! Health: `/healthz` and `/readyz` for probes, `grpc.health.v1.Health` for gRPC clients.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body::Frame;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::Signal;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Messages, Refusal, Request, Route, Service, answer};
use otlp_arrow_net::time::sleep;
use otlp_arrow_wire::health::{self, Serving};
use otlp_arrow_wire::otlp;
use tokio::sync::{Semaphore, mpsc, watch};

use super::Door;
use super::door::Inside;
use crate::ingest::Ingest;
use crate::store::budget::Budget;

pub(super) const DOOR: Door =
    Door { name: "health", telemetry: None, on: |_| true, open: |inside| Arc::new(Health::new(inside)) };

const LIVE: &str = "/healthz";
const READY: &str = "/readyz";
const TEXT: &str = "text/plain; charset=utf-8";

/// How often a watched status is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many may watch at a time.
const WATCHERS: usize = 1024;
/// Bytes of a health request: a service name.
const MAX_REQUEST: usize = 1024;

/// gRPC statuses.
const NOT_FOUND: i32 = 5;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

struct Health {
    status: Status,
    /// Places for those who watch.
    watchers: Arc<Semaphore>,
}

/// Whether the recorder takes data.
#[derive(Clone)]
struct Status {
    ingest: Arc<dyn Ingest>,
    stopped: watch::Receiver<bool>,
    clock: Clock,
}

impl Status {
    fn ready(&self) -> Result<(), String> {
        if *self.stopped.borrow() {
            return Err("shutting down".into());
        }
        self.ingest.ready().map_err(|error| error.to_string())
    }

    fn serving(&self) -> Serving {
        if self.ready().is_ok() { Serving::Yes } else { Serving::No }
    }
}

impl Health {
    fn new(inside: &Inside) -> Self {
        let status =
            Status { ingest: Arc::clone(&inside.ingest), stopped: inside.stopped.clone(), clock: inside.clock.clone() };
        Self { status, watchers: Arc::new(Semaphore::new(WATCHERS)) }
    }

    fn page(&self) -> Response<Answer> {
        match self.status.ready() {
            Ok(()) => answer::plain(200, TEXT, "ready\n"),
            Err(reason) => answer::plain(503, TEXT, format!("not ready: {reason}\n")),
        }
    }

    /// `Check`: the status now.
    async fn check(&self, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        if is_ours(request).await? {
            return Ok(answer::grpc(&health::response(self.status.serving())));
        }
        Ok(answer::grpc_status(NOT_FOUND, "unknown service: ask for \"\" or one of the three OTLP services"))
    }

    /// `Watch`: the status now and whenever it changes, until the doors close.
    async fn watch(&self, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        let known = is_ours(request).await?;
        let Ok(place) = Arc::clone(&self.watchers).try_acquire_owned() else {
            return Ok(answer::grpc_status(RESOURCE_EXHAUSTED, "too many watch already: ask with Check"));
        };
        let (frames, answers) = mpsc::channel(1);
        let status = self.status.clone();
        tokio::spawn(async move {
            let _held = place;
            let mut stopped = status.stopped.clone();
            let mut last = None;
            loop {
                let now = Some(if known { status.serving() } else { Serving::Unknown });
                if let Some(serving) = now.filter(|_| now != last) {
                    let frame = Frame::data(answer::grpc_frame(&health::response(serving)));
                    if frames.send(frame).await.is_err() {
                        return;
                    }
                }
                last = now;
                if *stopped.borrow() {
                    let _ = frames.send(Frame::trailers(answer::grpc_trailers(UNAVAILABLE, "shutting down"))).await;
                    return;
                }
                tokio::select! {
                    () = sleep(&status.clock, LOOK) => {}
                    _ = stopped.changed() => {}
                    () = frames.closed() => return,
                }
            }
        });
        Ok(answer::grpc_stream(answers))
    }
}

/// Whether the service that is asked for is one of ours.
async fn is_ours(request: &mut Request) -> Result<bool, Refusal> {
    // Not from the budget of the data: a full buffer must not look like a dead process.
    let reservation = Arc::new(Budget::new(MAX_REQUEST * 4)).reserve(Signal::Logs, 0)?;
    let encoding = request.message_encoding()?;
    let (request, _) = Messages::new(&mut request.body, encoding, MAX_REQUEST).one(reservation).await?;
    let name = health::service(&request).ok_or_else(|| Refusal::invalid("not a HealthCheckRequest"))?;
    Ok(name.is_empty() || Signal::ALL.into_iter().any(|signal| name == otlp::service(signal)))
}

impl Service for Health {
    fn name(&self) -> &'static str {
        DOOR.name
    }

    fn routes(&self) -> Vec<Route> {
        vec![Route::unary(health::CHECK), Route::unary(health::WATCH), Route::get(LIVE), Route::get(READY)]
    }

    fn call<'a>(&'a self, request: &'a mut Request, _: &'a Identity) -> Answering<'a> {
        Box::pin(async move {
            match request.head.uri.path() {
                health::CHECK => self.check(request).await,
                health::WATCH => self.watch(request).await,
                LIVE => Ok(answer::plain(200, TEXT, "ok\n")),
                _ => Ok(self.page()),
            }
        })
    }
}
