//! `BindingLibrary`: the core's `OtlpLibrary` for JavaScript.

use std::future::Future;
use std::path::{PathBuf, absolute};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, FnArgs, Function, PromiseRaw, spawn};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::internal::config::{Loaded, Sources};
use otlp_arrow::internal::{Clock, Export, Producer as _, Waiter, grpc_response, grpc_status_details, status_of};
use otlp_arrow::{
    Addresses, Code, Config, Event, ExportOutcome, FlushOptions, Forwarder, OtlpError, OtlpLibrary, Severity,
};
use otlp_arrow_api::HttpApi as _;
use otlp_arrow_dashboard::Dashboard as _;
use otlp_arrow_flight::ArrowFlight as _;
use otlp_arrow_mcp::Mcp as _;
use otlp_arrow_query::{Ask as _, Indexed as _};

use crate::append::BindingAppend;
use crate::ask::BindingTelemetry;
use crate::error::{Outcome, outcome, signal};
use crate::pending::{Entered, Pending};
use crate::pieces::Pieces;
use crate::reader::{BindingReader, reading};
use crate::runtime::{blocking, promise};
use crate::subscription::BindingSubscription;

/// What became of the records of one export.
#[napi(object)]
pub struct BindingOutcome {
    /// Records that are kept.
    pub accepted: f64,
    /// Records that were refused as invalid.
    pub rejected: f64,
    /// Why the first was refused; empty when none was.
    pub message: String,
}

/// The answer of a gRPC server.
#[napi(object)]
pub struct BindingGrpcAnswer {
    /// gRPC status number; 0 is success.
    pub code: i32,
    /// The status message.
    pub message: String,
    /// On success the response message, else `google.rpc.Status` for `grpc-status-details-bin`.
    pub body: Buffer,
    /// The records came from here: the message goes into the header `otlp-arrow-loop` as well.
    pub comes_back: bool,
}

impl BindingGrpcAnswer {
    fn of_a_loop(reason: &str) -> Self {
        Self { code: FAILED_PRECONDITION, message: reason.to_owned(), body: Vec::new().into(), comes_back: true }
    }
}

/// The status number of gRPC.
const FAILED_PRECONDITION: i32 = 9;

/// The listeners of a library, as `host:port`.
#[napi(object)]
pub struct BindingAddresses {
    /// The gRPC listener.
    pub grpc: Option<String>,
    /// The HTTP listener.
    pub http: Option<String>,
}

impl std::convert::From<ExportOutcome> for BindingOutcome {
    fn from(outcome: ExportOutcome) -> Self {
        Self { accepted: outcome.accepted as f64, rejected: outcome.rejected as f64, message: outcome.message }
    }
}

/// A recorder.
#[napi]
pub struct BindingLibrary {
    inner: OtlpLibrary,
    on_done: Arc<OnDone>,
    pending: Arc<Pending>,
    /// Set at once by a shutdown; the core is told when what was called before is in.
    closing: AtomicBool,
    resource: Vec<(String, String)>,
    directory: PathBuf,
}

impl BindingLibrary {
    fn open(
        loaded: Loaded,
        on_event: impl Fn(&Event) + Send + Sync + 'static,
        on_done: Arc<OnDone>,
    ) -> otlp_arrow::Result<Self> {
        let builder = OtlpLibrary::builder(loaded.config.clone()).ignored(&loaded).on_event(on_event);
        Ok(Self {
            on_done,
            pending: Arc::default(),
            closing: AtomicBool::new(false),
            resource: loaded.config.resource.clone(),
            directory: absolute(&loaded.config.output_dir).unwrap_or_else(|_| loaded.config.output_dir.clone()),
            inner: builder.indexed().http_api().dashboard().mcp().arrow_flight().open()?,
        })
    }
}

/// A function of the host program that is told each event as JSON. It does not keep the process alive; when the program
/// is too busy to listen, events are left out, which the core's counters do not miss.
type OnEvent = ThreadsafeFunction<String, (), String, Status, false, true, EVENT_QUEUE>;

/// Events that wait for the program to listen.
const EVENT_QUEUE: usize = 1024;

/// A function of the host program that is told what became of the export of a number. It does not keep the process alive.
type OnDone = ThreadsafeFunction<
    FnArgs<(u32, Outcome<BindingOutcome>)>,
    (),
    FnArgs<(u32, Outcome<BindingOutcome>)>,
    Status,
    false,
    true,
>;

