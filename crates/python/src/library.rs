//! The recorder behind `otlp_arrow.OtlpLibrary`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use otlp_arrow::Addresses;
use otlp_arrow::ReadOptions;
use otlp_arrow::SubscribeFrom;
use otlp_arrow::internal::config::{Loaded, Sources};
use otlp_arrow::internal::{Clock, Export, Producer as _, Waiter};
use otlp_arrow::{Code, Config, Event, ExportOutcome, FlushOptions, OtlpError, OtlpLibrary, Result, Severity, Signal};
use otlp_arrow_api::HttpApi as _;
use otlp_arrow_dashboard::Dashboard as _;
use otlp_arrow_flight::ArrowFlight as _;
use otlp_arrow_mcp::Mcp as _;
use otlp_arrow_query::{Ask as _, Indexed as _};
use otlp_arrow_store::Wanted;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::ask::Telemetry;
use crate::detached::Detached;
use crate::error::IntoPython;
use crate::follow::{Forwarder, Subscription};
use crate::sdk::{self, DefaultResource, Encoded};
use crate::table::{Stream, Table};
use crate::wait::{seconds, wait};

/// Records accepted, records refused, why the first was refused.
type Outcome = (u64, u64, String);

/// For how many seconds an exporter may wait, and whether a thread of the program stands still meanwhile.
type Patience = (f64, bool);

/// One open recorder. Every method releases the interpreter while it waits.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Library {
    library: Detached<OtlpLibrary>,
    resource: DefaultResource,
    output_dir: String,
}

#[pymethods]
impl Library {
    /// Opens a recorder; `config` is a JSON object of keys as in the configuration file.
    #[new]
    fn new(py: Python<'_>, config: &str, deliver: Py<PyAny>) -> PyResult<Self> {
        let listener = listener(deliver);
        py.detach(|| {
            let loaded = load(config)?;
            let output_dir = loaded.config.output_dir.display().to_string();
            let resource = DefaultResource::new(&loaded.config.resource);
            let builder = OtlpLibrary::builder(loaded.config.clone()).ignored(&loaded).indexed();
            let builder = builder.http_api().dashboard().mcp().arrow_flight();
            Ok(Self { library: Detached::new(builder.on_event(listener).open()?), resource, output_dir })
        })
        .into_python(py)
    }

    fn output_dir(&self) -> &str {
        &self.output_dir
    }

    /// Keeps SDK spans. With `patience` it is an exporter that asks: it waits for room instead of failing, as long as who waits
    /// for it may, and what is lost is counted and announced.
    #[pyo3(signature = (spans, patience=None))]
    fn export_spans(&self, spans: &Bound<'_, PyAny>, patience: Option<Patience>) -> PyResult<Outcome> {
        self.export_encoded(spans.py(), Signal::Traces, sdk::encode_spans(spans, &self.resource)?, patience)
    }

    /// Keeps the SDK's `MetricsData`.
    #[pyo3(signature = (data, patience=None))]
    fn export_metrics(&self, data: &Bound<'_, PyAny>, patience: Option<Patience>) -> PyResult<Outcome> {
        self.export_encoded(data.py(), Signal::Metrics, sdk::encode_metrics(data, &self.resource)?, patience)
    }

    /// Keeps SDK log records.
    #[pyo3(signature = (records, patience=None))]
    fn export_logs(&self, records: &Bound<'_, PyAny>, patience: Option<Patience>) -> PyResult<Outcome> {
        self.export_encoded(records.py(), Signal::Logs, sdk::encode_logs(records, &self.resource)?, patience)
    }

    /// Keeps one OTLP protobuf request, which came through the recorders that the header `via` names. The bytes are copied: Python
    /// may release them before they are written.
    fn export_otlp(&self, py: Python<'_>, signal: &str, data: &Bound<'_, PyBytes>, via: &str) -> PyResult<Outcome> {
        let signal = parse_signal(signal).into_python(py)?;
        let hops = py.detach(|| self.library.came_through(via));
        let hops = hops.map_err(|reason| OtlpError::new(Code::InvalidData, reason)).into_python(py)?;
        let kept = self.library.export_via(signal, Bytes::copy_from_slice(data.as_bytes()), hops);
        let ExportOutcome { accepted, rejected, message } = wait(py, None, kept)?.into_python(py)?;
        Ok((accepted, rejected, message))
    }

