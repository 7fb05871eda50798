//! Arrow Flight as a service behind the router: from one call to its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Response};
use otlp_arrow::internal::{Hops, Inside, Recorder};
use otlp_arrow::{Code, OtlpError, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::Limits;
use otlp_arrow_net::identity::Identity;
use otlp_arrow_net::server::{Answer, Answering, Messages, Refusal, Request, Route, Service, answer, guard};
use otlp_arrow_query::scan::give_way;
use otlp_arrow_query::{Ask, Telemetry};
use otlp_arrow_store::budget::Budget;
use otlp_arrow_wire::flight::{criteria, paths, ticket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::asked::{Asked, read};
use crate::get::{self, HELD};
use crate::put::{Intake, UNREAD};
use crate::sink::{self, Sink};
use crate::{actions, info};

/// Answers that are sent at a time, those without an end among them: each has a thread.
const GETS: usize = 32;
/// Bytes of a ticket, a descriptor, a criterion or an action.
const MAX_REQUEST: usize = 64 << 10;

const VIA: HeaderName = HeaderName::from_static(Hops::HEADER);

/// See the module.
pub(crate) struct Flight {
    /// The name of its key, and in counters.
    name: &'static str,
    intake: Intake,
    behind: Option<(Recorder, Telemetry)>,
    gets: Arc<Semaphore>,
    /// Not from the budget of the data: a full buffer must not keep anybody from asking why.
    requests: Arc<Budget>,
    timeout: Duration,
    clock: Clock,
    stopped: watch::Receiver<bool>,
}

impl Flight {
    pub(crate) fn new(name: &'static str, inside: &Inside) -> Self {
        let limits = &inside.limits;
        let intake = Intake {
            ingest: Arc::clone(&inside.ingest),
            protocol: inside.ingest.stats().protocol(name),
            limits: Limits { nesting: limits.nesting, max_request_memory: limits.max_request_memory },
            max: limits.max_body,
            clock: inside.clock.clone(),
            stopped: inside.stopped.clone(),
        };
        Self {
            name,
            intake,
            behind: inside.recorder.clone().map(|recorder| (recorder.clone(), recorder.telemetry())),
            gets: Arc::new(Semaphore::new(GETS)),
            requests: Arc::new(Budget::new(64 * MAX_REQUEST)),
            timeout: limits.timeout,
            clock: inside.clock.clone(),
            stopped: inside.stopped.clone(),
        }
    }

    async fn answer(&self, request: &mut Request, identity: &Identity) -> Result<Response<Answer>, Refusal> {
        let path = request.head.uri.path().to_owned();
        if path == paths::DO_PUT {
            return self.put(request);
        }
        guard::admit(&request.head, identity)?;
        if matches!(path.as_str(), paths::HANDSHAKE | paths::POLL_FLIGHT_INFO | paths::DO_EXCHANGE) {
            let usage = "this recorder answers ListFlights, GetFlightInfo, GetSchema, DoGet, DoPut, DoAction and ListActions, \
                         without credentials";
            return Err(Refusal::unknown_path(&path, usage));
        }
        let (recorder, telemetry) =
            self.behind.clone().ok_or_else(|| OtlpError::new(Code::Unavailable, "no recorder is behind this door"))?;
        let message = self.message(request).await?;
        let now = telemetry.now();
        match path.as_str() {
            paths::DO_GET => {
                let asked = Asked::of_ticket(read("Ticket", ticket(&message))?, now)?;
                self.get(&telemetry, asked).await
            }
            paths::LIST_FLIGHTS => {
                let list = move || info::list(&telemetry, read("Criteria", criteria(&message))?);
                Ok(sink::all(blocking(list).await?))
            }
            paths::GET_FLIGHT_INFO => {
                let asked = Asked::of_descriptor(&message, now)?;
                Ok(answer::grpc(&blocking(move || info::info(&telemetry, &asked, &message)).await?))
            }
            paths::GET_SCHEMA => {
                let asked = Asked::of_descriptor(&message, now)?;
                Ok(answer::grpc(&info::schema(&telemetry, &asked)?))
            }
            paths::DO_ACTION => Ok(sink::all([blocking(move || actions::run(&recorder, &message)).await?])),
            _ => Ok(sink::all(actions::list())),
        }
    }

    /// The message of a call that has one.
    async fn message(&self, request: &mut Request) -> Result<Vec<u8>, Refusal> {
        request.body.set_deadline(self.clock.now().checked_add(self.timeout));
        let reservation = self.requests.reserve(Signal::Logs, 0)?;
        let encoding = request.message_encoding()?;
        let (message, _) = Messages::new(&mut request.body, encoding, MAX_REQUEST).one(reservation).await?;
        Ok(message.to_vec())
    }

    fn put(&self, request: &mut Request) -> Result<Response<Answer>, Refusal> {
        let hops = request.head.headers.get(VIA).map(|value| Hops::parse(value.to_str().unwrap_or_default()));
        let hops = hops.unwrap_or_default();
        if let Some(reason) = hops.refused_by(self.intake.ingest.number()) {
            return Err(Refusal::comes_back(reason));
        }
        let (encoding, weight) = (request.message_encoding()?, request.weight());
        let messages = Messages::stream(request.body.take(), encoding, self.intake.max, self.timeout);
        let (frames, receiver) = mpsc::channel(UNREAD);
        tokio::spawn(self.intake.clone().put(messages, hops, weight, frames));
        Ok(answer::grpc_stream(receiver))
    }

    async fn get(&self, telemetry: &Telemetry, asked: Asked) -> Result<Response<Answer>, Refusal> {
        let busy = |text: String| Refusal::from(OtlpError::new(Code::Unavailable, text));
        let place = Arc::clone(&self.gets).try_acquire_owned();
        let place = place.map_err(|_| busy(format!("{GETS} answers are being sent: ask again in a moment")))?;
        let held = telemetry.hold(HELD);
        let held = held.ok_or_else(|| busy("questions take all the memory they may (query.max_memory)".to_owned()))?;
        let (sink, response) = Sink::new(self.clock.clone(), self.stopped.clone());
        let telemetry = telemetry.clone();
        match asked.follow {
            None => {
                let rows = move || telemetry.stream(asked.signal, &asked.filter, &asked.columns);
                let rows = blocking(rows).await?;
                thread(place, move || get::stream(rows, sink, held))?;
            }
            Some(cursor) => {
                let rows = move || telemetry.follow(asked.signal, &asked.filter, &asked.columns, cursor.as_ref());
                let rows = blocking(rows).await?;
                thread(place, move || get::follow(rows, sink, held))?;
            }
        }
        Ok(response)
    }
}

/// What reads files, apart from those that sockets are served by.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OtlpError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = || OtlpError::new(Code::Internal, "answering this call failed: please report it to the project");
    Ok(done.unwrap_or_else(|_| Err(failed()))?)
}

/// Sends an answer from a thread that gives way to those that record.
fn thread(place: OwnedSemaphorePermit, send: impl FnOnce() + Send + 'static) -> Result<(), Refusal> {
    let body = move || {
        let _place = place;
        give_way();
        // Its client is told of a panic by an answer without an end.
        let _ = catch_unwind(AssertUnwindSafe(send));
    };
    let started = std::thread::Builder::new().name("otlp-flight".to_owned()).spawn(body);
    let failed = |error| OtlpError::with_source(Code::Unavailable, "the system gives no thread for an answer", error);
    started.map(drop).map_err(|error| failed(error).into())
}

impl Service for Flight {
    fn name(&self) -> &'static str {
        self.name
    }

    fn routes(&self) -> Vec<Route> {
        let streams = [
            paths::DO_GET,
            paths::DO_PUT,
            paths::DO_ACTION,
            paths::LIST_FLIGHTS,
            paths::LIST_ACTIONS,
            paths::HANDSHAKE,
            paths::DO_EXCHANGE,
        ];
        let unary = [paths::GET_FLIGHT_INFO, paths::GET_SCHEMA, paths::POLL_FLIGHT_INFO];
        streams.map(Route::stream).into_iter().chain(unary.map(Route::unary)).collect()
    }

    fn usage(&self) -> Option<&'static str> {
        Some("Arrow Flight over gRPC")
    }

    fn call<'a>(&'a self, request: &'a mut Request, identity: &'a Identity) -> Answering<'a> {
        Box::pin(self.answer(request, identity))
    }
}