/// The answer to one export, which is given in any case.
struct Answer {
    number: u32,
    on_done: Arc<OnDone>,
    outcome: Option<otlp_arrow::Result<ExportOutcome>>,
}

impl Answer {
    fn give(mut self, outcome: otlp_arrow::Result<ExportOutcome>) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let panicked = || Err(OtlpError::new(Code::Internal, "an export ended in a panic: please report it"));
        let done = outcome(self.outcome.take().unwrap_or_else(panicked).map(BindingOutcome::from));
        self.on_done.call((self.number, done).into(), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// Opens a recorder; `config` is a JSON object of keys as in the configuration file.
#[napi(catch_unwind)]
pub(crate) fn open<'env>(
    env: &'env Env,
    config: String,
    #[napi(ts_arg_type = "(event: string) => void")] on_event: Function<'env, String, ()>,
    #[napi(ts_arg_type = "(number: number, outcome: Outcome<BindingOutcome>) => void")] on_done: Function<
        'env,
        FnArgs<(u32, Outcome<BindingOutcome>)>,
        (),
    >,
) -> napi::Result<PromiseRaw<'env, Outcome<BindingLibrary>>> {
    let on_event: OnEvent =
        on_event.build_threadsafe_function().weak::<true>().max_queue_size::<EVENT_QUEUE>().build()?;
    let on_done: Arc<OnDone> = Arc::new(on_done.build_threadsafe_function().weak::<true>().build()?);
    let listener = move |event: &Event| {
        if let Ok(event) = json(event) {
            on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking);
        }
    };
    promise(env, async move {
        let opened = blocking(move || {
            let arguments = serde_json::from_str(&config).map_err(|error| {
                OtlpError::with_source(Code::InvalidConfig, "the configuration is not an object", error)
            })?;
            let loaded = Config::load(&Sources { arguments, ..Sources::process()? })?;
            BindingLibrary::open(loaded, listener, on_done)
        });
        outcome(opened.await)
    })
}

#[napi]
impl BindingLibrary {
    /// Keeps one OTLP protobuf request, which came through the recorders that the header `via` names. The bytes are copied
    /// before this returns.
    #[napi(catch_unwind)]
    pub fn export_otlp<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        data: &[u8],
        via: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome<BindingOutcome>>> {
        let (open, bytes) = (self.enter(), Bytes::copy_from_slice(data));
        promise(env, async move {
            let done = async move {
                let (library, _entered) = open?;
                let hops = library.came_through(&via).map_err(|reason| OtlpError::new(Code::InvalidData, reason))?;
                library.export_via(signal(signal_position)?, bytes, hops).await
            };
            outcome(done.await.map(BindingOutcome::from))
        })
    }

    /// The same for a request that is still to be made, of `steps` and the `text` and `bytes` they take. `on_done` is told
    /// what became of it, with `number`. An SDK exporter sets `wait_ms`: it waits so long for room instead of failing, and what
    /// is not kept then, `records` of them, is counted and announced.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "one object of them would cost a look-up each, on the main thread")]
    pub fn export_pieces(
        &self,
        number: u32,
        signal_position: u32,
        steps: &[u32],
        text: &[u8],
        bytes: &[u8],
        wait_ms: Option<f64>,
        records: Option<f64>,
    ) {
        let pieces = Pieces::copy(steps, text, bytes);
        let answer = Answer { number, on_done: Arc::clone(&self.on_done), outcome: None };
        let done = self.export(signal_position, move || pieces?.make(), wait_ms, records);
        spawn(async move { answer.give(done.await) });
    }

    /// Begins a call of `append`, whose rows may still have to be written as Arrow IPC: a shutdown after this waits for it.
    #[napi(catch_unwind)]
    pub fn begin_append(&self) -> Outcome<BindingAppend> {
        outcome(self.enter().map(|(library, entered)| BindingAppend::new(library, entered)))
    }

    /// Counts records that could not be read, and so are in no request.
    #[napi(catch_unwind)]
    pub fn unreadable(&self, signal_position: u32, records: f64) {
        if let Ok(signal) = signal(signal_position) {
            self.inner.unreadable(signal, records as u64);
        }
    }

