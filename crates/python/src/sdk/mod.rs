//! OpenTelemetry SDK objects to OTLP protobuf bytes.
//!
//! The objects are walked once per batch, attached to the interpreter; what comes out is bytes, and everything after
//! that runs detached. The content is that of the SDK's own OTLP encoder, with what that one loses added: the trace
//! state of links, integers beyond 64 bits (as decimal text, as OpenTelemetry's attribute mapping says), values of
//! foreign types (as their `str`).

mod group;
mod ids;
mod logs;
mod metrics;
mod spans;
mod types;
mod value;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use group::Groups;

/// Arrays and maps nested deeper than this are not walked: the whole record is refused. More than any configurable
/// limit, and it ends the walk of a value that contains itself.
const MAX_NESTING: usize = 256;

/// One export request.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// OTLP protobuf.
    pub(crate) bytes: Vec<u8>,
    /// Records left out because they could not be read.
    pub(crate) refused: u64,
    /// Why the first of them could not; empty when none was left out.
    pub(crate) reason: String,
}

/// Records that are left out, and why the first of them is.
#[derive(Debug, Default)]
struct LeftOut {
    count: u64,
    reason: String,
}

impl LeftOut {
    /// Counts `records` more, unless what was raised is no mistake in them: Ctrl-C, the end of the interpreter.
    fn add(&mut self, py: Python<'_>, records: u64, failure: Failure) -> PyResult<()> {
        let reason = match failure {
            Failure::TooDeep => "a value is nested too deeply to be walked".to_owned(),
            Failure::Raised(error) if error.is_instance_of::<PyException>(py) => error.to_string(),
            Failure::Raised(error) => return Err(error),
        };
        if self.count == 0 {
            self.reason = reason;
        }
        self.count += records;
        Ok(())
    }

    fn encoded(self, bytes: Vec<u8>) -> Encoded {
        Encoded { bytes, refused: self.count, reason: self.reason }
    }
}

/// Why a record, or a value in it, could not be written.
#[derive(Debug)]
enum Failure {
    /// Nested deeper than [`MAX_NESTING`].
    TooDeep,
    /// Python raised.
    Raised(PyErr),
}

impl Failure {
    /// The same once more, for another record.
    fn again(&self, py: Python<'_>) -> Self {
        match self {
            Failure::TooDeep => Failure::TooDeep,
            Failure::Raised(error) => Failure::Raised(error.clone_ref(py)),
        }
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Failure::Raised(error)
    }
}

/// An encoded resource for records that come without one; none when empty.
#[derive(Debug, Default)]
pub(crate) struct DefaultResource(Vec<u8>);

impl DefaultResource {
    /// A resource of these attributes.
    pub(crate) fn new(attributes: &[(String, String)]) -> Self {
        Self(group::resource_of(attributes))
    }
}

/// Encodes a sequence of `ReadableSpan`.
pub(crate) fn encode_spans(spans: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    encode_each(spans, default, spans::encode)
}

/// Encodes a sequence of `ReadableLogRecord`.
pub(crate) fn encode_logs(records: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    encode_each(records, default, logs::encode)
}

/// Encodes a `MetricsData`.
pub(crate) fn encode_metrics(data: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    metrics::encode(data, default)
}

fn encode_each<'py>(
    records: &Bound<'py, PyAny>,
    default: &DefaultResource,
    mut encode: impl FnMut(&Bound<'py, PyAny>, &mut Groups<'py, '_>) -> Result<(), Failure>,
) -> PyResult<Encoded> {
    let mut groups = Groups::new(records.len().unwrap_or(0), default);
    let mut left_out = LeftOut::default();
    for record in records.try_iter()? {
        if let Err(failure) = encode(&record?, &mut groups) {
            left_out.add(records.py(), 1, failure)?;
        }
    }
    Ok(left_out.encoded(groups.finish()))
}