    /// Keeps the rows of an object with `__arrow_c_stream__` as one commit.
    fn append(&self, py: Python<'_>, signal: &str, data: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let signal = parse_signal(signal).into_python(py)?;
        let rows = Stream::of(data)?;
        let outcome = wait(py, None, self.library.append_batches(signal, 0, rows))?;
        let ExportOutcome { accepted, rejected, message } = outcome.into_python(py)?;
        Ok((accepted, rejected, message))
    }

    /// Counts and announces records that an exporter could not hand over, because of the error of this code. The exporter
    /// logs it too, and not each time.
    fn not_kept(&self, py: Python<'_>, signal: &str, records: u64, code: &str, message: &str) -> PyResult<()> {
        let signal = parse_signal(signal).into_python(py)?;
        let code = Code::all().find(|known| known.as_str() == code).unwrap_or(Code::Internal);
        py.detach(|| self.library.not_kept(signal, records, &OtlpError::new(code, message), Severity::Info));
        Ok(())
    }

    /// The program ends: no exporter waits for longer than so many seconds any more.
    fn ends_in(&self, py: Python<'_>, left: f64) {
        let moment = Clock::system().now() + seconds(Some(left)).unwrap_or_default();
        py.detach(|| self.library.ends_by(Some(moment)));
    }

    /// An exporter is shut down: for how many seconds it may wait, all of them together.
    fn exporter_ends_in(&self, py: Python<'_>) -> f64 {
        py.detach(|| Clock::system().left(self.library.exporter_ends()).as_secs_f64())
    }

    /// How many seconds a shutdown may take, by the configuration.
    fn shutdown_timeout(&self) -> f64 {
        self.library.config().shutdown_timeout.as_secs_f64()
    }

    /// A snapshot of what is committed; times are nanoseconds since 1970.
    #[allow(clippy::too_many_arguments, reason = "one for each keyword of the Python method")]
    fn read(
        &self,
        py: Python<'_>,
        signal: &str,
        from_nanos: Option<u64>,
        to_nanos: Option<u64>,
        columns: Option<Vec<String>>,
        limit: Option<usize>,
        dictionaries: bool,
    ) -> PyResult<Table> {
        let options = ReadOptions { from: time(from_nanos), to: time(to_nanos), columns, limit, dictionaries };
        let library = self.library.clone();
        py.detach(move || {
            let signal = parse_signal(signal)?;
            let schema = Wanted::new(signal, &options)?.schema(signal);
            Table::open(schema, move || library.read(signal, &options))
        })
        .into_python(py)
    }

    /// What is kept, to be asked.
    fn telemetry(&self) -> Telemetry {
        let library = self.library.clone();
        Telemetry::new(move || library.telemetry())
    }

    /// Follows what is committed from the durable position `name` on; a new name begins with the next commit or with
    /// the oldest record there is.
    fn subscribe(&self, py: Python<'_>, signal: &str, name: &str, now: bool) -> PyResult<Subscription> {
        let from = if now { SubscribeFrom::Now } else { SubscribeFrom::Beginning };
        py.detach(|| self.library.subscribe(parse_signal(signal)?, name, from)).map(Subscription::new).into_python(py)
    }

    /// The destinations, in the order of the configuration.
    fn forwarders(&self, py: Python<'_>) -> Vec<Forwarder> {
        py.detach(|| self.library.forwarders()).into_iter().map(Forwarder::new).collect()
    }