    /// One request to an OTLP service of a gRPC server in JavaScript, which came through the recorders that the header `via`
    /// names, and what to answer. It never waits for room.
    #[napi(catch_unwind)]
    pub fn answer_grpc<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        data: &[u8],
        via: String,
    ) -> napi::Result<PromiseRaw<'env, BindingGrpcAnswer>> {
        let library = self.inner.clone();
        let entered = Pending::enter(&self.pending);
        let bytes = Bytes::copy_from_slice(data);
        promise(env, async move {
            let hops = match library.came_through(&via) {
                Ok(hops) => hops,
                Err(reason) => return BindingGrpcAnswer::of_a_loop(reason),
            };
            let answer = match signal(signal_position) {
                Ok(signal) => {
                    let done = library.export_via(signal, bytes, hops).await;
                    done.map(|outcome| grpc_response(signal, &outcome))
                }
                Err(error) => Err(error),
            };
            drop(entered);
            match answer {
                Ok(response) => {
                    BindingGrpcAnswer { code: 0, message: String::new(), body: response.into(), comes_back: false }
                }
                Err(error) => BindingGrpcAnswer {
                    code: status_of(error.code()).grpc,
                    message: error.message().to_owned(),
                    body: grpc_status_details(&error).into(),
                    comes_back: false,
                },
            }
        })
    }

    /// Resolves when everything accepted before the call is committed, and sealed if `seal` says so.
    #[napi(catch_unwind)]
    pub fn flush<'env>(&self, env: &'env Env, seal: bool) -> napi::Result<PromiseRaw<'env, Outcome<()>>> {
        let library = self.inner.clone();
        promise(env, async move { outcome(library.flush_with(FlushOptions { seal }).await) })
    }

    /// Drains, commits, seals and lets go, within `deadline_ms` or the configured time.
    #[napi(catch_unwind)]
    pub fn shutdown<'env>(
        &self,
        env: &'env Env,
        deadline_ms: Option<f64>,
    ) -> napi::Result<PromiseRaw<'env, Outcome<()>>> {
        let close = self.close(deadline_ms);
        promise(env, async move { outcome(blocking(close).await) })
    }

    /// The same on the calling thread: for the moment in which no promise can be waited for any more.
    #[napi(catch_unwind)]
    pub fn shutdown_now(&self, deadline_ms: f64) -> Outcome<()> {
        outcome(self.close(Some(deadline_ms))())
    }

    /// The program ends: no exporter waits for longer than `left_ms` any more. Without it the program goes on after all.
    #[napi(catch_unwind)]
    pub fn ends_in(&self, left_ms: Option<f64>) {
        self.inner.ends_by(left_ms.map(|left| Clock::system().now() + milliseconds(left)));
    }

    /// An exporter is shut down: for how many milliseconds it may wait, all of them together.
    #[napi(catch_unwind)]
    pub fn exporter_ends_in(&self) -> f64 {
        Clock::system().left(self.inner.exporter_ends()).as_secs_f64() * 1000.0
    }

    /// Resolves when everything accepted before the call is committed; an exporter waits for `wait_ms` at most.
    #[napi(catch_unwind)]
    pub fn flush_within<'env>(&self, env: &'env Env, wait_ms: f64) -> napi::Result<PromiseRaw<'env, Outcome<()>>> {
        let flushed = self.inner.flush_within(milliseconds(wait_ms));
        promise(env, async move { outcome(flushed.await) })
    }

    /// Attributes of the resource that records without one belong to.
    #[napi(catch_unwind)]
    pub fn resource(&self) -> Vec<Vec<String>> {
        self.resource.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect()
    }

    /// The output directory.
    #[napi(catch_unwind)]
    pub fn directory(&self) -> String {
        self.directory.to_string_lossy().into_owned()
    }

    /// Everything that is committed from the durable position `name` on.
    #[napi(catch_unwind)]
    pub fn subscribe<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        name: String,
        from_now: bool,
    ) -> napi::Result<PromiseRaw<'env, Outcome<BindingSubscription>>> {
        let library = self.inner.clone();
        promise(env, async move {
            let opened = blocking(move || {
                let from = if from_now { SubscribeFrom::Now } else { SubscribeFrom::Beginning };
                library.subscribe(signal(signal_position)?, &name, from)
            });
            outcome(opened.await.map(BindingSubscription::new))
        })
    }

    /// How each destination stands, as JSON.
    #[napi(catch_unwind)]
    pub fn forwarders(&self) -> Outcome<String> {
        let infos: Vec<_> = self.inner.forwarders().iter().map(Forwarder::info).collect();
        outcome(json(&infos))
    }

    /// Does `action`, one of `pause`, `resume` and `reset`, to the destination at `position`.
    #[napi(catch_unwind)]
    pub fn forward(&self, position: u32, action: String) -> Outcome<()> {
        outcome(self.forwarder(position).and_then(|forwarder| {
            match action.as_str() {
                "pause" => forwarder.pause(),
                "resume" => forwarder.resume(),
                "reset" => forwarder.reset(),
                other => return Err(OtlpError::new(Code::Internal, format!("a destination cannot {other}"))),
            }
            Ok(())
        }))
    }

    /// Sends again what the destination at `position` refused, for at most `timeout_ms`; what was done is JSON.
    #[napi(catch_unwind)]
    pub fn retry_rejected<'env>(
        &self,
        env: &'env Env,
        position: u32,
        timeout_ms: f64,
    ) -> napi::Result<PromiseRaw<'env, Outcome<String>>> {
        let forwarder = self.forwarder(position);
        promise(env, async move {
            let retried = blocking(move || json(&forwarder?.retry_rejected(milliseconds(timeout_ms))?));
            outcome(retried.await)
        })
    }

    /// What is kept, to be asked.
    #[napi(catch_unwind)]
    pub fn telemetry(&self) -> BindingTelemetry {
        BindingTelemetry::new(self.inner.telemetry())
    }

    /// What was bound.
    #[napi(catch_unwind)]
    pub fn addresses(&self) -> BindingAddresses {
        let Addresses { grpc, http } = self.inner.addresses();
        BindingAddresses {
            grpc: grpc.map(|address| address.to_string()),
            http: http.map(|address| address.to_string()),
        }
    }

    /// What was done and what is in hand, as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Outcome<String> {
        outcome(json(&self.inner.stats()))
    }

    /// Whether it works, and why not, as JSON.
    #[napi(catch_unwind)]
    pub fn health(&self) -> Outcome<String> {
        outcome(json(&self.inner.health()))
    }

    /// A snapshot of what is committed; `options` is a JSON object.
    #[napi(catch_unwind)]
    pub fn read<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        options: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome<BindingReader>>> {
        let library = self.inner.clone();
        reading(env, signal_position, options, move |signal, options| library.read(signal, options))
    }
}

impl BindingLibrary {
    fn export(
        &self,
        signal_position: u32,
        request: impl FnOnce() -> otlp_arrow::Result<Bytes> + Send + 'static,
        wait_ms: Option<f64>,
        records: Option<f64>,
    ) -> impl Future<Output = otlp_arrow::Result<ExportOutcome>> + Send + 'static {
        let open = self.enter();
        async move {
            let (library, entered) = open?;
            let export = async move {
                let signal = signal(signal_position)?;
                let bytes = request()?;
                match wait_ms {
                    None => library.export_otlp(signal, bytes).await,
                    Some(wait) => {
                        // No thread of the program stands still, whatever hands the records over.
                        let (waiter, timeout, severity) = (Waiter::Batch, milliseconds(wait), Severity::Warn);
                        let records = records.unwrap_or_default() as u64;
                        library.send(Export { signal, bytes, records, waiter, timeout, severity }).await
                    }
                }
            };
            let done = export.await;
            drop(entered);
            done
        }
    }

    /// The library, and a place among the calls under way, while it is open.
    fn enter(&self) -> otlp_arrow::Result<(OtlpLibrary, Entered)> {
        match self.closing.load(Ordering::SeqCst) {
            true => Err(closed()),
            false => Ok((self.inner.clone(), Pending::enter(&self.pending))),
        }
    }

    fn forwarder(&self, position: u32) -> otlp_arrow::Result<Forwarder> {
        let missing = || OtlpError::new(Code::Internal, format!("there is no destination {position}"));
        self.inner.forwarders().get(position as usize).cloned().ok_or_else(missing)
    }

    /// Refuses new exports from now on; the result, called on a thread that may block, lets those under way finish and
    /// shuts the core down.
    fn close(&self, deadline_ms: Option<f64>) -> impl FnOnce() -> otlp_arrow::Result<()> + Send + 'static {
        self.closing.store(true, Ordering::SeqCst);
        let (library, pending) = (self.inner.clone(), Arc::clone(&self.pending));
        move || library.shutdown_after(deadline_ms.map(milliseconds), |until| pending.wait(until)).map(|_| ())
    }
}

fn json(value: &impl serde::Serialize) -> otlp_arrow::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| OtlpError::with_source(Code::Internal, "a report could not be written as JSON", error))
}

fn closed() -> OtlpError {
    OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one")
}

fn milliseconds(amount: f64) -> Duration {
    Duration::try_from_secs_f64(amount.max(0.0) / 1000.0).unwrap_or(Duration::MAX / 4)
}