    /// The addresses that were bound, by name of the listener.
    fn addresses(&self) -> BTreeMap<&'static str, String> {
        let Addresses { grpc, http } = self.library.addresses();
        let bound = [("grpc", grpc), ("http", http)];
        bound.into_iter().filter_map(|(name, address)| Some((name, address?.to_string()))).collect()
    }

    /// What was done and what is in hand, as JSON.
    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        as_json(py, &py.detach(|| self.library.stats()))
    }

    /// Whether new data is taken and what is not well, as JSON.
    fn health(&self, py: Python<'_>) -> PyResult<String> {
        as_json(py, &py.detach(|| self.library.health()))
    }

    /// Returns when everything accepted before the call is committed, and sealed if `seal` says so.
    fn flush(&self, py: Python<'_>, timeout_seconds: Option<f64>, seal: bool) -> PyResult<()> {
        let deadline = seconds(timeout_seconds).and_then(|timeout| Clock::system().now().checked_add(timeout));
        wait(py, deadline, self.library.flush_with(FlushOptions { seal }))?.into_python(py)
    }

    /// Drains, commits, seals and lets go, within the deadline or the configured time.
    fn shutdown(&self, py: Python<'_>, deadline_seconds: Option<f64>) -> PyResult<()> {
        let deadline = seconds(deadline_seconds);
        wait(py, None, self.library.shutdown(deadline))?.into_python(py).map(drop)
    }
}

impl Library {
    fn export_encoded(
        &self,
        py: Python<'_>,
        signal: Signal,
        encoded: Encoded,
        patience: Option<Patience>,
    ) -> PyResult<Outcome> {
        let bytes = Bytes::from(encoded.bytes);
        let (accepted, rejected, message) = self.export(py, signal, bytes, encoded.written, patience)?;
        if encoded.refused == 0 {
            return Ok((accepted, rejected, message));
        }
        self.library.unreadable(signal, encoded.refused);
        let also = format!("{} record(s) could not be read; first: {}", encoded.refused, encoded.reason);
        let message = if message.is_empty() { also } else { format!("{message}; {also}") };
        Ok((accepted, rejected + encoded.refused, message))
    }

    fn export(
        &self,
        py: Python<'_>,
        signal: Signal,
        bytes: Bytes,
        records: u64,
        patience: Option<Patience>,
    ) -> PyResult<Outcome> {
        let outcome = match patience {
            None => wait(py, None, self.library.export_otlp(signal, bytes))?,
            Some((limit, held)) => {
                let timeout = seconds(Some(limit)).unwrap_or(DAY).min(DAY);
                let waiter = if held { Waiter::Request } else { Waiter::Batch };
                let severity = Severity::Info;
                wait(py, None, self.library.send(Export { signal, bytes, records, waiter, timeout, severity }))?
            }
        };
        let ExportOutcome { accepted, rejected, message } = outcome.into_python(py)?;
        Ok((accepted, rejected, message))
    }
}

pub(crate) fn as_json(py: Python<'_>, value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value)
        .map_err(|error| OtlpError::with_source(Code::Internal, "a report could not be written as JSON", error))
        .into_python(py)
}

/// Calls `deliver(name, nanoseconds since 1970, severity, signal, destination, count, message)` with each event.
fn listener(deliver: Py<PyAny>) -> impl Fn(&Event) + Send + Sync + 'static {
    move |event| {
        // Without an interpreter there is nobody left to tell.
        Python::try_attach(|py| {
            let time = event.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
            let signal = event.signal.map(Signal::as_str);
            let (name, severity) = (event.name.as_str(), event.severity.as_str());
            let arguments = (name, time, severity, signal, &event.destination, event.count, &event.message);
            if let Err(error) = deliver.call1(py, arguments) {
                error.write_unraisable(py, Some(deliver.bind(py)));
            }
        });
    }
}

/// Longer than any exporter waits.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The configuration: these arguments over the environment and the file of this process.
fn load(arguments: &str) -> Result<Loaded> {
    let arguments = serde_json::from_str(arguments).map_err(|error| {
        OtlpError::with_source(Code::InvalidConfig, "the configuration is not an object of keys", error)
    })?;
    Config::load(&Sources { arguments, ..Sources::process()? })
}

/// A signal by its name.
pub(crate) fn parse_signal(name: &str) -> Result<Signal> {
    name.parse().map_err(|error| OtlpError::with_source(Code::InvalidConfig, format!("signal: {error}"), error))
}

pub(crate) fn time(nanos: Option<u64>) -> Option<SystemTime> {
    nanos.map(|nanos| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos))
}
